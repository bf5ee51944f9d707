"""Polling: the plant is looked at until a scan is due; a lost link is awaited, and no laboratory result is missed."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from controller.edge.event_journal import EventJournal
from controller.edge.opcua import PlantLink, PlantLost, Scan
from controller.edge.outage import Outage
from controller.edge.requests import Requests
from controller.edge.scan_clock import ScanClock
from controller.tables import ConnectionTable
from twin.signals import Assay


class Poller:
    """Waits for scans of one plant."""

    def __init__(
        self,
        link: PlantLink,
        connection: ConnectionTable,
        clock: ScanClock,
        requests: Requests,
        outage: Outage,
        journal: EventJournal,
    ) -> None:
        self._link, self._connection, self._clock = link, connection, clock
        self._requests, self._outage, self._journal = requests, outage, journal
        self._arrived: tuple[Assay, ...] = ()  # laboratory results that wait for the next turn

    async def next_scan(self) -> Scan:
        """The next scan on which a turn is due."""
        while True:
            _heed_cancellation()
            scan = await self._look()
            if scan is not None and self._clock.due(scan.snapshot.time, bool(self._requests)):
                # A result that arrived between two turns was told once, by the look that is not a turn.
                assays, self._arrived = self._arrived, ()
                return replace(scan, snapshot=replace(scan.snapshot, assays=assays))
            if scan is not None and self._clock.stalled(scan):
                self._outage.stalled(scan.stalled_s)
            await asyncio.sleep(self._connection.poll_s)

    async def _look(self) -> Scan | None:
        """What the plant shows now; None when it is lost, or nothing has changed since the last look."""
        try:
            if self._connection.lockstep and self._clock.started:
                await self._link.advance(self._connection.scan_s)
            scan = await self._link.poll(self._clock.due_at())
        except PlantLost as fault:
            await self._outage.lost(str(fault))
            await self._tell_link()
            return None
        if scan is not None:
            self._outage.over()
            await self._tell_link()
            self._arrived += scan.snapshot.assays
        return scan

    async def _tell_link(self) -> None:
        """What happened to the link since the last scan; before the first one there is no process time to note it."""
        if self._clock.started:
            for happened in self._link.take_events():
                await self._journal.event(happened.kind, happened.text)


def _heed_cancellation() -> None:
    """Stop if this task was asked to: asyncio.wait_for of Python 3.11 forgets it when its answer comes just then."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
