"""Plausibility: what a pump, an assay or a rate must do to be doubted, and what it may do without."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.loop.plausibility import ASSAY, DELIVERY, NO_TRACES, RATES, Checks, Finding, conditions, diagnose
from controller.loop.records import Situation
from twin.records import Estimate, Track
from twin.signals import Assay, Quality, Reading, Role, Snapshot, Variable

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SCAN = timedelta(minutes=5)
FEED = Variable("feed", "L/h", 0.0, 0.1, Role.MANIPULATED)
BIOMASS = Variable("biomass", "g/L", 0.0, 60.0, Role.ASSAYED)
CHECKS = Checks(jumps={"transfer": 0.3}, settle=timedelta(hours=1))


def estimate(time: datetime, transfer: float = 0.0) -> Estimate:
    return Estimate(time, ("biomass",), (8.0,), ("transfer",), (transfer,), ((0.04, 0.0), (0.0, 0.01)), {}, {}, 1.0, 1)


def scans(flows, transfers=None, quality=Quality.GOOD, assays=None, setpoint=0.042):
    """What is found at each scan."""
    traces, track, told = NO_TRACES, None, []
    for k, flow in enumerate(flows):
        time = T0 + k * SCAN
        now = estimate(time, transfers[k] if transfers else 0.0)
        reading = Reading(flow, "L/h", time, quality)
        snapshot = Snapshot(time, {"feed": reading}, (assays or {}).get(k, ()))
        situation = Situation("B", "production", T0 + timedelta(days=9), {"feed": setpoint})
        found, traces = diagnose(traces, snapshot, situation, track, now, (FEED, BIOMASS), CHECKS)
        track = Track(now, (*(track.past if track else ()), (now, snapshot)))
        told.append(found)
    return told


def test_a_pump_is_doubted_after_three_scans_off_its_setpoint_and_no_longer_once_it_delivers():
    told = scans([0.042, 0.030, 0.030, 0.030, 0.030, 0.042])
    assert [len(found) for found in told] == [0, 0, 0, 1, 1, 0]
    (found,) = told[3]
    assert found.name == DELIVERY
    assert found.blocks
    assert "feed is 0.03 L/h where 0.042 is in force" in found.sentence


@pytest.mark.parametrize("flow", [0.0425, 0.0385, 0.0459])
def test_a_pump_within_a_tenth_of_its_setpoint_is_believed(flow):
    assert not any(scans([flow] * 6))


def test_a_pump_that_stands_still_as_it_should_is_believed():
    assert not any(scans([0.0] * 6, setpoint=0.0))


@pytest.mark.parametrize(("flow", "quality"), [(0.03, Quality.BAD), (math.nan, Quality.GOOD), (None, Quality.BAD)])
def test_a_flow_that_cannot_be_read_says_nothing_of_the_pump(flow, quality):
    assert not any(scans([flow] * 6, quality=quality))


def test_a_rate_that_falls_at_once_is_told_and_one_that_drifts_is_not():
    fell = scans([0.042] * 40, [0.0] * 20 + [-0.4] * 20)
    (found,) = fell[25]
    assert found.name == RATES
    assert not found.blocks
    assert found.sentence.startswith("the rate of transfer fell by 33 % within 6 h")
    assert not any(scans([0.042] * 200, [-0.003 * k for k in range(200)]))


def test_a_rate_is_not_judged_before_the_filter_has_settled():
    assert not any(scans([0.042] * 12, [0.0] * 3 + [-0.9] * 9))


def assay(value: float, quality: Quality = Quality.GOOD) -> tuple[Assay, ...]:
    return (Assay("biomass", value, "g/L", T0 + SCAN, T0 + 3 * SCAN, quality),)


def test_a_result_far_from_what_was_believed_is_doubted_for_half_a_day():
    told = scans([0.042] * 200, assays={3: assay(16.0)})
    assert [f.name for f in told[3]] == [ASSAY]
    assert "biomass of 2026-01-01 00:05 is 16 g/L where 8 ± 0.2 was expected" in told[3][0].sentence
    assert told[140]
    assert not told[150]


@pytest.mark.parametrize("found", [assay(9.0), assay(7.0), assay(16.0, Quality.BAD)])
def test_a_result_within_its_error_or_marked_bad_is_not_doubted(found):
    assert not any(scans([0.042] * 6, assays={3: found}))


def test_findings_of_one_kind_make_one_condition():
    told = scans([0.042] * 6, assays={3: (*assay(16.0), replace(assay(2.0)[0], sampled_at=T0 + 2 * SCAN))})
    assert list(conditions(told[3])) == [ASSAY]
    assert conditions(told[3])[ASSAY].count("doubtful") == 2


OTHERS = (Variable("moon", "L/h", 0.0, 1.0, Role.MEASURED), Variable("absent", "L/h", 0.0, 1.0, Role.MANIPULATED))


def pumped(flow, setpoint, variable=FEED, checks=CHECKS, **readings):
    """What is found after three scans at which a pump did this."""
    traces, found = NO_TRACES, ()
    for k in range(3):
        time = T0 + k * SCAN
        snapshot = Snapshot(time, {variable.name: Reading(flow, variable.unit, time, Quality.GOOD), **readings})
        situation = Situation("B", "production", T0 + timedelta(days=9), {variable.name: setpoint, "moon": 1.0})
        found, traces = diagnose(traces, snapshot, situation, None, estimate(time), (*OTHERS, variable), checks)
    return found


@pytest.mark.parametrize(
    ("flow", "doubted"),
    [(0.042 + 0.0046, False), (0.042 - 0.0046, False), (0.042 + 0.0048, True), (0.042 - 0.0048, True)],
)
def test_a_flow_may_be_off_by_a_tenth_of_its_setpoint_and_a_half_percent_of_its_span(flow, doubted):
    assert bool(pumped(flow, 0.042)) is doubted


@pytest.mark.parametrize(("value", "doubted"), [(-11.1, False), (-8.9, False), (-11.3, True), (-8.7, True)])
def test_a_span_and_a_setpoint_may_lie_below_nothing(value, doubted):
    jacket = Variable("jacket", "°C", -20.0, 20.0, Role.MANIPULATED)
    assert bool(pumped(value, -10.0, jacket)) is doubted


def test_a_pump_that_runs_without_being_told_to_is_doubted():
    assert pumped(0.02, 0.0) == (
        Finding(
            DELIVERY,
            "feed is 0.02 L/h where 0 is in force: the actuator does not do what it is told",
            blocks=True,
        ),
    )


def test_only_what_is_moved_and_whose_setpoint_is_known_is_held_to_it():
    off = {"moon": Reading(0.0, "L/h", T0, Quality.GOOD), "absent": Reading(0.0, "L/h", T0, Quality.GOOD)}
    assert [f.sentence.split()[0] for f in pumped(0.02, 0.042, **off)] == ["feed"]


G, B = Quality.GOOD, Quality.BAD


@pytest.mark.parametrize("qualities", [[G, G, B, B, G], [B, B, G, G, G]])
def test_a_scan_that_cannot_be_read_neither_clears_a_pump_nor_counts_against_it(qualities):
    traces, told = NO_TRACES, []
    for k, quality in enumerate(qualities):
        time = T0 + k * SCAN
        snapshot = Snapshot(time, {"feed": Reading(0.03, "L/h", time, quality)})
        situation = Situation("B", "production", T0 + timedelta(days=9), {"feed": 0.042})
        found, traces = diagnose(traces, snapshot, situation, None, estimate(time), (FEED,), CHECKS)
        told.append(len(found))
    assert told == [0, 0, 0, 0, 1]


def test_a_pump_that_cannot_be_read_hides_no_other():
    unread = Variable("acid", "L/h", 0.0, 1.0, Role.MANIPULATED)
    traces, found = NO_TRACES, ()
    for k in range(3):
        time = T0 + k * SCAN
        snapshot = Snapshot(time, {"acid": Reading(None, "L/h", time, B), "feed": Reading(0.03, "L/h", time, G)})
        situation = Situation("B", "production", T0 + timedelta(days=9), {"acid": 0.5, "feed": 0.042})
        found, traces = diagnose(traces, snapshot, situation, None, estimate(time), (unread, FEED), CHECKS)
    assert [f.sentence.split()[0] for f in found] == ["feed"]


def test_where_nothing_may_be_off_a_pump_that_does_just_what_it_is_told_is_believed():
    strict = replace(CHECKS, delivery_share=0.0, delivery_span=0.0)
    assert not pumped(0.042, 0.042, checks=strict)
    assert pumped(0.0421, 0.042, checks=strict)


def test_a_pump_that_is_right_for_one_scan_starts_its_count_anew():
    assert not any(scans([0.03, 0.03, 0.042, 0.03, 0.03]))


def moved(course, checks=CHECKS, scan=SCAN):
    """What is found at the last of these log multipliers, scan by scan."""
    traces, found = NO_TRACES, ()
    for k, transfer in enumerate(course):
        time = T0 + k * scan
        situation = Situation("B", "production", T0 + timedelta(days=9), {})
        found, traces = diagnose(traces, Snapshot(time, {}), situation, None, estimate(time, transfer), (), checks)
    return [f.sentence for f in found]


STEADY = [0.0] * 20


@pytest.mark.parametrize(
    ("course", "told"),
    [
        ([*STEADY, 0.4], "rose by 49 %"),
        ([*STEADY, -0.4], "fell by 33 %"),
        ([*STEADY, 0.3], ""),
        ([*STEADY, -0.3], ""),
        ([*[0.2] * 20, -0.2], "fell by 33 %"),
        ([*[-0.2] * 20, 0.2], "rose by 49 %"),
        ([*STEADY, 0.2, -0.2], "fell by 33 %"),  # from the highest within the window
        ([*STEADY, -0.2, 0.2], "rose by 49 %"),
        ([*STEADY, 0.5, 0.0], "fell by 39 %"),
        ([*[-0.5] * 20, 0.1, 0.0], "rose by 65 %"),
    ],
)
def test_a_rate_is_held_to_the_furthest_it_was_from_now_within_the_window(course, told):
    sentence = f"the rate of transfer {told} within 6 h, faster than a healthy process does"
    assert moved(course) == ([sentence] if told else [])


@pytest.mark.parametrize(("hours", "told"), [(6.0, 1), (6.5, 0)])
def test_what_a_rate_was_before_the_window_does_not_count(hours, told):
    quick = replace(CHECKS, settle=timedelta(0))
    assert len(moved([0.4, 0.0], quick, timedelta(hours=hours))) == told


def test_the_window_is_told_as_it_is_set():
    assert "within 1.5 h" in moved([*STEADY, 0.4], replace(CHECKS, jump_window=timedelta(minutes=90)))[0]


def test_a_rate_without_a_limit_may_move_as_it_likes():
    assert moved([*STEADY, 9.0], replace(CHECKS, jumps={"growth": 0.3})) == []


@pytest.mark.parametrize(("scan_count", "told"), [(12, 0), (13, 1)])
def test_rates_are_judged_from_an_hour_after_the_first_scan_on(scan_count, told):
    assert len(moved([*[0.0] * (scan_count - 1), 0.9])) == told


@pytest.mark.parametrize(("hours", "told"), [(23, 0), (24, 1)])
def test_rates_are_judged_after_a_day_where_nothing_else_is_set(hours, told):
    usual = Checks(jumps={"transfer": 0.3})
    assert len(moved([*[0.0] * hours, 0.9], usual, timedelta(hours=1))) == told


def believed(*times, sd=0.2):
    """A track whose belief is of 8, 18, 28, ... g/L at these times."""
    past = tuple(
        (replace(estimate(time), mean=(8.0 + 10.0 * k,), covariance=((sd**2, 0.0), (0.0, 0.01))), None)
        for k, time in enumerate(times)
    )
    return Track(past[-1][0], past)


def doubts(track, *assays, variables=(FEED, BIOMASS), checks=CHECKS):
    situation = Situation("B", "production", T0 + timedelta(days=9), {})
    snapshot = Snapshot(T0 + timedelta(hours=5), {}, assays)
    return [f.sentence for f in diagnose(NO_TRACES, snapshot, situation, track, estimate(T0), variables, checks)[0]]


# 5 * hypot(0.2, 0.05 * 8) + 0.01 * 60 = 2.836
@pytest.mark.parametrize(("value", "doubted"), [(10.83, False), (10.84, True), (5.17, False), (5.16, True)])
def test_a_result_may_be_off_by_five_deviations_of_belief_and_laboratory_and_a_hundredth_of_the_span(value, doubted):
    assert bool(doubts(believed(T0), assay(value)[0])) is doubted


def test_a_result_just_as_far_off_as_it_may_be_is_taken():
    simple = replace(CHECKS, assay_sd=1.0, assay_relative=0.0, assay_floor=0.0)
    assert not doubts(believed(T0, sd=0.5), assay(8.5)[0], checks=simple)
    assert doubts(believed(T0, sd=0.5), assay(8.5001)[0], checks=simple)


@pytest.mark.parametrize(("value", "doubted"), [(10.23, False), (10.24, True)])
def test_a_result_of_a_variable_without_a_span_is_held_to_the_deviations_alone(value, doubted):
    assert bool(doubts(believed(T0), assay(value)[0], variables=(FEED,))) is doubted


def test_the_span_of_a_result_may_begin_below_nothing():
    wide = replace(BIOMASS, low=-60.0)  # 2.236 + 1.2
    assert not doubts(believed(T0), assay(11.42)[0], variables=(wide,))
    assert doubts(believed(T0), assay(11.45)[0], variables=(wide,))


def test_a_result_is_held_to_what_was_believed_when_its_sample_was_drawn():
    track = believed(T0, T0 + SCAN, T0 + 2 * SCAN)  # the sample is of the second
    assert not doubts(track, assay(18.0)[0])
    assert "is 28 g/L where 18 ± 0.2 was expected: the sample or its analysis is doubtful" in doubts(
        track, assay(28.0)[0]
    )[0]  # fmt: skip
    assert doubts(track, assay(8.0)[0])


@pytest.mark.parametrize("track", [None, believed(T0 + 2 * SCAN)])
def test_a_result_of_which_nothing_was_believed_is_taken(track):
    assert doubts(track, assay(50.0)[0]) == []


def test_a_result_of_what_the_twin_does_not_know_is_taken():
    assert doubts(believed(T0), replace(assay(50.0)[0], variable="phosphate")) == []


@pytest.mark.parametrize("quality", [Quality.UNCERTAIN, Quality.BAD])
def test_a_result_that_says_itself_it_is_not_good_is_not_doubted_besides(quality):
    assert doubts(believed(T0), assay(50.0, quality)[0]) == []


@pytest.mark.parametrize(("hours", "told"), [(11.9, 1), (12.0, 0)])
def test_a_doubt_is_told_for_twelve_hours_from_when_the_result_came(hours, told):
    situation = Situation("B", "production", T0 + timedelta(days=9), {})
    came = Snapshot(T0 + timedelta(hours=5), {}, assay(50.0))
    found, traces = diagnose(NO_TRACES, came, situation, believed(T0), estimate(T0), (BIOMASS,), CHECKS)
    assert [(f.name, f.blocks) for f in found] == [(ASSAY, False)]
    later = Snapshot(came.time + timedelta(hours=hours), {})
    assert len(diagnose(traces, later, situation, None, estimate(T0), (BIOMASS,), CHECKS)[0]) == told


def test_findings_are_told_by_name_and_those_of_one_name_together():
    found = (Finding(DELIVERY, "a"), Finding(ASSAY, "b"), Finding(DELIVERY, "c"))
    assert conditions(found) == {DELIVERY: "a; c", ASSAY: "b"}
    assert conditions(()) == {}
