"""A plant that dies, hangs or comes back different is noticed in time, and never written to unseen."""

from __future__ import annotations

import asyncio
import signal
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from asyncua.client.client import Client
from asyncua.client.ua_client import UaClient

from controller.edge.actuator import Actuator, carried_out
from controller.edge.opcua import PlantLink, PlantLost, Scan
from controller.edge.situation import situation_of
from controller.loop.records import Command, Intent, Mode, Move, Ruling, Unsettled
from controller.settings import Settings

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
UNTIL = NOW + timedelta(seconds=1800)
FEED = Move("feed", 0.041, "L/h", 0.042)


async def back(link: PlantLink, within_s: float) -> Scan:
    """Keep reading until the plant answers."""
    began = time.monotonic()
    while True:
        try:
            return await link.read()
        except PlantLost:
            if time.monotonic() - began > within_s:
                raise
            await asyncio.sleep(0.1)


async def lost(link: PlantLink, within_s: float) -> str:
    """Keep reading until the plant is lost; the sentence that says so."""
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        try:
            await link.read()
        except PlantLost as fault:
            return str(fault)
        await asyncio.sleep(0.05)
    raise AssertionError(f"the loss was not noticed within {within_s} s")


def test_a_plant_that_comes_back_with_other_indexes_is_found_again_and_compared(plant: Any) -> None:
    async def run() -> None:
        link = PlantLink(plant.settings)
        await link.connect(10.0)
        await link.read()
        plant.show("LAB.BIOMASS", 6.5, time=NOW - timedelta(hours=4))
        assert len((await link.read()).snapshot.assays) == 1
        (outcome,) = await link.write([Move("feed", 0.040, "L/h", 0.042)], UNTIL)
        assert outcome.ok
        plant.writes.clear()
        await asyncio.to_thread(plant.stop)
        assert "is not reachable" in await lost(link, 100.0)
        with pytest.raises(PlantLost):
            await link.write([Move("feed", 0.041, "L/h", 0.042)], UNTIL)
        assert not link.resynchronised
        await asyncio.to_thread(plant.start, 3)
        plant.show("LAB.BIOMASS", 6.5, time=NOW - timedelta(hours=4))
        scan = await back(link, 150.0)
        assert link.resynchronised
        assert scan.snapshot.readings["dissolved_oxygen"].usable
        assert scan.snapshot.assays == ()
        events = link.take_events()
        assert [e.kind for e in events] == ["connected", "lost", "restored", "difference"]
        assert events[3].text == "feed: we last wrote 0.04, and 0.042 is in force"
        (renewed,) = await link.renew(UNTIL, ["feed"])
        assert not renewed.ok
        assert plant.writes == []
        await link.close()

    asyncio.run(run())


def test_a_plant_that_is_still_starting_up_is_waited_for(plant: Any) -> None:
    async def run() -> None:
        link = PlantLink(plant.settings)
        await link.connect(10.0)
        await asyncio.to_thread(plant.stop)
        await lost(link, 100.0)
        await asyncio.to_thread(plant.start, 0, ("AIC101.PV",))
        sentence = await lost(link, 100.0)
        while "it is back" not in sentence:
            await asyncio.sleep(0.1)
            sentence = await lost(link, 100.0)
        assert "it is back, but the server has no tag 'AIC101.PV': mend node of [[variable]] 'ph'" in sentence
        await asyncio.to_thread(plant.stop)
        await asyncio.to_thread(plant.start)
        scan = await back(link, 150.0)
        assert scan.snapshot.readings["ph"].usable
        await link.close()

    asyncio.run(run())


def test_a_plant_that_hangs_is_noticed_by_each_call_and_without_any(plant: Any, at: Callable[..., Settings]) -> None:
    async def run() -> None:
        link = PlantLink(at(plant.port, timeout_s=1.0))
        await link.connect(10.0)
        await link.read()
        plant.freeze(4.0)
        with pytest.raises(PlantLost, match="no answer within 1 s"):
            await link.read()
        await back(link, 150.0)
        link.take_events()
        plant.freeze(4.0)
        await asyncio.sleep(3.0)  # nobody asks; the watchdog does
        assert [e.kind for e in link.take_events()] == ["lost"]
        assert not link.resynchronised
        await back(link, 150.0)
        assert link.resynchronised
        await link.close()

    asyncio.run(run())


STUMBLES = (AssertionError(), ValueError("36 is not a valid NodeIdType"), struct.error("bad char in struct format"))


