"""Setpoints given by hand: looked at, forecast and judged like any suggestion, and never past a limit."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from controller.loop.mode_ladder import Gates, Ladder
from controller.loop.records import Abstention, Intent, Mode
from controller.loop.turn import Cadence, Memory, Parts, turn, what_if
from controller.loop.what_if import Present, consider, objection, replanned
from twin.records import Plan, Step, Track

HOUR = timedelta(hours=1)


class Twin:
    """Engine, core and loop whose product grows with the precursor feed of the plan."""

    def __init__(self, world):
        self.world, self.plans = world, []

    def assimilate(self, track, snapshot):
        return Track(replace(self.world.estimate, time=snapshot.time), ())

    def forecast(self, estimate, correction, plan):
        self.plans.append(plan)
        grams = 100.0 + 1e4 * plan.steps[-1].inputs.get("precursor_feed", 0.0)
        return replace(self.world.baseline, made_at=estimate.time, plan=plan, objective=(grams,) * 8)

    def step(self, snapshot, estimate):
        return self.world.insight

    def hold(self, estimate, situation):
        return Plan((Step(estimate.time, dict(situation.setpoints)),), self.world.end)

    def propose(self, estimate, insight, baseline, situation):
        if self.world.proposal is None:
            return Abstention(estimate.time, "nothing better")
        return replace(self.world.proposal, made_at=estimate.time, expires_at=estimate.time + 4 * HOUR)


@pytest.fixture
def parts(world):
    twin = Twin(world)
    gates, cadence = Gates(0.99, 3.0, 3), Cadence(HOUR, HOUR)
    return Parts(world.plant, twin, twin, twin, world.envelope, gates, cadence)


def after(world, parts, mode, *intents):
    """Two turns: the first looks ahead, the second judges what was asked."""
    memory = Memory(Ladder(mode, "test"))
    _, memory = turn(memory, world.snapshot, world.situation, parts)
    later = world.now + timedelta(minutes=5)
    readings = {name: replace(reading, time=later) for name, reading in world.snapshot.readings.items()}
    situation = replace(world.situation, intents=intents)
    return turn(memory, replace(world.snapshot, time=later, readings=readings), situation, parts)


def asked(world, kind, moves, suggestion=""):
    return Intent(kind, "ada", world.now, suggestion, None, "seen on the off-gas", moves)


def test_a_what_if_gives_both_forecasts_and_leaves_no_trace(world, parts):
    decision, memory = after(world, parts, Mode.ADVISORY)
    before = memory
    found = what_if(memory, decision, (Step(decision.time, {"precursor_feed": 0.0008}),), parts)
    assert found.suggestion.effect.gain == pytest.approx(3.0)
    assert found.baseline.objective[0] == pytest.approx(105.0)
    assert found.verdict.admitted
    assert memory is before


def test_a_what_if_says_what_safety_would_hold_back(world, parts):
    decision, memory = after(world, parts, Mode.ADVISORY)
    found = what_if(memory, decision, (Step(decision.time, {"precursor_feed": 0.002}),), parts)
    assert found.verdict.narrowed[0].granted == pytest.approx(0.001)
    assert "held to a step" in found.verdict.narrowed[0].reason


@pytest.mark.parametrize(
    ("moves", "told"),
    [({"agitator": 1.0}, "cannot be moved"), ({}, "no setpoint is changed"), ({"feed": math.nan}, "cannot be nan")],
)
def test_a_plan_that_cannot_be_looked_at_is_a_sentence(world, parts, moves, told):
    decision, memory = after(world, parts, Mode.ADVISORY)
    assert told in what_if(memory, decision, (Step(decision.time, moves),), parts)


def test_a_later_change_keeps_what_holds_until_then(world):
    hold = Plan((Step(world.now, {"feed": 0.042, "precursor_feed": 0.0005}),), world.end)
    plan = replanned(hold, (Step(world.now + 5 * HOUR, {"feed": 0.040}),))
    assert plan.steps[0] == hold.steps[0]
    assert plan.steps[1] == Step(world.now + 5 * HOUR, {"feed": 0.040, "precursor_feed": 0.0005})


def test_a_step_beyond_the_end_of_the_batch_is_refused_in_words(world):
    hold = Plan((Step(world.now, {}),), world.end)
    present = Present(hold, None, world.snapshot, world.situation, world.envelope, world.plant, None, HOUR)
    assert "the plan ends" in objection((Step(world.end, {"feed": 0.04}),), present)


def test_a_modified_suggestion_is_written_as_the_operator_wants_it(world, parts):
    decision, _ = after(world, parts, Mode.ADVISORY, asked(world, "modify", {"precursor_feed": 0.0007}, "S1"))
    assert decision.rulings[0].granted
    assert decision.command.moves[0].value == pytest.approx(0.0007)
    assert (decision.command.id, decision.command.authority) == ("S1M", "ada")
    assert not decision.open


def test_a_proposal_by_hand_needs_no_open_suggestion(world, parts):
    world.proposal = None
    decision, _ = after(world, parts, Mode.ADVISORY, asked(world, "propose", {"feed": 0.044}))
    assert decision.command.moves[0].value == pytest.approx(0.044)


def test_what_safety_refuses_leaves_the_open_suggestion_open(world, parts):
    decision, _ = after(world, parts, Mode.ADVISORY, asked(world, "modify", {"precursor_feed": 0.0005}, "S1"))
    assert not decision.rulings[0].granted
    assert decision.command is None
    assert decision.open


def test_in_shadow_nothing_by_hand_is_written(world, parts):
    decision, _ = after(world, parts, Mode.SHADOW, asked(world, "propose", {"feed": 0.044}))
    assert "the mode is shadow" in decision.rulings[0].reason
    assert decision.command is None


def test_the_reason_names_who_and_what_and_how_much(world, parts):
    decision, _ = after(world, parts, Mode.ADVISORY)
    hold = parts.engine.hold(decision.estimate, decision.situation)

    def look(plan):
        return parts.engine.forecast(decision.estimate, None, plan)

    present = Present(hold, look, decision.snapshot, decision.situation, world.envelope, world.plant, None, HOUR)
    found = consider((Step(decision.time, {"precursor_feed": 0.0008}),), present, "H1", "ada")
    assert found.suggestion.reason.startswith("By hand of ada: precursor_feed from 0.0005 to 0.0008 L/h; product +3 g")
