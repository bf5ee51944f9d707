"""Setpoint writing: each goes out with its expiry and is read back; what does not hold loses its lease at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from controller.edge.opcua.authority import Authority
from controller.edge.opcua.connection import ClientSession, Connection
from controller.edge.opcua.exchange import read_tags, write_tags
from controller.edge.opcua.guard import Held, WriteOutcome, difference, not_renewable, objections, same
from controller.edge.opcua.lookup import utc
from controller.edge.opcua.raw import number_in
from controller.edge.opcua.scanning import Scan, Scanner
from controller.loop.records import Move
from controller.settings import Settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ENDLESS = "it has no valid_until tag: its lease ends only when the heartbeat stops"


class SetpointWriter:
    """The manipulated variables of one plant, and what we last wrote to each."""

    def __init__(self, wire: Connection, settings: Settings, authority: Authority, scanner: Scanner) -> None:
        self._wire, self._settings, self._authority, self._scanner = wire, settings, authority, scanner
        self._tables = {v.name: v for v in settings.manipulated()}
        self._written: dict[str, float] = {}

    def changed(self, scan: Scan) -> Iterator[str]:
        """After a new connection: what is in force and is not what we wrote, which is ours no longer."""
        for variable, value in tuple(self._written.items()):
            in_force = scan.setpoints.get(variable)
            if in_force is None or not same(value, in_force):
                del self._written[variable]
                yield f"{variable}: we last wrote {value:g}, and {in_force} is in force"

    async def write(self, session: ClientSession, moves: Sequence[Move], valid_until: datetime) -> list[WriteOutcome]:
        """Write setpoints with their expiry, and read back."""
        refusals = await self._cleared(session, objections(moves, self._settings))
        going = {m.variable: m.value for m, refusal in zip(moves, refusals, strict=True) if not refusal}
        self._written |= going
        done = await self._commit(session, going, valid_until, setpoints=True)
        return [
            WriteOutcome(m.variable, m.value, None, False, refusal) if refusal else done[m.variable]
            for m, refusal in zip(moves, refusals, strict=True)
        ]

    async def renew(
        self, session: ClientSession, variables: Sequence[str], valid_until: datetime
    ) -> list[WriteOutcome]:
        """Extend the lease of setpoints that are in force; one that lapsed or was changed is never revived."""
        held = await self._held(session, variables)
        found = [
            not_renewable(h, self._written.get(v), self._scanner.now, self._tables[v].valid_until is not None)
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

    async def release(self, session: ClientSession, variables: Sequence[str]) -> list[WriteOutcome]:
        """End the lease of these setpoints, so that the plant follows its own recipe at once."""
        refused = await self._expire(session, variables)
        held = await self._held(session, variables)
        return [
            WriteOutcome(v, _or_nan(held[v].setpoint), held[v].setpoint, not refused[v], refused[v]) for v in variables
        ]

    async def _cleared(self, session: ClientSession, refusals: list[str]) -> list[str]:
        """These refusals, and of what is left why this controller must not write it now; nothing left asks nothing."""
        stale = "" if all(refusals) else await self._authority.objection(session)
        return [stale or refusal for refusal in refusals]

    async def _commit(
        self,
        session: ClientSession,
        values: Mapping[str, float],
        valid_until: datetime,
        setpoints: bool,
    ) -> dict[str, WriteOutcome]:
        """One request with every setpoint and its expiry, one that reads them back, and the difference."""
        wanted: dict[str, object] = {}
        for name, value in values.items():
            table = self._tables[name]
            if setpoints:
                wanted[str(table.setpoint)] = value
            if table.valid_until is not None:
                wanted[table.valid_until] = utc(valid_until)
        refused = await write_tags(self._wire, session, wanted)
        held = await self._held(session, tuple(values))
        outcomes = {}
        for name, asked in values.items():
            table = self._tables[name]
            reason = refused.get(str(table.setpoint)) or refused.get(str(table.valid_until)) or ""
            reason = reason or difference(held[name], asked, utc(valid_until) if table.valid_until else None)
            outcomes[name] = WriteOutcome(name, asked, held[name].setpoint, not reason, reason)
        await self._expire(session, [name for name, outcome in outcomes.items() if not outcome.ok])
        return outcomes

    async def _expire(self, session: ClientSession, variables: Sequence[str]) -> dict[str, str]:
        """Let these leases end before now; the reason where that is not possible, else ""."""
        past = (self._scanner.now or EPOCH) - timedelta(seconds=1)
        for name in variables:
            self._written.pop(name, None)
        nodes = {name: self._tables[name].valid_until for name in variables}
        refused = await write_tags(self._wire, session, {node: past for node in nodes.values() if node is not None})
        return {name: ENDLESS if node is None else refused[node] for name, node in nodes.items()}

    async def _held(self, session: ClientSession, variables: Sequence[str]) -> dict[str, Held]:
        """What the plant holds for these variables now."""
        tables = [self._tables[v] for v in variables]
        nodes = dict.fromkeys(n for t in tables for n in (t.setpoint, t.valid_until, t.active) if n is not None)
        raws = await read_tags(self._wire, session, nodes)
        found = {}
        for table in tables:
            until = raws.get(str(table.valid_until))
            expiry = until.value if until is not None and isinstance(until.value, datetime) else None
            in_force = number_in(raws.get(str(table.active or table.setpoint)))
            found[table.name] = Held(number_in(raws.get(str(table.setpoint))), expiry, in_force)
        return found


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
