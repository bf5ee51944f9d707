"""Plant link: one batched request a scan, and setpoints that are read back and can expire."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from asyncua import ua
from asyncua.ua.uaerrors import BadInvalidState

from controller.edge.opcua.authority import Authority
from controller.edge.opcua.backfill import remembered
from controller.edge.opcua.connection import ClientSession, Connection, LinkEvent, TagReport
from controller.edge.opcua.guard import WriteOutcome
from controller.edge.opcua.lookup import raw, utc
from controller.edge.opcua.raw import Raw
from controller.edge.opcua.scanning import Scan, Scanner
from controller.edge.opcua.setpoints import SetpointWriter
from controller.edge.opcua.tags import PlantLost, PlantMismatch, tags_of
from controller.loop.records import Decision, Move
from controller.settings import Settings
from twin.signals import Reading, Role

HISTORY_PATIENCE = 6.0  # timeouts that the pages of one variable may take together (design)


class PlantLink:
    """The wire to one plant. Every call answers within the timeout or raises PlantLost."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        tags = tags_of(settings)
        self._wire = Connection(settings, tags)
        self._scanner = Scanner(settings)
        self._authority = Authority(self._wire, settings)
        self._setpoints = SetpointWriter(self._wire, settings, self._authority, self._scanner)
        self._scanned = [t.node for t in tags if t.key != "advance_node"]
        self._assayed = {v.name for v in settings.variables if v.role is Role.ASSAYED}
        self._read_at = -math.inf

    @property
    def resynchronised(self) -> bool:
        """Has the plant been read, and compared with what we wrote, since the link came up?"""
        return self._wire.resynchronised

    @property
    def rival(self) -> str:
        """Why nothing may be written because another controller serves this plant too, or ""."""
        return self._authority.rival

    @property
    def not_yet(self) -> str:
        """Why a command has to wait for a scan, or ""."""
        return self._authority.not_yet

    @property
    def forbidden(self) -> str:
        """Why nothing can be written to this plant at all, or ""."""
        return self._authority.forbidden

    @property
    def supervision(self) -> str:
        """What the plant refused of the means to supervise us, or "": claim, heartbeat, lease or expiry."""
        return "; ".join(told for told in (self._authority.refusal, self._setpoints.refusal) if told)

    @property
    def settling(self) -> tuple[str, ...]:
        """The variables of which a scan may show still what was in force before our last write."""
        return self._setpoints.settling

    @property
    def assays_seen(self) -> dict[str, datetime]:
        """The sampling time of the newest result of each assay; fill it after a restart to hear of new ones only."""
        return self._scanner.assays_seen

    def resume(self, last: Decision) -> None:
        """Believe the batch to be the one of this record, until the plant says otherwise."""
        said = last.situation
        self._scanner.facts.resume(said.batch, said.batch_start, said.phase, last.time)

    async def connect(self, deadline_s: float | None = None, check: bool = True) -> None:
        """Keep trying until the plant answers, at most `deadline_s` (None: for ever), then verify its tags."""
        began = time.monotonic()
        while True:
            try:
                await self._wire.ready()
                break
            except PlantLost as fault:
                if self._wire.closed:
                    raise
                if deadline_s is not None and time.monotonic() + self._wire.delay_s >= began + deadline_s:
                    mend = f"gave up after {deadline_s:g} s: start the plant, or mend endpoint in [connection]"
                    raise PlantLost(f"{fault}; {mend}") from None
                await asyncio.sleep(self._wire.delay_s)
        if check:
            await self.verify()

    async def close(self) -> None:
        """Give the claim back and say goodbye; the link cannot be used any more."""
        await self._authority.give_up()
        await self._wire.close()

    def take_events(self) -> tuple[LinkEvent, ...]:
        """What happened to the link since this was last asked."""
        events, self._wire.events = tuple(self._wire.events), []
        return events

    async def inspect(self) -> tuple[TagReport, ...]:
        """What the server says of every configured tag; nothing is written."""
        return (await self._wire.ready()).reports

    async def verify(self) -> None:
        """Raise PlantMismatch at the first tag that is not as configured; nothing is written."""
        _raise_first([r.fault for r in await self.inspect() if r.fault])

    # -- reading -----------------------------------------------------------------------------------------------

    async def read(self) -> Scan:
        """All tags in one request. After a new connection, also compare what is in force with what we wrote."""
        session = await self._wire.ready()
        seen = session.watch
        if seen is not None:
            seen.results = 0  # before the request: what comes while it is under way is looked at again
        self._read_at = time.monotonic()
        held = await self._wire.ask(session, self._whole(session))
        scan = self._scanner.scan(held)
        self._authority.seen(held, scan)
        if not self.resynchronised and self._wire.is_live(session):
            for change in self._setpoints.changed(scan):
                self._wire.note("difference", change)
            self._wire.resynchronised = True
        return scan

    async def poll(self, due: datetime | None) -> Scan | None:
        """A Scan when there is reason for one: process time reached `due`, a result came, or it is time to make sure.

        A server that does not publish what changes is read at every look.
        """
        session = await self._wire.ready()
        seen = session.watch
        quiet = (
            seen is not None
            and seen.alive
            and self.resynchronised
            and due is not None
            and not seen.results
            and (seen.latest is None or seen.latest < due)
            and time.monotonic() - self._read_at < self._settings.connection.timeout_s
        )
        return None if quiet else await self.read()

    async def history(self, start: datetime, end: datetime) -> dict[str, tuple[Reading, ...]]:
        """What the plant remembers of its on-line values between two process times, where it offers that."""
        session = await self._wire.ready()
        plant, patience_s = self._settings.plant_record(), self._settings.connection.timeout_s
        found = {}
        for report in session.reports:
            # Asked of each: servers that have a history do not always say so in the access level.
            if report.tag.key == "node" and report.tag.owner not in self._assayed:
                variable, node = plant.variable(report.tag.owner), session.nodes[report.tag.node]
                question = remembered(session.client, node, variable, start, end)
                try:  # a server that is slow with its history is not lost for that
                    found[variable.name] = await asyncio.wait_for(question, HISTORY_PATIENCE * patience_s)
                except Exception as fault:
                    why = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
                    raise PlantLost(f"no history of {variable.name!r}: {why}") from None
        return {name: readings for name, readings in found.items() if readings}

    async def advance(self, seconds: float) -> datetime | None:
        """Let a simulated plant run this far, scan by scan; does nothing at a plant that runs by itself."""
        session = await self._wire.ready()
        reached = self._scanner.now
        while session.advance is not None and seconds > 0.0:
            stride = min(seconds, self._settings.connection.scan_s)
            reached = await self._wire.ask(session, _advance(session, stride)) or reached
            seconds -= stride
        return reached

    async def _whole(self, session: ClientSession) -> dict[str, Raw]:
        if session.whole is None:
            raise PlantLost("the plant's tags were not looked up")
        return dict(zip(self._scanned, map(raw, await session.whole.values()), strict=True))

    # -- writing -----------------------------------------------------------------------------------------------

    async def write(
        self, moves: Sequence[Move], valid_until: datetime, due: datetime | None = None
    ) -> list[WriteOutcome]:
        """Write setpoints with their expiry, and look until they are in force; what is not loses its lease.

        After `settle_s`, or when process time reaches `due`, what is not known yet is left to `settle`.
        """
        session = await self._wire.ready()
        return await self._setpoints.write(session, moves, valid_until, _hurry(session, due))

    async def renew(
        self, valid_until: datetime, variables: Sequence[str], due: datetime | None = None
    ) -> list[WriteOutcome]:
        """Extend the lease of setpoints that are in force; one that lapsed or was changed is never revived."""
        session = await self._wire.ready()
        return await self._setpoints.renew(session, variables, valid_until, _hurry(session, due))

    async def settle(self) -> list[WriteOutcome]:
        """One more look at the writes whose outcome is not known; nothing is asked where there is none."""
        return await self._setpoints.settle(await self._wire.ready())

    async def release(self, moves: Sequence[Move]) -> list[WriteOutcome]:
        """End the lease of these setpoints where they are still ours: the plant follows its own recipe at once."""
        return await self._setpoints.release(await self._wire.ready(), moves)

    async def beat(self) -> bool:
        """Tell the plant that the controller lives; False when the plant was not read yet, or does not take it."""
        return await self._authority.beat(await self._wire.ready())

    def rest(self, beating: bool) -> None:
        """Nothing of ours is in force: what the plant refused before is forgotten, but for a heart that still beats."""
        self._setpoints.rest()
        if not beating:
            self._authority.rest()


def _hurry(session: ClientSession, due: datetime | None) -> Callable[[], bool]:
    """Has the plant told of a process time at which the next turn is due?"""
    seen = session.watch
    return lambda: seen is not None and due is not None and seen.latest is not None and seen.latest >= due


async def _advance(session: ClientSession, seconds: float) -> datetime | None:
    """One stride of a simulated plant; one that answers BadInvalidState keeps its own pace, and is not asked again."""
    if session.advance is None:
        return None
    simulation, method = session.advance
    try:
        answer = await simulation.call_method(method, ua.Variant(seconds, ua.VariantType.Double))
    except BadInvalidState:
        session.advance = None
        return None
    return utc(answer) if isinstance(answer, datetime) else None


def _raise_first(faults: Sequence[str]) -> None:
    """Raise PlantMismatch with the first fault, and how many more there are."""
    if faults:
        more = f" ({len(faults) - 1} more: neurotwin check --connect lists them)" if faults[1:] else ""
        raise PlantMismatch(f"{faults[0]}{more}")
