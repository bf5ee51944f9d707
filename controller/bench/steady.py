"""A gateway over days of made-up scans, to which one is added every second: `python -m controller.bench.steady FILE`.

The historian and the gateway are those of a controller. Only the turns are made by chance instead of by a loop, so
that a process that serves pages can be measured without the plant, the twin and NeuroCore beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

from controller.bench.turns import STATES, decision
from controller.edge.advice import Followed, Past
from controller.edge.gateway import application, hang_up
from controller.edge.gateway.source import Bucket
from controller.edge.historian import Historian
from controller.loop.alarms import AlarmRules, Definition
from controller.loop.batch import Recipe
from controller.loop.records import Decision, Intent, Mode, Ruling
from controller.loop.what_if import Considered
from twin.records import Band, Forecast, Plan, Step
from twin.signals import Assay

PLANT, BATCH, TAGS = "R1", "turns", 20
NAMES = [f"tag_{i:03d}" for i in range(TAGS)]
MOVED = NAMES[-2:]  # have setpoints
AHEAD_H, POINTS = 100.0, 100  # of a forecast
LOOKS_AHEAD = 300  # turns between two forecasts, as with a scan a second and one forecast in five minutes


def fill(path: Path, days: float, now: datetime) -> int:
    """Scans of 20 noisy random walks, one a second for so many days up to now, in a new historian; how many rows."""
    scans, chance = round(days * 86_400), np.random.default_rng(0)
    level, began = chance.uniform(10, 90, TAGS), int(now.timestamp() * 1000) - 1000 * scans
    series = [f"process.{name}" for name in NAMES] + [f"setpoint.{name}" for name in MOVED]
    with Historian(path) as historian:
        for first in range(0, scans, 3600):
            count = min(3600, scans - first)
            walk = level + np.cumsum(chance.normal(0, 0.01, (count, TAGS)), axis=0)
            level = walk[-1]
            shown = np.hstack([walk + chance.normal(0, 0.03, walk.shape), np.round(walk[:, -2:])])
            values = np.asarray(np.round(shown, 2), np.float64)
            times = [began + 1000 * (first + i) for i in range(count)]
            historian.scans(PLANT, BATCH, series, times, values, np.zeros(values.shape, np.int64))
    return scans * len(series)


class Steady:
    """The Source: a turn a second."""

    def __init__(self, historian: Historian, start: datetime, length_h: float) -> None:
        self._historian, self._start, self._length_h = historian, start, length_h
        self._latest: Decision | None = None
        self._forecast: Forecast | None = None
        self._turns = 0
        self._listeners: set[asyncio.Queue[datetime]] = set()

    async def run(self) -> None:
        """Take a turn a second, record it, and tell whoever listens."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if self._turns % LOOKS_AHEAD == 0:
                self._forecast = _forecast(datetime.now(UTC))
            made = decision(datetime.now(UTC), TAGS)
            situation = replace(made.situation, setpoints=dict.fromkeys(MOVED, 50.0), batch=BATCH)
            self._latest = replace(made, situation=situation, baseline=self._forecast)
            await asyncio.to_thread(self._historian.record, self._latest)
            self._turns += 1
            for queue in self._listeners:
                queue.put_nowait(made.time)
            due += 1.0
            await asyncio.sleep(max(0.0, due - loop.time()))

    def plant(self) -> Mapping[str, Any]:
        """Twenty variables, two of which have setpoints."""
        spans = {"unit": "%", "low": 0.0, "high": 100.0}
        roles = ["manipulated" if name in MOVED else "measured" for name in NAMES]
        return {
            "name": PLANT,
            "model": "bench",
            "text": "Made-up scans",
            "advisory_only": False,
            "variables": [{"name": n, "role": r, "text": "", **spans} for n, r in zip(NAMES, roles, strict=True)],
            "states": [{"name": name, "unit": "g/L"} for name in STATES],
            "limits": {name: {"low": 0.0, "high": 100.0, "rate_per_h": 10.0} for name in MOVED},
            "batch_length_h": self._length_h,
        }

    def latest(self) -> Decision | None:
        """The last turn."""
        return self._latest

    def status(self) -> Mapping[str, Any]:
        """All is well."""
        setpoint = {"local": 50.0, "active": 50.0, "owner": "recipe"}
        return {
            "link": "connected",
            "link_text": "",
            "mode": Mode.ADVISORY,
            "mode_reason": "asked by an operator",
            "scans": self._turns,
            "scan_period_s": 1.0,
            "scanned_at": self._latest.time if self._latest else None,
            "batch": {"id": BATCH, "start": self._start, "phase": "production"},
            "setpoints": dict.fromkeys(MOVED, setpoint),
        }

    async def trend(
        self, series: list[str], start: datetime, end: datetime, buckets: int
    ) -> Mapping[str, Sequence[Bucket]]:
        """From the historian, as a controller's."""
        return await asyncio.to_thread(self._historian.trend, PLANT, BATCH, series, start, end, buckets)

    async def events(self, limit: int, kinds: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        """From the historian, as a controller's."""
        rows = await asyncio.to_thread(self._historian.events, limit=limit, kinds=kinds)
        return [{"time": e.time, "kind": e.kind, "text": e.text} for e in reversed(rows)]

    async def assays(self) -> Sequence[Assay]:
        """From the historian, as a controller's."""
        return await asyncio.to_thread(self._historian.assays, PLANT, BATCH)

    async def gaps(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """None."""
        return ()

    def alarms(self) -> tuple[Sequence[Definition], AlarmRules]:
        """None."""
        return (), AlarmRules()

    def recipe(self) -> Recipe | None:
        """None."""
        return None

    async def submit(self, intent: Intent) -> Ruling:
        """Nobody acts here."""
        return Ruling(intent, False, "these scans are made up: there is nothing to act upon")

    async def what_if(self, steps: Sequence[Step]) -> Considered | str:
        """There is no twin."""
        return "these scans are made up: there is nothing to forecast"

    async def suggestions(self) -> Sequence[Past]:
        """None."""
        return ()

    def followed(self, past: Past) -> Followed | None:
        """Nothing."""
        return None

    async def system(self) -> Sequence[Mapping[str, Any]]:
        """No parts."""
        return ()

    async def report(self) -> bytes | str:
        """None."""
        return "these scans are made up: there is nothing to report of"

    async def subscribe(self) -> AsyncIterator[datetime]:
        """The time of each turn."""
        queue: asyncio.Queue[datetime] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)


def _forecast(now: datetime) -> Forecast:
    times = tuple(now + timedelta(hours=AHEAD_H * i / POINTS) for i in range(POINTS + 1))
    middle = tuple(20.0 + 0.01 * i for i in range(POINTS + 1))
    low, high = (tuple(m + side * 0.02 * i for i, m in enumerate(middle)) for side in (-1, 1))
    band = Band(middle, low, high, low, high)
    plan = Plan((Step(now, dict.fromkeys(MOVED, 50.0)),), times[-1])
    return Forecast(now, plan, times, dict.fromkeys(STATES, band), (20.0, 21.0), "amount at the end", "g/L")


async def serve(path: Path, port: int) -> None:
    """Serve until interrupted; says "gateway ready" when it can be asked."""
    with Historian(path) as historian:
        first, _ = historian.span()
        start = datetime.fromtimestamp((first or 0) / 1000.0, UTC)
        hours = (datetime.now(UTC) - start).total_seconds() / 3600.0
        source = Steady(historian, start, 1.02 * hours)
        app = application(source)
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", ws="none", lifespan="off"))
        turning = asyncio.create_task(source.run())
        serving = asyncio.create_task(server.serve())
        while not server.started and not serving.done():
            await asyncio.sleep(0.05)
        print("gateway ready", flush=True)
        await asyncio.wait({turning, serving}, return_when=asyncio.FIRST_COMPLETED)
        hang_up(app)
        turning.cancel()
        await asyncio.gather(serving, turning, return_exceptions=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
