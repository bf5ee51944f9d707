"""A batch as it is first seen, the phases of its recipe, and what a phase allows."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.loop.batch import Condition, Phase, Range, Recipe, phase_hours, within_phase
from controller.loop.batch_records import BatchRecord, BatchState

S = BatchState
HOUR = timedelta(hours=1)


def timed(name: str, hours: float, **more: Any) -> Phase:
    return Phase(name, name, (Condition("phase_h", ">=", hours),), **more)


def test_a_running_batch_began_when_the_plant_says_and_is_in_its_first_phase_since(floor: Any) -> None:
    floor.began = floor.time - 3 * HOUR
    assert floor.scan() is S.RUNNING
    record = floor.record
    assert (record.id, record.since, record.reason) == ("B1", floor.time, "the plant is in growth")
    assert (record.phase, record.phase_since, record.started_at) == ("growth", floor.began, floor.began)
    assert (floor.rulings, floor.notes) == ((), ())


def test_a_running_batch_whose_beginning_nobody_knows_begins_now(floor: Any) -> None:
    floor.began = None
    floor.scan()
    assert floor.record.started_at == floor.record.phase_since == floor.time


def test_a_plant_that_is_over_has_a_batch_that_is_complete(floor_of: Any) -> None:
    floor = floor_of(phase="complete")
    assert floor.scan() is S.COMPLETE
    record = floor.record
    assert (record.reason, record.phase) == ("the plant says that it is over", "")
    assert record.phase_since is record.started_at is None


def test_a_plant_that_names_no_phase_has_a_batch_that_waits(floor_of: Any) -> None:
    floor = floor_of(phase="")
    assert floor.scan() is S.IDLE
    assert (floor.record.reason, floor.record.phase, floor.record.started_at) == ("it waits to be started", "", None)
    assert floor.scan() is S.IDLE
    assert floor.notes == ()
    floor.phase = "complete"  # from no phase straight to the end: nobody started it
    assert floor.scan() is S.IDLE


def test_a_plant_that_starts_by_itself_takes_the_batch_along(floor_of: Any) -> None:
    floor = floor_of(phase="")
    floor.scan()
    floor.scan(after=HOUR)
    floor.phase, floor.began = "growth", floor.time
    assert floor.scan(after=HOUR) is S.RUNNING
    assert floor.notes == ("the batch runs: the plant started it",)
    assert (floor.record.phase, floor.record.started_at) == ("growth", floor.began)
    assert floor.record.reason == "the plant is in growth"
    assert floor.record.counted_at == floor.time
    assert floor.record.fed["feed"] == pytest.approx(0.042 * 2)


def test_a_recipe_without_phases_runs_until_the_plant_is_over(floor_of: Any) -> None:
    floor = floor_of(Recipe())
    assert floor.scan() is S.RUNNING
    assert (floor.record.phase, floor.record.phase_since, floor.record.started_at) == ("", None, floor.began)
    assert floor.scan() is S.RUNNING
    floor.phase = "complete"
    assert floor.scan() is S.COMPLETE
    assert (floor.record.reason, floor.record.since) == ("the recipe is complete", floor.time)
    assert floor.notes == ("the batch is complete",)
    assert floor.scan() is S.COMPLETE
    assert floor.notes == ()


def test_a_recipe_with_phases_is_not_over_before_its_last_phase_is(floor: Any) -> None:
    floor.scan()
    floor.phase = "complete"
    assert floor.scan() is S.RUNNING
    assert floor.record.phase == "growth"


def test_the_end_of_a_phase_is_the_beginning_of_the_next(floor: Any) -> None:
    floor.scan()
    floor.substrate = 0.29
    floor.scan(after=HOUR)
    assert (floor.record.phase, floor.record.phase_since) == ("production", floor.time)
    assert floor.record.started_at == floor.began
    floor.scan(after=HOUR)
    assert floor.record.phase_since == floor.time - HOUR


def test_phases_that_are_over_at_once_are_left_behind_at_once(floor: Any) -> None:
    floor.scan()
    floor.substrate, floor.phase = 0.1, "complete"
    floor.scan()
    assert floor.record.phase == "harvest"
    assert floor.notes == (
        "phase growth is over; production begins",
        "phase production is over; harvest begins",
    )


def test_a_batch_that_is_first_seen_late_is_in_the_phase_of_that_time(floor_of: Any) -> None:
    floor = floor_of(Recipe((timed("first", 1.0), timed("second", 5.0))))
    floor.began = floor.time - 2 * HOUR
    floor.scan()
    assert (floor.record.phase, floor.record.phase_since) == ("second", floor.time)
    assert floor.notes == ("phase first is over; second begins",)


def test_after_the_last_phase_the_batch_is_complete(floor_of: Any) -> None:
    floor = floor_of(Recipe((timed("only", 1.0),)))
    floor.scan()
    assert floor.scan(after=HOUR - timedelta(minutes=6)) is S.RUNNING
    assert floor.scan(after=timedelta(minutes=1)) is S.COMPLETE
    assert (floor.record.phase, floor.record.phase_since) == ("", None)
    assert (floor.record.reason, floor.record.since, floor.notes) == (
        "the recipe is complete", floor.time, ("the batch is complete",),
    )  # fmt: skip


def test_one_of_several_conditions_is_enough(floor: Any) -> None:
    floor.scan()
    floor.scan(after=60 * HOUR)
    assert floor.record.phase == "production"


@pytest.mark.parametrize("state", [s for s in S if s is not S.RUNNING])
def test_phases_end_only_while_the_batch_runs(floor: Any, state: BatchState) -> None:
    floor.scan()
    floor.record = replace(floor.record, state=state)
    floor.substrate = 0.1
    floor.scan()
    assert (floor.record.state, floor.record.phase, floor.notes) == (state, "growth", ())


def test_a_phase_that_the_recipe_does_not_know_any_more_stays_until_a_person_acts(floor: Any) -> None:
    floor.scan()
    floor.record = replace(floor.record, phase="fermentation")
    assert floor.scan(after=100 * HOUR) is S.RUNNING
    assert floor.record.phase == "fermentation"


@pytest.mark.parametrize(
    ("comparison", "below", "at", "above"),
    [("<", True, False, False), ("<=", True, True, False), (">", False, False, True), (">=", False, True, True)],
)
def test_a_condition_compares_as_it_is_written(comparison: str, below: bool, at: bool, above: bool) -> None:
    condition = Condition("estimate.substrate", comparison, 0.3)
    found = [condition.holds({"estimate.substrate": v}, "growth") for v in (0.2, 0.3, 0.4)]
    assert found == [below, at, above]
    assert not condition.holds({"estimate.substrate": math.nan}, "growth")
    assert not condition.holds({}, "growth")


def test_a_condition_on_the_plants_phase_compares_names() -> None:
    condition = Condition("plant.phase", "==", name="production")
    assert condition.holds({}, "production")
    assert not condition.holds({"plant.phase": 1.0}, "growth")


def test_a_condition_is_written_as_it_is_read() -> None:
    assert str(Condition("estimate.substrate", "<", 0.3)) == "estimate.substrate < 0.3"
    assert str(Condition("batch_h", ">=", 1e6)) == "batch_h >= 1e+06"
    assert str(Condition("plant.phase", "==", name="production")) == "plant.phase == production"


def test_ages_are_hours_since_the_batch_and_its_phase_began(world: Any) -> None:
    record = BatchRecord("B1", S.RUNNING, world.now, "", "growth", world.now - 3 * HOUR, world.now - 90 * HOUR)
    assert phase_hours(record, world.now) == {"batch_h": 90.0, "phase_h": 3.0}
    assert phase_hours(replace(record, phase_since=None), world.now) == {"batch_h": 90.0}
    assert phase_hours(replace(record, started_at=None), world.now) == {"phase_h": 3.0}


def in_phase(world: Any, name: str) -> BatchRecord:
    return BatchRecord("B1", S.RUNNING, world.now, "", name)


def test_a_phase_allows_what_it_names_and_leaves_the_rest(world: Any) -> None:
    recipe = Recipe((timed("a", 1.0, limits=(Range("feed", 0.036, 0.044),)), timed("b", 1.0)))
    narrowed = within_phase(world.envelope, recipe, in_phase(world, "a"))
    assert narrowed.limits == (replace(world.envelope.limits[0], low=0.036, high=0.044), world.envelope.limits[1])
    assert replace(narrowed, limits=world.envelope.limits) == world.envelope
    assert within_phase(world.envelope, recipe, in_phase(world, "b")) == world.envelope
    assert within_phase(world.envelope, recipe, in_phase(world, "")) == world.envelope
    assert within_phase(world.envelope, recipe, None) == world.envelope


@given(low=st.floats(0.0, 0.1), high=st.floats(0.0, 0.1))
def test_whatever_a_phase_says_no_limit_gets_wider(low: float, high: float) -> None:
    from controller.loop.envelope import Envelope, Limit

    limit = Limit("feed", "L/h", 0.035, 0.045, 0.005, 0.01, ("production",))
    recipe = Recipe((timed("a", 1.0, limits=(Range("feed", low, high),)),))
    record = BatchRecord("B1", S.RUNNING, None, "", "a")  # type: ignore[arg-type]
    (found,) = within_phase(Envelope((limit,), (), ()), recipe, record).limits
    assert (found.low, found.high) == (max(low, 0.035), min(high, 0.045))
