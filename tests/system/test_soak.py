"""Killed again and again, plant and controller lose nothing that the ledger does not explain, nor outlive a lease."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from controller.bench import soak
from controller.edge.historian import Cause, Gap
from controller.processes import find

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
    assert soak.growth([[1.0], [10.0, 90.0, 100.0, 101.0, 102.0]]) == (100.0, 102.0)
    assert soak.growth([]) == (0.0, 0.0)


PASSED = {
    "kills_each": 2,
    "hours_asked": 1.0,
    "hours": 1.2,
    "unexplained": [],
    "unleased": [],
    "open": [],
    "killed": {"plant": 2, "controller": 2},
    "lease_looks": 40,
    "memory_mb_first": 300.0,
    "memory_mb_last": 303.0,
}
SPOILED = {
    "a hole": ({"unexplained": ["03 12:00 to 12:20"]}, "nothing explains the hole"),
    "a setpoint without a lease": ({"unleased": ["FIC201 at 03 12:00"]}, "without a live lease"),
    "an entry that explains everything after it": ({"open": ["03 12:00"]}, "never closed"),
    "a plant that died of something else": ({"killed": {"plant": 1, "controller": 2}}, "plant died of 1 of 2"),
    "a soak that was too short": ({"hours": 0.9}, "0.9 h were recorded of 1"),
    "leases that nobody watched": ({"lease_looks": 5}, "looked at 5 times only"),
    "memory that grows": ({"memory_mb_last": 320.0}, "grew from 300 to 320 MB"),
    "memory that nobody measured": ({"memory_mb_first": 0.0, "memory_mb_last": 0.0}, "no memory was measured"),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_each_judgement_of_a_soak_can_fail(spoiled: str) -> None:
    assert soak.objections(PASSED) == []
    change, why = SPOILED[spoiled]
    (told,) = soak.objections({**PASSED, **change})
    assert why in told


def test_the_memory_of_a_process_includes_its_children_and_a_life_that_leaks_is_seen() -> None:
    alone = soak.resident_mb(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert soak.resident_mb(os.getpid()) > alone
        child.kill()
    assert soak.resident_mb(child.pid) == 0.0
    first, last = soak.growth([[300.0 + k for k in range(100)]])
    assert last > soak.GROWTH * first


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [1, pytest.param(2, marks=pytest.mark.benchmark)])
def test_plant_and_controller_killed_leave_no_hole_unexplained(kills: int) -> None:
    said: list[str] = []
    found = soak.measured(find("penicillin"), said.append, kills, 0.3, 300.0, 1, (2, 4), "reference", long_life=1)
    assert [o for o in found["objections"] if "memory" not in o] == []  # a life of seconds still grows
    assert found["gaps"]
    assert found["scans"] >= 2 * (2 * kills + 1)
    assert sum(line.startswith("kill") for line in said) == 2 * kills
