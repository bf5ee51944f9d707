"""`neurotwin bench loop`: what a turn and a whole scan cost over real OPC UA, with and without looking ahead."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from controller.assembly import Assembly, assemble
from controller.demo.child_plant import plant_in_lockstep
from controller.edge.historian import Historian
from controller.edge.opcua import PlantLink
from controller.edge.situation import situation_of
from controller.loop.mode_ladder import Ladder
from controller.loop.records import Decision, Mode
from controller.loop.turn import Memory, turn
from controller.processes import Process
from controller.settings import Settings, process_of
from controller.tables import NeuroCoreTable, VariableTable
from plant_sim.server import lads
from plant_sim.tags import tags_of
from twin.signals import Role

TAGS = 50  # of a scan; what the loop itself needs is fewer
Backend = Literal["lava-fixed", "lava-float", "reference"]


def measured(
    process: Process, tell: Callable[[str], None], scans: int = 240, backend: Backend | None = None
) -> dict[str, Any]:
    """Times in milliseconds. `scan` is read, turn and record together; `planning` is a turn that looks ahead."""
    with tempfile.TemporaryDirectory() as folder, plant_in_lockstep(Path(folder), process) as settings:
        if backend:
            settings = replace(settings, neurocore=NeuroCoreTable(backend, settings.neurocore.seed))
        settings = _watching(settings)
        tell(f"compiling, then {scans} scans on {settings.neurocore.backend}")
        made = assemble(settings)
        try:
            return asyncio.run(_run(settings, made, scans))
        finally:
            made.core.close()


def _watching(settings: Settings) -> Settings:
    """With so many tags: besides those of the loop, what its instruments and its regulators show in other places."""
    design = process_of(settings).design()
    moved, shows = {*design.pumps, *design.loops}, ("SensorValue", "CurrentValue")
    shown = [
        (point, f"{lads.name_of(design, point)}.{shows[point.tag.partition('.')[0] in moved]}")
        for point in (instrument.point for instrument in design.online)
    ]
    points = tags_of(design).points
    shown += [(points[tag], tag) for tag in (f"{loop}.SP_ACTIVE" for loop in design.loops)]
    more = [
        VariableTable(f"watched_{k}", point.unit, point.low, point.high, Role.MEASURED, node)
        for k, (point, node) in enumerate(shown)
    ]
    return replace(settings, variable=(*settings.variable, *more[: TAGS - _tags(settings)]))


def _tags(settings: Settings) -> int:
    """What is read at a scan."""
    return len([tag for tag in settings.tags() if tag[1] != "advance_node"])


async def _run(settings: Settings, made: Assembly, scans: int) -> dict[str, Any]:
    link, historian = PlantLink(settings), Historian(settings.historian_path())
    parts, memory = made.parts, Memory(Ladder(Mode.SHADOW, "a measurement"))
    plain: list[tuple[float, float, float]] = []
    planning: list[float] = []
    try:
        await link.connect(60.0)
        for number in range(scans + 5):
            await link.advance(settings.connection.scan_s)
            clock = [time.perf_counter()]
            scan = await link.read()
            clock.append(time.perf_counter())
            before = memory.outlook
            decision, memory = turn(memory, scan.snapshot, situation_of(scan, settings), parts)
            clock.append(time.perf_counter())
            historian.record(decision, None)
            clock.append(time.perf_counter())
            if number < 5:
                continue  # the first turns warm up
            spent = [1000.0 * (late - early) for early, late in pairwise(clock)]
            if memory.outlook is not before:
                planning.append(spent[1])
            else:
                plain.append((spent[0], spent[1], sum(spent)))
        return _report(settings, decision, plain, planning)
    finally:
        historian.close()
        await link.close()


def _report(
    settings: Settings, last: Decision, plain: list[tuple[float, float, float]], planning: list[float]
) -> dict[str, Any]:
    reads, turns, whole = (sorted(column) for column in zip(*plain, strict=True))
    return {
        "turn_p50": statistics.median(turns),
        "turn_p99": turns[int(0.99 * (len(turns) - 1))],
        "scan_p50": statistics.median(whole),
        "scan_p99": whole[int(0.99 * (len(whole) - 1))],
        "read_p50": statistics.median(reads),
        "planning_p50": statistics.median(planning) if planning else None,
        "tags": _tags(settings),
        "scans": len(plain),
        "backend": last.insight.backend,
    }
