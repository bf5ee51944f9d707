"""When a turn is due: by the plant's time alone, but for who asks, and for a clock that goes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.edge.opcua import Scan
from controller.edge.scan_clock import STALLED_SCANS, ScanClock
from controller.tables import ConnectionTable
from twin.signals import Snapshot

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
AT = ConnectionTable(endpoint="opc.tcp://127.0.0.1:4840/plant", namespace="urn:plant", scan_s=60.0)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def clock() -> ScanClock:
    """One that has seen a turn."""
    made = ScanClock(AT)
    made.turned(NOW, NOW)
    return made


def test_the_first_scan_is_due_at_once() -> None:
    clock = ScanClock(AT)
    assert not clock.started
    assert clock.due_at() is None
    assert clock.due(NOW, asked=False)


def test_a_turn_is_due_a_scan_period_after_the_last_and_no_sooner(clock: ScanClock) -> None:
    assert not clock.due(later(59.0), asked=False)
    assert clock.due(later(59.95), asked=False)  # a plant's own clock may round
    assert clock.due_at() == later(59.94)


def test_who_asks_waits_for_a_new_time_and_not_for_the_period(clock: ScanClock) -> None:
    assert clock.due(later(1.0), asked=True)
    assert not clock.due(NOW, asked=True)


def test_a_clock_that_goes_back_is_told_at_each_new_time() -> None:
    clock = ScanClock(AT)
    clock.turned(later(-600.0), NOW)  # it went back, and the loop does not believe it yet
    assert not clock.due(later(-600.0), asked=False)
    assert clock.due(later(-599.0), asked=False)


def test_in_lockstep_every_look_may_be_the_next_scan() -> None:
    clock = ScanClock(replace(AT, lockstep=True, advance_node="SIMULATION.Advance"))
    clock.turned(NOW, NOW)
    assert clock.due_at() is None


def test_a_time_that_stands_still_for_some_periods_is_a_stall(clock: ScanClock) -> None:
    scan = Scan(Snapshot(NOW, {}), "B", NOW, "growth", {}, {})
    assert not clock.stalled(replace(scan, stalled_s=STALLED_SCANS * 60.0))
    assert clock.stalled(replace(scan, stalled_s=STALLED_SCANS * 60.0 + 1.0))
