"""Foam in the head space, and the antifoam that breaks it: dosed by a level switch, paid for with oxygen transfer.

Everything here is design, but for the form in which antifoam hinders transfer (Goldrick et al. 2015,
J. Biotechnol. 193:70-82).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

RISE = 4.0  # %/h of the head space that a dense broth raises
HALF_AT = 5.0  # g/L of biomass at which half of that is reached
NOMINAL_GAS = 8.6  # L/h; foam rises with the gas
COLLAPSE = 0.25  # 1/h, without antifoam
BREAKS = 100.0  # 1/(h.L): what each litre of antifoam in the broth adds to that
USED_UP = 0.35  # 1/h, antifoam loses its effect: half in two hours
DOSE = 0.02  # L/h while the pump runs
START_AT, STOP_AT = 50.0, 35.0  # % at which the pump is started and stopped
OUT_AT = 100.0  # % at which foam leaves by the gas outlet
LOST = 2.0  # L/h of broth that goes with it


@dataclass(slots=True)
class Foam:
    """The state of the head space."""

    level: float = 0.0  # %
    antifoam: float = 0.0  # L in the broth that still act
    dosing: bool = False

    @property
    def dose(self) -> float:
        """What the antifoam pump delivers, L/h."""
        return DOSE if self.dosing else 0.0

    @property
    def lost(self) -> float:
        """Broth that leaves as foam, L/h."""
        return LOST if self.level >= OUT_AT else 0.0

    def hindered(self, volume: float) -> float:
        """The share of the oxygen transfer that antifoam leaves: 1 - (oil/V)^0.25, Goldrick 2015."""
        return 1.0 - float((self.antifoam / volume) ** 0.25)

    def step(self, biomass: float, gas: float, foaming: float, hours: float) -> None:
        """Go on for so long; `foaming` is what a fault adds to the rise, %/h."""
        rise = RISE * biomass / (biomass + HALF_AT) * math.sqrt(max(gas, 0.0) / NOMINAL_GAS) + foaming
        decay = COLLAPSE + BREAKS * self.antifoam
        self.level = min(OUT_AT, rise / decay + (self.level - rise / decay) * math.exp(-decay * hours))
        self.antifoam = (self.antifoam + self.dose * hours) * math.exp(-USED_UP * hours)
        if self.level >= START_AT:
            self.dosing = True
        elif self.level <= STOP_AT:
            self.dosing = False

    def memory(self) -> dict[str, Any]:
        """Everything a restart needs."""
        return asdict(self)
