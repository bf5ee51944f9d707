"""Killed again and again, plant and controller lose nothing that the ledger does not explain, nor outlive a lease."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from controller.bench import soak
from controller.edge.historian import Cause, Gap

NOON = datetime(2026, 1, 3, 12, tzinfo=UTC)


def at(*minutes: float) -> list[datetime]:
    return [NOON + timedelta(minutes=m) for m in minutes]


def gap(first: float, last: float | None) -> Gap:
    start, *rest = at(first) if last is None else at(first, last)
    return Gap("R1", "B1", "", start, rest[0] if rest else None, Cause.LINK_DOWN, "", 0, "")


def test_a_hole_that_no_entry_covers_whole_is_unexplained() -> None:
    times = at(0, 5, 25, 30, 60)
    assert soak.unexplained(times, [gap(5, 25), gap(30, 60)], 300.0) == []
    (hole,) = soak.unexplained(times, [gap(5, 25), gap(30, 59)], 300.0)
    assert hole == tuple(at(30, 60))
    assert len(soak.unexplained(times, [], 300.0)) == 2
    assert soak.unexplained(times, [gap(5, None)], 300.0) == []


def test_memory_is_judged_in_the_longest_life() -> None:
    assert soak.growth([[1.0], [10.0, 100.0, 101.0, 102.0, 102.0]]) == (100.0, 102.0)
    assert soak.growth([]) == (0.0, 0.0)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [1, pytest.param(2, marks=pytest.mark.benchmark)])
def test_plant_and_controller_killed_leave_no_hole_unexplained(kills: int) -> None:
    said: list[str] = []
    found = soak.measured(said.append, kills, hours=0.3, speed=300.0, seed=1, stretch=(2, 4), backend="reference")
    assert found["unexplained"] == []
    assert found["unleased"] == []
    assert found["lease_looks"] > 5
    assert found["gaps"]
    assert found["scans"] >= 2 * (2 * kills + 1)
    assert sum(line.startswith("kill") for line in said) == 2 * kills
