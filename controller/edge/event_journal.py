"""Event journal: what happens between two turns is noted at the process time of the last one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import structlog

from controller.edge.historian import Historian
from controller.edge.worker import Worker
from twin.signals import Reading

log = structlog.get_logger()


class EventJournal:
    """The historian's events of one plant, written from the event loop without holding it up."""

    def __init__(self, historian: Historian, plant: str, worker: Worker) -> None:
        self._historian, self._plant, self._worker = historian, plant, worker
        self._at: tuple[datetime, str] | None = None  # process time and batch

    def reached(self, time: datetime, batch: str) -> None:
        """Events are of this process time and batch from here on."""
        self._at = time, batch

    async def event(self, kind: str, text: str) -> None:
        """Note an event; before the first turn there is no process time to note it at, and it is only logged."""
        log.info(text, kind=kind)
        if self._at is not None:
            time, batch = self._at
            await self._worker.do(self._historian.event, time, self._plant, batch, kind, text)

    async def backfill(self, batch: str, readings: Mapping[str, tuple[Reading, ...]], how: str) -> int:
        """Store what the plant remembers of an outage; returns the number of values."""
        return await self._worker.do(self._historian.backfill, self._plant, batch, readings, how)
