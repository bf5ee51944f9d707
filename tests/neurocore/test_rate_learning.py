"""NeuroCore learns log rate multipliers as a function of the state, and only from what it may."""

from __future__ import annotations

import itertools
import math
from datetime import timedelta

import numpy as np
import pytest

from controller.neurocore.core import WEIGHTS_EVERY, bioreactor_core
from controller.processes import find
from controller.processes.penicillin.model import MODEL
from twin.correction import evaluate
from twin.signals import Plant, Quality, Reading, Role, Snapshot, Variable

PROCESS = find("penicillin")

PLANT = Plant(
    "R1",
    "penicillin",
    (
        Variable("dissolved_oxygen", "%", 0.0, 120.0, Role.MEASURED, max_age_s=600.0),
        Variable("oxygen_uptake_rate", "g/(L.h)", 0.0, 60.0, Role.MEASURED, max_age_s=600.0),
        Variable("feed", "L/h", 0.0, 0.1, Role.MANIPULATED, max_age_s=600.0),
    ),
)


def truth(states):
    """A plant that grows worse as it ages and produces best at one level of precursor."""
    return {
        "growth": -0.3 * states["product"],
        "uptake": 0.02 * (states["biomass"] - 8.0),
        "production": 0.3 * math.exp(-(((states["precursor"] - 1200.0) / 400.0) ** 2)) - 0.1,
        "oxygen": 0.1,
    }


def batch(scans=1000, phase=0.0):
    """States that a batch runs through: two that rise and two that swing."""
    for k in range(scans):
        s = k / scans
        yield {
            "biomass": 2.0 + 12.0 * s,
            "product": 1.3 * s,
            "substrate": 0.8 + 0.6 * math.sin(40.0 * s + phase),
            "precursor": 1200.0 + 600.0 * math.sin(25.0 * s + phase),
        }


def teach(core, snapshot, estimate, batches, seed=5, noise=0.03):
    generator = np.random.default_rng(seed)
    for k, states in enumerate(itertools.chain.from_iterable(batches)):
        logs = {name: value + noise * generator.standard_normal() for name, value in truth(states).items()}
        insight = core.step(snapshot(k), estimate(k, states=states, logs=logs))
        assert insight.learned, insight.why_not
    return insight


def root_mean_square(values):
    return math.sqrt(math.fsum(v * v for v in values) / len(values))


def test_the_surface_is_learned_and_holds_in_a_batch_it_was_not_taught(snapshot, estimate):
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, seed=1, hindsight=False)
    insight = teach(core, snapshot, estimate, [batch(phase=float(k)) for k in range(6)])
    held_out = list(batch(300, phase=0.5))
    for name in PROCESS.learned:
        wanted = [truth(states)[name] for states in held_out]
        missed = [evaluate(insight.correction, states)[name] - truth(states)[name] for states in held_out]
        assert root_mean_square(missed) < 0.04, name
        assert root_mean_square(missed) < 0.4 * root_mean_square(wanted), name


def test_the_surface_at_the_present_state_is_what_the_network_itself_reads_out(snapshot, estimate):
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, seed=1, hindsight=False)
    teach(core, snapshot, estimate, [batch(600)])
    weights = np.array(core.snapshot()["weights"])
    largest = 0.0
    for k, states in enumerate(list(batch(200))[::10]):
        frozen = estimate(1000 + k, states=states, nis_dof=0)  # nothing is learned from this, so the weights stay
        core.restore({**core.snapshot(), "weights": weights.tolist()})
        insight = core.step(snapshot(), frozen)
        scale = insight.correction.scale
        rounding = scale / 254 * (0.5 * np.abs(weights).sum(axis=1) + 64)
        for k, (name, value) in enumerate(evaluate(insight.correction, states).items()):
            assert abs(value - insight.log_multipliers[name]) <= rounding[k]
            largest = max(largest, abs(value - insight.log_multipliers[name]))
    assert 0 < largest < 0.005


def test_what_it_says_stays_within_the_bounds(snapshot, estimate):
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, hindsight=False)
    bounds = {m.name: m.bound for m in MODEL.multipliers}
    for k in range(400):
        insight = core.step(snapshot(k), estimate(k, logs=dict.fromkeys(bounds, 50.0)))
    for name in PROCESS.learned:
        assert insight.log_multipliers[name] == pytest.approx(bounds[name], abs=0.02)
        assert insight.log_multipliers[name] <= bounds[name]


def test_the_correction_is_at_most_six_scans_old(snapshot, estimate):
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, hindsight=False)
    corrections = [
        core.step(snapshot(k), estimate(k, logs={"growth": 0.4})).correction for k in range(3 * WEIGHTS_EVERY)
    ]
    assert all(a is b for a, b in itertools.pairwise(corrections[: WEIGHTS_EVERY - 1]))
    assert len({id(c) for c in corrections}) == 4
    for row, learned in zip(corrections[-1].weights, core.snapshot()["weights"], strict=True):
        share = max(map(abs, row)) / max(1, *map(abs, learned))  # the unit in which this output counts
        np.testing.assert_allclose(row, share * np.array(learned), rtol=1e-12)


def test_the_learning_rate_settles(snapshot, estimate):
    def first_move(core, log, k):
        before = np.array(core.snapshot()["weights"])
        core.step(snapshot(k), estimate(k, logs={"oxygen": log}))
        core.step(snapshot(k), estimate(k + 1, nis_dof=0))
        return np.abs(np.array(core.snapshot()["weights"]) - before).sum()

    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, hindsight=False)
    early = first_move(core, 0.1, 0)
    core.restore({**core.snapshot(), "lessons": [5000] * 4, "weights": np.zeros((4, 144), dtype=int).tolist()})
    assert 0 < first_move(core, 0.1, 2) < 0.5 * early


