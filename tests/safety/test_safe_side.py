"""The safe side of a setpoint: what is as safe or safer, and what a move towards it is spared."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from controller.loop.envelope import Interlock
from controller.loop.safety import permitted


@pytest.mark.parametrize(
    ("safe", "lower", "same", "higher"),
    [("low", True, True, False), ("high", False, True, True), ("", False, True, False)],
)
def test_as_safe_or_safer(world: SimpleNamespace, safe: str, lower: bool, same: bool, higher: bool) -> None:
    limit = replace(world.envelope.limits[0], safe=safe)
    assert [limit.safer(value, than=0.04) for value in (0.039, 0.04, 0.041)] == [lower, same, higher]


def test_an_allowance_that_is_used_up_hinders_no_move_to_the_safe_side(world: SimpleNamespace) -> None:
    limit = replace(world.envelope.limits[1], allowance=0.01)
    spent = replace(world.situation, fed={"precursor_feed": 0.02})
    given = (limit, 0.0005, 0.0003, 0.0005, world.snapshot, spent, world.plant, world.envelope)
    assert permitted(*given, safe=True) == (0.0003, "")
    granted, why = permitted(*given)
    assert granted is None
    assert "allowance" in why


def test_all_that_locks_a_move_is_told(world: SimpleNamespace) -> None:
    locks = tuple(Interlock("precursor_feed", "up", reading, "%", 0.0, 1.0) for reading in ("one", "another"))
    envelope = replace(world.envelope, interlocks=locks)
    limit = world.envelope.limits[1]
    refused = permitted(limit, 0.0005, 0.0008, 0.0005, world.snapshot, world.situation, world.plant, envelope)
    assert refused == (
        None,
        "precursor_feed must not be raised: one has no reading;"
        " precursor_feed must not be raised: another has no reading",
    )
