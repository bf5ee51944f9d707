"""NeuroCore as the loop sees it: insights, snapshots, another plant, and a worker that dies."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest

from controller.loop.records import Insight
from controller.neurocore.backend import NeuroCoreLost
from controller.neurocore.core import Calm, SnapshotMismatch, bioreactor_core, calmer, neuro_core, score
from controller.processes import find
from controller.processes.penicillin.model import MODEL

PROCESS = find("penicillin")

LOGS = {"growth": 0.3, "uptake": -0.2, "production": 0.1, "oxygen": 0.2}


def steps(core, snapshot, estimate, count, start=0):
    return [
        core.step(snapshot(k), estimate(k, states={"biomass": 4.0 + 0.05 * k}, logs=LOGS))
        for k in range(start, start + count)
    ]


def test_an_insight_is_complete(snapshot, estimate):
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, hindsight=False)
    insight = steps(core, snapshot, estimate, 30)[-1]
    assert isinstance(insight, Insight)
    assert insight.backend == "reference"
    assert insight.log_multipliers.keys() == LOGS.keys()
    assert insight.contributions == pytest.approx({"dissolved_oxygen": 0.5, "oxygen_uptake_rate": 0.5})
    assert 0 <= insight.novelty <= 1


def test_a_snapshot_survives_json_and_another_core_goes_on_from_it(snapshot, estimate):
    one, other = (
        bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, seed=2, hindsight=False) for _ in range(2)
    )
    steps(one, snapshot, estimate, 60)
    state = json.loads(json.dumps(one.snapshot()))
    other.restore(state)
    assert other.snapshot() == one.snapshot()
    probe = estimate(61, nis_dof=0)
    a, b = one.step(snapshot(61), probe), other.step(snapshot(61), probe)
    assert b.novelty == a.novelty
    assert b.stability == a.stability
    assert b.log_multipliers == pytest.approx(a.log_multipliers, abs=0.05)  # one lesson was under way in the first
    assert any(abs(v) > 0.02 for v in b.log_multipliers.values())


def test_a_snapshot_of_another_network_is_refused():
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, seed=0)
    with pytest.raises(SnapshotMismatch, match="the snapshot's population is"):
        bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, seed=1, hindsight=False).restore(
            core.snapshot()
        )
    with pytest.raises(SnapshotMismatch, match="the snapshot's learned is None"):
        core.restore({})


def test_unknown_multipliers_are_refused():
    with pytest.raises(ValueError, match="not all of"):
        neuro_core("reference", MODEL, ("growth", "haste"), {"biomass": (0.0, 20.0)})


def test_a_plant_may_be_served_with_a_stability_of_its_own(snapshot, estimate):
    seen = []

    def stability(shot, guess, novelty):
        seen.append((shot, guess, novelty))
        return 0.25, {"D": 0.5}

    core = neuro_core("reference", MODEL, ("growth",), {"biomass": (0.0, 20.0)}, seed=4, stability=stability)
    insights = [
        core.step(snapshot(k), estimate(k, states={"biomass": 8.0}, logs={"growth": -0.5}, model=MODEL))
        for k in range(60)
    ]
    assert (insights[-1].stability, insights[-1].components) == (0.25, {"D": 0.5})
    assert seen[-1][2] == insights[-1].novelty
    assert insights[-1].correction.multiplier_names == ("growth",)
    assert insights[-1].log_multipliers["growth"] == pytest.approx(-0.5, abs=0.05)


def test_a_calm_and_consistent_plant_is_stable_and_a_strange_one_is_not(snapshot, estimate):
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, hindsight=False)
    generator = np.random.default_rng(9)
    for k in range(100):
        z = generator.standard_normal(3)
        guess = estimate(k, innovations=dict(zip("abc", z, strict=True)), nis=float(z @ z), nis_dof=3)
        calm = core.step(snapshot(k), guess)
    for k in range(100, 150):
        guess = estimate(k, innovations={"a": 6.0, "b": 0.0, "c": 0.0}, nis=36.0, nis_dof=3)
        strange = core.step(snapshot(k), guess)
    assert calm.stability > 0.8
    assert strange.stability < 0.1
    assert strange.components.keys() == {"calm", "consistency"}


def test_stability_is_its_stated_formula_and_stays_in_the_unit_interval(estimate):
    value, components = score(Calm(novelty=0.2, nis_ratio=np.sqrt(8.0)))
    assert components == pytest.approx({"calm": 0.8, "consistency": 0.5})
    assert value == pytest.approx(0.6 * 0.8 + 0.4 * 0.5)
    assert score(Calm(1.0, 1e9))[0] == 0.0
    assert score(Calm(0.0, 0.0))[0] == 1.0


def test_a_scan_without_readings_says_nothing_of_consistency(estimate):
    before = Calm(0.5, 2.0)
    assert calmer(before, 0.5, estimate(nis=99.0, nis_dof=0)).nis_ratio == 2.0
    assert calmer(before, 0.5, replace(estimate(), nis=float("nan"))).nis_ratio == 2.0


def test_lava_and_reference_agree_and_a_killed_worker_is_rebuilt_from_the_last_snapshot(snapshot, estimate):
    core, fast = (
        bioreactor_core(name, MODEL, PROCESS.learned, PROCESS.coded, seed=6) for name in ("lava-fixed", "reference")
    )
    try:
        for a, b in zip(*(steps(c, snapshot, estimate, 40) for c in (core, fast)), strict=True):
            assert replace(a, backend="reference") == b
        kept = json.loads(json.dumps(core.snapshot()))
        assert kept == fast.snapshot()
        os.kill(core._backend.pid, signal.SIGKILL)
        with pytest.raises(NeuroCoreLost, match="ended by signal 9"):
            steps(core, snapshot, estimate, 1, start=40)
        core.close()
        core, fast = (
            bioreactor_core(name, MODEL, PROCESS.learned, PROCESS.coded, seed=6) for name in ("lava-fixed", "reference")
        )
        for fresh in (core, fast):
            fresh.restore(kept)
            assert fresh.snapshot() == kept
        for a, b in zip(*(steps(c, snapshot, estimate, 12, start=40) for c in (core, fast)), strict=True):
            assert a.log_multipliers == b.log_multipliers
    finally:
        core.close()


def test_an_estimate_that_is_no_other_is_not_taken_in_twice(snapshot, estimate):
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, hindsight=False)
    strange = estimate(1, innovations={"dissolved_oxygen": 3.0})
    first, second = core.step(snapshot(1), strange), core.step(snapshot(1), strange)
    assert first.learned
    assert second.novelty == first.novelty
    assert second.why_not == "the estimate is that of the last scan"
    assert core.snapshot()["lessons"] == [1] * 4


def test_after_a_clock_that_was_set_back_learning_goes_on_at_once(snapshot, estimate):
    for hindsight in (False, True):
        core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, hindsight=hindsight)
        for k in (500, 501, 502):
            core.step(snapshot(k), estimate(k))
        back = [core.step(snapshot(k), estimate(k)) for k in (3, 4, 5)]
        assert [insight.why_not for insight in back] == ["", "", ""]
        assert all(insight.learned for insight in back)
