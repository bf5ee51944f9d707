"""A plant for the penicillin model, and batches: the twin's own equations changed, or the simulated plant."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from controller.processes.penicillin.model import MODEL
from controller.processes.penicillin.plant import DESIGN as PENICILLIN
from plant_sim.batch import Batch
from twin.engine import TwinEngine
from twin.integrate import simulate
from twin.model import parameter_values
from twin.numeric import numeric
from twin.signals import Assay, Plant, Quality, Reading, Role, Snapshot, Variable

START = datetime(2026, 1, 1, tzinfo=UTC)
SCAN_H = 1 / 12
NAMES = tuple(s.name for s in MODEL.states)
TAGS = {
    "dissolved_oxygen": ("AIC102.PV", "%", 120.0),
    "weight": ("WI101.PV", "kg", 200.0),
    "oxygen_uptake_rate": ("AI302.PV", "g/(L.h)", 60.0),
    "carbon_dioxide_evolution_rate": ("AI301.PV", "mmol/(L.h)", 5.0),
    "air_flow": ("FIC101.PV", "L/h", 20.0),
    "agitator_power": ("JIC101.PV", "W", 100.0),
    "base_flow": ("FI203.PV", "L/h", 0.2),
    "acid_flow": ("FI204.PV", "L/h", 1e-4),
    "feed": ("FIC201.PV", "L/h", 0.1),
    "precursor_feed": ("FIC202.PV", "L/h", 0.005),
}
LAB = {
    "biomass": ("LAB.BIOMASS", "g/L", 60.0),
    "product": ("LAB.PRODUCT", "g/L", 10.0),
    "substrate": ("LAB.SUBSTRATE", "g/L", 60.0),
    "precursor": ("LAB.PRECURSOR", "mg/L", 6000.0),
}
PLANT = Plant(
    "R1",
    "penicillin",
    tuple(
        Variable(n, unit, 0.0, high, Role.MANIPULATED if n.endswith("feed") else Role.MEASURED, max_age_s=900.0)
        for n, (_, unit, high) in TAGS.items()
    )
    + tuple(Variable(n, unit, 0.0, high, Role.ASSAYED) for n, (_, unit, high) in LAB.items()),
)


@dataclass(frozen=True)
class Record:
    """What the loop would see of one batch, and for the judge what was true at each snapshot."""

    snapshots: tuple[Snapshot, ...]
    truth: np.ndarray  # (snapshots, states)

    def without_assays(self) -> Record:
        return replace(self, snapshots=tuple(replace(s, assays=()) for s in self.snapshots))

    def as_if_current(self) -> Record:
        """Every assay dated at its arrival: what a filter that cannot rewind would believe."""
        return replace(
            self,
            snapshots=tuple(
                replace(s, assays=tuple(replace(a, sampled_at=s.time) for a in s.assays)) for s in self.snapshots
            ),
        )


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def snapshot(hours: float, values: dict[str, float], assays: tuple[Assay, ...] = ()) -> Snapshot:
    time = at(hours)
    readings = {n: Reading(v, TAGS[n][1], time, Quality.GOOD) for n, v in values.items()}
    return Snapshot(time, readings, assays)


@functools.cache
def own_batch(seed: int) -> Record:
    """The twin's own equations with parameters, inoculum and instruments drawn anew."""
    rng = np.random.default_rng(seed)
    hours = np.arange(0.0, 200.0 + SCAN_H / 2, SCAN_H)
    names = [p.name for p in MODEL.parameters]
    p = parameter_values(MODEL)
    for name, cv in (("mu_x", 0.08), ("mu_p", 0.1), ("Yxs", 0.06), ("mo", 0.03), ("alpha", 0.12), ("sf", 0.025)):
        p[names.index(name)] *= 1 + cv * rng.standard_normal()
    x0 = np.array([s.initial for s in MODEL.states]) + rng.standard_normal(6) * [0.01, 0.0, 1.2, 0.5, 0.8, 50.0]
    u = np.tile([0.0, 0.0012, 0.001, 0.0, 8.6, 30.0], (len(hours) - 1, 1))
    unfed = simulate(MODEL, x0, hours, u, parameters=p)[0]
    u[int(np.argmax(unfed[:, 2] < 0.3)) :, 0] = 0.042
    truth = simulate(MODEL, x0, hours, u, parameters=p)[0]
    observe = numeric(MODEL).observe
    ones = (1.0,) * len(MODEL.multipliers)
    snapshots, drawn = [], {}
    for k, hour in enumerate(hours):
        inputs = u[min(k, len(u) - 1)]
        y = dict(
            zip([o.name for o in MODEL.outputs], observe(tuple(truth[k]), tuple(inputs), tuple(p), ones), strict=True)
        )
        seen = {
            "dissolved_oxygen": y["dissolved_oxygen"] + 1.2 * rng.standard_normal(),
            "oxygen_uptake_rate": y["oxygen_uptake_rate"] * (1 + 0.005 * rng.standard_normal()),
            "carbon_dioxide_evolution_rate": y["carbon_dioxide_evolution_rate"] * (1 + 0.005 * rng.standard_normal()),
            "weight": y["weight"] * (1 + 0.001 * rng.standard_normal()),
        }
        seen |= dict(zip([i.name for i in MODEL.inputs], inputs.tolist(), strict=True))
        if k % 144 == 0 and k:
            drawn[k + 48] = tuple(
                Assay(n, y[n] * (1 + 0.05 * rng.standard_normal()), LAB[n][1], at(hour), at(hour + 4)) for n in LAB
            )
        snapshots.append(snapshot(hour, seen, drawn.pop(k, ())))
    return Record(tuple(snapshots), truth)


