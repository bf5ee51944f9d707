"""Setpoints go out with an expiry, are read back, and whatever is not as asked is reported and loses its lease."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from asyncua import ua

from controller.edge.opcua import PlantLink, WriteOutcome
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
        WriteOutcome("feed", 0.040, 0.040, True),
        WriteOutcome("precursor_feed", 0.001, 0.001, True),
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
    plant.refused["FIC201.VALID_UNTIL"] = ua.StatusCodes.BadUserAccessDenied
    (outcome,) = written(plant, feed(0.044))
    assert (outcome.ok, outcome.reason) == (False, "the plant refused FIC201.VALID_UNTIL: BadUserAccessDenied")


def test_a_value_that_reads_back_differently_is_reported_and_loses_its_lease(plant: Any) -> None:
    plant.changed["FIC201.SP"] = 0.0435
    (outcome,) = written(plant, feed(0.044))
    assert outcome == WriteOutcome("feed", 0.044, 0.0435, False, "0.044 was written, and 0.0435 was read back")
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
    assert outcome == WriteOutcome("feed", 0.040, 0.040, True)
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
    (outcome,) = linked(plant.settings, lambda link: link.release(["feed"]))
    assert outcome.ok
    assert plant.held("FIC201.VALID_UNTIL") < NOW


def test_a_plant_without_expiry_is_written_and_can_only_be_released_by_silence(plant: Any) -> None:
    bare = tuple(replace(v, valid_until=None, active=None) if v.name == "feed" else v for v in plant.settings.variables)
    settings = replace(plant.settings, variable=bare)

    async def work(link: PlantLink) -> tuple[WriteOutcome, WriteOutcome, WriteOutcome]:
        (one,) = await link.write([feed(0.040)], UNTIL)
        (two,) = await link.renew(LATER, ["feed"])
        (three,) = await link.release(["feed"])
        return one, two, three

    one, two, three = linked(settings, work)
    assert one.ok
    assert two.ok
    assert (three.ok, three.reason) == (
        False,
        "it has no valid_until tag: its lease ends only when the heartbeat stops",
    )
