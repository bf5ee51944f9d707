"""Interlocks, allowance, jumps and dates: what the present forbids whatever a forecast promises."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from controller.loop.envelope import Interlock
from controller.loop.records import Command, Move, Verdict
from controller.loop.safety import admit, held, largest_step, missing_evidence, tripped, within_allowance
from twin.records import Band
from twin.signals import Quality

RAISE = Interlock("precursor_feed", "up", "dissolved_oxygen", "%", 30.0, 90.0)


def judged(world: SimpleNamespace, **changed: Any) -> Verdict:
    given = {
        "proposal": world.proposal,
        "snapshot": world.snapshot,
        "baseline": world.baseline,
        "proposed": world.proposed,
        "envelope": world.envelope,
        "plant": world.plant,
        "situation": world.situation,
        **changed,
    }
    return admit(**given)


def locked(world: SimpleNamespace, *locks: Interlock) -> Any:
    return replace(world.envelope, interlocks=locks)


def moving(world: SimpleNamespace, value: float) -> Any:
    return replace(world.proposal, moves=(Move("precursor_feed", value, "L/h", 0.0005),))


@pytest.mark.parametrize(("oxygen", "admitted"), [(30.0, True), (29.9, False), (90.0, True), (90.1, False)])
def test_an_interlock_holds_outside_its_range(
    world: SimpleNamespace, with_reading: Callable[..., Any], oxygen: float, admitted: bool
) -> None:
    snapshot = with_reading("dissolved_oxygen", world.reading(oxygen))
    verdict = judged(world, snapshot=snapshot, envelope=locked(world, RAISE))
    assert verdict.admitted is admitted
    if not admitted:
        told = f"precursor_feed must not be raised: dissolved_oxygen is {oxygen:.4g} %, outside [30, 90]"
        assert verdict.refusals == (told,)
        assert verdict.moves == ()


@pytest.mark.parametrize(
    ("way", "value", "word"),
    [("up", 0.001, "raised"), ("up", 0.0002, ""), ("down", 0.001, ""), ("down", 0.0002, "lowered"),
     ("any", 0.001, "moved"), ("any", 0.0002, "moved")],
)  # fmt: skip
def test_an_interlock_concerns_its_way_only(
    world: SimpleNamespace, with_reading: Callable[..., Any], way: str, value: float, word: str
) -> None:
    snapshot = with_reading("dissolved_oxygen", world.reading(10.0))
    envelope = locked(world, replace(RAISE, way=way))
    refusals = judged(world, proposal=moving(world, value), snapshot=snapshot, envelope=envelope).refusals
    told = f"precursor_feed must not be {word}: dissolved_oxygen is 10 %, outside [30, 90]"
    assert refusals == ((told,) if word else ())


def test_an_interlock_concerns_its_variable_and_its_phases_only(
    world: SimpleNamespace, with_reading: Callable[..., Any]
) -> None:
    snapshot = with_reading("dissolved_oxygen", world.reading(10.0))
    for lock, refused in (
        (replace(RAISE, variable="feed"), False),
        (replace(RAISE, phases=("growth",)), False),
        (replace(RAISE, phases=("growth", "production")), True),
    ):
        assert bool(judged(world, snapshot=snapshot, envelope=locked(world, lock)).refusals) is refused
    another = locked(world, replace(RAISE, variable="feed"), RAISE)
    assert judged(world, snapshot=snapshot, envelope=another).refusals


def test_an_interlock_that_cannot_see_forbids(world: SimpleNamespace, with_reading: Callable[..., Any]) -> None:
    envelope = replace(locked(world, RAISE), evidence=())
    bad = with_reading("dissolved_oxygen", world.reading(quality=Quality.BAD))
    assert judged(world, snapshot=bad, envelope=envelope).refusals == (
        "precursor_feed must not be raised: dissolved_oxygen is bad: made so",
    )
    absent = with_reading("dissolved_oxygen", None)
    assert judged(world, snapshot=absent, envelope=envelope).refusals == (
        "precursor_feed must not be raised: dissolved_oxygen has no reading",
    )


def test_an_interlock_that_trips_speaks_against_the_standing_command(
    world: SimpleNamespace, with_reading: Callable[..., Any]
) -> None:
    standing = Command("S0", world.proposal.moves, world.now, world.now + timedelta(hours=1), "ada")
    low = with_reading("dissolved_oxygen", world.reading(10.0))
    envelope = locked(world, RAISE)
    told = "precursor_feed must not be raised: dissolved_oxygen is 10 %, outside [30, 90]"
    assert tripped(standing, low, world.plant, envelope, "production") == [told]
    assert tripped(standing, world.snapshot, world.plant, envelope, "production") == []
    assert tripped(None, low, world.plant, envelope, "production") == []
    blind = with_reading("dissolved_oxygen", None)
    assert tripped(standing, blind, world.plant, envelope, "production") == [
        "precursor_feed must not be raised: dissolved_oxygen has no reading"
    ]
    both = locked(world, RAISE, replace(RAISE, reading="no_such"))
    assert len(tripped(standing, low, world.plant, both, "production")) == 2
    lowering = replace(standing, moves=(Move("precursor_feed", 0.0003, "L/h", 0.0005),))
    assert tripped(lowering, low, world.plant, envelope, "production") == []
    elsewhere = locked(world, replace(RAISE, phases=("growth",)))
    assert tripped(standing, low, world.plant, elsewhere, "production") == []


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_command_that_leaves_a_variable_where_it_was_is_not_held_against_either_way(
    world: SimpleNamespace, with_reading: Callable[..., Any], way: str
) -> None:
    unmoved = (Move("precursor_feed", 0.0005, "L/h", 0.0005),)
    standing = Command("S0", unmoved, world.now, world.now + timedelta(hours=1), "ada")
    low = with_reading("dissolved_oxygen", world.reading(10.0))
    envelope = locked(world, replace(RAISE, way=way))
    assert tripped(standing, low, world.plant, envelope, "production") == []
    assert tripped(standing, low, world.plant, locked(world, replace(RAISE, way="any")), "production")


@pytest.mark.parametrize("way", ["up", "down", "any"])
def test_a_change_that_is_no_number_concerns_every_interlock(
    world: SimpleNamespace, with_reading: Callable[..., Any], way: str
) -> None:
    lost = (Move("precursor_feed", 0.0005, "L/h", math.nan),)
    standing = Command("S0", lost, world.now, world.now + timedelta(hours=1), "ada")
    low = with_reading("dissolved_oxygen", world.reading(10.0))
    assert tripped(standing, low, world.plant, locked(world, replace(RAISE, way=way)), "production")


def limited(world: SimpleNamespace, allowance: float, fed: float | None) -> tuple[Any, Any]:
    limits = tuple(replace(x, allowance=allowance) for x in world.envelope.limits)
    totals = {} if fed is None else {"precursor_feed": fed}
    return replace(world.envelope, limits=limits), replace(world.situation, fed=totals)


def test_a_move_is_held_to_what_is_left_of_the_batchs_allowance(world: SimpleNamespace) -> None:
    envelope, situation = limited(world, 0.1, 0.02)  # 0.08 L for 100 h
    verdict = judged(world, envelope=envelope, situation=situation)
    assert verdict.moves[0].value == pytest.approx(0.0008)
    assert verdict.narrowed[0].reason == "held to [0, 0.0008] L/h"


def test_an_allowance_that_is_used_up_refuses(world: SimpleNamespace) -> None:
    envelope, situation = limited(world, 0.1, 0.101)
    verdict = judged(world, envelope=envelope, situation=situation)
    assert verdict.refusals == (
        "precursor_feed has an allowance of 0.1 a batch, 0.101 of it is used, and 0 L/h to the end would exceed it",
    )
    exactly, situation = limited(world, 0.1, 0.1)
    assert "stays at" not in str(judged(world, envelope=exactly, situation=situation).refusals)


def test_an_allowance_that_lasts_just_to_the_end_leaves_one_value(world: SimpleNamespace) -> None:
    limit = replace(world.envelope.limits[1], low=0.25, high=1.0, allowance=30.0)
    situation = replace(world.situation, fed={"precursor_feed": 5.0})  # 25 L for 100 h
    assert within_allowance(limit, world.snapshot, situation) == (replace(limit, high=0.25), "")


@pytest.mark.parametrize("fed", [None, math.nan, math.inf])
def test_an_allowance_without_a_book_refuses(world: SimpleNamespace, fed: float | None) -> None:
    envelope, situation = limited(world, 0.1, fed)
    assert judged(world, envelope=envelope, situation=situation).refusals == (
        "how much precursor_feed the batch got is not known, and it has an allowance",
    )


def test_without_an_allowance_the_book_does_not_matter(world: SimpleNamespace) -> None:
    limit = world.envelope.limits[1]
    assert within_allowance(limit, world.snapshot, world.situation) == (limit, "")


@pytest.mark.parametrize(("hours", "high"), [(100.0, 0.0008), (2.0, 0.04), (1.0, 0.08), (0.5, 0.08), (-5.0, 0.08)])
def test_an_allowance_is_spread_over_the_rest_of_the_batch_and_an_hour_at_least(
    world: SimpleNamespace, hours: float, high: float
) -> None:
    limit = replace(world.envelope.limits[1], allowance=0.1, high=1.0)
    situation = replace(world.situation, fed={"precursor_feed": 0.02}, batch_end=world.now + timedelta(hours=hours))
    assert within_allowance(limit, world.snapshot, situation)[0].high == pytest.approx(high)


def test_a_variable_far_outside_its_range_is_not_made_to_jump_inside(world: SimpleNamespace) -> None:
    proposal = replace(world.proposal, moves=(Move("feed", 0.04, "L/h", 0.0),))
    for present, sentence in (
        (0.0, "feed is at 0 L/h, more than a step of 0.005 outside [0.035, 0.045]"),
        (0.06, "feed is at 0.06 L/h, more than a step of 0.005 outside [0.035, 0.045]"),
    ):
        situation = replace(world.situation, setpoints={"feed": present})
        verdict = judged(world, proposal=proposal, situation=situation)
        assert (verdict.moves, verdict.refusals) == ((), (sentence,))
    assert judged(world, proposal=proposal, situation=replace(world.situation, setpoints={"feed": 0.032})).admitted


def test_a_variable_that_may_not_jump_hides_no_other_objection(world: SimpleNamespace) -> None:
    moves = (Move("feed", 0.04, "L/h", 0.0), Move("precursor_feed", 0.0005, "L/h", 0.0005))
    situation = replace(world.situation, setpoints={"feed": 0.0, "precursor_feed": 0.0005})
    verdict = judged(world, proposal=replace(world.proposal, moves=moves), situation=situation)
    assert verdict.refusals == (
        "feed is at 0 L/h, more than a step of 0.005 outside [0.035, 0.045]",
        "precursor_feed stays at 0.0005 L/h: it is there already",
    )


def test_a_step_may_reach_the_edge_of_the_range_exactly(world: SimpleNamespace) -> None:
    limit = world.envelope.limits[0]
    assert held(0.04, 0.03125, replace(limit, low=0.03515625), 0.00390625)[0] == 0.03515625
    assert held(0.04, 0.048828125, replace(limit, high=0.044921875), 0.00390625)[0] == 0.044921875


@pytest.mark.parametrize(
    ("low", "high"), [(0.04, 0.03), (math.nan, 1.0), (0.0, math.nan), (-math.inf, 1.0), (0.0, math.inf)]
)
def test_limits_that_are_no_range_refuse(world: SimpleNamespace, low: float, high: float) -> None:
    limits = tuple(replace(x, low=low, high=high) for x in world.envelope.limits)
    verdict = judged(world, envelope=replace(world.envelope, limits=limits))
    assert verdict.refusals == (f"precursor_feed is limited to [{low:g}, {high:g}], which is no range",)


def test_limits_that_leave_one_value_admit_that_one(world: SimpleNamespace) -> None:
    limits = tuple(replace(x, low=0.0007, high=0.0007) for x in world.envelope.limits)
    assert judged(world, envelope=replace(world.envelope, limits=limits)).moves[0].value == 0.0007


@pytest.mark.parametrize(("age_s", "sentence"), [(-900.0, ""), (-901.0, "dissolved_oxygen is dated 901 s ahead")])
def test_evidence_from_the_future_is_none(
    world: SimpleNamespace, with_reading: Callable[..., Any], age_s: float, sentence: str
) -> None:
    snapshot = with_reading("dissolved_oxygen", world.reading(age_s=age_s))
    assert missing_evidence(snapshot, world.plant, world.envelope) == ((sentence,) if sentence else ())


def test_an_age_limit_of_forever_takes_readings_without_a_date_for_what_they_are(
    world: SimpleNamespace, with_reading: Callable[..., Any]
) -> None:
    variables = tuple(replace(v, max_age_s=math.inf) for v in world.plant.variables)
    plant = replace(world.plant, variables=variables)
    ageless = with_reading("dissolved_oxygen", replace(world.reading(), time=None))
    assert missing_evidence(ageless, plant, world.envelope) == ()
    ancient = with_reading("dissolved_oxygen", world.reading(age_s=1e7))
    assert missing_evidence(ancient, plant, world.envelope) == ()


@pytest.mark.parametrize("side", ["low80", "high80"])
@pytest.mark.parametrize("broken", [math.nan, -math.inf, math.inf])
def test_a_baseline_that_is_not_finite_excuses_nothing(world: SimpleNamespace, side: str, broken: float) -> None:
    flat = Band(*((v,) * 3 for v in (60.0, 40.0, 80.0, 35.0, 85.0)))
    baseline = replace(world.baseline, bands={"dissolved_oxygen": replace(flat, **{side: (60.0, broken, 60.0)})})
    verdict = judged(world, baseline=baseline, proposed=world.forecast(low=1.0))
    assert verdict.refusals == ("the forecast of dissolved_oxygen is not finite",)


def test_the_rate_counts_from_the_command_that_moved_this_variable(world: SimpleNamespace) -> None:
    limit = world.envelope.limits[1]
    standing = Command("S0", world.proposal.moves, world.now - timedelta(minutes=15), world.now, "ada")
    assert largest_step(limit, standing, world.snapshot) == pytest.approx(0.00025)
    assert largest_step(limit, None, world.snapshot) == limit.max_step
    assert largest_step(world.envelope.limits[0], standing, world.snapshot) == 0.005


def test_every_objection_is_told_not_only_the_first(world: SimpleNamespace) -> None:
    moves = (Move("precursor_feed", math.nan, "L/h", 0.0), Move("agitation", 1.0, "W", 0.0))
    situation = replace(world.situation, faults=("a fault",))
    verdict = judged(world, proposal=replace(world.proposal, moves=moves), situation=situation)
    assert verdict.refusals == (
        "a fault",
        "precursor_feed would be set to nan, which is not a number",
        "agitation has no limits configured, so it is never written",
    )