@functools.cache
def plant_batch(seed: int) -> Record:
    """A batch of the simulated plant; its truth is for the judge alone."""
    batch, known, snapshots, truth = Batch(PENICILLIN, seed), {}, [], []
    for _ in range(int(230 / SCAN_H) + 1):
        hours = batch.elapsed_s / 3600
        assays = []
        for n, (tag, unit, _) in LAB.items():
            result = batch.laboratory.results.get(tag)
            if result and known.get(n) != result.sampled_s:
                known[n] = result.sampled_s
                assays.append(Assay(n, result.signal.value, unit, at(result.sampled_s / 3600), at(hours)))
        values = {n: batch.signals[tag].value for n, (tag, _, _) in TAGS.items()}
        snapshots.append(snapshot(hours, values, tuple(assays)))
        state = batch.truth()
        truth.append([state[n] for n in NAMES])
        batch.advance(3600 * SCAN_H)
    return Record(tuple(snapshots), np.array(truth))


@pytest.fixture(scope="session")
def engine() -> TwinEngine:
    made = TwinEngine(PLANT, MODEL)
    made.warm_up()
    return made


def followed(engine: TwinEngine, record: Record, until_h: float = 1e9) -> list:
    """The track after every snapshot."""
    track, tracks = None, []
    for seen in record.snapshots:
        if (seen.time - START).total_seconds() / 3600 > until_h:
            break
        track = engine.assimilate(track, seen)
        tracks.append(track)
    return tracks


def nrmse(tracks: list, record: Record, after_h: float = 30.0) -> dict[str, float]:
    """Root mean square error over the standard deviation of the truth, by state."""
    estimates = np.array([t.now.mean for t in tracks])
    late = np.arange(len(estimates)) * SCAN_H > after_h
    truth = record.truth[: len(estimates)][late]
    error = np.sqrt(np.mean((estimates[late] - truth) ** 2, axis=0)) / truth.std(axis=0)
    return dict(zip(NAMES, error.tolist(), strict=True))


@pytest.fixture(scope="session")
def kit() -> SimpleNamespace:
    """All of the above, for tests."""
    return SimpleNamespace(
        PLANT=PLANT,
        START=START,
        SCAN_H=SCAN_H,
        NAMES=NAMES,
        at=at,
        snapshot=snapshot,
        own_batch=own_batch,
        plant_batch=plant_batch,
        followed=followed,
        nrmse=nrmse,
    )
