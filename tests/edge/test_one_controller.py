"""A second controller at the same plant finds out, falls silent and writes nothing; the first one stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.edge.opcua import PlantLink
from controller.edge.opcua.rivals import Heartbeat
from controller.records import Move
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
