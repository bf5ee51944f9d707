"""PlantLink speaks OPC UA with one plant: one batched read a scan, guarded writes, and a new client after every loss.

A lost client is discarded and a new one built: nothing of it is worth keeping (there are no subscriptions), its
namespace indexes may be wrong at a restarted server, and asyncua can hang when it reconnects through a black hole
(FreeOpcUa/opcua-asyncio issue 1660). Every new client looks everything up again, and writes only after a read.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from asyncua import Client, Node, ua

from controller.edge.tags import (
    Facts,
    Kind,
    LinkEvent,
    PlantLost,
    PlantMismatch,
    Scan,
    Tag,
    WriteOutcome,
    aged,
    fault_of,
    judge,
    tags_of,
)
from controller.records import Move
from controller.settings import Settings
from twin.signals import Assay, Quality, Reading, Role, Snapshot, Variable

__all__ = ["LinkEvent", "PlantLink", "PlantLost", "PlantMismatch", "Scan", "TagReport", "WriteOutcome"]

logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # what it logs of a lost link is reported as a LinkEvent

T = TypeVar("T")
LOST = (OSError, ua.UaError)  # ConnectionError and TimeoutError are OSErrors
FIRST_DELAY_S = 0.25
FAREWELL_S = 1.0  # how long a lost client may take to say goodbye
SESSION_MS = 60_000  # a server forgets a session that we lost after this, so that lost ones do not pile up
BEATS = 2**15  # the heartbeat wraps here, so that it fits every integer type
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_KINDS = {
    **dict.fromkeys((ua.ObjectIds.Float, ua.ObjectIds.Double), (Kind.NUMBER,)),
    **dict.fromkeys(
        (
            ua.ObjectIds.Int16,
            ua.ObjectIds.UInt16,
            ua.ObjectIds.Int32,
            ua.ObjectIds.UInt32,
            ua.ObjectIds.Int64,
            ua.ObjectIds.UInt64,
        ),
        (Kind.INTEGER, Kind.NUMBER),
    ),
    ua.ObjectIds.Boolean: (Kind.FLAG,),
    ua.ObjectIds.String: (Kind.TEXT,),
    ua.ObjectIds.DateTime: (Kind.TIME,),
    ua.ObjectIds.UtcTime: (Kind.TIME,),
}


@dataclass(frozen=True, slots=True)
class TagReport:
    """What the server says of one configured tag, and the fault in it, if any."""

    tag: Tag
    facts: Facts
    value: object
    quality: Quality
    status: str
    fault: str


@dataclass(slots=True)
class _Session:
    """One connected client with everything that was looked up through it."""

    client: Client
    nodes: Mapping[str, Node]
    reports: tuple[TagReport, ...] = ()
    types: Mapping[str, ua.VariantType] | None = None
    advance: tuple[Node, ua.NodeId] | None = None
    beats: int = 0


class PlantLink:
    """The wire to one plant. Every call either answers within the timeout or raises PlantLost."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._plant = settings.plant_record()
        self._timeout_s = settings.connection.timeout_s
        self._session: _Session | None = None
        self._gate = asyncio.Lock()
        self._lost = "not connected yet"
        self._delay_s = 0.0
        self._next_try = 0.0
        self._closed = False
        self._online = self._plant.having(Role.MEASURED, Role.MANIPULATED)
        self._written: dict[str, float] = {}
        self._now: datetime | None = None  # process time of the last scan
        self._first: datetime | None = None
        self._moved_on = time.monotonic()
        self.assays_seen: dict[str, datetime] = {}  # sampling time of the newest result of each assay
        self.resynchronised = False  # has the plant been read, and compared, since the link came up?
        self.events: list[LinkEvent] = []

    # -- the connection ----------------------------------------------------------------------------------------

    async def connect(self, deadline_s: float | None = None, check: bool = True) -> None:
        """Keep trying until the plant answers, at most `deadline_s` (None: for ever), then verify its tags."""
        end = math.inf if deadline_s is None else time.monotonic() + deadline_s
        while True:
            try:
                await self._ready()
                break
            except PlantLost as fault:
                if time.monotonic() + self._delay_s >= end:
                    raise PlantLost(
                        f"{fault}; gave up after {deadline_s:g} s: start the plant, or mend endpoint in [connection]"
                    ) from None
                await asyncio.sleep(self._delay_s)
        if check:
            await self.verify()

    async def close(self) -> None:
        """Say goodbye; the link cannot be used any more."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await _discard(session.client)

    def take_events(self) -> tuple[LinkEvent, ...]:
        """What happened to the link since this was last asked."""
        events, self.events = tuple(self.events), []
        return events

    async def inspect(self) -> tuple[TagReport, ...]:
        """What the server says of every configured tag; nothing is written."""
        session = await self._ready()
        return session.reports

    async def verify(self) -> None:
        """Raise PlantMismatch at the first tag that is not what the configuration says; nothing is written."""
        faults = [r.fault for r in await self.inspect() if r.fault]
        if faults:
            more = f" ({len(faults) - 1} more faults: neurotwin check --connect lists them)" if faults[1:] else ""
            raise PlantMismatch(f"{faults[0]}{more}")

    async def _ready(self) -> _Session:
        """The live session; a lost one is replaced, not more often than the back-off allows."""
        async with self._gate:
            if self._session is not None and not self._lost:
                return self._session
            if self._closed:
                raise PlantLost("the link to the plant was closed")
            if time.monotonic() < self._next_try:
                raise PlantLost(self._complaint())
            stale, self._session = self._session, None
            if stale is not None:
                await _discard(stale.client)
            try:
                self._session = await self._open()
            except LOST as fault:
                self._lost = self._reason(fault)
                self._delay_s = min(max(2 * self._delay_s, FIRST_DELAY_S), self._settings.connection.reconnect_max_delay_s)
                self._next_try = time.monotonic() + self._delay_s
                raise PlantLost(self._complaint()) from fault
            again = any(e == "connected" for e in self._history)
            self._delay_s, self._lost, self.resynchronised = 0.0, "", False
            return self._session
