"""Streams of the simulated penicillin reactor: how reactors, strains and moves are drawn, and the true rates.

A reactor differs from the twin by a fixed draw of the constants that depend on age, viscosity and precursor; its
batches vary about that as the plant lets them. Ranges are design.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from controller.processes.penicillin import vessel as vessel_model
from controller.processes.penicillin.instruments import INSTRUMENTS
from controller.processes.penicillin.model import MODEL
from controller.processes.penicillin.recipe import Recipe
from controller.processes.penicillin.variation import Wander
from controller.processes.penicillin.vessel import Inputs, Parameters
from controller.processes.study import Script, Stream
from plant_sim.batch import Batch
from twin.model import parameter_values
from twin.numeric import numeric
from twin.signals import Plant, Role, Variable

JUDGED = ("growth", "production", "oxygen")
FEEDS = ("feed", "precursor_feed")
TAGS = {
    "dissolved_oxygen": "AIC102.PV",
    "weight": "WI101.PV",
    "oxygen_uptake_rate": "AI302.PV",
    "carbon_dioxide_evolution_rate": "AI301.PV",
    "air_flow": "FIC101.PV",
    "agitator_power": "JIC101.PV",
    "base_flow": "FI203.PV",
    "acid_flow": "FI204.PV",
    "feed": "FIC201.PV",
    "precursor_feed": "FIC202.PV",
}
LABORATORY = {
    "biomass": ("LAB.BIOMASS", "g/L", 60.0),
    "product": ("LAB.PRODUCT", "g/L", 10.0),
    "substrate": ("LAB.SUBSTRATE", "g/L", 60.0),
    "precursor": ("LAB.PRECURSOR", "mg/L", 6000.0),
}


def reactor(seed: int) -> Parameters:
    """The constants of one reactor and its strain: the mismatch that its batches share."""
    rng = np.random.default_rng([seed, 1])
    return strain(Parameters(n_vis=rng.uniform(0.25, 0.55), alpha=35.0 * rng.uniform(0.9, 1.1)), seed)


def strain(vessel: Parameters, seed: int) -> Parameters:
    """The same vessel with another strain: how it ages, what precursor it needs, how fast it grows and produces."""
    rng = np.random.default_rng([seed, 2])
    return vessel._replace(
        A50=rng.uniform(110.0, 200.0),
        PAA_low=rng.uniform(250.0, 550.0),
        PAA_high=rng.uniform(1900.0, 2600.0),
        w=rng.uniform(60.0, 220.0),
        Kox=rng.uniform(0.01, 0.05),
        mu_x=0.092 * rng.uniform(0.9, 1.15),
        mu_p=0.005 * rng.uniform(0.85, 1.25),
        mo=0.467 * rng.uniform(0.92, 1.08),
    )


def script(seed: int) -> Script:
    """Moves every 18 to 30 h from 60 h on: sugar 85 to 110 % of the recipe, precursor 60 to 350 % (design)."""
    rng = np.random.default_rng([seed, 3])
    hours, at = [], 60.0
    while at < Recipe().end_h:
        hours.append(at)
        at += rng.uniform(18.0, 30.0)
    n = len(hours)
    precursor = np.exp(rng.uniform(math.log(0.6), math.log(3.5), n))
    sugar = rng.uniform(0.85, 1.1, n)
    return Script(tuple(hours), {"feed": tuple(sugar.tolist()), "precursor_feed": tuple(precursor.tolist())})


def plant() -> Plant:
    """The simulated reactor as the loop knows it."""
    points = {i.point.tag: i.point for i in INSTRUMENTS}
    online = tuple(
        Variable(
            name,
            points[tag].unit,
            points[tag].low,
            points[tag].high,
            Role.MANIPULATED if name in FEEDS else Role.MEASURED,
            max_age_s=900.0,
        )
        for name, tag in TAGS.items()
    )
    assayed = tuple(Variable(n, unit, 0.0, high, Role.ASSAYED) for n, (_, unit, high) in LABORATORY.items())
    return Plant("R1", "penicillin", online + assayed)


def ratios(batch: Batch) -> dict[str, float]:
    """The log ratios of the plant's true rates to the twin's at the same state."""
    memory: dict[str, Any] = batch.memory()
    wander = Wander(None)
    wander.recall({**memory["wander"], "rng": None})
    q, y = wander.applied(Parameters(**memory["parameters"])), np.array(memory["state"])
    mu, q_p = vessel_model.kinetics(y, q)
    oxygen, _ = vessel_model.off_gas(y, q)
    growth, production = mu * y[0], q_p * y[0]
    return against_twin(batch.truth(), Inputs(**memory["inputs"]), growth, production, oxygen)


def against_twin(
    truth: Mapping[str, float], u: Inputs, growth: float, production: float, oxygen: float
) -> dict[str, float]:
    """Log of these rates, g/(L.h), over what the twin's equations give at this state."""
    p = {item.name: item.value for item in MODEL.parameters}
    x = tuple(truth[s.name] for s in MODEL.states)
    inputs = (u.F, u.Fpaa, u.Fb, u.Fa, u.fg, u.Pw)
    rates = numeric(MODEL).rhs(x, inputs, tuple(parameter_values(MODEL).tolist()), (1.0,) * len(MODEL.multipliers))
    dilution = rates[4] / x[4]
    own_growth = rates[0] + dilution * x[0]
    own_production = rates[1] + (p["K"] + dilution) * x[1]
    own_oxygen = growth / p["Yxo"] + p["mo"] * x[0]
    pairs = ((growth, own_growth), (production, own_production), (oxygen - production / p["Ypo"], own_oxygen))
    return {name: math.log(max(true, 1e-12) / max(own, 1e-12)) for name, (true, own) in zip(JUDGED, pairs, strict=True)}


STREAM = Stream(
    plant=plant(),
    tags=TAGS | {name: tag for name, (tag, _, _) in LABORATORY.items()},
    reactor=reactor,
    strain=strain,
    script=script,
    begins="feed",
    quantities=("product", "biomass"),
    judged=JUDGED,
    ratios=ratios,
)
