"""Client connection to one plant: a new client after every loss, and every request within its time or PlantLost.

A lost client is discarded and a new one built. Nothing of it is worth keeping: its subscription only tells when to
read, its namespace indexes may be wrong at a restarted server, and asyncua can hang when it reconnects through a
black hole (FreeOpcUa/opcua-asyncio issue 1660). Every new client looks everything up again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.ua.uaerrors import UaStatusCodeError

from controller.edge.opcua.batches import BatchedRead, Limits, limits_of
from controller.edge.opcua.lookup import gather, node_id
from controller.edge.opcua.raw import Raw, number_in
from controller.edge.opcua.security import UNKNOWN_THERE, LoginRefused, advice, login_fault, secure
from controller.edge.opcua.supervision import READ_ONLY
from controller.edge.opcua.tags import Facts, PlantLost, PlantMismatch, Tag, fault_of, restriction_of
from controller.edge.opcua.watching import MonitoredItems, watch
from controller.settings import Settings
from twin.signals import Role

logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # what it logs of a lost link is reported as a LinkEvent

T = TypeVar("T")
FIRST_DELAY_S = 0.25
FAREWELL_S = 1.0  # how long a lost client may take to say goodbye
LOGIN_DELAY_S = 60.0  # between logins that the plant refuses, for repeated ones lock an account (design)
SESSION_MS = 60_000  # a server forgets a session that we lost after this, so that lost ones do not pile up


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """Something that happened to the connection, at a time of the wall clock."""

    time: datetime
    kind: str  # "connected", "lost", "restored" or "difference"
    text: str


@dataclass(frozen=True, slots=True)
class TagReport:
    """What the server says of one configured tag, and the fault in it, if any."""

    tag: Tag
    facts: Facts
    raw: Raw
    fault: str
    restriction: str = ""  # why it cannot be written, where it should be


@dataclass(slots=True)
class ClientSession:
    """One connected client with what was looked up through it."""

    client: Client
    nodes: Mapping[str, Node]
    reports: tuple[TagReport, ...] = ()
    types: Mapping[str, ua.VariantType] = field(default_factory=dict)
    advance: tuple[Node, ua.NodeId] | None = None
    limits: Limits = field(default_factory=Limits)
    whole: BatchedRead | None = None  # every tag, as a scan wants them
    watch: MonitoredItems | None = None


class Connection:
    """One client at a time, with what was looked up through it."""

    def __init__(self, settings: Settings, tags: tuple[Tag, ...]) -> None:
        self._at = settings.connection
        self._lease_s = settings.supervisor.lease_s
        self._tags = tags
        self._assayed = {v.name for v in settings.variables if v.role is Role.ASSAYED}
        self._session: ClientSession | None = None
        self._gate = asyncio.Lock()
        self._lost = "not connected yet"
        self._met = False
        self._next_try = 0.0
        self.closed = False
        self.delay_s = 0.0  # until the next attempt
        self.resynchronised = False  # has the plant been read, and compared, since the link came up?
        self.events: list[LinkEvent] = []

    async def ready(self) -> ClientSession:
        """The live session; a lost one is replaced, not more often than the back-off allows."""
        async with self._gate:
            if self._session is not None and not self._lost:
                return self._session
            if self.closed:
                raise PlantLost("the link to the plant was closed")
            if time.monotonic() < self._next_try:
                raise PlantLost(self._complaint())
            stale, self._session = self._session, None
            if stale is not None:
                await _discard(stale.client)
            try:
                self._session = await self._open()
            except PlantMismatch:
                raise
            except Exception as fault:  # asyncua lets out whatever a server's bytes made it stumble over
                self._lost = self._reason(fault)
                self._back_off(LOGIN_DELAY_S if isinstance(fault.__cause__, LoginRefused) else 0.0)
                raise PlantLost(self._complaint()) from fault
            self.resynchronised, self._lost, self.delay_s = False, "", 0.0
            self.note("restored" if self._met else "connected", f"connected to {self._at.endpoint}")
            self._met = True
            return self._session

    async def _open(self) -> ClientSession:
        """A new client and all that is looked up through it. A plant seen before may still be starting up."""
        client = Client(self._at.endpoint, timeout=self._at.timeout_s, watchdog_intervall=self._at.timeout_s / 2)
        client.session_timeout = SESSION_MS
        try:
            await asyncio.wait_for(secure(client, self._at), self._at.timeout_s)
            await self._log_in(client)
            session = await asyncio.wait_for(self._look_up(client), self._at.timeout_s)
            faults = [r.fault for r in session.reports if r.fault]
            if self._met and faults:
                raise ConnectionError(f"it is back, but {faults[0]}")
        except PlantMismatch as fault:
            await _discard(client)
            if self._met:
                raise ConnectionError(f"it is back, but {fault}") from fault
            raise
        except BaseException:
            await _discard(client)
            raise

        async def lost(fault: Exception) -> None:
            self._mark_lost(session, fault)

        client.connection_lost_callback = lost
        return session

    async def _log_in(self, client: Client) -> None:
        """Open the session; PlantMismatch when the plant knows no such user, for to try again would not help."""
        try:
            await asyncio.wait_for(client.connect(), self._at.timeout_s)
        except UaStatusCodeError as fault:
            if refused := login_fault(fault, self._at):
                raise LoginRefused(refused) from fault
            raise
        except AssertionError as fault:  # asyncua's word for a fault in place of a secure channel
            raise ConnectionError(f"AssertionError: it opens no secure channel to us; {UNKNOWN_THERE}") from fault

    async def _look_up(self, client: Client) -> ClientSession:
        """Resolve every tag by namespace URI, and learn what the server says of it."""
        namespaces = await client.get_namespace_array()
        nodes = {t.node: client.get_node(node_id(t.node, namespaces, self._at.namespace)) for t in self._tags}
        session = ClientSession(client, nodes, limits=await limits_of(client))
        every = [nodes[t.node] for t in self._tags]
        facts, session.types, raws = await gather(client, self._tags, every, session.limits)
        scanned = [nodes[t.node] for t in self._tags if t.key != "advance_node"]
        session.whole = BatchedRead(client, scanned, session.limits.read)
        found = []
        for tag, fact, held in zip(self._tags, facts, raws, strict=True):
            fault = fault_of(tag, fact) or self._lease_fault(tag, held)
            found.append(TagReport(tag, fact, held, fault, restriction_of(tag, fact)))
            parent = await nodes[tag.node].get_parent() if tag.key == "advance_node" and fact.exists else None
            if parent is not None:
                session.advance = (parent, nodes[tag.node].nodeid)
        session.reports = tuple(found)
        if not self._at.lockstep and not any(r.fault for r in found):
            session.watch = await self._watched(client, nodes, session.limits)
        return session

    async def _watched(self, client: Client, nodes: Mapping[str, Node], limits: Limits) -> MonitoredItems | None:
        values = {t.owner: nodes[t.node] for t in self._tags if t.key == "node"}
        results = [node for owner, node in values.items() if owner in self._assayed]
        online = [node for owner, node in values.items() if owner not in self._assayed]
        return await watch(client, online, results, self._at.poll_s, limits)

    def _lease_fault(self, tag: Tag, held: Raw) -> str:
        expected, found = self._lease_s, number_in(held)
        if tag.key != "lease_node" or found is None or abs(found - expected) < 0.5:
            return ""
        return f"tag {tag.node!r} must be {expected:g} s, and it is {found:g} s: mend lease_s in [supervisor]"

    async def ask(self, session: ClientSession, question: Awaitable[T]) -> T:
        """Await the server's answer for as long as is allowed; whatever else comes of it, the plant is lost."""
        try:
            return await asyncio.wait_for(question, self._at.timeout_s)
        except Exception as fault:
            self._mark_lost(session, fault)
            raise PlantLost(self._complaint()) from fault

    @property
    def restriction(self) -> str:
        """Why nothing can be written with our rights at the server, or ""."""
        denied = [r.restriction for r in self._session.reports if r.restriction] if self._session else []
        more = f" ({len(denied) - 1} more)" if denied[1:] else ""
        return READ_ONLY.format(f"{denied[0]}{more}") if denied else ""

    @property
    def current(self) -> ClientSession | None:
        """The session in use, if it is not known to be lost."""
        return None if self._lost else self._session

    def is_live(self, session: ClientSession) -> bool:
        """Is this the session in use, and not known to be lost?"""
        return session is self._session and not self._lost

    async def close(self) -> None:
        """Say goodbye; the connection cannot be used any more."""
        self.closed = True
        session, self._session = self._session, None
        if session is not None:
            await _discard(session.client)

    def note(self, kind: str, text: str) -> None:
        """Keep what happened, until somebody asks."""
        self.events.append(LinkEvent(datetime.now(UTC), kind, text))
        del self.events[:-1000]

    def _mark_lost(self, session: ClientSession, fault: Exception) -> None:
        if session is not self._session or self._lost:
            return
        self._lost, self.resynchronised = self._reason(fault), False
        self.note("lost", self._complaint())

    def _back_off(self, least_s: float) -> None:
        self.delay_s = max(min(max(2 * self.delay_s, FIRST_DELAY_S), self._at.reconnect_max_delay_s), least_s)
        self._next_try = time.monotonic() + self.delay_s

    def _complaint(self) -> str:
        return f"the plant at {self._at.endpoint} is not reachable: {self._lost}"

    def _reason(self, fault: Exception) -> str:
        if isinstance(fault, TimeoutError):
            return f"no answer within {self._at.timeout_s:g} s"
        if isinstance(fault, ConnectionRefusedError):
            return "the connection was refused"
        if isinstance(fault, UaStatusCodeError):
            name, hint = ua.StatusCode(fault.code).name, advice(fault)
            return f"{name}; {hint}" if hint else name
        if isinstance(fault, (OSError, PlantLost)):
            return str(fault) or type(fault).__name__
        return f"what it answered cannot be read ({type(fault).__name__}{f': {fault}' if str(fault) else ''})"


async def _discard(client: Client) -> None:
    """Let go of a client, politely if it can still speak; what it says about it does not matter any more."""
    protocol = client.uaclient.protocol
    with contextlib.suppress(Exception):
        await asyncio.wait_for(client.disconnect(), FAREWELL_S)
    client.disconnect_socket()
    # asyncua 2.1 leaves the socket open when its watchdog had given the client up: close it ourselves
    if protocol is not None and protocol.transport is not None:
        protocol.transport.abort()
    await asyncio.sleep(0)  # the transport closes in the next turn of the event loop
