"""Setpoints given by hand: looked at, forecast and judged like any suggestion, and never past a limit."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from controller.loop.mode_ladder import Ladder
from controller.loop.records import Mode, Move
from controller.loop.turn import Cadence, what_if
from twin.records import Step

HOUR, SCAN = timedelta(hours=1), timedelta(minutes=5)


@pytest.fixture
def bench(bench_of):
    return bench_of(Mode.ADVISORY, cadence=Cadence(HOUR, HOUR))


def after(bench, mode, *intents):
    """Two turns: the first looks ahead, the second judges what was asked."""
    bench.memory = replace(bench.memory, ladder=Ladder(mode, "test"))
    bench.scan()
    return bench.scan(*intents)


def looked_at(bench, moves):
    decision = after(bench, Mode.ADVISORY)
    return what_if(bench.memory, decision, (Step(decision.time, moves),), bench.parts)


def test_a_what_if_gives_both_forecasts_and_leaves_no_trace(bench):
    decision = after(bench, Mode.ADVISORY)
    before = bench.memory
    found = what_if(before, decision, (Step(decision.time, {"precursor_feed": 0.0008}),), bench.parts)
    assert found.suggestion.effect.gain == pytest.approx(3.0)
    assert found.baseline.objective[0] == pytest.approx(105.0)
    assert found.verdict.admitted
    assert bench.memory is before


def test_a_what_if_is_an_operators_for_as_long_as_a_command_holds(bench):
    found = looked_at(bench, {"precursor_feed": 0.0008})
    assert found.suggestion.id == f"H{bench.time:%Y%m%dT%H%M%S}"
    assert found.suggestion.reason.startswith("By hand of an operator: precursor_feed from 0.0005 to 0.0008 L/h;")
    assert (found.suggestion.made_at, found.suggestion.expires_at) == (bench.time, bench.time + HOUR)


def test_a_what_if_says_what_safety_would_hold_back(bench):
    found = looked_at(bench, {"precursor_feed": 0.002})
    assert found.verdict.narrowed[0].granted == pytest.approx(0.001)
    assert "held to a step" in found.verdict.narrowed[0].reason


def test_a_what_if_is_held_to_the_rate_since_the_standing_command(bench):
    bench.scan()
    bench.scan(bench.asks("accept"))
    decision = bench.scan()
    found = what_if(bench.memory, decision, (Step(decision.time, {"precursor_feed": 0.002}),), bench.parts)
    assert found.verdict.moves[0].value == pytest.approx(0.001 + 0.001 / 12)


@pytest.mark.parametrize(
    ("moves", "told"),
    [
        ({"agitator": 1.0}, "'agitator' cannot be moved; there are: feed, precursor_feed"),
        ({}, "no setpoint is changed; name at least one"),
        ({"feed": math.nan}, "feed cannot be nan; give a number"),
    ],
)
def test_a_plan_that_cannot_be_looked_at_is_a_sentence(bench, moves, told):
    assert looked_at(bench, moves) == told


def test_a_twin_that_cannot_look_ahead_answers_a_what_if_with_a_sentence(bench):
    decision = after(bench, Mode.ADVISORY)
    bench.script.fault = ArithmeticError("the step size vanished")
    found = what_if(bench.memory, decision, (Step(decision.time, {"feed": 0.043}),), bench.parts)
    assert found == "no look ahead was possible: the step size vanished"


def test_a_modified_suggestion_is_written_as_the_operator_wants_it(bench):
    decision = after(bench, Mode.ADVISORY, bench.asks("modify", "S1", moves={"precursor_feed": 0.0007}))
    assert decision.rulings[0].granted
    assert decision.rulings[0].reason == "accepted; it is being written"
    assert decision.command.moves[0].value == pytest.approx(0.0007)
    assert (decision.command.id, decision.command.authority) == ("S1M", "ada")
    assert not decision.open


def test_a_proposal_by_hand_needs_no_open_suggestion(bench):
    bench.script.proposal = None
    decision = after(bench, Mode.ADVISORY, bench.asks("propose", "", moves={"feed": 0.044}))
    assert decision.command.moves[0].value == pytest.approx(0.044)
    assert decision.command.id == f"H{decision.time:%Y%m%dT%H%M%S}"
    assert decision.proposal.id == decision.command.id
    assert decision.proposal.reason.startswith("By hand of ada: feed from 0.042 to 0.044 L/h;")
    assert decision.baseline.plan.steps[0].inputs["feed"] == 0.042
    assert decision.proposed.plan.steps[0].inputs["feed"] == 0.044
    assert decision.verdict.admitted


@pytest.mark.parametrize("kind", ["propose", "modify"])
def test_what_safety_refuses_leaves_the_open_suggestion_open(bench, kind):
    decision = after(bench, Mode.ADVISORY, bench.asks(kind, "S1", moves={"precursor_feed": 0.0005}))
    assert not decision.rulings[0].granted
    assert decision.rulings[0].reason.startswith("refused: ")
    assert decision.command is None
    assert decision.open
    assert decision.proposal.id == "S1"


@pytest.mark.parametrize("kind", ["propose", "modify"])
def test_what_cannot_be_looked_at_leaves_everything_as_it_was(bench, kind):
    decision = after(bench, Mode.ADVISORY, bench.asks(kind, "S1", moves={"agitator": 1.0}))
    assert not decision.rulings[0].granted
    assert decision.rulings[0].reason == "'agitator' cannot be moved; there are: feed, precursor_feed"
    assert (decision.open, decision.proposal.id, decision.command) == (True, "S1", None)


def test_without_a_look_ahead_nothing_by_hand_is_written(bench):
    bench.scan()
    bench.scan(bench.asks("accept"))
    standing = bench.memory.standing
    bench.script.fault = ArithmeticError("the step size vanished")
    decision = bench.scan(bench.asks("propose", "", moves={"feed": 0.044}))
    assert not decision.rulings[0].granted
    assert decision.rulings[0].reason == "no look ahead was possible: the step size vanished"
    assert decision.command.moves == standing.moves
    assert decision.proposal.id == "S1"


def test_a_move_by_hand_is_added_to_the_standing_command_and_held_to_its_rate(bench):
    bench.scan()
    bench.scan(bench.asks("accept"))
    decision = bench.scan(bench.asks("propose", "", moves={"feed": 0.044, "precursor_feed": 0.002}))
    assert {m.variable: m.value for m in decision.command.moves} == {
        "feed": 0.044,
        "precursor_feed": pytest.approx(0.001 + 0.001 / 12),
    }
    assert decision.command.issued_at == decision.time


@pytest.mark.parametrize(("feed", "commanded"), [(0.0435, {"precursor_feed": 0.001, "feed": 0.0435}), (0.042, None)])
def test_a_modified_suggestion_is_added_to_the_standing_command_or_leaves_it(bench, feed, commanded):
    bench.scan()
    bench.scan(bench.asks("accept"))
    bench.script.proposal = replace(bench.world.proposal, moves=(Move("feed", 0.044, "L/h", 0.042),))
    bench.scan(after=HOUR - SCAN)
    decision = bench.scan(bench.asks("modify", "S2", moves={"feed": feed}))
    assert decision.rulings[0].granted is (commanded is not None)
    assert {m.variable: m.value for m in decision.command.moves} == (commanded or {"precursor_feed": 0.001})


def test_what_was_moved_by_hand_at_this_instant_is_not_moved_again(bench):
    bench.script.proposal = None
    twice = [bench.asks("propose", "", moves={"feed": value}) for value in (0.043, 0.044)]
    decision = after(bench, Mode.ADVISORY, *twice)
    assert [r.granted for r in decision.rulings] == [True, False]
    assert decision.command.moves[0].value == 0.043


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.OFF])
def test_where_nothing_is_written_nothing_by_hand_is_either(bench, mode):
    decision = after(bench, mode, bench.asks("propose", "", moves={"feed": 0.044}))
    assert not decision.rulings[0].granted
    assert decision.rulings[0].reason == f"the mode is {mode}: nothing is written"
    assert decision.command is None


def test_in_auto_a_person_may_still_stand_for_other_setpoints(bench):
    bench.script.proposal = None
    decision = after(bench, Mode.AUTO, bench.asks("propose", "", moves={"feed": 0.044}))
    assert (decision.command.authority, decision.command.moves[0].value) == ("ada", 0.044)
