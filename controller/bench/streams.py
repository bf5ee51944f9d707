"""Streams to judge learners by: successive batches on one simulated reactor, as the loop sees them, with the truth.

A reactor differs from the twin by a fixed draw of the constants that depend on age, viscosity and precursor; its
batches vary about that as `plant_sim` lets them. Half of the batches follow the recipe, half have scripted moves of
both feeds. The truth is for the judge alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from controller.processes.penicillin import vessel as vessel_model
from controller.processes.penicillin.instruments import INSTRUMENTS
from controller.processes.penicillin.model import MODEL
from controller.processes.penicillin.plant import DESIGN
from controller.processes.penicillin.variation import Wander
from controller.processes.penicillin.vessel import Inputs, Parameters
from plant_sim.batch import Batch
from twin.engine import TwinEngine
from twin.model import parameter_values
from twin.numeric import numeric
from twin.records import Estimate
from twin.signals import Assay, Plant, Quality, Reading, Role, Snapshot, Variable

START = datetime(2026, 1, 1, tzinfo=UTC)
SCAN_H = 1 / 12
BATCH_H = 230.0  # the recipe's
PLANT_SCAN_S = 100.0  # local loops three times slower than usual, which pH and temperature do not notice (design)
SUGAR, PRECURSOR = "FIC201", "FIC202"
JUDGED = ("growth", "production", "oxygen")  # multipliers that have a true value in this plant

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


@dataclass(frozen=True, slots=True)
class Scan:
    """What the loop sees and believes at one instant, and what is true."""

    hours: float
    snapshot: Snapshot
    estimate: Estimate
    truth: Mapping[str, float]  # states by the twin's names, and the true log multipliers by JUDGED names


@dataclass(frozen=True, slots=True)
class Script:
    """The feeds of one batch over time: from each hour on, the share of the recipe's sugar and precursor feed."""

    hours: tuple[float, ...]
    sugar: tuple[float, ...]
    precursor: tuple[float, ...]

    def shares(self, hours: float) -> tuple[float, float] | None:
        """The shares in force, or None while the recipe is left alone."""
        begun = [k for k, start in enumerate(self.hours) if start <= hours + 1e-9]
        return (self.sugar[begun[-1]], self.precursor[begun[-1]]) if begun else None


RECIPE = Script((), (), ())


def reactor(seed: int) -> Parameters:
    """The constants of one reactor and its strain: the mismatch that its batches share (all ranges are design)."""
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
    while at < BATCH_H:
        hours.append(at)
        at += rng.uniform(18.0, 30.0)
    n = len(hours)
    precursor = np.exp(rng.uniform(math.log(0.6), math.log(3.5), n))
    return Script(tuple(hours), tuple(rng.uniform(0.85, 1.1, n).tolist()), tuple(precursor.tolist()))


def plant() -> Plant:
    """The simulated reactor as the loop knows it."""
    points = {i.point.tag: i.point for i in INSTRUMENTS}
    online = tuple(
        Variable(
            name,
            points[tag].unit,
            points[tag].low,
            points[tag].high,
            Role.MANIPULATED if name.endswith("feed") else Role.MEASURED,
            max_age_s=900.0,
        )
        for name, tag in TAGS.items()
    )
    assayed = tuple(Variable(n, unit, 0.0, high, Role.ASSAYED) for n, (_, unit, high) in LABORATORY.items())
    return Plant("R1", "penicillin", online + assayed)


def batch(engine: TwinEngine, vessel: Parameters, seed: int, moves: Script, until_h: float = BATCH_H) -> Iterator[Scan]:
    """One batch, scan by scan, as the filter follows it."""
    simulated = Batch(DESIGN, seed, vessel=vessel, scan_s=PLANT_SCAN_S)
    known: dict[str, float] = {}
    track = None
    for k in range(round(until_h / SCAN_H) + 1):
        seen = _snapshot(simulated, k * SCAN_H, known, engine.plant)
        track = engine.assimilate(track, seen)
        yield Scan(k * SCAN_H, seen, track.now, _truth(simulated))
        _feed(simulated, moves, k)
        simulated.advance(3600.0 * SCAN_H)


def feeds(simulated: Batch, moves: Script, hours: float) -> dict[str, float]:
    """The feeds that the script asks for at this hour of a batch that is being fed."""
    shares = moves.shares(hours) or (1.0, 1.0)
    return {
        SUGAR: shares[0] * simulated.local_setpoints()[SUGAR],
        PRECURSOR: shares[1] * simulated.local_setpoints()[PRECURSOR],
    }


def _feed(simulated: Batch, moves: Script, scan: int) -> None:
    hours = scan * SCAN_H
    if moves.shares(hours) is None or simulated.local_setpoints()[SUGAR] <= 0.0:
        return
    simulated.lease.beat(scan + 1, simulated.elapsed_s)
    for pump, value in feeds(simulated, moves, hours).items():
        simulated.lease.remote[pump] = value
        simulated.lease.valid_until_s[pump] = simulated.elapsed_s + 3600.0


def _snapshot(simulated: Batch, hours: float, known: dict[str, float], plant: Plant) -> Snapshot:
    time = START + timedelta(hours=hours)
    assays = []
    for name, (tag, unit, _) in LABORATORY.items():
        result = simulated.laboratory.results.get(tag)
        if result and result.signal.value is not None and known.get(name) != result.sampled_s:
            known[name] = result.sampled_s
            assays.append(Assay(name, result.signal.value, unit, START + timedelta(seconds=result.sampled_s), time))
    readings = {
        name: Reading(simulated.signals[tag].value, plant.variable(name).unit, time, Quality.GOOD)
        for name, tag in TAGS.items()
    }
    return Snapshot(time, readings, tuple(assays))


def _truth(simulated: Batch) -> dict[str, float]:
    """True states, and the log ratios of the plant's true rates to the twin's at the same state."""
    truth = simulated.truth()
    memory: dict[str, Any] = simulated.memory()
    wander = Wander(None)
    wander.recall({**memory["wander"], "rng": None})
    q, y = wander.applied(Parameters(**memory["parameters"])), np.array(memory["state"])
    mu, q_p = vessel_model.kinetics(y, q)
    oxygen, _ = vessel_model.off_gas(y, q)
    growth, production = mu * y[0], q_p * y[0]
    return truth | _ratios(truth, Inputs(**memory["inputs"]), growth, production, oxygen)


def _ratios(truth: Mapping[str, float], u: Inputs, growth: float, production: float, oxygen: float) -> dict[str, float]:
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
