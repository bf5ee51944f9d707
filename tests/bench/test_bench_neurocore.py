"""The benchmark's parts say what they should, and the quick form runs through."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from controller.bench import accuracy, novelty, streams
from controller.bench.ahead import Case, ahead
from controller.bench.pupils import SurfaceLaw, pupils
from controller.bench.trial import trial_of
from controller.neurocore import coding
from controller.neurocore.comparators import FloatLMS, QuadraticRLS
from controller.neurocore.lessons import Lesson
from controller.processes import find, shipped
from controller.processes.penicillin.stream import against_twin
from controller.processes.penicillin.vessel import Inputs, Parameters
from controller.support.user_error import UserError
from twin.correction import evaluate
from twin.engine import TwinEngine
from twin.records import Plan, Step

PROCESS = find("penicillin")
TRIAL = trial_of(PROCESS)
STREAM = TRIAL.stream

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def engine():
    made = TwinEngine(STREAM.plant, TRIAL.model)
    made.warm_up()
    return made


@pytest.fixture(scope="module")
def scans(engine):
    return list(streams.batch(TRIAL, engine, STREAM.reactor(3), 11, STREAM.script(11), until_h=76.0))


def test_a_reactor_is_the_same_for_its_seed_and_a_strain_keeps_the_vessel():
    assert STREAM.reactor(3) == STREAM.reactor(3) != STREAM.reactor(4)
    vessel = STREAM.reactor(3)
    other = STREAM.strain(vessel, 99)
    assert (other.n_vis, other.alpha) == (vessel.n_vis, vessel.alpha)
    assert other.A50 != vessel.A50


def test_report_seeds_stay_apart_from_tuning_seeds():
    assert {accuracy.batch_seed_of(r, b) // 500 for r in range(0, 500, 7) for b in range(10)} == {0}
    assert {accuracy.batch_seed_of(r, b) // 500 for r in range(500, 1000, 7) for b in range(10)} == {1}


def test_scripted_feeds_reach_the_plant(scans):
    shares = STREAM.script(11).at(70.0)
    assert scans[-70].estimate.inputs["feed"] == pytest.approx(0.042 * shares["feed"], rel=0.03)
    assert scans[-70].estimate.inputs["precursor_feed"] == pytest.approx(0.00045 * shares["precursor_feed"], rel=0.03)


def test_the_twin_itself_would_have_no_rates_to_learn():
    """The judged log multipliers are zero for a plant whose rates are the twin's own."""
    x = {"biomass": 9.0, "product": 0.6, "substrate": 0.2, "dissolved_oxygen": 70.0, "volume": 98.0, "precursor": 900.0}
    cells, sugar = x["biomass"], x["substrate"]
    growth = 0.092 * sugar / (0.15 * cells + sugar + 1e-9) * cells * 0.5 * (1 + math.tanh((2400 - 900) / 50))
    production = 0.005 * sugar / (2e-4 + sugar * (1 + sugar / 0.1)) * cells * 0.5 * (1 + math.tanh((900 - 200) / 50))
    oxygen = growth / 0.04 + 0.467 * cells + production / 0.2
    found = against_twin(x, Inputs(F=0.042), growth, production, oxygen)
    assert found == pytest.approx(dict.fromkeys(STREAM.judged, 0.0), abs=1e-6)


def test_a_plant_that_ages_faster_produces_less_than_the_twin_thinks(engine):
    young, old = (
        list(streams.batch(TRIAL, engine, Parameters(A50=a50), 12, streams.RECIPE, until_h=70.0))[-1]
        for a50 in (1e9, 40.0)
    )
    assert old.truth["production"] < young.truth["production"] - 0.1


def test_rls_finds_a_quadratic_and_float_lms_comes_near():
    rng = np.random.default_rng(1)
    low, high = (np.array(side) for side in zip(*PROCESS.coded.values(), strict=True))

    def truth(x):
        z = (x - low) / (high - low)
        return 0.4 * z[0] - 0.3 * z[1] * z[3]

    rls = QuadraticRLS(PROCESS.coded, [1.0])
    lms = FloatLMS(coding.population(PROCESS.coded), [1.0])
    for _ in range(2000):
        x = low + (high - low) * rng.random(4)
        for pupil in (rls, lms):
            pupil.teach(Lesson(tuple(x), (truth(x),), (True,)))
    probes = low + (high - low) * rng.random((200, 4))
    wanted = np.array([truth(x) for x in probes])
    np.testing.assert_allclose(rls(probes)[:, 0], wanted, atol=1e-3)
    assert np.std(lms(probes)[:, 0] - wanted) < 0.4 * np.std(wanted)


