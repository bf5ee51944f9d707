"""A plan by hand: laid over the plan that holds, forecast beside it, told in words, and judged by safety."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.loop.envelope import Envelope
from controller.loop.gain import effect_of
from controller.loop.what_if import Present, consider, objection, replanned
from twin.records import Latch, Plan, Step

NOW, HOUR = datetime(2026, 1, 3, 12, tzinfo=UTC), timedelta(hours=1)


@pytest.fixture
def hold(world):
    return Plan((Step(world.now, {"feed": 0.042, "precursor_feed": 0.0005}),), world.end)


@pytest.fixture
def present(world, hold):
    def look(plan):
        grams = 100.0 + 1e4 * plan.steps[-1].inputs.get("precursor_feed", 0.0)
        return replace(world.baseline, plan=plan, objective=tuple(grams + k for k in range(-5, 6)))

    return Present(hold, look, world.snapshot, world.situation, world.envelope, world.plant, None, HOUR)


def test_a_later_change_keeps_what_holds_until_then(world, hold):
    plan = replanned(hold, (Step(world.now + 5 * HOUR, {"feed": 0.040}),))
    assert plan.steps == (
        hold.steps[0],
        Step(world.now + 5 * HOUR, {"feed": 0.040, "precursor_feed": 0.0005}),
    )
    assert plan.end == hold.end


def test_what_is_given_by_hand_stays_when_the_plan_goes_on_to_its_own_next_step(world, hold):
    later = Step(world.now + 10 * HOUR, {"feed": 0.038, "precursor_feed": 0.001})
    plan = replanned(replace(hold, steps=(*hold.steps, later)), (Step(world.now + 5 * HOUR, {"feed": 0.040}),))
    assert [step.start for step in plan.steps] == [world.now + k * HOUR for k in (0, 5, 10)]
    assert plan.steps[2].inputs == {"feed": 0.040, "precursor_feed": 0.001}


def test_of_several_steps_by_hand_the_last_one_given_holds_whatever_their_order(world, hold):
    early, late = Step(world.now + HOUR, {"feed": 0.040}), Step(world.now + 2 * HOUR, {"feed": 0.044})
    for steps in ((early, late), (late, early)):
        plan = replanned(hold, steps)
        assert [step.inputs["feed"] for step in plan.steps] == [0.042, 0.040, 0.044]


def test_what_is_given_of_one_input_leaves_what_was_given_of_another(world, hold):
    steps = (Step(world.now + HOUR, {"feed": 0.040}), Step(world.now + 2 * HOUR, {"precursor_feed": 0.001}))
    assert replanned(hold, steps).steps[-1].inputs == {"feed": 0.040, "precursor_feed": 0.001}


def test_a_step_of_the_past_counts_from_the_beginning_of_the_plan(world, hold):
    plan = replanned(hold, (Step(world.now - HOUR, {"feed": 0.040}),))
    assert plan.steps == (Step(world.now, {"feed": 0.040, "precursor_feed": 0.0005}),)


def test_a_plan_laid_over_another_keeps_its_latch(world, hold):
    latch = Latch("feed", "substrate", 0.3)
    assert replanned(replace(hold, latch=latch), (Step(world.now, {"feed": 0.040}),)).latch == latch


@given(st.lists(st.tuples(st.floats(-10.0, 90.0), st.sampled_from(["feed", "precursor_feed"]), st.floats(0.0, 1.0))))
def test_a_plan_is_in_order_whole_and_begins_with_the_plan_that_holds(given_steps):
    hold = Plan((Step(NOW, {"feed": 0.042, "precursor_feed": 0.0005}),), NOW + 100 * HOUR)
    plan = replanned(hold, [Step(NOW + h * HOUR, {name: value}) for h, name, value in given_steps])
    starts = [step.start for step in plan.steps]
    assert starts == sorted(set(starts))
    assert starts[0] == NOW
    assert all(set(step.inputs) == {"feed", "precursor_feed"} for step in plan.steps)


def test_a_step_at_the_end_of_the_batch_or_after_is_refused_in_words(world, present):
    told = "the plan ends at 2026-01-07 16:00, before the step at 2026-01-07 16:00"
    assert objection((Step(world.end, {"feed": 0.04}),), present) == told
    assert objection((Step(world.end - HOUR, {"feed": 0.04}),), present) == ""


def test_every_step_and_every_input_is_looked_at(world, present):
    good = Step(world.now, {"feed": 0.04})
    assert "cannot be inf" in objection((good, Step(world.now, {"feed": 0.04, "precursor_feed": math.inf})), present)
    assert "'moon' cannot be moved" in objection((Step(world.now, {}), Step(world.now, {"moon": 1.0})), present)


def test_a_plant_without_limits_has_nothing_to_move(world, present):
    bare = replace(present, envelope=Envelope((), (), ()))
    told = "this plant has no setpoint that may be moved"
    assert objection((Step(world.now, {"feed": 0.04}),), bare) == told


def test_the_words_name_who_and_what_and_how_much(world, present):
    found = consider((Step(world.now, {"precursor_feed": 0.0008}),), present, "H1", "ada")
    assert found.suggestion.id == "H1"
    assert found.suggestion.kind == "setpoints"
    assert found.suggestion.reason == (
        "By hand of ada: precursor_feed from 0.0005 to 0.0008 L/h; product +3 g (80 % interval +3 to +3)."
    )
    assert found.suggestion.effect == effect_of(found.baseline, found.forecast)
    assert found.suggestion.plan == found.forecast.plan
    assert found.baseline.plan == present.hold
    assert found.verdict.moves == found.suggestion.moves


def test_only_setpoints_that_change_now_are_moves(world, present):
    steps = (Step(world.now, {"feed": 0.042, "precursor_feed": 0.0008}), Step(world.now + HOUR, {"feed": 0.044}))
    found = consider(steps, present, "H1", "ada")
    assert [(m.variable, m.value, m.unit, m.previous) for m in found.suggestion.moves] == [
        ("precursor_feed", 0.0008, "L/h", 0.0005)
    ]
    later = consider(steps[1:], present, "H1", "ada")
    assert later.suggestion.moves == ()
    assert "no setpoint is moved now; product +0 g" in later.suggestion.reason
    assert not later.verdict.admitted


def test_several_moves_are_told_one_after_the_other(world, present):
    found = consider((Step(world.now, {"feed": 0.043, "precursor_feed": 0.0008}),), present, "H1", "ada")
    assert "feed from 0.042 to 0.043 L/h, precursor_feed from 0.0005 to 0.0008 L/h;" in found.suggestion.reason


def test_each_move_is_in_the_unit_of_its_own_limit(world, present):
    limits = tuple(replace(x, unit="mL/h") if x.variable == "feed" else x for x in world.envelope.limits)
    other = replace(present, envelope=replace(world.envelope, limits=limits))
    found = consider((Step(world.now, {"feed": 0.043, "precursor_feed": 0.0008}),), other, "H1", "ada")
    assert [(m.variable, m.unit) for m in found.suggestion.moves] == [("feed", "mL/h"), ("precursor_feed", "L/h")]


def test_it_is_valid_no_longer_than_a_command_holds_nor_beyond_the_end_of_the_batch(world, present):
    steps = (Step(world.now, {"precursor_feed": 0.0008}),)
    assert consider(steps, present, "H1", "ada").suggestion.expires_at == world.now + HOUR
    endless = replace(present, valid=1000 * HOUR)
    assert consider(steps, endless, "H1", "ada").suggestion.expires_at == world.end


def test_a_move_from_a_setpoint_that_is_not_known_is_looked_at_and_refused(world, present):
    lost = replace(present, situation=replace(world.situation, setpoints={"feed": 0.042}))
    found = consider((Step(world.now, {"precursor_feed": 0.0008}),), lost, "H1", "ada")
    assert math.isnan(found.suggestion.moves[0].previous)
    assert found.verdict.refusals == ("the setpoint in force of precursor_feed is not known",)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"situation": {"faults": ("the link is down",)}}, "the link is down"),
        ({"plant": {"advisory_only": True}}, "this plant is advisory only: nothing is ever written to it"),
        ({"snapshot": {"readings": {}}}, "dissolved_oxygen has no reading"),
    ],
)
def test_a_plan_by_hand_is_judged_by_everything_that_a_suggestion_is(world, present, changes, refusal):
    changed = {name: replace(getattr(present, name), **fields) for name, fields in changes.items()}
    found = consider((Step(world.now, {"precursor_feed": 0.0008}),), replace(present, **changed), "H1", "ada")
    assert found.verdict.refusals == (refusal,)


def test_the_gain_is_paired_member_by_member_and_the_proposed_is_the_baseline_and_the_gain(world):
    baseline = replace(world.baseline, objective=(100.0, 110.0, 120.0, 130.0, 140.0))
    proposed = replace(world.proposed, objective=(101.0, 112.0, 123.0, 134.0, 145.0))  # each a little more
    effect = effect_of(baseline, proposed)
    assert (effect.quantity, effect.unit) == ("product", "g")
    assert (effect.baseline, effect.gain, effect.proposed) == (120.0, 3.0, 123.0)
    assert effect.gain_low == pytest.approx(1.4)
    assert effect.gain_high == pytest.approx(4.6)
