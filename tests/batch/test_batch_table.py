"""The moves of a batch, state by state as ISA-88 has them, with who asked, why and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.loop.batch import Recipe, lost, settled
from controller.loop.batch_records import BatchRecord, BatchState
from controller.loop.records import BATCH_KINDS

S = BatchState
HOUR = timedelta(hours=1)
ALLOWED = {
    S.IDLE: {"start": S.RUNNING},
    S.RUNNING: {"hold": S.HOLDING, "stop": S.STOPPING, "abort": S.ABORTING},
    S.HOLDING: {"hold": S.HOLDING, "restart": S.RESTARTING, "stop": S.STOPPING, "abort": S.ABORTING},
    S.HELD: {"hold": S.HOLDING, "restart": S.RESTARTING, "stop": S.STOPPING, "abort": S.ABORTING},
    S.RESTARTING: {"hold": S.HOLDING, "stop": S.STOPPING, "abort": S.ABORTING},
    S.STOPPING: {"abort": S.ABORTING},
    S.STOPPED: {"reset_batch": S.IDLE},
    S.ABORTING: {},
    S.ABORTED: {"reset_batch": S.IDLE},
    S.COMPLETE: {"reset_batch": S.IDLE},
}
SETTLES = {S.HOLDING: S.HELD, S.RESTARTING: S.RUNNING, S.STOPPING: S.STOPPED, S.ABORTING: S.ABORTED}


@pytest.fixture
def standing(floor: Any) -> Any:
    """A floor whose batch has been in the state that is named, for an hour."""

    def build(state: BatchState) -> Any:
        floor.phase = "growth" if state is not S.IDLE else ""
        floor.record = BatchRecord(
            "B1", state, floor.time - HOUR, "so far", "growth", floor.time - HOUR, floor.time - HOUR
        )
        return floor

    return build


@pytest.mark.parametrize("kind", BATCH_KINDS)
@pytest.mark.parametrize("state", S)
def test_a_request_is_granted_where_the_standard_has_it_and_refused_elsewhere(
    standing: Any, state: BatchState, kind: str
) -> None:
    floor = standing(state)
    reached = ALLOWED[state].get(kind)
    now = floor.scan(kind)
    (ruling,) = floor.rulings
    word = "reset" if kind == "reset_batch" else kind
    assert ruling.intent.kind == kind
    if reached is None:
        assert now is state
        assert (ruling.granted, ruling.reason) == (False, f"the batch is {state}: there is nothing to {word}")
        assert (floor.record.since, floor.record.reason) == (floor.time - HOUR - timedelta(minutes=5), "so far")
    else:
        assert now is reached
        assert (ruling.granted, ruling.reason) == (True, f"the batch is {reached}")
        assert (floor.record.since, floor.record.reason) == (floor.time, f"{word} by ada: because")


@pytest.mark.parametrize("state", S)
def test_what_is_on_its_way_arrives_and_what_rests_stays(standing: Any, state: BatchState) -> None:
    before = standing(state).record
    later = before.since + 2 * HOUR
    after = settled(before, later)
    assert after.state is SETTLES.get(state, state)
    assert after == (before if state not in SETTLES else replace(before, state=SETTLES[state], since=later))


@pytest.mark.parametrize("state", S)
def test_a_hold_that_is_lost_is_sought_again_and_nothing_else_changes(standing: Any, state: BatchState) -> None:
    before = standing(state).record
    later = before.since + 2 * HOUR
    assert lost(before, later) == (replace(before, state=S.HOLDING, since=later) if state is S.HELD else before)


def test_a_request_without_a_reason_names_who_asked(standing: Any) -> None:
    floor = standing(S.RUNNING)
    floor.scan("hold", by="")
    assert floor.record.reason == "hold by ada"


def test_several_requests_of_one_scan_are_judged_one_after_the_other(standing: Any) -> None:
    floor = standing(S.RUNNING)
    assert floor.scan("restart", "hold", "restart", "abort") is S.ABORTING
    assert [r.granted for r in floor.rulings] == [False, True, True, True]


def test_requests_that_are_no_matter_of_the_batch_are_left_to_others(standing: Any) -> None:
    floor = standing(S.RUNNING)
    floor.scan("accept", "hold")
    assert [r.intent.kind for r in floor.rulings] == ["hold"]


def test_only_a_hold_of_what_runs_remembers_the_setpoints(standing: Any) -> None:
    running = standing(S.RUNNING)
    running.scan("hold")
    assert running.record.resume == {"feed": 0.042, "precursor_feed": 0.0005}
    for state, kind in ((S.RESTARTING, "hold"), (S.RUNNING, "stop"), (S.HELD, "restart")):
        other = standing(state)
        other.scan(kind)
        assert other.record.resume == {}


def test_a_start_begins_the_first_phase_at_this_instant(floor_of: Any) -> None:
    floor = floor_of(phase="")
    floor.scan()
    floor.scan(after=HOUR)
    floor.scan("start", after=HOUR)
    assert (floor.record.phase, floor.record.phase_since, floor.record.started_at) == ("growth", floor.time, floor.time)
    plain = floor_of(Recipe(), phase="")
    plain.scan()
    plain.scan("start")
    assert (plain.record.phase, plain.record.phase_since, plain.record.started_at) == ("", None, plain.time)


def test_a_hold_or_a_restart_leaves_the_phase_where_it_is(standing: Any) -> None:
    for state, kind in ((S.RUNNING, "hold"), (S.HELD, "restart")):
        floor = standing(state)
        before = floor.record
        floor.scan(kind)
        assert (floor.record.phase, floor.record.phase_since, floor.record.started_at) == (
            before.phase, before.phase_since, before.started_at,
        )  # fmt: skip
