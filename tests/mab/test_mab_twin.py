"""The mAb twin: what it conserves, how it follows a batch it does not fully understand, and what it must not know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from controller.assembly import assemble
from controller.processes import find
from controller.processes.mab.model import MODEL
from controller.processes.mab.plant import DESIGN as MAB
from controller.settings import Settings, load
from plant_sim.batch import Batch
from twin.engine import TwinEngine
from twin.model import parameter_values
from twin.numeric import numeric
from twin.records import Track
from twin.signals import Assay, Quality, Reading, Role, Snapshot

START = datetime(2026, 1, 1, tzinfo=UTC)
STATES = [s.name for s in MODEL.states]


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load(find("mab").configuration)


@pytest.fixture(scope="module")
def engine(settings: Settings) -> TwinEngine:
    return TwinEngine(settings.plant_record(), MODEL)


def rates(x: dict[str, float], u: tuple[float, float, float], m: tuple[float, ...] | None = None) -> dict[str, float]:
    state = tuple(x[name] for name in STATES)
    p = tuple(parameter_values(MODEL).tolist())
    got = numeric(MODEL).rhs(state, u, p, m or (1.0,) * len(MODEL.multipliers))
    return dict(zip(STATES, got, strict=True))


def constant(name: str) -> float:
    return next(p.value for p in MODEL.parameters if p.name == name)


FED = {
    "viable_cells": 3.0,
    "product": 150.0,
    "glucose": 20.0,
    "glutamine": 3.0,
    "lactate": 12.0,
    "ammonia": 3.0,
    "volume": 8.0,
    "osmolality": 300.0,
    "probe_bias": 0.0,
}


def test_without_cells_what_is_fed_is_what_is_found():
    x, u = FED | {"viable_cells": 0.0}, (0.006, 0.004, 0.001)
    d = rates(x, u)
    assert d["volume"] == pytest.approx(sum(u))
    amounts = {name: d[name] * x["volume"] + x[name] * d["volume"] for name in STATES}
    decayed = constant("d_G") * x["glutamine"] * x["volume"]
    assert amounts["glucose"] == pytest.approx(u[0] * constant("SG"))
    assert amounts["glutamine"] == pytest.approx(u[1] * constant("SQ") - decayed)
    assert amounts["ammonia"] == pytest.approx(decayed)
    named = sum(amounts[name] for name in ("glucose", "glutamine", "ammonia"))
    assert amounts["osmolality"] - named == pytest.approx(u[1] * constant("cQ") + 2.0 * u[2] * constant("cB"))
    assert amounts["product"] == pytest.approx(0.0, abs=1e-12)


def test_lactate_never_holds_more_carbon_than_the_glucose_taken_up():
    closed = (0.0, 0.0, 0.0)
    d = rates(FED, closed)
    assert 0.0 < 3.0 * d["lactate"] < -6.0 * d["glucose"]
    doubled = rates(FED, closed, (1.0, 2.0, 1.0, 1.0, 1.0, 1.0))
    assert doubled["glucose"] == pytest.approx(2.0 * d["glucose"])
    assert doubled["lactate"] == pytest.approx(2.0 * d["lactate"])


def test_nothing_is_taken_up_where_nothing_is_left():
    d = rates(FED | {"glucose": 0.0, "glutamine": 0.0}, (0.0, 0.0, 0.0))
    assert d["glucose"] == pytest.approx(0.0, abs=1e-9)
    assert d["glutamine"] == pytest.approx(0.0, abs=1e-9)
    assert d["product"] == pytest.approx(0.0, abs=1e-9)
    assert d["viable_cells"] < 0.0


def test_it_knows_neither_the_inhibitor_nor_dead_cells_nor_the_surroundings():
    names = {*STATES, *(i.name for i in MODEL.inputs), *(p.name for p in MODEL.parameters)}
    assert not names & {"inhibitor", "dead_cells", "viability", "temperature", "ph", "dissolved_oxygen", "Ci", "qi"}
    assert set(find("mab").learned) <= {m.name for m in MODEL.multipliers}
    assert set(find("mab").coded) <= set(STATES)
    assert not {m.name for m in MODEL.multipliers} & set(STATES)  # the filter asks for both by name


def follow(engine: TwinEngine, settings: Settings, seed: int, hours: int) -> Iterator[tuple[Track, dict[str, float]]]:
    """The track after each scan of a simulated batch, and the truth."""
    batch, known, track = Batch(MAB, seed, scan_s=100.0), dict[str, float](), None
    for k in range(12 * hours + 1):
        now = START + timedelta(minutes=5 * k)
        readings, assays = {}, []
        for variable in settings.variables:
            if variable.role is not Role.ASSAYED:
                seen = batch.signals[variable.node].value
                readings[variable.name] = Reading(seen, variable.unit, now, Quality.GOOD)
                continue
            result = batch.laboratory.results.get(variable.node)
            if result and result.signal.value is not None and known.get(variable.name) != result.sampled_s:
                known[variable.name] = result.sampled_s
                drawn = START + timedelta(seconds=result.sampled_s)
                assays.append(Assay(variable.name, result.signal.value, variable.unit, drawn, now))
        track = engine.assimilate(track, Snapshot(now, readings, tuple(assays)))
        yield track, batch.truth()
        batch.advance(300.0)


def test_the_filter_follows_a_batch_whose_inhibitor_it_does_not_know(engine, settings):
    judged = ("viable_cells", "product", "glucose")
    errors: dict[str, list[float]] = {name: [] for name in judged}
    truths: dict[str, list[float]] = {name: [] for name in judged}
    for k, (track, truth) in enumerate(follow(engine, settings, 2, 145)):
        if k < 360:
            continue
        for name in judged:
            errors[name].append(track.now[name] - truth[name])
            truths[name].append(truth[name])
    nrmse = {name: float(np.sqrt(np.mean(np.square(errors[name]))) / np.std(truths[name])) for name in judged}
    assert nrmse["viable_cells"] < 0.15
    assert nrmse["product"] < 0.25
    assert nrmse["glucose"] < 0.12
    growth = track.now.log_multipliers[track.now.multiplier_names.index("growth")]
    assert growth < -1.0  # what it does not know shows as drift


def test_the_laboratory_outweighs_a_glucose_probe_that_is_off(engine, settings):
    seed, off = 0, 0.0  # the first batch whose probe begins more than 2.5 mmol/L off
    while abs(off) < 2.5:
        seed += 1
        batch = Batch(MAB, seed, scan_s=100.0)
        off = batch.culture.visible()["AI103.PV"] - batch.truth()["glucose"]
    *_, (track, truth) = follow(engine, settings, seed, 30)
    assert abs(track.now["glucose"] - truth["glucose"]) < 1.5
    assert track.now["probe_bias"] == pytest.approx(off, abs=2.5)
    assert track.now.sd("probe_bias") < 1.5


def test_every_multiplier_that_is_estimated_is_moved_by_the_evidence(engine, settings):
    for k, (track, _) in enumerate(follow(engine, settings, 3, 60)):
        if k == 0:
            begun = track.now
    for multiplier in MODEL.multipliers:
        i = begun.multiplier_names.index(multiplier.name)
        assert abs(track.now.log_multipliers[i] - begun.log_multipliers[i]) > 1e-3, multiplier.name


def test_the_loop_is_assembled_for_it_with_its_own_neurocore(settings):
    assembled = assemble(replace(settings, neurocore=replace(settings.neurocore, backend="reference")))
    assert find("mab").model() is MODEL
    fitted = {p.name for p in assembled.model.parameters if "fitted" in p.source}
    assert {"q_mAb", "mu_m", "Y_XS"} <= fitted  # the shipped configuration includes what a fit gave
    assert {b.variable for b in assembled.parts.envelope.bounds} <= {*STATES, *(o.name for o in MODEL.outputs)}
    with assembled.core as core:
        assert core.snapshot()
