"""What the advice of SHADOW would have brought: two plans since then, and the gain of one over the other."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.loop.records import Ledger, Move, Verdict
from controller.loop.shadow_benefit import KEPT, Shadowed, benefit, followed
from twin.records import Latch, Plan, Step

HOUR = timedelta(hours=1)
NOTHING = Verdict((), (), ("nothing is proposed: nothing better",))


def admitted(**moves: float) -> Verdict:
    return Verdict(tuple(Move(name, value, "L/h", 0.0) for name, value in moves.items()), (), ())


class Watch:
    """Look after look, an hour apart."""

    def __init__(self, world: Any) -> None:
        self.world, self.k = world, -1
        self.shadowed: Shadowed | None = None

    def look(self, verdict: Verdict, **in_force: float) -> Shadowed | None:
        self.k += 1
        estimate = replace(self.world.estimate, time=self.time)
        inputs = {"feed": 0.042, "precursor_feed": 0.0005, **in_force}
        hold = Plan((Step(self.time - HOUR / 2, inputs),), self.world.end)
        self.shadowed = followed(self.shadowed, estimate, verdict, hold)
        return self.shadowed

    @property
    def time(self) -> Any:
        return self.world.now + self.k * HOUR

    def course(self, which: str, name: str) -> list[tuple[int, float]]:
        """The values of one input, each with the hour from which on it holds."""
        assert self.shadowed is not None
        steps = getattr(self.shadowed, which)
        return [((step.start - self.world.now) // HOUR, step.inputs[name]) for step in steps]


@pytest.fixture
def watch(world: Any) -> Watch:
    return Watch(world)


def test_nothing_is_followed_before_something_was_advised(watch: Watch) -> None:
    assert watch.look(NOTHING) is None
    refused = replace(admitted(precursor_feed=0.001), refusals=("the probe is bad",))
    assert watch.look(refused) is None


def test_the_first_advice_begins_both_plans_at_what_is_believed_then(watch: Watch) -> None:
    watch.look(NOTHING)
    found = watch.look(admitted(precursor_feed=0.001))
    assert found == Shadowed(
        replace(watch.world.estimate, time=watch.time),
        (Step(watch.time, {"feed": 0.042, "precursor_feed": 0.0005}),),
        (Step(watch.time, {"feed": 0.042, "precursor_feed": 0.001}),),
    )


def test_advice_stands_until_there_is_other_advice_about_the_same_variable(watch: Watch) -> None:
    watch.look(admitted(precursor_feed=0.001))
    watch.look(NOTHING)
    watch.look(admitted(feed=0.044))
    watch.look(admitted(precursor_feed=0.0015))
    assert watch.course("advised", "precursor_feed") == [(0, 0.001), (2, 0.001), (3, 0.0015)]
    assert watch.course("advised", "feed") == [(0, 0.042), (2, 0.044), (3, 0.044)]
    assert watch.course("actual", "feed") == [(0, 0.042)]
    assert watch.shadowed is not None
    assert watch.shadowed.start.time == watch.world.now


def test_what_is_done_meanwhile_counts_for_both_plans_where_nothing_else_was_advised(watch: Watch) -> None:
    watch.look(admitted(precursor_feed=0.001))
    watch.look(NOTHING, feed=0.04, precursor_feed=0.0007)
    assert watch.course("actual", "feed") == watch.course("advised", "feed") == [(0, 0.042), (1, 0.04)]
    assert watch.course("actual", "precursor_feed") == [(0, 0.0005), (1, 0.0007)]
    assert watch.course("advised", "precursor_feed") == [(0, 0.001), (1, 0.001)]


def test_advice_that_was_followed_is_no_difference_any_more(watch: Watch) -> None:
    watch.look(admitted(precursor_feed=0.001))
    watch.look(NOTHING, precursor_feed=0.001)
    watch.look(NOTHING, precursor_feed=0.0008)
    assert watch.course("advised", "precursor_feed") == [(0, 0.001), (2, 0.0008)]
    assert watch.course("actual", "precursor_feed") == [(0, 0.0005), (1, 0.001), (2, 0.0008)]


def test_advice_that_is_refused_later_changes_nothing(watch: Watch) -> None:
    watch.look(admitted(precursor_feed=0.001))
    before = watch.shadowed
    refused = replace(admitted(precursor_feed=0.002), refusals=("the probe is bad",))
    assert watch.look(refused) == before


def test_no_more_steps_are_remembered_than_is_set(watch: Watch) -> None:
    watch.look(admitted(precursor_feed=0.001))
    for k in range(KEPT + 5):
        watch.look(NOTHING, feed=0.036 + 0.001 * (k % 2))
    assert watch.shadowed is not None
    assert KEPT == 500
    assert len(watch.shadowed.actual) == len(watch.shadowed.advised) == KEPT


@pytest.fixture
def shadowed(world: Any) -> Shadowed:
    return Shadowed(
        world.estimate,
        (Step(world.now, {"precursor_feed": 0.0005}),),
        (Step(world.now, {"precursor_feed": 0.001}),),
    )


def reckoned(world: Any, shadowed: Shadowed, done: Any, advised: Any) -> tuple[Ledger, list[Any]]:
    looked = []

    def look(start: Any, plan: Plan) -> Any:
        looked.append((start, plan))
        grams = done if plan.steps == shadowed.actual else advised
        return replace(world.baseline, objective=grams)

    hold = Plan((), world.end, Latch("feed", "substrate", 0.3))
    before = Ledger(opened=3, accepted=2, gain=1.0, gain_low=1.0, gain_high=1.0)
    return benefit(shadowed, hold, look, before), looked


def test_the_benefit_is_the_paired_gain_of_what_was_advised_over_what_was_done(world: Any, shadowed: Shadowed) -> None:
    done = (100.0, 110.0, 120.0, 130.0, 140.0)
    ledger, looked = reckoned(world, shadowed, done, tuple(g + k for k, g in enumerate(done, 1)))
    assert ledger == Ledger(
        opened=3, accepted=2, since=world.now, gain=3.0,
        gain_low=pytest.approx(1.4), gain_high=pytest.approx(4.6), gain_unit="g",
    )  # fmt: skip
    latch = Latch("feed", "substrate", 0.3)
    assert looked == [
        (world.estimate, Plan(shadowed.actual, world.end, latch)),
        (world.estimate, Plan(shadowed.advised, world.end, latch)),
    ]


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_benefit_that_is_no_number_leaves_the_last_figure(world: Any, shadowed: Shadowed, broken: float) -> None:
    ledger, _ = reckoned(world, shadowed, (100.0, 110.0), (101.0, broken))
    assert ledger == Ledger(opened=3, accepted=2, gain=1.0, gain_low=1.0, gain_high=1.0)
