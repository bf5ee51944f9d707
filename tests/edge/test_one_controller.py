"""A second controller at the same plant finds out, falls silent and writes nothing; the first one stays."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asyncua import ua

from controller.edge.actuator import Actuator
from controller.edge.opcua import PlantLink, PlantLost
from controller.edge.opcua.rivals import UNREADABLE, Heartbeat
from controller.loop.records import Command, Mode, Move
from controller.settings import Settings

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
SCAN = timedelta(seconds=300)


class Plant:
    """A heartbeat tag, and the time."""

    def __init__(self) -> None:
        self.value, self.now = 41, NOW

    def scan(self, *controllers: Heartbeat) -> None:
        """Each controller in its turn looks, and beats if it may."""
        self.now += SCAN
        for controller in controllers:
            controller.seen(self.value, self.now)
            if not controller.gives_way:
                self.value = controller.next()
                controller.beaten(self.value)


def test_alone_a_controller_is_never_disturbed() -> None:
    plant, only = Plant(), Heartbeat(3600.0)
    for _ in range(50):
        plant.scan(only)
        assert only.rival == ""
    only.anew()
    plant.value = 3  # restarted from an older state
    plant.scan(only)
    assert only.rival == ""


def test_our_own_beat_is_our_own_however_late_a_gateway_shows_it() -> None:
    for late in range(12):  # scans
        shown, only, now = [41] * (late + 1), Heartbeat(3600.0), NOW
        for _ in range(80):
            now += SCAN
            only.seen(shown[-1 - late], now)
            assert only.overtaken(shown[-1 - late]) == only.rival == ""
            shown.append(only.next())
            only.beaten(shown[-1])
        assert len(set(shown[late:])) == 81  # each beat is a change, or the plant would count it as none
        shown.append(shown[-1] + 7)  # and a foreign one is still found
        only.seen(shown[-1], now + SCAN)
        assert "another controller" in only.rival


def test_who_was_away_is_no_longer_the_first() -> None:
    plant, first, second = Plant(), Heartbeat(3600.0), Heartbeat(3600.0)
    for _ in range(4):
        plant.scan(first)
    for _ in range(4):
        plant.scan(second)
    first.anew()
    for _ in range(3):
        plant.scan(second, first)
    assert first.gives_way and not second.gives_way


def test_a_heartbeat_that_cannot_be_read_is_not_blamed_on_anybody() -> None:
    plant, only = Plant(), Heartbeat(3600.0)
    plant.scan(only)
    assert only.overtaken(None) == UNREADABLE
    assert only.rival == ""


def test_the_newcomer_gives_way_and_the_first_one_goes_on_in_either_order() -> None:
    for newcomer_first in (False, True):
        plant, first, second = Plant(), Heartbeat(3600.0), Heartbeat(3600.0)
        for _ in range(4):
            plant.scan(first)
        for _ in range(6):
            plant.scan(*((second, first) if newcomer_first else (first, second)))
        assert "this one only looks on" in second.rival
        assert not first.gives_way
        plant.scan(first)
        plant.scan(first)
        assert first.rival == ""


def test_the_newcomer_takes_over_when_the_first_one_was_silent_for_a_lease() -> None:
    plant, first, second = Plant(), Heartbeat(900.0), Heartbeat(900.0)
    for _ in range(4):
        plant.scan(first)
    for _ in range(4):
        plant.scan(first, second)
    assert second.gives_way
    for _ in range(6):
        plant.scan(second)
    assert second.rival == ""


def test_at_a_real_server_the_second_link_neither_beats_nor_writes(plant: Any, at: Callable[..., Settings]) -> None:
    async def run() -> None:
        first, second = PlantLink(at(plant.port)), PlantLink(at(plant.port))
        moment = NOW

        async def scan(link: PlantLink) -> None:
            nonlocal moment
            moment += SCAN
            plant.show("AIC102.PV", 60.0, time=moment)
            await link.read()
            await link.beat()

        try:
            await first.connect(10.0)
            for _ in range(4):
                await scan(first)
            await second.connect(10.0)
            for _ in range(3):
                await scan(second)
                await scan(first)
            assert "another controller is at work" in second.rival
            assert not await second.beat()
            (refused,) = await second.write([Move("feed", 0.04, "L/h", 0.042)], moment + SCAN)
            assert (refused.ok, refused.reason) == (False, second.rival)
            await scan(first)
            assert first.rival == ""
            (written,) = await first.write([Move("feed", 0.04, "L/h", 0.042)], moment + SCAN)
            assert written.ok
        finally:
            await first.close()
            await second.close()

    asyncio.run(run())


def apart(settings: Settings, place: Path, owner: bool = True) -> Settings:
    """The same plant as a controller elsewhere sees it, with a historian of its own."""
    supervisor = replace(settings.supervisor, owner=settings.supervisor.owner if owner else None)
    historian = replace(settings.historian, path=place / "historian.sqlite")
    return replace(settings, supervisor=supervisor, historian=historian)


def test_of_two_that_start_at_once_the_plant_takes_the_writes_of_one(
    simulator: Any, at: Callable[..., Settings], tmp_path: Path
) -> None:
    shared = at(simulator.port, lockstep=True)

    async def run() -> None:
        links = [PlantLink(apart(shared, tmp_path / name)) for name in ("one", "two")]
        try:
            await asyncio.gather(*(link.connect(10.0) for link in links))
            scans = await asyncio.gather(*(link.read() for link in links))
            assert [link.rival for link in links] == ["", ""]  # neither can know of the other one
            until, local = scans[0].snapshot.time + timedelta(hours=1), scans[0].local["precursor_feed"]
            moves = [[Move("precursor_feed", local + k * 1e-5, "L/h", local)] for k in (1, 2)]
            beaten = await asyncio.gather(*(link.beat() for link in links))
            outcomes = await asyncio.gather(*(links[k].write(moves[k], until) for k in (0, 1)))
            (won,) = [k for k in (0, 1) if outcomes[k][0].ok]
            (lost,) = outcomes[1 - won]
            assert "another controller is at work at this plant, which it claimed" in lost.reason
            assert beaten == [k == won for k in (0, 1)]
            assert links[1 - won].supervision == ""  # nothing is amiss there but the other one
            await links[won].advance(60.0)
            scan = await links[1 - won].read()
            assert scan.setpoints["precursor_feed"] == moves[won][0].value
            assert "another controller is at work" in links[1 - won].rival
            await links[won].close()
            await links[1 - won].advance(4200.0)  # longer than the lease, by which the heartbeat counts as silent
            scan = await links[1 - won].read()
            assert links[1 - won].rival == ""
            assert await links[1 - won].beat()
            (written,) = await links[1 - won].write(moves[1 - won], scan.snapshot.time + SCAN)
            assert written.ok
        finally:
            for link in links:
                await link.close()

    asyncio.run(run())


def test_a_controller_that_was_started_again_need_not_wait_for_the_session_it_left_behind(
    simulator: Any, at: Callable[..., Settings], tmp_path: Path
) -> None:
    here = apart(at(simulator.port), tmp_path)

    async def run() -> None:
        before, after = PlantLink(here), PlantLink(here)
        try:
            for link in (before, after):  # the first one holds its session, as a killed one does for a while
                await link.connect(10.0)
                await link.read()
                assert await link.beat()
            assert after.rival == ""
        finally:
            await after.close()
            await before.close()

    asyncio.run(run())


def test_a_plant_without_claims_is_watched_for_a_scan_before_a_command_goes_out(
    plant: Any, at: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = apart(at(plant.port), tmp_path, owner=False)

    async def run() -> None:
        link = PlantLink(settings)
        try:
            await link.connect(10.0)
            await link.read()
            assert "watched for a scan" in link.not_yet
            plant.show("AIC102.PV", 60.0, time=NOW + SCAN)
            await link.read()
            assert link.not_yet == ""
            plant.show("SUPERVISOR.HEARTBEAT", 77)  # somebody begins between our scan and our write
            (refused,) = await link.write([Move("feed", 0.04, "L/h", 0.042)], NOW + 2 * SCAN)
            assert (refused.ok, "another controller" in refused.reason) == (False, True)
            assert plant.writes == []
        finally:
            await link.close()

    asyncio.run(run())


def decided(command: Command | None) -> Any:
    """As much of a Decision as the actuator looks at."""
    return SimpleNamespace(command=command, mode=Mode.AUTO)


def test_a_command_that_has_to_wait_is_no_fault_and_goes_out_at_the_next_scan(
    plant: Any, at: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = apart(at(plant.port), tmp_path, owner=False)

    async def run() -> None:
        link = PlantLink(settings)
        actuator = Actuator(link)
        moves = (Move("feed", 0.04, "L/h", 0.042),)
        try:
            await link.connect(10.0)
            for scan in (1, 2):
                plant.show("AIC102.PV", 60.0, time=NOW + scan * SCAN)
                now = (await link.read()).snapshot.time
                command = Command("S1", moves, NOW, now + SCAN, "auto")
                done = await actuator.act(decided(command))
                assert done.faults == ()
                assert done.written == scan - 1
                assert [kind for kind, _ in done.events] == ["held" if scan == 1 else "written"]
        finally:
            await link.close()

    asyncio.run(run())


def supervised(plant: Any, settings: Settings, work: Any) -> Any:
    """A link and an actuator that have looked at the plant twice; what `work` makes of them."""

    async def run() -> Any:
        link = PlantLink(settings)
        try:
            await link.connect(10.0)
            for scan in (1, 2):
                plant.show("AIC102.PV", 60.0, time=NOW + scan * SCAN)
                await link.read()
            return await work(link, Actuator(link))
        finally:
            await link.close()

    return asyncio.run(run())


COMMAND = Command("S1", (Move("feed", 0.04, "L/h", 0.042),), NOW, NOW + 9 * SCAN, "auto")


@pytest.mark.parametrize("tag", ["SUPERVISOR.HEARTBEAT", "SUPERVISOR.OWNER"])
def test_a_refused_beat_or_claim_is_told_once_stops_writing_and_is_blamed_on_nobody(tag: str, plant: Any) -> None:
    plant.refused[tag] = ua.StatusCodes.BadUserAccessDenied
    told = f"the plant refused {tag}: BadUserAccessDenied"

    async def work(link: PlantLink, actuator: Actuator) -> None:
        first, second = await actuator.act(decided(COMMAND)), await actuator.act(decided(COMMAND))
        assert first.faults == (f"feed: {told}",)
        assert first.events == [("refused", f"S1: feed: {told}"), ("refused", told)]
        assert second.events == []
        assert (link.supervision, link.rival) == (told, "")
        assert "FIC201.SP" not in plant.writes
        plant.refused.clear()
        assert (await actuator.act(decided(None))).events == []
        assert link.supervision == ""
        assert (await actuator.act(decided(COMMAND))).written == 1

    supervised(plant, plant.settings, work)


def test_a_lease_that_cannot_be_ended_is_told_and_tried_again_until_it_is(plant: Any) -> None:
    async def work(link: PlantLink, actuator: Actuator) -> None:
        assert (await actuator.act(decided(COMMAND))).written == 1
        plant.refused["FIC201.VALID_UNTIL"] = ua.StatusCodes.BadNotWritable
        refused = "the plant refused FIC201.VALID_UNTIL: BadNotWritable"
        done = await actuator.act(decided(None))
        assert ("refused", f"it could not be given back: feed: {refused}") in done.events
        assert link.supervision == refused
        assert (await actuator.act(decided(None))).events == []
        plant.refused.clear()
        await actuator.act(decided(None))
        assert link.supervision == ""
        assert plant.held("FIC201.VALID_UNTIL") < NOW + 2 * SCAN  # which is the time of the last scan

    supervised(plant, plant.settings, work)


def test_a_controller_that_comes_back_to_another_one_at_work_writes_nothing_at_all(
    plant: Any, at: Callable[..., Settings], tmp_path: Path
) -> None:
    async def work(link: PlantLink, actuator: Actuator) -> None:
        assert (await actuator.act(decided(COMMAND))).written == 1
        await asyncio.to_thread(plant.stop)
        while link.resynchronised:
            with contextlib.suppress(PlantLost):
                await link.read()
        await asyncio.to_thread(plant.start)
        plant.writes.clear()
        for beat in range(5):  # another one has taken the plant meanwhile
            plant.show("SUPERVISOR.HEARTBEAT", 900 + beat)
            plant.show("FIC201.SP", 0.0405)
            plant.show("FIC201.VALID_UNTIL", NOW + 20 * SCAN)
            plant.show("AIC102.PV", 60.0, time=NOW + (3 + beat) * SCAN)
            while True:
                with contextlib.suppress(PlantLost):
                    await link.read()
                    break
                await asyncio.sleep(0.1)
            await actuator.act(decided(None if beat else COMMAND))
        assert plant.writes == []
        assert "another controller is at work" in link.rival
        assert plant.held("FIC201.VALID_UNTIL") == NOW + 20 * SCAN

    supervised(plant, apart(at(plant.port), tmp_path, owner=False), work)


def test_what_somebody_else_set_is_not_taken_from_him_when_ours_is_given_back(plant: Any) -> None:
    async def work(link: PlantLink, actuator: Actuator) -> None:
        assert (await actuator.act(decided(COMMAND))).written == 1
        plant.show("FIC201.SP", 0.0405)
        done = await actuator.act(decided(None))
        told = "it could not be given back: feed: someone else set it: we wrote 0.04, and it is 0.0405"
        assert done.events == [("refused", told)]
        assert plant.held("FIC201.VALID_UNTIL") == COMMAND.valid_until

    supervised(plant, plant.settings, work)
