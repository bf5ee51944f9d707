"""Plausibility: what a pump, an assay or a rate must do to be doubted, and what it may do without."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.loop.plausibility import ASSAY, DELIVERY, NO_TRACES, RATES, Checks, conditions, diagnose
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
