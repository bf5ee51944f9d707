"""After an outage: what the plant remembers of it is fetched beside the loop and stored, never acted upon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from controller.edge.opcua import PlantLink, PlantLost
from twin.signals import Reading

MISSED_SCANS = 1.5  # a step of process time longer than so many scans is an outage (design)

Store = Callable[[str, Mapping[str, tuple[Reading, ...]]], Awaitable[int]]
Tell = Callable[[str, str], Awaitable[None]]


class CatchingUp:
    """Fetches one outage at a time; control does not wait for it."""

    def __init__(self, link: PlantLink, scan_s: float, store: Store, tell: Tell) -> None:
        self._link, self._scan_s, self._store, self._tell = link, scan_s, store, tell
        self._task: asyncio.Task[None] | None = None

    def seen(self, before: datetime | None, batch: str, now: datetime) -> None:
        """A scan at `now` follows one at `before`; what lies between is fetched if that is an outage."""
        if before is None or (now - before).total_seconds() <= MISSED_SCANS * self._scan_s:
            return
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._fetch(before, batch, now))

    async def _fetch(self, start: datetime, batch: str, end: datetime) -> None:
        try:
            readings = await self._link.history(start, end)
        except PlantLost as fault:
            await self._tell("history", f"the plant's history of {start:%H:%M} to {end:%H:%M} was not had: {fault}")
            return
        if readings:
            count = await self._store(batch, readings)
            told = f"{count} values of {len(readings)} variables from {start:%Y-%m-%d %H:%M} to {end:%H:%M}"
            await self._tell("history", f"{told} were fetched from the plant's history")

    async def close(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
