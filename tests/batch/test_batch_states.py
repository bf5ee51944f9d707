"""A batch runs, is held, restarted, stopped and aborted as ISA-88 says, and follows its recipe."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.loop.batch import (
    MOVES,
    Condition,
    Phase,
    Range,
    Recipe,
    advance,
    sampled,
    settled,
    volume_l,
    within_phase,
)
from controller.loop.batch_records import BatchRecord, BatchState, Sample
from controller.loop.records import BATCH_KINDS, Intent, Ruling
from twin.signals import Quality, Reading

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
MINUTES = timedelta(minutes=5)
S = BatchState
RECIPE = Recipe(
    (
        Phase("growth", "Growth", (Condition("estimate.substrate", "<", 0.3), Condition("batch_h", ">=", 60.0))),
        Phase("production", "Production", (Condition("plant.phase", "==", name="complete"),), {"feed": 0.042},
              (Range("feed", 0.04, 0.05),)),
        Phase("harvest", "Harvest", (Condition("phase_h", ">=", 1.0),)),
    ),
    hold={"feed": 0.036},
    volume="volume",
)  # fmt: skip


class Floor:
    """The process as an operator sees it: a scan every five minutes."""

    def __init__(self, world: Any, recipe: Recipe = RECIPE, phase: str = "growth") -> None:
        self.world, self.recipe, self.phase = world, recipe, phase
        self.time = NOW
        self.record: BatchRecord | None = None
        self.rulings: tuple[Ruling, ...] = ()
        self.setpoints: dict[str, float] = {"feed": 0.042, "precursor_feed": 0.0005}
        self.substrate = 5.0
        self.flow: float | None = 0.042

    def scan(self, *kinds: str, after: timedelta = MINUTES) -> BatchState:
        self.time += after
        intents = tuple(Intent(kind, "ada", self.time, reason="because") for kind in kinds)
        quality = Quality.GOOD if self.flow is not None else Quality.BAD
        reading = Reading(self.flow, "L/h", self.time, quality)
        snapshot = replace(self.world.snapshot, time=self.time, readings={"feed": reading})
        situation = replace(
            self.world.situation, phase=self.phase, setpoints=self.setpoints, intents=intents, batch_start=NOW
        )
        seen = {"estimate.substrate": self.substrate, "estimate.volume": 100.0}
        self.record, self.rulings, self.notes = advance(
            self.record, self.recipe, situation, snapshot, seen, self.world.plant
        )
        return self.record.state

    def done(self) -> BatchState:
        assert self.record is not None
        self.record = settled(self.record, self.time)
        return self.record.state


@pytest.fixture
def floor(world: SimpleNamespace) -> Floor:
    return Floor(world)


def test_a_plant_that_names_a_phase_is_running_and_one_that_does_not_waits(floor: Floor, world: Any) -> None:
    assert floor.scan() is S.RUNNING
    quiet = Floor(world, phase="")
    assert quiet.scan() is S.IDLE
    assert quiet.scan("start") is S.RUNNING
    assert quiet.record is not None
    assert (quiet.record.phase, quiet.record.started_at) == ("growth", quiet.time)
    begun = Floor(world, phase="")
    begun.scan()
    begun.phase = "growth"
    assert begun.scan() is S.RUNNING


def test_a_hold_remembers_where_setpoints_were_and_a_restart_goes_back_there(floor: Floor) -> None:
    floor.scan()
    assert floor.scan("hold") is S.HOLDING
    assert floor.record is not None
    assert floor.record.resume == floor.setpoints
    assert floor.record.reason == "hold by ada: because"
    assert floor.done() is S.HELD
    assert floor.scan("restart") is S.RESTARTING
    assert floor.done() is S.RUNNING


def test_a_hold_in_mid_restart_keeps_the_setpoints_of_before_the_first(floor: Floor) -> None:
    floor.scan()
    floor.scan("hold")
    floor.done()
    floor.scan("restart")
    floor.setpoints = {"feed": 0.037}
    assert floor.scan("hold") is S.HOLDING
    assert floor.record is not None
    assert floor.record.resume["feed"] == 0.042


def test_what_makes_no_sense_is_refused_with_the_state(floor: Floor) -> None:
    floor.scan()
    assert floor.scan("restart") is S.RUNNING
    assert floor.rulings[0].reason == "the batch is running: there is nothing to restart"
    floor.scan("abort")
    assert floor.done() is S.ABORTED
    floor.scan("hold")
    assert not floor.rulings[0].granted
    assert floor.scan("reset_batch") is S.IDLE


def test_stop_is_an_orderly_end(floor: Floor) -> None:
    floor.scan()
    assert floor.scan("stop") is S.STOPPING
    assert floor.scan() is S.STOPPING
    assert floor.done() is S.STOPPED


def test_a_stopped_batch_that_was_reset_does_not_start_by_itself(floor: Floor) -> None:
    floor.scan()
    floor.scan("stop")
    floor.done()
    assert floor.scan("reset_batch") is S.IDLE
    assert floor.scan() is S.IDLE


def test_phases_end_when_a_condition_holds_and_never_go_back(floor: Floor) -> None:
    floor.scan()
    floor.substrate = 0.2
    floor.scan()
    assert floor.notes == ("phase growth is over; production begins",)
    floor.substrate = 9.0
    floor.scan()
    assert floor.record is not None
    assert floor.record.phase == "production"
    floor.phase = "complete"
    floor.scan()
    assert floor.record.phase == "harvest"
    assert floor.scan(after=timedelta(hours=2)) is S.COMPLETE
    assert floor.notes == ("the batch is complete",)


def test_while_it_is_held_no_phase_ends(floor: Floor) -> None:
    floor.scan()
    floor.scan("hold")
    floor.substrate = 0.1
    floor.scan()
    assert floor.record is not None
    assert floor.record.phase == "growth"


def test_a_number_that_is_not_known_ends_no_phase() -> None:
    assert not Condition("estimate.substrate", "<", 0.3).holds({}, "growth")
    assert not Condition("estimate.substrate", "<", 0.3).holds({"estimate.substrate": math.nan}, "growth")


def test_another_batch_begins_a_new_record(floor: Floor) -> None:
    floor.scan()
    floor.scan(after=timedelta(hours=10))
    assert floor.record is not None
    assert floor.record.fed["feed"] == pytest.approx(0.42)
    floor.record = replace(floor.record, id="another")
    floor.scan()
    assert floor.record.id == "B1"
    assert not floor.record.fed


def test_the_book_sums_what_was_fed_and_takes_what_was_sampled(floor: Floor) -> None:
    floor.scan()
    floor.scan(after=timedelta(hours=1))
    floor.flow = None  # the meter fails: its setpoint counts
    floor.setpoints = {"feed": 0.04}
    floor.scan(after=timedelta(hours=1))
    assert floor.record is not None
    assert floor.record.fed["feed"] == pytest.approx(0.082)
    floor.record = sampled(floor.record, Sample(floor.time, 0.05))
    assert volume_l(floor.record) == pytest.approx(100.0 + 0.082 + 0.0005 - 0.05)  # the precursor has no meter at all


def test_a_clock_that_goes_back_feeds_nothing_twice(floor: Floor) -> None:
    floor.scan()
    floor.scan(after=timedelta(hours=1))
    floor.scan(after=-timedelta(hours=1))
    assert floor.record is not None
    assert floor.record.fed["feed"] == pytest.approx(0.042)
    floor.scan(after=timedelta(hours=1))
    assert floor.record.fed["feed"] == pytest.approx(0.042)


def test_a_phase_narrows_the_limits_and_never_widens_them(floor: Floor, world: Any) -> None:
    floor.scan()
    assert within_phase(world.envelope, RECIPE, floor.record) == world.envelope
    floor.substrate = 0.1
    floor.scan()
    limit = within_phase(world.envelope, RECIPE, floor.record).limits[0]
    assert (limit.low, limit.high) == (0.04, 0.045)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from((*BATCH_KINDS, "done", "wait")), max_size=30))
def test_whatever_people_ask_only_the_moves_of_the_table_are_made(world: SimpleNamespace, asked: list[str]) -> None:
    floor = Floor(world)
    before = floor.scan()
    for kind in asked:
        now = floor.done() if kind == "done" else floor.scan(*([] if kind == "wait" else [kind]))
        assert now is before or now is MOVES[before, kind]
        before = now
