"""`neurotwin bench opcua`: what reading, writing and watching a plant costs, at 50 and at 1000 tags.

The server is a process of its own (asyncua as well), on the loopback without encryption: it adds its own time to every
request, but not to the client's processor time.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from controller.demo.child_plant import free_port
from controller.edge.opcua import PlantLink
from controller.edge.opcua.tags import KINDS, WRITTEN, Tag, TagKind, tags_of
from controller.loop.records import Move
from controller.processes import Process
from controller.settings import Settings, load
from controller.tables import BatchTable, LimitTable, SupervisorTable, VariableTable
from twin.signals import Role

SIZES = (50, 1000)
TYPES = {TagKind.NUMBER: "Double", TagKind.INTEGER: "UInt32", TagKind.TIME: "DateTime"}
FAR = timedelta(days=1)


def measured(
    process: Process,
    tell: Callable[[str], None],
    calls: int = 200,
    watch_s: float = 20.0,
    sizes: tuple[int, ...] = SIZES,
) -> dict[str, Any]:
    """All figures: times in milliseconds, processor time in percent of one core."""
    shipped = load(process.configuration)
    report: dict[str, dict[str, float]] = {}
    for size in sizes:
        tell(f"{size} tags: {calls} reads, then {watch_s:g} s of a scan a second")
        with _plant(_reading(shipped, size)) as settings:
            for name, figure in asyncio.run(_reads(settings, calls, watch_s)).items():
                report.setdefault(name, {})[str(size)] = figure
        tell(f"{size} tags: {calls // 4} writes, each read back")
        with _plant(_writing(shipped, size)) as settings:
            for name, figure in asyncio.run(_writes(settings, calls // 4)).items():
                report.setdefault(name, {})[str(size)] = figure
    largest = str(sizes[-1])
    return {**report, f"client_cpu_percent_{largest}": report["client_cpu_percent"][largest]}


async def _reads(settings: Settings, calls: int, watch_s: float) -> dict[str, float]:
    link = PlantLink(settings)
    try:
        began = time.perf_counter()
        await link.connect(30.0)
        connected_ms = 1000.0 * (time.perf_counter() - began)
        times = await _timed(link.read, calls)
        return {
            "connect": connected_ms,
            **_spread("read", times),
            "client_cpu_percent": await _cpu_percent(link, watch_s, scans=True),
            "subscription_cpu_percent": await _cpu_percent(link, watch_s / 2, scans=False),
        }
    finally:
        await link.close()


async def _writes(settings: Settings, calls: int) -> dict[str, float]:
    link = PlantLink(settings)
    try:
        await link.connect(30.0)
        for _ in range(2):  # a heartbeat without a claim is watched for a scan
            await link.read()
        names = [v.name for v in settings.manipulated()]
        numbers = iter(range(1_000_000))

        async def write() -> None:
            value = 1.0 + next(numbers) % 97
            done = await link.write([Move(n, value, "L/h", 0.0) for n in names], datetime.now(UTC) + FAR)
            refused = next((o.reason for o in done if not o.ok), "")
            if refused:
                raise ValueError(f"a write of the bench was refused: {refused}")

        return _spread("write", await _timed(write, calls))
    finally:
        await link.close()


async def _cpu_percent(link: PlantLink, seconds: float, scans: bool) -> float:
    """Our own processor time while we follow a plant as the runner does; without `scans` no scan is ever due."""
    began, used = time.perf_counter(), time.process_time()
    due = datetime.now(UTC)
    while time.perf_counter() - began < seconds:
        scan = await link.poll(due if scans else due + FAR)
        if scan is not None:
            due = scan.snapshot.time + timedelta(seconds=0.999)
        await asyncio.sleep(0.2)
    return 100.0 * (time.process_time() - used) / (time.perf_counter() - began)


async def _timed(call: Callable[[], Awaitable[object]], times: int) -> list[float]:
    """Milliseconds of each call; the first few warm up and do not count."""
    found = []
    for number in range(times + 5):
        began = time.perf_counter()
        await call()
        if number >= 5:
            found.append(1000.0 * (time.perf_counter() - began))
    return found


def _spread(name: str, times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {f"{name}_p50": statistics.median(ordered), f"{name}_p99": ordered[int(0.99 * (len(ordered) - 1))]}


def _reading(shipped: Settings, size: int) -> Settings:
    """A plant of so many on-line values."""
    table = [VariableTable(f"v{i}", "%", 0.0, 100.0, Role.MEASURED, f"AI{i}.PV") for i in range(size)]
    return _with(shipped, tuple(table), {})


def _writing(shipped: Settings, size: int) -> Settings:
    """A plant of so many setpoints."""
    table = [
        VariableTable(f"v{i}", "L/h", 0.0, 100.0, Role.MANIPULATED, f"FIC{i}.PV", setpoint=f"FIC{i}.SP")
        for i in range(size)
    ]
    return _with(shipped, tuple(table), {v.name: LimitTable(0.0, 100.0, 100.0, 100.0, ("production",)) for v in table})


def _with(shipped: Settings, variables: tuple[VariableTable, ...], limits: dict[str, LimitTable]) -> Settings:
    at = replace(shipped.connection, advance_node=None, scan_s=1.0, timeout_s=30.0)
    gates = replace(shipped.gates, evidence=tuple(v.name for v in variables[:1]))
    return Settings(
        plant=shipped.plant,
        connection=at,
        variable=variables,
        supervisor=SupervisorTable("HEARTBEAT"),
        batch=BatchTable(shipped.batch.length_h),
        historian=shipped.historian,
        limits=limits,
        recipe=dict.fromkeys(limits, 1.0),
        gates=gates,
    )


@contextmanager
def _plant(settings: Settings) -> Iterator[Settings]:
    """The server for these settings as a child process, and the settings with its endpoint."""
    endpoint = f"opc.tcp://127.0.0.1:{free_port(0)}/neurotwin"
    with tempfile.TemporaryDirectory() as folder:
        tags = Path(folder) / "tags.json"
        tags.write_text(json.dumps([_described(t, settings) for t in tags_of(settings)]))
        child = subprocess.Popen(
            [sys.executable, "-m", "plant_sim.many_tags", endpoint, str(tags)], stdout=subprocess.PIPE, text=True
        )
        try:
            if child.stdout is None or "ready" not in child.stdout.readline():
                raise RuntimeError("the server of the bench did not start")
            yield replace(settings, connection=replace(settings.connection, endpoint=endpoint))
        finally:
            child.kill()
            child.wait(10)
            if child.stdout is not None:
                child.stdout.close()


def _described(tag: Tag, settings: Settings) -> dict[str, Any]:
    kind = KINDS[tag.key]
    found: dict[str, Any] = {"node": tag.node, "type": TYPES[kind], "writable": tag.key in WRITTEN}
    if kind is not TagKind.NUMBER:
        return {**found, "value": 0, "moves": False}
    return {**found, "unit": tag.unit, "low": 0.0, "high": 100.0, "value": 50.0, "moves": tag.key == "node"}
