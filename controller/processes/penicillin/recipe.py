"""The penicillin plant's own recipe: sugar once the first charge is eaten, precursor from the start."""

from __future__ import annotations

from dataclasses import dataclass

from plant_sim.recipe import PlantPhase

PUMPS = ("FIC201", "FIC202")  # sugar, precursor


@dataclass(frozen=True, slots=True)
class Recipe:
    """Sugar once the first charge is eaten, precursor from the start, until the end."""

    sugar_l_per_h: float = 0.042  # Birol 2002
    switch_g_per_l: float = 0.3  # Birol 2002; stands for the vessel's own sugar probe
    precursor_l_per_h: float = 0.00045  # design: not adapted to growth, and short of precursor near the end
    end_h: float = 230.0  # design, after the nominal batch of Goldrick 2015

    def next(self, phase: PlantPhase, hours: float, sugar_g_per_l: float) -> PlantPhase:
        """The phase now; the recipe never goes back."""
        if phase is PlantPhase.COMPLETE or hours >= self.end_h:
            return PlantPhase.COMPLETE
        if phase is PlantPhase.PRODUCTION or sugar_g_per_l < self.switch_g_per_l:
            return PlantPhase.PRODUCTION
        return PlantPhase.GROWTH

    def local(self, phase: PlantPhase, hours: float) -> dict[str, float]:
        """Each pump's setpoint when nobody else says one."""
        if phase is PlantPhase.COMPLETE:
            return dict.fromkeys(PUMPS, 0.0)
        sugar = self.sugar_l_per_h if phase is PlantPhase.PRODUCTION else 0.0
        return {"FIC201": sugar, "FIC202": self.precursor_l_per_h}
