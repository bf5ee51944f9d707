"""One step of a hold: what it moves, what it leaves, and what it says of that which it cannot move."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from controller.loop.envelope import Envelope, Interlock
from controller.loop.hold import hold
from controller.loop.records import Command, Mode, Move
from controller.loop.standing_command import Terms
from twin.signals import Quality

HALF_HOUR = timedelta(minutes=30)
REST = {"feed": 0.036, "precursor_feed": 0.0}  # both are safe when low; in force are 0.042 and 0.0005


@pytest.fixture
def terms(world: SimpleNamespace) -> Terms:
    limits = tuple(replace(limit, safe="low") for limit in world.envelope.limits)
    envelope: Envelope = replace(world.envelope, limits=limits)
    return Terms(Mode.AUTO, (), world.snapshot, world.situation, envelope, HALF_HOUR, world.plant)


def at(terms: Terms, phase: str = "production", **setpoints: float) -> Terms:
    return replace(terms, situation=replace(terms.situation, setpoints=setpoints, phase=phase))


def standing(terms: Terms, **values: float) -> Command:
    now = terms.snapshot.time
    moves = tuple(Move(name, value, "L/h", value) for name, value in values.items())
    return Command("hold-1", moves, now - HALF_HOUR, now + HALF_HOUR / 3, "ada", "hold")


def without_a_safe_side(terms: Terms) -> Terms:
    limits = tuple(replace(limit, safe="" if limit.variable == "feed" else "low") for limit in terms.envelope.limits)
    return replace(terms, envelope=replace(terms.envelope, limits=limits))


def test_every_setpoint_goes_one_step_towards_its_rest_in_its_own_unit(terms: Terms) -> None:
    found = hold(None, REST, "ada", terms)
    assert found.command is not None
    assert found.command.moves == (
        Move("feed", pytest.approx(0.037), "L/h", 0.042),
        Move("precursor_feed", 0.0, "L/h", 0.0005),
    )
    assert found.moving == (
        "feed is 0.042 L/h, and the hold wants 0.036",
        "precursor_feed is 0.0005 L/h, and the hold wants 0",
    )
    assert (found.stuck, found.in_force) == ((), False)


def test_what_arrived_stays_in_the_command_with_its_unit(terms: Terms) -> None:
    found = hold(None, REST, "ada", at(terms, feed=0.036, precursor_feed=0.0))
    assert found.command is not None
    assert found.command.moves == (Move("feed", 0.036, "L/h", 0.036), Move("precursor_feed", 0.0, "L/h", 0.0))
    assert found.in_force


@pytest.mark.parametrize(("commanded", "held"), [(True, True), (False, False)])
def test_out_of_its_phase_a_rest_is_kept_only_where_it_was_commanded(terms: Terms, commanded: bool, held: bool) -> None:
    terms = at(terms, phase="growth", feed=0.036, precursor_feed=0.0)  # feed may be moved in production only
    before = standing(terms, feed=0.036) if commanded else None
    command = hold(before, REST, "ada", terms).command
    assert command is not None
    assert ("feed" in {m.variable for m in command.moves}) is held


def test_what_stands_already_stays_when_it_is_not_known_any_more(terms: Terms) -> None:
    before = standing(terms, feed=0.036, precursor_feed=0.0)
    found = hold(before, REST, "ada", at(terms, precursor_feed=0.0))
    assert found.command == replace(before, valid_until=terms.snapshot.time + HALF_HOUR)
    assert found.stuck == ("the setpoint in force of feed is not known; set feed to 0.036 L/h at the reactor",)
    assert found.moving == ()


@pytest.mark.parametrize("unknown", [math.nan, math.inf])
def test_one_that_is_stuck_keeps_no_other_from_moving(terms: Terms, unknown: float) -> None:
    found = hold(None, REST, "ada", at(terms, feed=unknown, precursor_feed=0.0005))
    assert found.command is not None
    assert [m.variable for m in found.command.moves] == ["precursor_feed"]
    blind = replace(without_a_safe_side(terms), obstacles=("the probe is bad",))
    raised = hold(None, {"feed": 0.045, "precursor_feed": 0.0}, "ada", blind)
    assert raised.command is not None
    assert [m.variable for m in raised.command.moves] == ["precursor_feed"]
    assert raised.stuck == (
        "feed is 0.042 L/h, and the hold wants 0.045: the probe is bad; set feed to 0.045 L/h at the reactor",
    )


def test_out_of_its_phase_nobody_is_told_to_set_a_value_that_is_wrong_there(terms: Terms) -> None:
    found = hold(None, REST, "ada", at(terms, phase="growth", feed=0.042, precursor_feed=0.0))
    assert found.stuck == (
        "feed is 0.042 L/h, and the hold wants 0.036: feed may be moved in production, and the batch is in growth",
    )


def test_the_lease_of_a_hold_goes_on_and_its_rate_counts_from_the_command_before(terms: Terms) -> None:
    terms = at(terms, feed=0.042, precursor_feed=0.0)
    before = standing(terms, feed=0.042)  # half an hour ago: the rate of 0.01 an hour gives 0.005
    near = replace(before, issued_at=terms.snapshot.time - HALF_HOUR / 5)
    assert hold(before, REST, "ada", terms).command.moves[0].value == pytest.approx(0.037)  # type: ignore[union-attr]
    assert hold(near, REST, "ada", terms).command.moves[0].value == pytest.approx(0.041)  # type: ignore[union-attr]


@pytest.mark.parametrize("where", ["off", "shadow", "advisory only"])
def test_where_nothing_is_written_a_hold_makes_no_command_whatever_stood(terms: Terms, where: str) -> None:
    before = standing(terms, feed=0.042)
    if where == "advisory only":
        terms = replace(terms, plant=replace(terms.plant, advisory_only=True))
    else:
        terms = replace(terms, mode=Mode(where))
    assert hold(before, REST, "ada", terms).command is None


def test_to_the_safe_side_an_interlock_that_cannot_judge_is_no_objection_and_one_that_can_is(terms: Terms) -> None:
    lock = Interlock("feed", "down", "dissolved_oxygen", "%", 25.0, 120.0)
    terms = at(replace(terms, envelope=replace(terms.envelope, interlocks=(lock,))), feed=0.042, precursor_feed=0.0)
    oxygen = terms.snapshot.readings["dissolved_oxygen"]

    def told(**changed: object) -> tuple[str, ...]:
        readings = {**terms.snapshot.readings, "dissolved_oxygen": replace(oxygen, **changed)}  # type: ignore[arg-type]
        return hold(None, REST, "ada", replace(terms, snapshot=replace(terms.snapshot, readings=readings))).stuck

    assert told(quality=Quality.BAD) == ()
    (sentence,) = told(value=20.0)
    assert "must not be lowered: dissolved_oxygen is 20 %" in sentence
    assert sentence.endswith("set feed to 0.036 L/h at the reactor")


def test_to_the_other_side_an_interlock_that_cannot_judge_forbids_it(terms: Terms) -> None:
    lock = Interlock("feed", "up", "no_such_reading", "%", 25.0, 120.0)
    terms = without_a_safe_side(replace(terms, envelope=replace(terms.envelope, interlocks=(lock,))))
    (sentence,) = hold(None, {"feed": 0.045}, "ada", terms).stuck
    assert "feed must not be raised" in sentence