@pytest.mark.parametrize("stumble", STUMBLES, ids=lambda fault: type(fault).__name__)
def test_whatever_a_servers_bytes_make_the_client_stumble_over_is_a_lost_link_that_comes_back(
    stumble: Exception, plant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stumbling(*_: Any, **__: Any) -> Any:
        raise stumble

    async def run() -> None:
        link = PlantLink(plant.settings)
        await link.connect(10.0)
        for method, ask in (
            ("asyncua.client.ua_client.UaClient.read", link.read),
            ("asyncua.client.client.Client.write_values", lambda: link.write([FEED], UNTIL)),
            ("asyncua.client.client.Client.connect", link.read),
            ("asyncua.client.client.Client.disconnect", link.read),
        ):
            await back(link, 150.0)
            with monkeypatch.context() as broken:
                if "connect" in method:
                    await asyncio.to_thread(plant.stop)
                    await lost(link, 100.0)
                    await asyncio.to_thread(plant.start)
                broken.setattr(method, stumbling)
                if not method.endswith(".disconnect"):
                    sentence = await lost_by(ask)
                    assert "is not reachable" in sentence and type(stumble).__name__ in sentence
        await back(link, 150.0)
        await link.close()

    asyncio.run(run())


async def lost_by(ask: Callable[[], Awaitable[object]], within_s: float = 60.0) -> str:
    """Ask until a link was tried and lost of it; a refused connection is not what is looked for."""
    began = time.monotonic()
    while time.monotonic() - began < within_s:
        try:
            await ask()
        except PlantLost as fault:
            if "refused" not in str(fault):
                return str(fault)
        await asyncio.sleep(0.05)
    raise AssertionError("the link was not lost")


def test_a_server_that_answers_for_fewer_tags_than_were_asked_is_lost(
    plant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = UaClient.read

    async def short(self: UaClient, asked: Any) -> Any:
        return (await whole(self, asked))[:-1]

    async def run() -> None:
        link = PlantLink(plant.settings)
        await link.connect(10.0)
        monkeypatch.setattr(UaClient, "read", short)
        with pytest.raises(PlantLost, match=r"cannot be read \(ValueError"):
            await link.read()
        await link.close()

    asyncio.run(run())


def test_a_closed_link_says_so(plant: Any) -> None:
    async def run() -> None:
        link = PlantLink(plant.settings)
        await link.connect(10.0)
        await link.close()
        await link.close()
        with pytest.raises(PlantLost, match="was closed"):
            await link.read()
        with pytest.raises(PlantLost, match="was closed"):
            await link.connect(None)

    asyncio.run(run())


def lockstep(at: Callable[..., Settings], port: int, **connection: Any) -> Settings:
    return at(port, lockstep=True, timeout_s=5.0, **connection)


def test_the_simulated_plant_is_driven_scan_by_scan_and_follows_a_lease(
    simulator: Any, at: Callable[..., Settings]
) -> None:
    async def run() -> None:
        link = PlantLink(lockstep(at, simulator.port))
        await link.connect(20.0)
        first = await link.read()
        reached = await link.advance(3 * 300.0)
        scan = await link.read()
        assert scan.snapshot.time == reached == first.snapshot.time + timedelta(seconds=900)
        local = scan.local["precursor_feed"]
        assert scan.setpoints["precursor_feed"] == local
        move = Move("precursor_feed", 0.001, "L/h", local)
        assert await link.beat()
        (outcome,) = await link.write([move], scan.snapshot.time + timedelta(seconds=600))
        assert outcome.ok
        await link.advance(300.0)
        scan = await link.read()
        assert (scan.setpoints["precursor_feed"], scan.in_control) == (0.001, True)
        (renewed,) = await link.renew(scan.snapshot.time + timedelta(seconds=600), ["precursor_feed"])
        assert renewed.ok
        await link.advance(900.0)
        assert (await link.read()).setpoints["precursor_feed"] == local
        (late,) = await link.renew(UNTIL, ["precursor_feed"])
        assert not late.ok
        scan = await link.read()
        await link.write([move], scan.snapshot.time + timedelta(seconds=600))
        assert (await link.read()).setpoints["precursor_feed"] == 0.001
        (released,) = await link.release([move])
        assert released.ok
        assert (await link.read()).setpoints["precursor_feed"] == local
        await link.close()

    asyncio.run(run())


def test_a_setpoint_beyond_the_plants_own_range_is_refused_there_too(
    simulator: Any, at: Callable[..., Settings]
) -> None:
    async def run() -> None:
        shipped = lockstep(at, simulator.port)
        wide = tuple(replace(v, high=1.0) if v.name == "feed" else v for v in shipped.variables)
        limits = {**shipped.limits, "feed": replace(shipped.limits["feed"], high=1.0)}
        link = PlantLink(replace(shipped, variable=wide, limits=limits))
        await link.connect(20.0, check=False)  # the check would find the limits too wide
        scan = await link.read()
        (outcome,) = await link.write([Move("feed", 0.5, "L/h", 0.0)], scan.snapshot.time + timedelta(seconds=600))
        assert (outcome.ok, outcome.reason) == (False, "the plant refused FIC201.SP: BadOutOfRange")
        assert (await link.read()).setpoints["feed"] == scan.local["feed"]
        await link.close()

    asyncio.run(run())


def test_a_killed_plant_is_back_in_force_and_in_time_after_its_restart(
    simulator: Any, at: Callable[..., Settings]
) -> None:
    async def run() -> None:
        link = PlantLink(lockstep(at, simulator.port, reconnect_max_delay_s=4.0))
        await link.connect(20.0)
        scan = await link.read()
        assert await link.beat()
        move = Move("precursor_feed", 0.001, "L/h", scan.local["precursor_feed"])
        (outcome,) = await link.write([move], scan.snapshot.time + timedelta(seconds=1800))
        assert outcome.ok
        before = (await link.read()).snapshot.time
        link.take_events()
        simulator.kill()
        await lost(link, 60.0)
        await asyncio.to_thread(simulator.start)
        scan = await back(link, 150.0)
        assert scan.snapshot.time == before
        assert [e.kind for e in link.take_events()][:2] == ["lost", "restored"]
        assert link.resynchronised
        await link.close()

    asyncio.run(run())


def test_a_stopped_plant_process_is_lost_and_found_when_it_goes_on(simulator: Any, at: Callable[..., Settings]) -> None:
    async def run() -> None:
        link = PlantLink(at(simulator.port, lockstep=True, timeout_s=1.5))
        await link.connect(20.0)
        await link.read()
        simulator.signal(signal.SIGSTOP)
        try:
            assert "no answer within 1.5 s" in await lost(link, 60.0)
        finally:
            simulator.signal(signal.SIGCONT)
        await back(link, 150.0)
        assert link.resynchronised
        await link.close()

    asyncio.run(run())


def test_a_loss_between_write_and_read_back_is_unknown_until_a_look_after_reconnection_settles_it(
    plant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(landed: bool) -> list[tuple[str, str]]:
        link = PlantLink(plant.settings)
        actuator = Actuator(link)
        await link.connect(10.0)
        await link.read()
        put = Client.write_values

        async def cut(self: Client, nodes: Any, values: Any, **how: Any) -> Any:
            tag = str(nodes[0].nodeid.Identifier)
            if tag.startswith("SUPERVISOR") or (landed and tag == "FIC201.SP"):
                return await put(self, nodes, values, **how)
            if landed:
                await put(self, nodes, values, **how)
            raise ConnectionError("the line was cut")

        command = Command("S1", (FEED,), NOW, UNTIL, "auto")
        with monkeypatch.context() as broken:
            broken.setattr(Client, "write_values", cut)
            done = await actuator.act(decided(command))
        told = done.events
        assert (done.written, done.refused, done.unknown, done.faults) == (0, 0, 1, ())
        asked = Ruling(Intent("propose", "ada", NOW), True, "it is being written")
        assert isinstance(carried_out(asked, done), Unsettled)
        scan = await back(link, 150.0)
        assert link.settling == ("feed",)
        assert "feed" not in situation_of(scan, plant.settings, unsettled=link.settling).setpoints
        while not (done := await actuator.settle()).events:
            await asyncio.sleep(0.1)
        await link.close()
        assert len(done.faults) == (0 if landed else 1)
        return told + done.events

    (_, unknown), (kind, text) = asyncio.run(run(landed=True))
    assert "the line was cut" in unknown and unknown.endswith("0.041 may be in force until 12:30")
    assert (kind, text) == ("written", "S1 by auto: feed = 0.041 L/h, read back")
    plant.reset()
    (_, _), (kind, text) = asyncio.run(run(landed=False))
    assert kind == "refused" and "0.041 was written" in text
    assert plant.held("FIC201.VALID_UNTIL") < NOW


def test_what_was_unknown_and_is_given_back_is_said_to_be_so(plant: Any) -> None:
    plant.late_s = 1.0

    async def run() -> None:
        link = PlantLink(replace(plant.settings, connection=replace(plant.settings.connection, settle_s=60.0)))
        actuator = Actuator(link)
        await link.connect(10.0)
        await link.read()
        await link.beat()
        write = asyncio.create_task(actuator.act(decided(Command("S1", (FEED,), NOW, UNTIL, "auto"))))
        await asyncio.sleep(0.4)
        plant.freeze(3.5)  # longer than the timeout: the outcome is lost
        assert (await write).unknown == 1
        await back(link, 150.0)
        done = await actuator.act(decided(None))
        assert done.events == [("refused", "S1: it was given back before it was seen in force")]
        await asyncio.sleep(1.5)
        assert plant.held("FIC201.VALID_UNTIL") < NOW
        await link.close()

    asyncio.run(run())


def decided(command: Command | None, mode: Mode = Mode.AUTO) -> Any:
    """As much of a Decision as the actuator looks at."""
    return SimpleNamespace(command=command, mode=mode)
