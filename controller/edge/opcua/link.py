"""PlantLink reads one plant in one batched request a scan, and writes setpoints that it reads back and can expire."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from asyncua import ua
from asyncua.ua.uaerrors import BadInvalidState

from controller.edge.opcua.backfill import remembered
from controller.edge.opcua.claim import Claim
from controller.edge.opcua.connection import Connection, LinkEvent, Session, TagReport
from controller.edge.opcua.guard import Held, WriteOutcome, difference, not_renewable, objections, same
from controller.edge.opcua.lookup import raw, utc
from controller.edge.opcua.rivals import Heartbeat
from controller.edge.opcua.scanning import Raw, Scan, Scanner, number_in
from controller.edge.opcua.tags import PlantLost, PlantMismatch, tags_of
from controller.loop.records import Move
from controller.settings import Settings
from twin.signals import Reading, Role

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HISTORY_PATIENCE = 6.0  # timeouts that the pages of one variable may take together (design)
UNREAD = "the link is new, and the plant has not been read since"


class PlantLink:
    """The wire to one plant. Every call answers within the timeout or raises PlantLost."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._variables = {v.name: v for v in settings.manipulated()}
        self._tags = tags_of(settings)
        self._wire = Connection(settings, self._tags)
        self._scanner = Scanner(settings)
        self._written: dict[str, float] = {}
        self._heartbeat = Heartbeat(settings.supervisor.lease_s)
        self._claim = Claim(settings)
        self._scanned = [t.node for t in self._tags if t.key != "advance_node"]
        self._assayed = {v.name for v in settings.variables if v.role is Role.ASSAYED}
        self._read_at = -math.inf

    @property
    def resynchronised(self) -> bool:
        """Has the plant been read, and compared with what we wrote, since the link came up?"""
        return self._wire.resynchronised

    @property
    def rival(self) -> str:
        """Why nothing may be written because another controller serves this plant too, or ""."""
        return self._claim.rival or self._heartbeat.rival

    @property
    def not_yet(self) -> str:
        """Why a command has to wait for a scan, or "": a plant that grants no claim is watched for that long first."""
        return "" if self._claim.node is not None else self._heartbeat.unwatched

    @property
    def assays_seen(self) -> dict[str, datetime]:
        """The sampling time of the newest result of each assay; fill it after a restart to hear of new ones only."""
        return self._scanner.assays_seen

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
        session = self._wire.current
        if session is not None and self._claim.granted(session):
            with contextlib.suppress(PlantLost):
                await self._put(session, {str(self._claim.node): ""})
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
        raws = await self._whole(session)
        held = dict(zip(self._scanned, raws, strict=True))
        scan = self._scanner.scan(held)
        if not self.resynchronised:
            self._heartbeat.anew()
        self._heartbeat.seen(held[self._settings.supervisor.heartbeat].value, scan.snapshot.time)
        if self._claim.node is not None:
            self._claim.seen(held[self._claim.node].value)
        if not self.resynchronised and self._wire.is_live(session):
            self._compare(scan)
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
                except OSError as fault:
                    raise PlantLost(f"no history of {variable.name!r}: {fault or 'no answer in time'}") from None
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

    async def _whole(self, session: Session) -> list[Raw]:
        if session.whole is None:
            raise PlantLost("the plant's tags were not looked up")
        return [raw(v) for v in await self._wire.ask(session, session.whole.values())]

    async def _values(self, session: Session, nodes: Iterable[str]) -> list[Raw]:
        wanted = [session.nodes[n] for n in nodes]
        return [raw(v) for v in await self._wire.ask(session, session.client.read_attributes(wanted))]

    def _compare(self, scan: Scan) -> None:
        for variable, value in tuple(self._written.items()):
            in_force = scan.setpoints.get(variable)
            if in_force is None or not same(value, in_force):
                self._wire.note("difference", f"{variable}: we last wrote {value:g}, and {in_force} is in force")
                del self._written[variable]

    # -- writing -----------------------------------------------------------------------------------------------

    async def write(self, moves: Sequence[Move], valid_until: datetime) -> list[WriteOutcome]:
        """Write setpoints with their expiry, and read back; what does not hold loses its lease at once."""
        session = await self._wire.ready()
        refusals = await self._cleared(session, objections(moves, self._settings))
        going = {m.variable: m.value for m, refusal in zip(moves, refusals, strict=True) if not refusal}
        self._written |= going
        done = await self._commit(session, going, valid_until, setpoints=True)
        return [
            WriteOutcome(m.variable, m.value, None, False, refusal) if refusal else done[m.variable]
            for m, refusal in zip(moves, refusals, strict=True)
        ]

    async def renew(self, valid_until: datetime, variables: Sequence[str]) -> list[WriteOutcome]:
        """Extend the lease of setpoints that are in force; one that lapsed or was changed is never revived."""
        session = await self._wire.ready()
        held = await self._held(session, variables)
        found = [
            not_renewable(h, self._written.get(v), self._scanner.now, self._variables[v].valid_until is not None)
            for v, h in held.items()
        ]
        refusals = dict(zip(held, await self._cleared(session, found), strict=True))
        going = {v: h.setpoint for v, h in held.items() if h.setpoint is not None and not refusals[v]}
        self._written |= going
        done = await self._commit(session, going, valid_until, setpoints=False)
        return [
            done.get(v) or WriteOutcome(v, _or_nan(held[v].setpoint), held[v].setpoint, False, refusals[v])
            for v in variables
        ]

    async def release(self, variables: Sequence[str]) -> list[WriteOutcome]:
        """End the lease of these setpoints, so that the plant follows its own recipe at once."""
        session = await self._wire.ready()
        refused = await self._expire(session, variables)
        held = await self._held(session, variables)
        return [
            WriteOutcome(v, _or_nan(held[v].setpoint), held[v].setpoint, not refused[v], refused[v]) for v in variables
        ]

    async def beat(self) -> bool:
        """Tell the plant that the controller lives; False when the plant was not read yet, or does not take it."""
        session = await self._wire.ready()
        if not self.resynchronised or self._heartbeat.gives_way or await self._unclaimed(session):
            return False
        node, value = self._settings.supervisor.heartbeat, self._heartbeat.next()
        refused = await self._put(session, {node: value})
        if not refused[node]:
            self._heartbeat.beaten(value)
        return not refused[node]

    async def _cleared(self, session: Session, refusals: list[str]) -> list[str]:
        """These refusals, and of what is left why this controller must not write it now; nothing left asks nothing."""
        stale = "" if all(refusals) else await self._objection(session)
        return [stale or refusal for refusal in refusals]

    async def _objection(self, session: Session) -> str:
        """Why this controller must not write now, or "": it has read the plant, and no other one is at work there."""
        if not self.resynchronised:
            return UNREAD
        return self.rival or await self._unclaimed(session) or await self._overtaken(session)

    async def _unclaimed(self, session: Session) -> str:
        """Claim a plant that grants claims, once a session; the plant decides between two that ask at once."""
        if self._claim.node is None or self._claim.granted(session):
            return ""
        if self._claim.rival:
            return self._claim.rival
        refused = await self._put(session, {self._claim.node: self._claim.name})
        return self._claim.answered(session, refused[self._claim.node])

    async def _overtaken(self, session: Session) -> str:
        """Of a plant without claims: a heartbeat that changed since the scan is another controller's, found in time."""
        if self._claim.node is not None:
            return ""
        (held,) = await self._values(session, [self._settings.supervisor.heartbeat])
        return self._heartbeat.overtaken(held.value)

    async def _commit(
        self, session: Session, values: Mapping[str, float], valid_until: datetime, setpoints: bool
    ) -> dict[str, WriteOutcome]:
        """One request with every setpoint and its expiry, one that reads them back, and the difference."""
        wanted: dict[str, object] = {}
        for name, value in values.items():
            table = self._variables[name]
            if setpoints:
                wanted[str(table.setpoint)] = value
            if table.valid_until is not None:
                wanted[table.valid_until] = utc(valid_until)
        refused = await self._put(session, wanted)
        held = await self._held(session, tuple(values))
        outcomes = {}
        for name, asked in values.items():
            table = self._variables[name]
            reason = refused.get(str(table.setpoint)) or refused.get(str(table.valid_until)) or ""
            reason = reason or difference(held[name], asked, utc(valid_until) if table.valid_until else None)
            outcomes[name] = WriteOutcome(name, asked, held[name].setpoint, not reason, reason)
        await self._expire(session, [name for name, outcome in outcomes.items() if not outcome.ok])
        return outcomes

    async def _expire(self, session: Session, variables: Sequence[str]) -> dict[str, str]:
        """Let these leases end before now; the reason where that is not possible, else ""."""
        past = (self._scanner.now or EPOCH) - timedelta(seconds=1)
        for name in variables:
            self._written.pop(name, None)
        nodes = {name: self._variables[name].valid_until for name in variables}
        refused = await self._put(session, {node: past for node in nodes.values() if node is not None})
        endless = "it has no valid_until tag: its lease ends only when the heartbeat stops"
        return {name: endless if node is None else refused[node] for name, node in nodes.items()}

    async def _held(self, session: Session, variables: Sequence[str]) -> dict[str, Held]:
        """What the plant holds for these variables now."""
        tables = [self._variables[v] for v in variables]
        nodes = list(dict.fromkeys(n for t in tables for n in (t.setpoint, t.valid_until, t.active) if n is not None))
        raws = dict(zip(nodes, await self._values(session, nodes), strict=True)) if nodes else {}
        found = {}
        for table in tables:
            until = raws.get(str(table.valid_until))
            expiry = until.value if until is not None and isinstance(until.value, datetime) else None
            in_force = number_in(raws.get(str(table.active or table.setpoint)))
            found[table.name] = Held(number_in(raws.get(str(table.setpoint))), expiry, in_force)
        return found

    async def _put(self, session: Session, values: Mapping[str, object]) -> dict[str, str]:
        """Write these tags in one request; by tag the reason why the plant refused, or ""."""
        if not values:
            return {}
        nodes = [session.nodes[n] for n in values]
        sent = [ua.DataValue(ua.Variant(v, session.types.get(n, ua.VariantType.Double))) for n, v in values.items()]
        question = session.client.write_values(nodes, sent, raise_on_partial_error=False)
        codes = await self._wire.ask(session, question)
        return {
            n: "" if code.is_good() else f"the plant refused it: {code.name}"
            for n, code in zip(values, codes, strict=True)
        }


async def _advance(session: Session, seconds: float) -> datetime | None:
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


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _raise_first(faults: Sequence[str]) -> None:
    """Raise PlantMismatch with the first fault, and how many more there are."""
    if faults:
        more = f" ({len(faults) - 1} more: neurotwin check --connect lists them)" if faults[1:] else ""
        raise PlantMismatch(f"{faults[0]}{more}")
