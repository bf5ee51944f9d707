"""Our client at a server that is not asyncua: read, write, refusal, subscription and reconnection, open and secured."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.edge.opcua import PlantLink, PlantLost, PlantMismatch
from controller.edge.opcua.certificates import Store
from controller.loop.records import Move
from controller.settings import Settings


@pytest.fixture(params=["None", "Basic256Sha256"])
def secured(request: Any, node_plant: Any, tmp_path: Path) -> Any:
    """The settings for one policy; under encryption the server is first refused, and then trusted."""
    if request.param == "None":
        return node_plant.settings()
    store = Store(tmp_path / "certificates")
    store.create()
    settings = node_plant.settings(security=request.param, certificates=store.folder)

    async def refused() -> None:
        link = PlantLink(settings)
        with pytest.raises(PlantMismatch, match="which is not trusted: compare the thumbprint"):
            await link.connect(20.0)
        await link.close()

    asyncio.run(refused())
    (met,) = store.entries("rejected")
    store.trust(met.thumbprint)
    return settings


async def scan_again(link: PlantLink, within_s: float) -> Any:
    """The next scan that the link gives, however often it must try."""
    until = time.monotonic() + within_s
    while True:
        try:
            return await link.read()
        except PlantLost:
            assert time.monotonic() < until, f"not back within {within_s:g} s"
            await asyncio.sleep(0.1)


def without_process(settings: Settings) -> Settings:
    """Nothing follows a setpoint at this server, so that nothing is asked of what is in force."""
    variables = tuple(replace(v, active=None) for v in settings.variables)
    return replace(settings, variable=variables, supervisor=replace(settings.supervisor, in_control=None))


def test_a_foreign_server_is_read_written_watched_and_found_again(secured: Any, node_plant: Any) -> None:
    async def run() -> None:
        link = PlantLink(without_process(secured))
        await link.connect(20.0)
        scan = await link.read()
        assert all(r.usable for r in scan.snapshot.readings.values())
        assert scan.snapshot.readings["dissolved_oxygen"].value == pytest.approx(60.0, rel=1e-3)
        low, high = secured.limits["feed"].low, secured.limits["feed"].high
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
        assert await link.beat()
        (written,) = await link.write([Move("feed", (low + high) / 2, "L/h", low)], until)
        assert (written.ok, written.reason) == (True, "")
        assert written.read_back == (low + high) / 2
        await watched(link)
        node_plant.kill()
        with pytest.raises(PlantLost):
            while True:
                await link.read()
                await asyncio.sleep(0.05)
        await asyncio.to_thread(node_plant.start)
        again = await scan_again(link, 20.0)
        assert all(r.usable for r in again.snapshot.readings.values())
        await watched(link)
        await link.close()

    async def watched(link: PlantLink) -> None:
        """Between scans the link is silent, and it gives a scan when one is due."""
        await link.read()
        silent_by = time.monotonic() + 10.0
        while await link.poll(datetime.now(UTC) + timedelta(hours=1)) is not None:  # the subscription's first values
            assert time.monotonic() < silent_by, "the link is never silent"
            await asyncio.sleep(0.2)
        due = datetime.now(UTC) + timedelta(seconds=0.5)
        until = time.monotonic() + 10.0
        while (scan := await link.poll(due)) is None:
            assert time.monotonic() < until, "no scan when one was due"
            await asyncio.sleep(0.05)
        assert scan.snapshot.time >= due

    asyncio.run(run())


def test_a_setpoint_beyond_the_foreign_servers_range_is_refused_there(secured: Any) -> None:
    wide = tuple(replace(v, high=1.0) if v.name == "feed" else v for v in secured.variables)
    limits = {**secured.limits, "feed": replace(secured.limits["feed"], high=1.0)}

    async def run() -> None:
        link = PlantLink(replace(secured, variable=wide, limits=limits))
        await link.connect(20.0, check=False)  # the check would find the limits too wide
        await link.read()
        before = (await link.read()).setpoints["feed"]
        (outcome,) = await link.write([Move("feed", 0.9, "L/h", 0.0)], datetime.now(UTC) + timedelta(hours=1))
        assert (outcome.ok, outcome.reason) == (False, "the plant refused FIC201.SP: BadOutOfRange")
        assert (await link.read()).setpoints["feed"] == before
        await link.close()

    asyncio.run(run())


def test_a_foreign_server_lets_in_who_knows_the_password(node_plant: Any, tmp_path: Path) -> None:
    secret = tmp_path / "secret"

    async def attempt(password: str) -> None:
        secret.write_text(f"{password}\n")
        link = PlantLink(node_plant.settings(user="operator", password_file=secret))
        try:
            await link.connect(0.0)
            await link.read()
        finally:
            await link.close()

    asyncio.run(attempt("right"))
    with pytest.raises(
        PlantMismatch, match=r"does not let us in \(BadUserAccessDenied\): mend user 'operator' or password"
    ):
        asyncio.run(attempt("wrong"))
