"""The mAb fed-batch as a process: one batch's culture, and its instruments, laboratory, loops and recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from controller.processes.mab import vessel as mab
from controller.processes.mab.variation import Wander, vary
from controller.processes.mab.vessel import Initial, Inputs, Parameters
from plant_sim.design import PlantDesign
from plant_sim.instruments import Instrument, Point
from plant_sim.laboratory import Analysis
from plant_sim.recipe import PlantPhase
from plant_sim.regulators import PidTuning

PUMPS = ("FIC201", "FIC202")  # glucose feed, amino acid feed
MILLION_PER_ML = 1e9  # cells/L
OXYGEN_SATURATION = Parameters().C_star  # what 100 % means: air
CO2_MM_PER_MMHG = 0.03


class MabCulture:
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
        self._y = mab.inoculated(initial)
        self._u = Inputs()
        self._wander = Wander(disturbance)
        self._now = self._q  # the constants with the present disturbance

    @property
    def substrate(self) -> float:
        """Glucose, mmol/L."""
        return float(self._y[3])

    def move(self, hours: float, pumps: Mapping[str, float], loops: Mapping[str, float], seconds: float) -> None:
        """Go on from this hour of the batch under what pumps and local loops do."""
        if self._wander.until(hours):
            self._now = self._wander.applied(self._q)
        self._u = Inputs(
            F=pumps["FIC201"],
            Fq=pumps["FIC202"],
            Fb=loops["base"],
            N=loops["stirrer"],
            y_O2=loops["oxygen"],
            y_CO2=loops["carbon_dioxide"],
            heat=loops["heater"],
        )
        self._y = mab.advance(self._y, self._u, self._now, seconds)

    def truth(self) -> dict[str, float]:
        """What is really in the vessel; cells in millions per mL."""
        y = dict(zip(mab.STATES, self._y.tolist(), strict=True))
        return {
            "viable_cells": y["Xv"] / MILLION_PER_ML,
            "product": y["P"],
            "glucose": y["G"],
            "glutamine": y["Q"],
            "lactate": y["L"],
            "ammonia": y["A"],
            "volume": y["V"],
            "viability": 100.0 * y["Xv"] / y["Xt"],
            "inhibitor": y["Ci"],
            "dissolved_oxygen": 100.0 * y["O2"] / OXYGEN_SATURATION,
            "ph": mab.acidity(self._y, self._now),
            "temperature": y["T"],
            "osmolality": mab.osmolality(self._y),
        }

    def visible(self) -> dict[str, float]:
        """The true value of everything that an instrument or the laboratory can measure, by tag."""
        true, u = self.truth(), self._u
        oxygen_uptake, carbon_dioxide = mab.off_gas(self._y, u, self._now)
        return {
            "AIC102.PV": true["dissolved_oxygen"],
            "AIC101.PV": true["ph"],
            "TIC101.PV": true["temperature"],
            "WI101.PV": true["volume"],  # 1 kg/L
            "AI302.PV": oxygen_uptake,
            "AI301.PV": carbon_dioxide,
            "AI103.PV": true["glucose"] + self._now.probe_bias,
            "SIC101.PV": u.N,
            "AIC301.PV": 100.0 * u.y_O2,
            "AIC303.PV": 100.0 * u.y_CO2,
            "JIC101.PV": u.heat,
            "FI203.PV": u.Fb,
            "FIC201.PV": u.F,
            "FIC202.PV": u.Fq,
            "LAB.VIABLE_CELLS": true["viable_cells"],
            "LAB.VIABILITY": true["viability"],
            "LAB.GLUCOSE": true["glucose"],
            "LAB.GLUTAMINE": true["glutamine"],
            "LAB.LACTATE": true["lactate"],
            "LAB.AMMONIA": true["ammonia"],
            "LAB.TITRE": true["product"],
            "LAB.PCO2": float(self._y[11]) / CO2_MM_PER_MMHG,
            "LAB.OSMOLALITY": true["osmolality"],
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


@dataclass(frozen=True, slots=True)
class FeedRecipe:
    """Both feeds at one rate from a fixed hour to the end; or the same day's volume as a bolus once a day."""

    glucose_l_per_h: float = 0.01  # Craven 2014: 0.02 L/h of the mixed feed, half of which is each of these
    amino_l_per_h: float = 0.01
    from_h: float = 44.0  # Craven 2014
    end_h: float = 145.0  # Craven 2014
    bolus_h: float = 0.0  # h a day in which the day's volume is pumped; 0: feed all the time

    def next(self, phase: PlantPhase, hours: float, substrate: float) -> PlantPhase:
        """The phase now, by the clock alone."""
        if phase is PlantPhase.COMPLETE or hours >= self.end_h:
            return PlantPhase.COMPLETE
        return PlantPhase.PRODUCTION if phase is PlantPhase.PRODUCTION or hours >= self.from_h else PlantPhase.GROWTH

    def local(self, phase: PlantPhase, hours: float) -> dict[str, float]:
        """Each pump's setpoint when nobody else says one."""
        share = 1.0 if phase is PlantPhase.PRODUCTION else 0.0
        if self.bolus_h > 0.0:
            share *= 24.0 / self.bolus_h if (hours - self.from_h) % 24.0 < self.bolus_h else 0.0
        return {"FIC201": share * self.glucose_l_per_h, "FIC202": share * self.amino_l_per_h}


CONTINUOUS = FeedRecipe()
BOLUS = FeedRecipe(bolus_h=1.0)


def _instrument(
    tag: str, unit: str, low: float, high: float, text: str, lag_s: float, noise: float, relative: float
) -> Instrument:
    return Instrument(Point(tag, unit, low, high, text), lag_s, noise, relative)


