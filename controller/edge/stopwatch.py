"""Execution time of NeuroCore: each step by the wall clock, which nothing inside the loop may know."""

from __future__ import annotations

import time

from controller.loop.parts import Core
from controller.loop.records import Insight
from twin.records import Estimate
from twin.signals import Snapshot


class Stopwatch:
    """A Core that is timed; `laps_ms` holds one entry a step."""

    def __init__(self, core: Core, laps_ms: list[float]) -> None:
        self._core, self.laps_ms = core, laps_ms

    def learn(self, learned: object, snapshot: Snapshot, estimate: Estimate) -> tuple[Insight, object]:
        """The core's own step, timed."""
        started = time.perf_counter()
        try:
            return self._core.learn(learned, snapshot, estimate)
        finally:
            self.laps_ms.append(1000.0 * (time.perf_counter() - started))
