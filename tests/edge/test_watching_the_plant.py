"""Between two scans the plant tells when to look; that is never taken for a scan, and silence is not trusted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from asyncua import ua

from controller.edge.opcua import PlantLink, Scan
from controller.settings import Settings
from twin.signals import Quality

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
DUE = NOW + timedelta(seconds=300)
T = TypeVar("T")


def linked(settings: Settings, work: Callable[[PlantLink], Awaitable[T]]) -> T:
    async def run() -> T:
        link = PlantLink(settings)
        try:
            await link.connect(10.0)
            return await work(link)
        finally:
            await link.close()

    return asyncio.run(run())


async def polled(link: PlantLink, due: datetime, within_s: float) -> Scan | None:
    """The first Scan that a poll gives in this time."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        scan = await link.poll(due)
        if scan is not None:
            return scan
        await asyncio.sleep(0.05)
    return None


def test_nothing_is_read_until_process_time_is_due_or_a_result_comes(plant: Any, at: Callable[..., Settings]) -> None:
    async def work(link: PlantLink) -> None:
        first = await link.poll(DUE)
        assert first is not None  # a new link must be read and compared
        await asyncio.sleep(0.5)
        await link.poll(DUE)  # the initial values were told by now
        assert await polled(link, DUE, 1.0) is None
        plant.show("AIC102.PV", 61.0, time=NOW + timedelta(seconds=200))
        assert await polled(link, DUE, 1.0) is None
        plant.show("AIC102.PV", 62.0, time=DUE)
        due = await polled(link, DUE, 5.0)
        assert due is not None
        assert due.snapshot.readings["dissolved_oxygen"].value == 62.0
        later = DUE + timedelta(seconds=300)
        assert await polled(link, later, 0.5) is None
        plant.show("LAB.BIOMASS", 6.5, time=NOW - timedelta(hours=4))
        result = await polled(link, later, 5.0)
        assert result is not None
        assert [a.variable for a in result.snapshot.assays] == ["biomass"]

    linked(at(plant.port, timeout_s=20.0), work)


def test_a_plant_that_says_nothing_is_read_to_make_sure(plant: Any, at: Callable[..., Settings]) -> None:
    async def work(link: PlantLink) -> Scan | None:
        assert await link.poll(DUE) is not None
        return await polled(link, DUE, 50.0)

    assert linked(at(plant.port, timeout_s=2.0), work) is not None


def test_a_value_that_never_changes_by_a_bit_is_frozen_though_its_time_goes_on(plant: Any) -> None:
    async def work(link: PlantLink) -> list[tuple[Quality, str]]:
        found = []
        for minutes, value in ((0, 60.0), (20, 60.0), (31, 60.0), (32, 60.01), (33, 60.01)):
            plant.show("AIC102.PV", value, time=NOW + timedelta(minutes=minutes))
            reading = (await link.read()).snapshot.readings["dissolved_oxygen"]
            found.append((reading.quality, reading.reason))
        return found

    good = (Quality.GOOD, "")
    frozen = (Quality.UNCERTAIN, "frozen: exactly 60 for 1860 s, 1800 s allowed")
    assert linked(plant.settings, work) == [good, good, frozen, good, good]


def test_what_the_plant_remembers_of_an_outage_is_judged_like_any_reading(plant: Any) -> None:
    values = [(NOW + timedelta(minutes=m), 60.0 + m / 10, 0) for m in range(1, 30)]
    values[4] = (values[4][0], 500.0, 0)
    values[6] = (values[6][0], 61.0, ua.StatusCodes.BadSensorFailure)
    plant.remember("AIC102.PV", values)

    async def work(link: PlantLink) -> Any:
        return await link.history(NOW, NOW + timedelta(minutes=20))

    found = linked(plant.settings, work)
    assert set(found) == {"dissolved_oxygen"}
    readings = found["dissolved_oxygen"]
    assert [r.time for r in readings] == [t for t, _, _ in values[:19]]
    assert [r.quality for r in readings[3:8]] == [Quality.GOOD, Quality.BAD, Quality.GOOD, Quality.BAD, Quality.GOOD]
    assert readings[0].value == 60.1


def test_a_server_with_limits_is_asked_in_portions(plant: Any, at: Callable[..., Settings]) -> None:
    plant.limit("MaxNodesPerRead", 7)
    plant.limit("MaxNodesPerTranslateBrowsePathsToNodeIds", 5)
    plant.limit("MaxMonitoredItemsPerCall", 4)
    settings = at(plant.port)
    scan = linked(settings, lambda link: link.read())
    assert all(r.usable for r in scan.snapshot.readings.values())
    assert plant.largest_read <= 7
    assert replace(scan.snapshot, assays=()).time == NOW
