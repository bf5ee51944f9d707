"""The penicillin fed-batch as a process: one batch's culture, and the tables of its instruments, loops and recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from plant_sim import penicillin
from plant_sim.instruments import INSTRUMENTS
from plant_sim.laboratory import ANALYSES, DELAY_S, EVERY_S
from plant_sim.penicillin import Initial, Inputs, Parameters
from plant_sim.process import Process
from plant_sim.recipe import PUMPS, Recipe
from plant_sim.regulators import KELVIN, SETPOINTS, TUNINGS
from plant_sim.variation import Wander, vary

OXYGEN_SATURATION = Parameters().CL_star  # what 100 % means: the probe is calibrated once, in air


class PenicillinCulture:
    """The state of one batch, its constants, and the disturbance that they are under."""

    def __init__(
        self,
        constants: Parameters | None,
        variation: np.random.Generator | None,
        disturbance: np.random.Generator | None,
    ) -> None:
        """Inoculate."""
        self._q, initial = constants or Parameters(), Initial()
        if variation is not None:
            self._q, initial = vary(self._q, initial, variation)
        self._y = penicillin.inoculated(initial)
        self._u = Inputs()
        self._wander = Wander(disturbance)
        self._now = self._q  # the constants with the present disturbance

    @property
    def substrate(self) -> float:
        """Sugar, g/L."""
        return float(self._y[2])

    def move(self, hours: float, pumps: Mapping[str, float], loops: Mapping[str, float], seconds: float) -> None:
        """Go on from this hour of the batch under what pumps and local loops do."""
        if self._wander.until(hours):
            self._now = self._wander.applied(self._q)
        self._u = Inputs(
            F=pumps["FIC201"],
            Fpaa=pumps["FIC202"],
            Fa=loops["acid"],
            Fb=loops["base"],
            Fc=loops["cooling"],
            Fh=loops["heating"],
            Pw=loops["power"],
        )
        self._y = penicillin.advance(hours, self._y, self._u, self._now, seconds)

    def truth(self) -> dict[str, float]:
        """What is really in the vessel."""
        y = dict(zip(penicillin.STATES, self._y.tolist(), strict=True))
        return {
            "biomass": y["X"],
            "product": y["P"],
            "substrate": y["S"],
            "precursor": y["PAA"],
            "volume": y["V"],
            "dissolved_oxygen": 100.0 * y["CL"] / OXYGEN_SATURATION,
            "age": y["A"],
            "viscosity": y["vis"],
        }

    def visible(self) -> dict[str, float]:
        """The true value of everything that an instrument or the laboratory can measure, by tag."""
        y, u = self._y, self._u
        oxygen_uptake, carbon_dioxide = penicillin.off_gas(y, self._now)
        X, P, S, CL, V, Z, T, _, _, PAA, _, vis = y.tolist()
        return {
            "AIC102.PV": 100.0 * CL / OXYGEN_SATURATION,
            "AIC101.PV": -math.log10(penicillin.hydrogen(Z)),
            "TIC101.PV": T - KELVIN,
            "WI101.PV": V,  # 1 kg/L
            "AI302.PV": oxygen_uptake,
            "AI301.PV": carbon_dioxide,
            "FIC101.PV": u.fg,
            "JIC101.PV": u.Pw,
            "FI203.PV": u.Fb,
            "FI204.PV": u.Fa,
            "FIC201.PV": u.F,
            "FIC202.PV": u.Fpaa,
            "LAB.BIOMASS": X,
            "LAB.PRODUCT": P,
            "LAB.SUBSTRATE": S,
            "LAB.PRECURSOR": PAA,
            "LAB.VISCOSITY": vis,
        }

    def memory(self) -> dict[str, Any]:
        """Everything a restart needs."""
        return {
            "parameters": self._q._asdict(),
            "state": self._y.tolist(),
            "inputs": self._u._asdict(),
            "wander": self._wander.memory(),
        }

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from a memory."""
        self._q, self._y = Parameters(**memory["parameters"]), np.array(memory["state"])
        self._u = Inputs(**memory["inputs"])
        self._wander.recall(memory["wander"])
        self._now = self._wander.applied(self._q)


PENICILLIN = Process(
    name="penicillin",
    instruments=INSTRUMENTS,
    analyses=ANALYSES,
    sample_every_s=EVERY_S,
    result_after_s=DELAY_S,
    pumps=PUMPS,
    setpoints=SETPOINTS,
    tunings=TUNINGS,
    recipe=Recipe(),
    inoculate=PenicillinCulture,
    warm=penicillin.warm,
)
