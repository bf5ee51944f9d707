"""The penicillin fed-batch as a process: one batch's culture, and the tables of its instruments, loops and recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from controller.processes.penicillin import vessel as penicillin
from controller.processes.penicillin.contaminant import Toll, toll
from controller.processes.penicillin.foam import Foam
from controller.processes.penicillin.instruments import ANALYSES, DELAY_S, EVERY_S, INSTRUMENTS, SERVICES
from controller.processes.penicillin.loops import KELVIN, LIMITS, SETPOINTS, TUNINGS
from controller.processes.penicillin.recipe import PUMPS, Recipe
from controller.processes.penicillin.variation import OXYGEN_IN_AIR, Wander, vary
from controller.processes.penicillin.vessel import Initial, Inputs, Parameters
from plant_sim.design import Harm, PlantDesign

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
        self._harm = Harm()
        self._foam = Foam()
        self._foreign = 0.0  # g/L of contaminant
        self._oxygen = 0.0  # L/h of pure oxygen in the gas

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
            fg=loops["air"] + loops["oxygen"],
            Pw=loops["power"],
            Fw=self._foam.dose,
            Fdis=self._foam.lost,
        )
        self._oxygen = loops["oxygen"]
        self._y = penicillin.advance(hours, self._y, self._u, self._gassed(), seconds)
        self._foul(seconds / 3600.0)
        self._foam.step(float(self._y[0]), self._u.fg, self._harm.foaming, seconds / 3600.0)

    def suffer(self, harm: Harm) -> None:
        """Be in this state from now on; foreign cells get in once."""
        self._harm = harm
        self._foreign += harm.inoculum

    def _gassed(self) -> Parameters:
        """The constants with what gas, antifoam and faults make of oxygen transfer and saturation."""
        q, gas = self._now, self._u.fg
        enriched = 1.0 + (1.0 / OXYGEN_IN_AIR - 1.0) * self._oxygen / gas if gas > 0.0 else 1.0
        left = self._harm.transfer * self._foam.hindered(float(self._y[4]))
        if enriched == 1.0 and left == 1.0:
            return q
        return q._replace(alpha=q.alpha * left, CL_star=q.CL_star * enriched)

    def _toll(self) -> Toll:
        return toll(self._foreign, float(self._y[2]), float(self._y[3]))

    def _foul(self, hours: float) -> None:
        """Let the contaminant take its share; its scan is short against everything it does."""
        if self._foreign <= 0.0:
            return
        taken = self._toll()
        self._foreign = max(0.0, self._foreign + taken.growth * hours)
        self._y[2] = max(0.0, self._y[2] - taken.sugar * hours)
        self._y[3] = max(0.0, self._y[3] - taken.oxygen * hours)

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
            "contaminant": self._foreign,
        }

    def visible(self) -> dict[str, float]:
        """The true value of everything that an instrument or the laboratory can measure, by tag."""
        y, u = self._y, self._u
        oxygen_uptake, carbon_dioxide = penicillin.off_gas(y, self._now)
        X, P, S, CL, V, Z, T, _, _, PAA, _, vis = y.tolist()
        taken = self._toll()
        return {
            "AIC102.PV": 100.0 * CL / OXYGEN_SATURATION,
            "AIC101.PV": -math.log10(penicillin.hydrogen(Z)),
            "TIC101.PV": T - KELVIN,
            "WI101.PV": V,  # 1 kg/L
            "AI302.PV": oxygen_uptake + taken.oxygen,
            "AI301.PV": carbon_dioxide + taken.carbon_dioxide,
            "FIC101.PV": u.fg - self._oxygen,
            "FIC102.PV": self._oxygen,
            "LI102.PV": self._foam.level,
            "FI205.PV": self._foam.dose,
            "JIC101.PV": u.Pw,
            "FI203.PV": u.Fb,
            "FI204.PV": u.Fa,
            "FIC201.PV": u.F,
            "FIC202.PV": u.Fpaa,
            "LAB.BIOMASS": X + self._foreign,  # a dry weight tells nobody whose cells they are
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
            "foam": self._foam.memory(),
            "foreign": self._foreign,
            "oxygen": self._oxygen,
            "harm": asdict(self._harm),
        }

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from a memory."""
        self._q, self._y = Parameters(**memory["parameters"]), np.array(memory["state"])
        self._u = Inputs(**memory["inputs"])
        self._wander.recall(memory["wander"])
        self._now = self._wander.applied(self._q)
        self._foam, self._harm = Foam(**memory["foam"]), Harm(**memory["harm"])
        self._foreign, self._oxygen = memory["foreign"], memory["oxygen"]


DESIGN = PlantDesign(
    name="penicillin",
    instruments=INSTRUMENTS,
    analyses=ANALYSES,
    first_sample_s=EVERY_S,
    sample_every_s=EVERY_S,
    result_after_s=DELAY_S,
    pumps=PUMPS,
    setpoints=SETPOINTS,
    tunings=TUNINGS,
    recipe=Recipe(),
    inoculate=PenicillinCulture,
    warm=penicillin.warm,
    services=SERVICES,
    utilities={"air": ("air",), "cooling_water": ("cooling",), "power": ("power",)},
    setpoint_limits=LIMITS,
    alarm_limits={"LI102.PV": (0.0, 70.0)},  # % of the head space; design
    functions={"AIC101.PV": "pH", "WI101.PV": "Weight"},
)