def weights_after(core, snapshots, estimates):
    for shot, guess in zip(snapshots, estimates, strict=True):
        insight = core.step(shot, guess)
    core.step(snapshots[-1], estimates[-1].__class__(**{**fields(estimates[-1]), "nis_dof": 0}))
    return insight, np.array(core.snapshot()["weights"])


def fields(value):
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def refused(snapshot, estimate, **changes):
    core = bioreactor_core(
        "reference", MODEL, PROCESS.learned, PROCESS.coded, plant=changes.pop("plant", PLANT), hindsight=False
    )
    off = {"growth": 0.5, "uptake": 0.5, "production": 0.5, "oxygen": 0.5}
    shot = changes.pop("shot", None) or snapshot()
    insight, weights = weights_after(core, [shot], [estimate(logs=off, **changes)])
    assert not insight.learned
    assert not weights.any(), "nothing may be learned"
    return insight.why_not


def test_what_is_fit_is_learned(snapshot, estimate):
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, plant=PLANT, hindsight=False)
    insight, weights = weights_after(core, [snapshot()], [estimate(logs={"growth": 0.5})])
    assert insight.learned
    assert insight.why_not == ""
    assert weights[0].any()
    assert not weights[1:].any()


def test_a_bad_reading_stops_learning(snapshot, estimate):
    for quality in (Quality.BAD, Quality.UNCERTAIN):
        shot = snapshot(qualities={"oxygen_uptake_rate": quality})
        for plant in (PLANT, None):
            why = refused(snapshot, estimate, shot=shot, plant=plant)
            assert f"oxygen_uptake_rate is {quality.name.lower()}" in why


def test_a_bad_reading_that_the_estimate_does_not_use_does_not(snapshot, estimate):
    shot = snapshot()
    odd = Reading(None, "degC", shot.time, Quality.BAD, "wire broken")
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, plant=PLANT, hindsight=False)
    assert core.step(Snapshot(shot.time, {**shot.readings, "cabinet_temperature": odd}), estimate()).learned


def test_a_stale_reading_stops_learning(snapshot, estimate):
    shot = snapshot()
    old = Reading(90.0, "%", shot.time - timedelta(seconds=601), Quality.GOOD)
    why = refused(snapshot, estimate, shot=Snapshot(shot.time, {**shot.readings, "dissolved_oxygen": old}))
    assert "dissolved_oxygen is 601 s old" in why
    ageless = Reading(90.0, "%", None, Quality.GOOD)
    why = refused(snapshot, estimate, shot=Snapshot(shot.time, {**shot.readings, "dissolved_oxygen": ageless}))
    assert why == "the age of dissolved_oxygen is unknown"


def test_a_saturated_sensor_stops_learning(snapshot, estimate):
    why = refused(snapshot, estimate, shot=snapshot(dissolved_oxygen=120.0))
    assert why == "dissolved_oxygen is saturated: it reads 120 of at most 120 %"
    assert "outside 0 to 120" in refused(snapshot, estimate, shot=snapshot(dissolved_oxygen=-5.0))


def test_a_reading_that_the_estimate_set_aside_stops_learning_and_is_unusual(snapshot, estimate):
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, plant=PLANT, hindsight=False)
    for k in range(10):
        insight = core.step(snapshot(k), estimate(k, innovations={"oxygen_uptake_rate": 0.1}))
    assert insight.why_not == "dissolved_oxygen was set aside by the estimate as an outlier"
    assert insight.novelty > 0.99
    assert insight.contributions["dissolved_oxygen"] > 0.99


def test_a_pump_at_its_limit_is_not_a_saturated_sensor(snapshot, estimate):
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, plant=PLANT, hindsight=False)
    for k, feed in enumerate((0.0, 0.1)):
        assert core.step(snapshot(k, feed=feed), estimate(k)).learned


def test_an_estimate_without_readings_teaches_nothing(snapshot, estimate):
    assert refused(snapshot, estimate, nis_dof=0) == "no reading could be used for the estimate"


def test_an_uncertain_target_teaches_nothing(snapshot, estimate):
    assert "not certain enough yet" in refused(snapshot, estimate, sd=0.14)
    assert "not certain enough yet" in refused(snapshot, estimate, sd=math.nan)


def test_only_the_outputs_with_a_certain_target_are_taught(snapshot, estimate):
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, hindsight=False)
    prior = {m.name: m.initial_sd for m in MODEL.multipliers if m.name in PROCESS.learned}
    sd = 0.79 * max(prior.values())
    certain = [sd < 0.8 * prior[name] for name in PROCESS.learned]
    assert any(certain)
    assert not all(certain)
    insight, weights = weights_after(core, [snapshot()], [estimate(logs=dict.fromkeys(prior, 0.5), sd=sd)])
    assert insight.learned
    assert weights.any(axis=1).tolist() == certain
    assert core.snapshot()["lessons"] == [int(c) for c in certain]


def test_high_novelty_stops_learning(snapshot, estimate):
    why = refused(snapshot, estimate, innovations={"oxygen_uptake_rate": 9.0, "dissolved_oxygen": -9.0})
    assert why.startswith("the readings are unusual: novelty ")
