"""Setpoints go out with an expiry, are read back, and whatever is not as asked is reported and loses its lease."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from asyncua import ua

from controller.edge.opcua import Outcome, PlantLink, WriteOutcome
from controller.loop.records import Move
from controller.settings import Settings

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
UNTIL = NOW + timedelta(seconds=1800)
LATER = NOW + timedelta(seconds=2100)
T = TypeVar("T")


def feed(value: float, variable: str = "feed", unit: str = "L/h") -> Move:
    return Move(variable, value, unit, 0.042)


def linked(settings: Settings, work: Callable[[PlantLink], Awaitable[T]], read: bool = True) -> T:
    """Connect and, unless told otherwise, read once; then work, and close."""

    async def run() -> T:
        link = PlantLink(settings)
        try:
            await link.connect(10.0)
            if read:
                await link.read()
            return await work(link)
        finally:
            await link.close()

    return asyncio.run(run())


def written(plant: Any, *moves: Move) -> list[WriteOutcome]:
    return linked(plant.settings, lambda link: link.write(moves, UNTIL))


def in_force(plant: Any, value: float, until: datetime = UNTIL) -> None:
    """As if this setpoint had been written and the plant followed it."""
    plant.show("FIC201.SP", value)
    plant.show("FIC201.SP_ACTIVE", value)
    plant.show("FIC201.VALID_UNTIL", until)


def test_setpoints_and_their_expiry_are_written_and_read_back(plant: Any) -> None:
    assert written(plant, feed(0.040), feed(0.001, "precursor_feed")) == [
        WriteOutcome("feed", 0.040, 0.040, Outcome.WRITTEN),
        WriteOutcome("precursor_feed", 0.001, 0.001, Outcome.WRITTEN),
    ]
    assert (plant.held("FIC201.SP"), plant.held("FIC201.VALID_UNTIL")) == (0.040, UNTIL)
    assert (plant.held("FIC202.SP"), plant.held("FIC202.VALID_UNTIL")) == (0.001, UNTIL)


def test_what_must_not_go_out_does_not_and_the_rest_does(plant: Any) -> None:
    moves = (feed(0.2), feed(0.001, "precursor_feed"), feed(5.0, "ph", "pH"))
    outcomes = written(plant, *moves)
    assert [o.ok for o in outcomes] == [False, True, False]
    assert outcomes[0].reason == "0.2 is outside the limits 0.035 to 0.045 L/h"
    assert outcomes[2].reason == "it is not a manipulated variable"
    assert "FIC201.SP" not in plant.writes
    (nan,) = written(plant, feed(math.nan))
    assert nan.reason == "nan is not a finite number"
    (unit,) = written(plant, feed(0.04, unit="mL/h"))
    assert unit.reason == "it is given in 'mL/h', and the plant takes 'L/h'"
    assert {o.reason for o in written(plant, feed(0.04), feed(0.041))} == {"it is moved twice in one command"}
    assert "FIC201.SP" not in plant.writes


def test_a_plant_that_is_advisory_only_is_never_written_to(plant: Any) -> None:
    settings = replace(plant.settings, plant=replace(plant.settings.plant, advisory_only=True))
    (outcome,) = linked(settings, lambda link: link.write([feed(0.04)], UNTIL))
    assert (outcome.ok, outcome.reason) == (False, "the plant is advisory only")
    assert plant.writes == []


def test_a_refusal_of_the_plant_is_reported_and_no_lease_is_left(plant: Any) -> None:
    plant.refused["FIC201.SP"] = ua.StatusCodes.BadOutOfRange
    (outcome,) = written(plant, feed(0.044))
    assert (outcome.ok, outcome.reason) == (False, "the plant refused FIC201.SP: BadOutOfRange")
    assert plant.held("FIC201.VALID_UNTIL") < NOW


def test_a_refused_expiry_fails_the_whole_move(plant: Any) -> None:
    in_force(plant, 0.040)
    plant.refused["FIC201.VALID_UNTIL"] = ua.StatusCodes.BadUserAccessDenied

    async def work(link: PlantLink) -> WriteOutcome:
        (outcome,) = await link.write([feed(0.044)], LATER)
        assert link.supervision == "the plant refused FIC201.VALID_UNTIL: BadUserAccessDenied"
        return outcome

    outcome = linked(plant.settings, work)
    assert (outcome.ok, outcome.reason) == (False, "the plant refused FIC201.VALID_UNTIL: BadUserAccessDenied")
    assert (plant.held("FIC201.SP"), plant.held("FIC201.SP_ACTIVE")) == (0.040, 0.040)  # what was taken is undone
    assert plant.held("FIC201.VALID_UNTIL") == UNTIL


def test_what_can_neither_be_written_whole_nor_undone_is_unknown_and_not_refused(plant: Any) -> None:
    in_force(plant, 0.040)

    async def work(link: PlantLink) -> None:
        plant.refused["FIC201.VALID_UNTIL"] = ua.StatusCodes.BadUserAccessDenied
        plant.show("FIC201.SP", 0.0, ua.StatusCodes.BadNotReadable)  # what stood there before is not known
        (outcome,) = await link.write([feed(0.044)], LATER)
        assert outcome.outcome is Outcome.UNKNOWN
        assert "it could not be undone" in outcome.reason
        assert outcome.reason.endswith("0.044 may be in force until 12:35")
        assert link.settling == ()

    linked(plant.settings, work)


def test_a_refused_setpoint_never_gets_a_new_lease_not_even_for_a_moment(plant: Any) -> None:
    in_force(plant, 0.040)
    plant.refused["FIC201.SP"] = ua.StatusCodes.BadOutOfRange
    (outcome,) = written(plant, feed(0.044))
    assert not outcome.ok
    assert plant.writes.count("FIC201.VALID_UNTIL") == 1  # which ended it
    assert plant.held("FIC201.VALID_UNTIL") < NOW


@pytest.mark.parametrize("late_s", [0.001, 0.1, 0.6])
def test_a_gateway_that_shows_a_value_late_is_waited_for(late_s: float, plant: Any) -> None:
    plant.late_s = late_s
    (outcome,) = written(plant, feed(0.040))
    assert outcome == WriteOutcome("feed", 0.040, 0.040, Outcome.WRITTEN)
    assert plant.held("FIC201.VALID_UNTIL") == UNTIL


def test_a_gateway_is_waited_for_no_longer_than_settle_s_and_what_comes_later_has_no_lease(plant: Any) -> None:
    plant.late_s = 1.2
    settings = replace(plant.settings, connection=replace(plant.settings.connection, settle_s=0.3))

    async def work(link: PlantLink) -> None:
        (outcome,) = await link.write([feed(0.040)], UNTIL)
        assert outcome.outcome is Outcome.REFUSED
        await asyncio.sleep(2.0)

    linked(settings, work)
    assert plant.held("FIC201.VALID_UNTIL") < NOW


def test_a_turn_that_is_due_is_not_kept_waiting_and_a_later_look_settles_what_was_unknown(plant: Any) -> None:
    plant.late_s = 1.0

    async def work(link: PlantLink) -> None:
        plant.show("AIC102.PV", 60.0, time=NOW + timedelta(seconds=300))
        while link.take_events() or await link.poll(NOW) is None:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)  # until the plant has told of the new time
        began = time.monotonic()
        (outcome,) = await link.write([feed(0.040)], UNTIL, due=NOW + timedelta(seconds=300))
        assert time.monotonic() - began < 0.9
        assert outcome.outcome is Outcome.UNKNOWN
        assert outcome.reason.endswith("0.04 may be in force until 12:30")
        assert link.settling == ("feed",)
        await asyncio.sleep(1.2)
        (settled,) = await link.settle()
        assert settled.ok
        assert link.settling == ()

    linked(plant.settings, work)


def test_written_is_said_only_where_the_plant_follows(plant: Any) -> None:
    plant.follows = False
    settings = replace(plant.settings, connection=replace(plant.settings.connection, settle_s=0.2))
    (outcome,) = linked(settings, lambda link: link.write([feed(0.040)], UNTIL))
    assert outcome.outcome is Outcome.REFUSED
    assert outcome.reason == "0.04 was read back, and the plant follows 0.042"
    assert plant.held("FIC201.VALID_UNTIL") < NOW
    blind = tuple(replace(v, active=None) if v.name == "feed" else v for v in settings.variables)
    (other,) = linked(replace(settings, variable=blind), lambda link: link.write([feed(0.040)], UNTIL))
    assert other.reason == "0.04 was read back, and the plant says that it does not follow us"


def test_a_value_that_reads_back_differently_is_reported_and_loses_its_lease(plant: Any) -> None:
    plant.changed["FIC201.SP"] = 0.0435
    (outcome,) = written(plant, feed(0.044))
    assert outcome == WriteOutcome(
        "feed", 0.044, 0.0435, Outcome.REFUSED, "0.044 was written, and 0.0435 was read back"
    )
    assert plant.held("FIC201.VALID_UNTIL") < NOW


def test_nothing_is_written_before_the_plant_was_read_once(plant: Any) -> None:
    async def work(link: PlantLink) -> None:
        assert not link.resynchronised
        (outcome,) = await link.write([feed(0.04)], UNTIL)
        assert outcome.reason == "the link is new, and the plant has not been read since"
        assert not await link.beat()
        assert plant.writes == []
        await link.read()
        assert link.resynchronised
        assert await link.beat()

    linked(plant.settings, work, read=False)


def test_the_heartbeat_leaps_from_what_the_plant_holds_then_goes_on_and_wraps(
    plant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.edge.opcua.rivals.secrets.randbelow", lambda most: most - 1)
    plant.show("SUPERVISOR.HEARTBEAT", 2**15 - 2**13 - 3)

    async def work(link: PlantLink) -> list[int]:
        held = []
        for _ in range(3):
            assert await link.beat()
            held.append(await asyncio.to_thread(plant.held, "SUPERVISOR.HEARTBEAT"))
        return held

    assert linked(plant.settings, work) == [2**15 - 2, 2**15 - 1, 0]
    plant.refused["SUPERVISOR.HEARTBEAT"] = ua.StatusCodes.BadUserAccessDenied
    assert not linked(plant.settings, lambda link: link.beat())


def test_a_setpoint_in_force_is_renewed_even_by_a_controller_that_was_restarted(plant: Any) -> None:
    in_force(plant, 0.040)
    (outcome,) = linked(plant.settings, lambda link: link.renew(LATER, ["feed"]))
    assert outcome == WriteOutcome("feed", 0.040, 0.040, Outcome.WRITTEN)
    assert plant.held("FIC201.VALID_UNTIL") == LATER
    assert "FIC201.SP" not in plant.writes


def test_what_lapsed_or_was_changed_is_never_revived(plant: Any) -> None:
    in_force(plant, 0.040, NOW - timedelta(seconds=1))
    (lapsed,) = linked(plant.settings, lambda link: link.renew(LATER, ["feed"]))
    assert lapsed.reason == "its lease has lapsed"
    in_force(plant, 0.040)
    plant.show("FIC201.SP_ACTIVE", 0.042)
    (local,) = linked(plant.settings, lambda link: link.renew(LATER, ["feed"]))
    assert local.reason == "it is not in force: the plant follows 0.042, and our setpoint is 0.04"
    assert plant.writes == []

    async def work(link: PlantLink) -> WriteOutcome:
        await link.write([feed(0.040)], UNTIL)
        in_force(plant, 0.037)
        return (await link.renew(LATER, ["feed"]))[0]

    other = linked(plant.settings, work)
    assert other.reason == "someone else set it: we wrote 0.04, and it is 0.037"
    assert plant.held("FIC201.VALID_UNTIL") == UNTIL


def test_a_release_ends_the_lease_before_now(plant: Any) -> None:
    in_force(plant, 0.040)
    (outcome,) = linked(plant.settings, lambda link: link.release([feed(0.040)]))
    assert outcome.ok
    assert plant.held("FIC201.VALID_UNTIL") < NOW


def test_a_plant_without_expiry_is_written_and_can_only_be_released_by_silence(plant: Any) -> None:
    bare = tuple(replace(v, valid_until=None, active=None) if v.name == "feed" else v for v in plant.settings.variables)
    settings = replace(plant.settings, variable=bare)
    plant.show("SUPERVISOR.IN_CONTROL", True)

    async def work(link: PlantLink) -> tuple[WriteOutcome, WriteOutcome, WriteOutcome]:
        (one,) = await link.write([feed(0.040)], UNTIL)
        (two,) = await link.renew(LATER, ["feed"])
        (three,) = await link.release([feed(0.040)])
        return one, two, three

    one, two, three = linked(settings, work)
    assert one.ok
    assert two.ok
    assert (three.ok, three.reason) == (
        False,
        "it has no valid_until tag: its lease ends only when the heartbeat stops",
    )


def test_writing_keeps_to_the_servers_operation_limits(plant: Any) -> None:
    plant.limit("MaxNodesPerRead", 2)
    plant.limit("MaxNodesPerWrite", 1)

    async def work(link: PlantLink) -> list[WriteOutcome]:
        plant.largest_read = plant.largest_write = 0
        return await link.write([feed(0.040), feed(0.001, "precursor_feed")], UNTIL)

    assert all(outcome.ok for outcome in linked(plant.settings, work))
    assert (plant.largest_read, plant.largest_write) == (2, 1)


def test_a_release_claims_the_plant_before_it_writes(plant: Any) -> None:
    in_force(plant, 0.040)
    linked(plant.settings, lambda link: link.release([feed(0.040)]))
    assert plant.writes[:2] == ["SUPERVISOR.OWNER", "FIC201.VALID_UNTIL"]
