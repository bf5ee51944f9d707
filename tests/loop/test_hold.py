"""Held means that the hold's setpoints are read back in force; a hold that cannot act says so and keeps trying."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.loop.alarm_records import AlarmState
from controller.loop.alarms import BUILT_IN
from controller.loop.batch import Recipe
from controller.loop.batch_records import BatchState
from controller.loop.envelope import Interlock
from controller.loop.records import Decision, Mode
from twin.signals import Quality

HOUR = timedelta(hours=1)
S = BatchState
HOLD = 0.0002  # L/h of precursor, at which the hold rests; 0.0005 is what the recipe sets


@pytest.fixture
def plant_of(bench_of: Any, world: Any) -> Any:
    """A plant whose batch can be held, whose precursor is safe when low, and for which nothing is proposed."""

    def build(mode: Mode = Mode.ADVISORY, safe: str = "low", **parts: Any) -> Any:
        limits = tuple(replace(limit, safe=safe) for limit in world.envelope.limits)
        envelope = replace(world.envelope, limits=limits)
        given = {"recipe": Recipe(hold={"precursor_feed": HOLD}), "envelope": envelope, "alarms": BUILT_IN, **parts}
        bench = bench_of(mode, **given)
        bench.script.proposal = None
        bench.scan()
        return bench

    return build


def held(plant: Any, *kinds: str, scans: int = 40, **known: Any) -> list[Decision]:
    """Scan on after these requests, until the batch is held at the latest."""
    seen = [plant.scan(*(plant.asks(kind) for kind in kinds), **known)]
    while seen[-1].batch.state is not S.HELD and len(seen) < scans:
        seen.append(plant.scan(**known))
    return seen


def alarm(decision: Decision) -> AlarmState:
    record = decision.alarms.find("hold_not_in_force")
    return record.state if record else AlarmState.NORMAL


def test_held_is_said_only_once_the_setpoint_is_read_back_there(plant_of: Any) -> None:
    plant = plant_of()
    seen = held(plant, "hold")
    assert seen[-1].batch.state is S.HELD
    assert all(d.batch.state is S.HOLDING for d in seen[:-1])
    for decision in seen:
        in_force = decision.situation.setpoints["precursor_feed"]
        assert (decision.batch.state is S.HELD) is (abs(in_force - HOLD) < 1e-12)


@pytest.mark.parametrize("quality", [Quality.BAD, Quality.UNCERTAIN])
def test_a_hold_lowers_a_feed_whatever_the_evidence_and_its_lease_goes_on(plant_of: Any, quality: Quality) -> None:
    plant = plant_of()
    plant.quality = quality
    assert held(plant, "hold")[-1].batch.state is S.HELD
    for _ in range(24):
        last = plant.scan()
    assert last.batch.state is S.HELD
    assert last.command.valid_until > last.time
    assert plant.feed == pytest.approx(HOLD)


def test_a_hold_that_would_raise_a_feed_on_bad_evidence_says_so_and_waits_for_better(plant_of: Any) -> None:
    plant = plant_of(safe="", recipe=Recipe(hold={"precursor_feed": 0.0008}))
    plant.quality = Quality.BAD
    decision = plant.scan(plant.asks("hold"))
    (ruling,) = decision.rulings
    assert ruling.granted
    assert "it cannot act: precursor_feed is 0.0005 L/h, and the hold wants 0.0008" in ruling.reason
    assert ruling.reason.endswith("set precursor_feed to 0.0008 L/h at the reactor")
    assert (decision.batch.state, alarm(decision)) == (S.HOLDING, AlarmState.UNACKNOWLEDGED)
    assert decision.command is None
    plant.quality = Quality.GOOD
    last = held(plant)[-1]
    assert last.batch.state is S.HELD
    assert plant.feed == pytest.approx(0.0008)
    assert alarm(last) is not AlarmState.UNACKNOWLEDGED


def test_without_a_safe_side_a_hold_needs_evidence_either_way(plant_of: Any) -> None:
    plant = plant_of(safe="")
    plant.quality = Quality.BAD
    assert held(plant, "hold", scans=5)[-1].batch.state is S.HOLDING
    assert plant.feed == 0.0005


def test_what_lies_on_the_safe_side_of_the_hold_is_held_as_it_is(plant_of: Any) -> None:
    plant = plant_of()
    plant.local["precursor_feed"] = plant.setpoints["precursor_feed"] = 0.0001
    assert held(plant, "hold", scans=2)[-1].batch.state is S.HELD
    assert plant.feed == 0.0001


def test_a_setpoint_that_is_not_known_is_never_held(plant_of: Any) -> None:
    plant = plant_of()
    seen = held(plant, "hold", scans=4, setpoints={"feed": 0.042})
    assert {d.batch.state for d in seen} == {S.HOLDING}
    assert alarm(seen[-1]) is AlarmState.UNACKNOWLEDGED
    assert "the setpoint in force of precursor_feed is not known" in seen[0].rulings[0].reason


def test_a_hold_that_the_plant_let_go_is_not_held_any_more_and_is_taken_up_again(plant_of: Any) -> None:
    plant = plant_of()
    held(plant, "hold")
    plant.setpoints = dict(plant.local)  # the plant is on its own recipe again: its lease had lapsed
    lost = plant.scan()
    assert lost.batch.state is S.HOLDING
    assert any(note.startswith("the hold is not in force any more: precursor_feed is 0.0005") for note in lost.notes)
    assert held(plant)[-1].batch.state is S.HELD
    assert plant.feed == pytest.approx(HOLD)


def test_a_hold_whose_lease_lapsed_while_nobody_was_there_is_taken_up_again(plant_of: Any) -> None:
    plant = plant_of()
    held(plant, "hold")
    plant.setpoints = dict(plant.local)
    back = plant.scan(after=3 * HOUR)
    assert back.batch.state is S.HOLDING
    assert held(plant)[-1].batch.state is S.HELD


def test_hold_can_be_asked_for_again_while_it_holds_and_when_it_is_held(plant_of: Any) -> None:
    plant = plant_of()
    plant.scan(plant.asks("hold"))
    assert plant.scan(plant.asks("hold")).rulings[0].granted
    held(plant)
    again = plant.scan(plant.asks("hold"))
    assert again.rulings[0].granted
    assert again.batch.state is S.HELD


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.OFF])
def test_where_nothing_is_written_a_hold_says_what_to_do_by_hand_and_is_held_once_that_is_done(
    plant_of: Any, mode: Mode
) -> None:
    plant = plant_of(mode)
    first = plant.scan(plant.asks("hold"))
    assert (first.batch.state, first.command) == (S.HOLDING, None)
    assert f"the mode is {mode}" in first.rulings[0].reason
    plant.local["precursor_feed"] = plant.setpoints["precursor_feed"] = HOLD  # somebody did
    assert plant.scan().batch.state is S.HELD


def test_a_restart_does_not_raise_a_feed_against_an_interlock(plant_of: Any, world: Any) -> None:
    lock = Interlock("precursor_feed", "up", "dissolved_oxygen", "%", 25.0, 120.0)
    plant = plant_of()
    plant.parts = replace(plant.parts, envelope=replace(plant.parts.envelope, interlocks=(lock,)))
    held(plant, "hold")
    plant.readings["dissolved_oxygen"] = 22.0
    for decision in [plant.scan(plant.asks("restart")), *(plant.scan() for _ in range(4))]:
        assert decision.batch.state is S.RESTARTING
        assert plant.feed == pytest.approx(HOLD)
    assert any("must not be raised: dissolved_oxygen is 22" in note for note in decision.notes)
    plant.readings["dissolved_oxygen"] = 60.0
    for _ in range(40):
        decision = plant.scan()
    assert decision.batch.state is S.RUNNING


def test_a_handback_does_not_raise_a_feed_against_an_interlock(plant_of: Any, world: Any) -> None:
    lock = Interlock("precursor_feed", "up", "dissolved_oxygen", "%", 25.0, 120.0)
    plant = plant_of()
    plant.parts = replace(plant.parts, envelope=replace(plant.parts.envelope, interlocks=(lock,)))
    plant.local["precursor_feed"] = 0.0015
    plant.standing(0.0003)
    plant.readings["dissolved_oxygen"] = 22.0
    decision = plant.scan(plant.asks("stop"))
    for _ in range(4):
        assert plant.feed == pytest.approx(0.0003)
        decision = plant.scan()
    assert any("must not be raised" in note for note in decision.notes)


def test_an_allowance_that_is_used_up_keeps_a_restart_where_it_is(plant_of: Any) -> None:
    plant = plant_of()
    limits = tuple(replace(x, allowance=0.01) for x in plant.parts.envelope.limits)
    held(plant, "hold")
    plant.parts = replace(plant.parts, envelope=replace(plant.parts.envelope, limits=limits))
    plant.memory = replace(plant.memory, batch=replace(plant.memory.batch, fed={"precursor_feed": 0.02, "feed": 0.0}))
    for kinds in (("restart",), (), ()):
        decision = plant.scan(*(plant.asks(kind) for kind in kinds))
    assert plant.feed == pytest.approx(HOLD)
    assert any("allowance" in note for note in decision.notes)


def test_without_a_rest_of_its_own_a_hold_keeps_what_was_in_force(plant_of: Any) -> None:
    plant = plant_of(recipe=Recipe(hold={}))
    plant.standing(0.0012)
    plant.scan()
    last = held(plant, "hold")[-1]
    assert last.batch.state is S.HELD
    assert plant.feed == pytest.approx(0.0012)


def test_only_who_asked_to_hold_and_may_hears_what_keeps_it(plant_of: Any) -> None:
    plant = plant_of(safe="", recipe=Recipe(hold={"precursor_feed": 0.0008, "feed": 0.04}))
    plant.quality = Quality.BAD
    decision = plant.scan(plant.asks("hold"), plant.asks("start"))
    told = {r.intent.kind: r.reason for r in decision.rulings}
    cause = "dissolved_oxygen is bad: not a number"
    assert told["hold"] == (
        f"the batch is holding; it cannot act: feed is 0.042 L/h, and the hold wants 0.04: {cause}; set feed to 0.04"
        f" L/h at the reactor; precursor_feed is 0.0005 L/h, and the hold wants 0.0008: {cause}; set precursor_feed to"
        " 0.0008 L/h at the reactor"
    )
    assert "cannot act" not in told["start"]


def test_who_asked_to_hold_hears_what_is_on_the_way(plant_of: Any) -> None:
    plant = plant_of(recipe=Recipe(hold={"precursor_feed": 0.0002, "feed": 0.036}))
    plant.standing(0.0019)
    (ruling,) = plant.scan(plant.asks("hold")).rulings
    assert ruling.reason.endswith(
        "; on the way: feed is 0.042 L/h, and the hold wants 0.036; precursor_feed is 0.0019 L/h, and the hold wants"
        " 0.0002"
    )


def test_a_hold_that_is_not_in_force_any_more_names_each_setpoint(plant_of: Any) -> None:
    plant = plant_of(recipe=Recipe(hold={"precursor_feed": 0.0002, "feed": 0.036}))
    held(plant, "hold")
    plant.setpoints = dict(plant.local)
    (note,) = (n for n in plant.scan().notes if n.startswith("the hold is not"))
    assert note == (
        "the hold is not in force any more: feed is 0.042 L/h, and the hold wants 0.036; precursor_feed is 0.0005 L/h,"
        " and the hold wants 0.0002"
    )


def test_a_restart_whose_lease_ran_out_is_over(plant_of: Any) -> None:
    plant = plant_of()
    held(plant, "hold")
    assert plant.scan(plant.asks("restart")).batch.state is S.RESTARTING
    plant.setpoints = dict(plant.local)
    over = plant.scan(after=3 * HOUR)
    assert (over.batch.state, over.batch.since) == (S.RUNNING, over.time)


def test_a_step_down_while_it_holds_gives_back_what_is_commanded_and_says_so(plant_of: Any) -> None:
    plant = plant_of()
    plant.standing(0.0019)
    plant.scan()
    plant.scan(plant.asks("hold"))
    decision = plant.scan(plant.asks("mode", mode=Mode.SHADOW))
    said = [decision]
    while said[-1].command is not None:
        said.append(plant.scan())
    assert "the setpoints were given back to the plant's own recipe: the mode is shadow" in said[-1].notes
    assert len(said) > 1  # step by step, and no jump
    assert said[-1].batch.state is S.HOLDING