def test_the_harness_forecasts_as_the_twin_does(engine, scans):
    """With the rule that ships, the harness and twin.forecast give the same product and biomass."""
    taught = pupils(TRIAL)
    for seen in scans:
        taught.scan(seen)
    surface = taught.neurocore.step(scans[-1].snapshot, scans[-1].estimate).correction
    k = len(scans) - 1 - 144
    now = scans[k].estimate
    steps = tuple(
        Step(s.estimate.time, {n: scans[k + 12 * i + 1].estimate.inputs[n] for n in ("feed", "precursor_feed")})
        for i, s in enumerate(scans[k : k + 144 : 12])
    )
    twin = engine.forecast(now, surface, Plan(steps, scans[-1].estimate.time), members=1)
    law = taught.laws()["neurocore"]
    taught.surface = surface
    states, _ = ahead(TRIAL, scans, k, [Case("neurocore", "fade", taught.laws()["neurocore"])])
    assert law is not None
    for i, name in enumerate(("biomass", "product")):
        assert states[0][i] == pytest.approx(twin.bands[name].median[-1], rel=5e-3)


def test_the_law_of_a_correction_is_what_the_correction_says(scans):
    taught = pupils(TRIAL)
    for seen in scans[:400]:
        taught.scan(seen)
    state = {name: scans[300].estimate[name] for name in TRIAL.coded}
    said = evaluate(taught.surface, state)
    law = SurfaceLaw(taught.surface)(np.array([list(state.values())]))[0]
    np.testing.assert_allclose(law, list(said.values()), atol=1e-12)


def test_a_large_bias_is_found_within_six_samples_and_health_is_not():
    table = novelty.table(range(2))
    assert table["bias_2.0"]["shipped"]["detected"] == 2
    assert table["bias_2.0"]["shipped"]["median_delay"] <= 6
    assert table["drop"]["shipped"]["detected"] == 2
    assert table["healthy"]["shipped"]["detected"] == 0


def test_a_fault_leaves_everything_before_it_as_it_was():
    sensors = novelty.healthy(np.random.default_rng(2))
    for fault in novelty.FAULTS:
        spoiled = novelty.spoiled(sensors, fault, 3)
        assert np.array_equal(spoiled[: novelty.FAULT_AT], sensors[: novelty.FAULT_AT])
        changed = (spoiled != sensors)[novelty.FAULT_AT + 1 :].any(axis=0)
        assert changed.tolist() == [j == 3 and fault != "healthy" for j in range(novelty.SENSORS)]


def test_the_quick_form_prints_one_json_object_with_the_promised_keys():
    ran = subprocess.run(
        [sys.executable, "-m", "controller.commands.bench", "neurocore", "--json", "--resources", "--quick"],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    report = json.loads(ran.stdout)
    for key in ("bit_identical", "lava_graded_p50", "lava_lif16_p50", "reference_speedup", "memory_mb", "seeds"):
        assert key in report
    assert report["bit_identical"] is True
    assert set(report["nrmse"]["hours_12"]) == set(accuracy.FORECASTS)
    assert report["novelty"]["healthy"].keys() == {*novelty.DETECTORS, novelty.BOUND}
    assert report["resources"]
    assert "accuracy: reactor 3," in ran.stderr


UNSTUDIED = [name for name in shipped() if not find(name).studied]


@pytest.mark.parametrize("name", UNSTUDIED)
def test_a_process_that_nobody_studied_is_told_so_in_one_sentence(name):
    with pytest.raises(UserError, match=rf"process '{name}' lacks a study for this bench to judge by: .*study\.py"):
        trial_of(find(name))


@pytest.mark.parametrize("name", UNSTUDIED)
@pytest.mark.parametrize("asked", [("neurocore",), ("twin", "--part", "estimation")], ids=" ".join)
def test_a_bench_that_needs_a_study_refuses_at_once_with_exit_code_2(asked, name):
    ran = subprocess.run(
        [sys.executable, "-m", "controller.cli", "bench", *asked, "--process", name, "--json"],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"neurotwin: process '{name}' lacks a study for this bench to judge by")