# Noise and lags are design, as in the penicillin vessel. The glucose probe answers every quarter of an hour; its
# published error of 0.65 g/L (Raman, generic models) is a bias that wanders, in the culture, and 1 mM of noise here.
INSTRUMENTS = (
    _instrument("AIC102.PV", "%", 0.0, 200.0, "Dissolved oxygen", 45.0, 1.0, 0.0),
    _instrument("AIC101.PV", "pH", 2.0, 12.0, "pH", 15.0, 0.01, 0.0),
    _instrument("TIC101.PV", "degC", 0.0, 60.0, "Temperature", 60.0, 0.05, 0.0),
    _instrument("WI101.PV", "kg", 0.0, 20.0, "Net broth weight", 0.0, 0.0, 0.001),
    _instrument("AI302.PV", "mmol/(L.h)", 0.0, 10.0, "Oxygen uptake rate", 120.0, 0.005, 0.02),
    _instrument("AI301.PV", "mmol/(L.h)", 0.0, 10.0, "Carbon dioxide evolution rate", 120.0, 0.005, 0.02),
    _instrument("AI103.PV", "mmol/L", 0.0, 250.0, "Glucose probe (Raman)", 900.0, 1.0, 0.0),
    _instrument("SIC101.PV", "rpm", 0.0, 300.0, "Stirrer speed", 0.0, 0.0, 0.002),
    _instrument("AIC301.PV", "%", 0.0, 100.0, "Oxygen in the gas", 0.0, 0.0, 0.005),
    _instrument("AIC303.PV", "%", 0.0, 30.0, "Carbon dioxide in the gas", 0.0, 0.0, 0.005),
    _instrument("JIC101.PV", "W", 0.0, 200.0, "Heater", 0.0, 0.0, 0.005),
    _instrument("FI203.PV", "L/h", 0.0, 0.05, "Base flow", 0.0, 0.0, 0.005),
    _instrument("FIC201.PV", "L/h", 0.0, 0.3, "Glucose feed", 0.0, 0.0, 0.005),
    _instrument("FIC202.PV", "L/h", 0.0, 0.3, "Amino acid feed", 0.0, 0.0, 0.005),
)
ANALYSES = (  # design: a cell counter, a metabolite analyser, an immunoassay, a blood gas analyser, an osmometer
    Analysis(Point("LAB.VIABLE_CELLS", "10^6/mL", 0.0, 50.0, "Viable cells"), 0.0, 0.08),
    Analysis(Point("LAB.VIABILITY", "%", 0.0, 100.0, "Viability"), 1.0, 0.0),
    Analysis(Point("LAB.GLUCOSE", "mmol/L", 0.0, 250.0, "Glucose"), 1.0, 0.0),
    Analysis(Point("LAB.GLUTAMINE", "mmol/L", 0.0, 50.0, "Glutamine"), 0.2, 0.0),
    Analysis(Point("LAB.LACTATE", "mmol/L", 0.0, 200.0, "Lactate"), 0.5, 0.0),
    Analysis(Point("LAB.AMMONIA", "mmol/L", 0.0, 50.0, "Ammonium"), 0.2, 0.0),
    Analysis(Point("LAB.TITRE", "mg/L", 0.0, 2000.0, "Antibody titre"), 2.0, 0.05),
    Analysis(Point("LAB.PCO2", "mmHg", 0.0, 500.0, "Dissolved carbon dioxide"), 0.0, 0.05),
    Analysis(Point("LAB.OSMOLALITY", "mOsm/kg", 0.0, 2000.0, "Osmolality"), 3.0, 0.0),
)
FIRST_SAMPLE_S = 0.0  # at inoculation: what a culture begins with is weighed out by hand
SAMPLE_EVERY_S = 24 * 3600.0
RESULT_AFTER_S = 4 * 3600.0  # design, as in the penicillin laboratory

PH, PH_GAP = 7.05, 0.05  # base holds the lower edge and carbon dioxide the upper one, so that they never fight
TEMPERATURE_C = 37.0
OXYGEN, OXYGEN_ENRICHED = 50.0, 45.0  # %; the gas is enriched only when the stirrer is at its limit
TUNINGS = {  # all design, for responses of minutes; a cell bears 220 rpm
    "base": PidTuning("AIC101.PV", PH - PH_GAP, 0.05, 1.0, 0.0, 0.05, 0.0, 0.05, 0.0),
    "carbon_dioxide": PidTuning("AIC101.PV", PH + PH_GAP, -0.4, 0.5, 0.0, 0.05, 0.0, 0.2, 0.07),
    "heater": PidTuning("TIC101.PV", TEMPERATURE_C, 30.0, 1.0, 0.0, 0.05, 0.0, 200.0, 30.0),
    "stirrer": PidTuning("AIC102.PV", OXYGEN, 0.8, 0.2, 0.0, 0.02, 60.0, 220.0, 60.0),
    "oxygen": PidTuning("AIC102.PV", OXYGEN_ENRICHED, 0.002, 0.3, 0.0, 0.02, 0.21, 1.0, 0.21),
}
SETPOINTS = {"AIC101.SP": PH, "TIC101.SP": TEMPERATURE_C, "AIC102.SP": OXYGEN}

DESIGN = PlantDesign(
    name="mab",
    instruments=INSTRUMENTS,
    analyses=ANALYSES,
    first_sample_s=FIRST_SAMPLE_S,
    sample_every_s=SAMPLE_EVERY_S,
    result_after_s=RESULT_AFTER_S,
    pumps=PUMPS,
    setpoints=SETPOINTS,
    tunings=TUNINGS,
    recipe=CONTINUOUS,
    functions={"AIC101.PV": "pH", "WI101.PV": "Weight"},
    inoculate=MabCulture,
    warm=mab.warm,
)
