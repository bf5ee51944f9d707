"""Backfill after an outage: what the plant remembers of it is fetched beside the loop and stored, never acted upon."""

from __future__ import annotations

import asyncio
from datetime import datetime

from controller.edge.event_journal import EventJournal
from controller.edge.opcua import PlantLink, PlantLost
from controller.tables import ConnectionTable

MISSED_SCANS = 1.5  # a step of process time longer than so many scans is an outage (design)


class CatchingUp:
    """Fetches one outage at a time; control does not wait for it."""

    def __init__(self, link: PlantLink, connection: ConnectionTable, journal: EventJournal) -> None:
        self._link, self._connection, self._journal = link, connection, journal
        self._before: datetime | None = None  # process time of the last scan in the historian
        self._task: asyncio.Task[None] | None = None

    def resumed(self, last: datetime) -> None:
        """The batch is taken up again; its last scan was at this process time."""
        self._before = last

    def seen(self, batch: str, now: datetime) -> None:
        """A scan is in; what lies between it and the one before is fetched if that is an outage."""
        before, self._before = self._before, now
        if before is None or (now - before).total_seconds() <= MISSED_SCANS * self._connection.scan_s:
            return
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._fetch(before, batch, now))

    async def _fetch(self, start: datetime, batch: str, end: datetime) -> None:
        try:
            readings = await self._link.history(start, end)
        except PlantLost as fault:
            told = f"the plant's history of {start:%H:%M} to {end:%H:%M} was not had: {fault}"
            await self._journal.event("history", told)
            return
        if readings:
            how = f"HistoryRead of {self._connection.endpoint}"
            count = await self._journal.backfill(batch, readings, how)
            told = f"{count} values of {len(readings)} variables from {start:%Y-%m-%d %H:%M} to {end:%H:%M}"
            await self._journal.event("history", f"{told} were fetched from the plant's history")

    async def close(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
