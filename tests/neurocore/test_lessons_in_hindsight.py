"""Lessons in hindsight take the filter's lag out, old ones are taught again, and another batch is noticed."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from controller.neurocore import rates
from controller.neurocore.core import bioreactor_core
from controller.neurocore.lessons import GLIMPSE_EVERY, HALF_WINDOW, KEEP_EVERY, Glimpse, Lesson, Teacher
from controller.processes import find
from controller.processes.penicillin.model import MODEL
from twin.correction import evaluate

PROCESS = find("penicillin")

WALK, SD = 0.01, 0.05
LAG_H = (SD / WALK) ** 2  # 25 h
SCAN_H = 0.25


def glimpses(conftest_start, count, log, first=0):
    for k in range(first, first + count):
        hours = k * SCAN_H
        yield Glimpse(conftest_start + k * GLIMPSE_EVERY, (hours,), (log(hours),), (SD,), (True,))


@pytest.fixture
def start(estimate):
    return estimate(0).time


def test_the_lag_of_a_filter_that_follows_a_ramp_is_taken_out(start):
    def followed(hours):  # what a first-order lag makes of a truth that falls by 0.01 per hour
        return -0.01 * (hours - LAG_H)

    teacher = Teacher([WALK], [1.0])
    lessons = [found for g in glimpses(start, 200, followed) if (found := teacher.see(g))]
    assert len(lessons) == 200 - round(2 * HALF_WINDOW / GLIMPSE_EVERY)
    for lesson in lessons:
        assert lesson.targets[0] == pytest.approx(-0.01 * lesson.state[0], abs=1e-9)


def test_a_lesson_speaks_of_the_state_half_a_window_ago(start):
    teacher = Teacher([WALK], [1.0])
    for k, glimpse in enumerate(glimpses(start, 120, lambda hours: 0.0)):
        lesson = teacher.see(glimpse)
        if lesson is not None:
            assert lesson.state[0] == pytest.approx(k * SCAN_H - HALF_WINDOW.total_seconds() / 3600)


def test_a_gap_in_what_was_fit_gives_no_lesson_across_it(start):
    teacher = Teacher([WALK], [1.0])
    for glimpse in glimpses(start, 40, lambda hours: 0.0):
        teacher.see(glimpse)
    # 20 h of silence: half a window before what follows there is nothing
    assert all(teacher.see(g) is None for g in glimpses(start, 40, lambda hours: 0.0, first=120))


def test_another_batch_begins_when_the_belief_is_suddenly_less_certain(start):
    teacher = Teacher([WALK], [1.0])
    for glimpse in glimpses(start, 100, lambda hours: 0.1):
        teacher.watch(glimpse.time, glimpse.sds)
        teacher.see(glimpse)
    after = list(glimpses(start, 97, lambda hours: 0.1, first=100))
    teacher.watch(after[0].time, (2 * SD,))
    assert [teacher.see(g) is None for g in after] == [True] * 96 + [False]


def test_some_lessons_are_remembered_and_come_back(start):
    teacher = Teacher([WALK], [1.0], seed=4)
    assert teacher.recall() is None
    fresh = [found for g in glimpses(start, 400, math.sin) if (found := teacher.see(g))]
    assert list(teacher.kept) == fresh[KEEP_EVERY - 1 :: KEEP_EVERY]
    drawn = {teacher.recall() for _ in range(500)}
    assert drawn <= set(teacher.kept)
    assert len(drawn) > 0.9 * len(teacher.kept)


def test_targets_stay_within_bounds(start):
    teacher = Teacher([WALK], [0.3])
    lessons = [found for g in glimpses(start, 150, lambda hours: -0.2 * hours) if (found := teacher.see(g))]
    assert {lesson.targets for lesson in lessons} == {(-0.3,)}


def test_what_is_remembered_survives_json(start):
    one, other = Teacher([WALK], [1.0]), Teacher([WALK], [1.0])
    for glimpse in glimpses(start, 300, math.cos):
        one.watch(glimpse.time, glimpse.sds)
        one.see(glimpse)
    other.from_json(json.loads(json.dumps(one.to_json())))
    assert other.to_json() == one.to_json()
    following = next(iter(glimpses(start, 1, math.cos, first=300)))
    a, b = one.see(following), other.see(following)
    assert isinstance(a, Lesson) and isinstance(b, Lesson)
    np.testing.assert_allclose(a.targets, b.targets, atol=1e-3)


def through(core, snapshot, estimate, truth, scans, offset=0):
    for k in range(scans):
        states = {"product": 1.2 * k / scans, "biomass": 4.0 + 9.0 * k / scans}
        logs = {"growth": truth(states)}
        insight = core.step(snapshot(offset + k), estimate(offset + k, states=states, logs=logs, sd=0.01))
    return insight


def test_an_old_batch_is_still_known_after_another_region_was_visited(snapshot, estimate):
    """Sixty hours at one corner of the states do not wipe out what a batch taught."""

    def truth(states):
        return -0.4 * states["product"]

    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, hindsight=True)
    insight = through(core, snapshot, estimate, truth, 1500)
    corner = {"product": 0.05, "biomass": 4.5}
    for k in range(720):
        insight = core.step(snapshot(1500 + k), estimate(1500 + k, states=corner, logs={"growth": 0.3}, sd=0.01))
    late = {"biomass": 10.0, "product": 0.8, "substrate": 0.4, "precursor": 1200.0}
    assert evaluate(insight.correction, late)["growth"] == pytest.approx(-0.32, abs=0.06)


def test_a_snapshot_from_before_the_scale_was_kept_says_what_it_said(snapshot, estimate):
    """It has no surface and no scale: its weights were learned where 0.6 of their range was to do."""
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, hindsight=True)
    through(core, snapshot, estimate, lambda states: -0.4 * states["product"], 1500)
    late = {"biomass": 10.0, "product": 0.8, "substrate": 0.4, "precursor": 1200.0}
    kept = json.loads(json.dumps(core.snapshot()))
    weights = np.array(kept["weights"])
    core.restore(kept)
    said = evaluate(core._correction, late)["growth"]
    assert said < -0.2
    old = {key: value for key, value in kept.items() if key not in ("surface", "log_per_count")}
    other = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, hindsight=True)
    other.restore({**old, "weights": np.clip(3 * weights, -256, 255).tolist()})
    np.testing.assert_array_equal(other.snapshot()["weights"], np.rint(np.clip(3 * weights, -256, 255) / 3))
    assert evaluate(other._correction, late)["growth"] == pytest.approx(said, abs=0.06)


def test_a_snapshot_goes_on_from_its_surface(snapshot, estimate):
    one, other = (bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, hindsight=True) for _ in range(2))
    through(one, snapshot, estimate, lambda states: -0.4 * states["product"], 600)
    other.restore(json.loads(json.dumps(one.snapshot())))
    assert other.snapshot() == one.snapshot()
    assert other._correction == one._correction


def test_the_surface_is_steadier_than_the_weights_it_is_made_of(snapshot, estimate):
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, hindsight=True)
    generator = np.random.default_rng(3)
    corrections, weights = [], []
    for k in range(1200):
        states = {"product": k / 1000, "biomass": 4.0 + 9.0 * k / 1200}
        logs = {"growth": 0.2 + 0.05 * generator.standard_normal()}
        insight = core.step(snapshot(k), estimate(k, states=states, logs=logs, sd=0.01))
        if k > 600 and k % 6 == 5:
            corrections.append(insight.correction.weights[0])
            weights.append(core.snapshot()["weights"][0])
    scale = core._learner.log_per_count[0] / max(core._learner.log_per_count)
    moved = [np.abs(np.diff(np.array(rows), axis=0)).mean() for rows in (corrections, weights)]
    assert 0 < moved[0] < 0.6 * scale * moved[1]


def test_a_rate_that_varies_as_much_as_expected_leaves_no_weight_at_its_limit(snapshot, estimate):
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, hindsight=True)
    for batch in range(4):
        for k in range(1200):
            states = {"product": 1.2 * k / 1200, "biomass": 4.0 + 9.0 * k / 1200}
            at = 2000 * batch + k
            logs = {"production": 0.3 - 0.8 * states["product"]}
            core.step(snapshot(at), estimate(at, states=states, logs=logs, sd=0.01))
    largest = np.abs(np.array(core.snapshot()["weights"])).max()
    assert 50 < largest < 250


def test_the_first_few_lessons_on_a_state_say_nearly_all():
    """A first batch is over before small shares would have added up; the error's seven bits are what delays it."""
    core = bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, hindsight=True)
    target = -0.3
    for log in (target, 0.0):
        lesson = Lesson((8.0, 0.5, 0.4, 1200.0), (log,) * len(core._learner.names), (True,) * len(core._learner.names))
        said = [rates.log_multipliers(core._learner, core._send(lesson.state, lesson)) for _ in range(4)][-1]
        assert said["production"] == pytest.approx(log, abs=0.05 * abs(target))


def test_later_lessons_close_a_quarter():
    shares = [rates.HINDSIGHT.share(n) for n in (0, 2000, 6000, 100_000)]
    assert shares == pytest.approx([1.0, 0.5, 0.25, 0.25])
