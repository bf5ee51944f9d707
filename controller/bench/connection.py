"""A lost connection, over real OPC UA: how soon the link says so, and what the plant did in the meantime."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from controller.bench.outcome import CONNECTION, Outcome
from controller.edge.opcua import PlantLink, PlantLost, Scan
from controller.loop.records import Move
from controller.settings import Settings, process_of
from plant_sim.server import Options, serve

AT_S = 3600.0
SCRIPT = """
[[fault]]
kind = "connection_loss"
tag = "LINK"
at_h = 1.0
until_h = 3.0  # the loss outlasts the plant's lease of an hour
"""
BACK_WITHIN_S = 300.0  # a busy machine takes its time for two process hours
PATIENCE_S = 15.0  # plant and controller share one event loop here


def lost_connection(of: Settings, seed: int) -> Outcome:
    """Command a pump, lose the plant for two process hours, and see what is found when it is back."""
    return asyncio.run(_lost(of, seed))


async def _lost(of: Settings, seed: int) -> Outcome:
    endpoint = f"opc.tcp://127.0.0.1:{_free_port()}/neurotwin"
    here = replace(of, connection=replace(of.connection, endpoint=endpoint, lockstep=True, timeout_s=PATIENCE_S))
    ready, link = asyncio.Event(), PlantLink(here)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "faults.toml"
        script.write_text(SCRIPT)
        serving = asyncio.create_task(
            serve(Options(process_of(of).design(), endpoint=endpoint, seed=seed, faults=script), ready)
        )
        try:
            await asyncio.wait_for(ready.wait(), BACK_WITHIN_S)
            return await _watched(here, link, seed)
        finally:
            await link.close()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


async def _watched(of: Settings, link: PlantLink, seed: int) -> Outcome:
    scan = await link.read()
    until = scan.snapshot.time + timedelta(hours=6)
    move = _move(of, scan)
    await link.beat()
    await link.write([move], until)
    began, noticed, why = scan.snapshot.time, None, ""
    for _ in range(60):
        try:
            await link.beat()
            await link.advance(of.connection.scan_s)
            scan = await link.read()
        except PlantLost as fault:
            back = await _back(link, scan.snapshot.time)
            if (back.snapshot.time - began).total_seconds() < AT_S:  # a busy machine, not the loss that is awaited
                scan = back
                continue
            due_s = (scan.snapshot.time - began).total_seconds() + of.connection.scan_s
            noticed, why = max(0.0, due_s - AT_S) / 3600.0, str(fault)
            break
    back = await _back(link, began + timedelta(seconds=2 * AT_S))
    limits: list[str] = []
    if back.setpoints[move.variable] != back.local[move.variable]:
        limits.append("the setpoint of before the loss was still in force after its lease")
    if back.lapses != 1:
        limits.append(f"{back.lapses} lapses were counted, not one")
    by = ("the link",) if noticed is not None else ()
    why = why.replace(of.connection.endpoint, "it")
    return Outcome(CONNECTION, seed, noticed, by, "link lost", why, 0, tuple(limits))


def _move(of: Settings, scan: Scan) -> Move:
    """A quarter of a step up, of the first setpoint that may be moved in this phase, or of any."""
    names = sorted(of.limits, key=lambda name: scan.phase not in of.limits[name].phases)
    variable = next(v for v in of.manipulated() if v.name == names[0])
    local = scan.local[variable.name]
    return Move(variable.name, local + of.limits[variable.name].max_step / 4, variable.unit, local)


async def _back(link: PlantLink, since: datetime) -> Scan:
    """The first scan at this process time or later; a server that is about to be lost may still answer."""
    async with asyncio.timeout(BACK_WITHIN_S):
        while True:
            with contextlib.suppress(PlantLost):
                scan = await link.read()
                if scan.snapshot.time >= since:
                    return scan
            await asyncio.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
