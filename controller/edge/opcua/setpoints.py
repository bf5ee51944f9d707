"""Setpoint writing: each goes out with its expiry and is read back until it is in force; what is not is undone.

The setpoint goes first and its expiry only where that was taken, so that no old setpoint ever gets a new lease. What
was sent and is not seen in force is unknown, for `settle_s` and while the plant is lost, until a look settles it.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from controller.edge.opcua.authority import Authority
from controller.edge.opcua.connection import ClientSession, Connection
from controller.edge.opcua.exchange import read_tags, write_tags
from controller.edge.opcua.guard import (
    Asked,
    Held,
    Outcome,
    WriteOutcome,
    difference,
    not_renewable,
    objections,
    same,
)
from controller.edge.opcua.lookup import utc
from controller.edge.opcua.raw import flag_in, number_in
from controller.edge.opcua.scanning import Scan, Scanner
from controller.edge.opcua.tags import PlantLost
from controller.loop.records import Move
from controller.settings import Settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STUCK = -math.inf  # when a write was sent that could not be undone: no more time is given it
LOOK_S = 0.05  # between two looks at what was written (design)
ENDLESS = "it has no valid_until tag: its lease ends only when the heartbeat stops"


class SetpointWriter:
    """The manipulated variables of one plant, what we last wrote to each, and what is not known yet to be in force."""

    def __init__(self, wire: Connection, settings: Settings, authority: Authority, scanner: Scanner) -> None:
        self._wire, self._settings, self._authority, self._scanner = wire, settings, authority, scanner
        self._tables = {v.name: v for v in settings.manipulated()}
        self._written: dict[str, float] = {}
        self._open: dict[str, Asked] = {}
        self._expiry_refused: dict[str, str] = {}

    @property
    def settling(self) -> tuple[str, ...]:
        """The variables whose last write may still show itself in force."""
        now, settle_s = time.monotonic(), self._settings.connection.settle_s
        return tuple(name for name, asked in self._open.items() if now - asked.sent < settle_s)

    @property
    def refusal(self) -> str:
        """What the plant said to the last lease or expiry that it refused, or ""."""
        return "; ".join(self._expiry_refused.values())

    def rest(self) -> None:
        """Nothing is in force by our hand: what was refused stands in the way of nothing."""
        self._expiry_refused = {}

    def changed(self, scan: Scan) -> Iterator[str]:
        """After a new connection: what is in force and is not what we wrote, which is ours no longer."""
        self._open = {name: replace(asked, sent=time.monotonic()) for name, asked in self._open.items()}
        for variable, value in tuple(self._written.items()):
            in_force = scan.setpoints.get(variable)
            if variable not in self._open and (in_force is None or not same(value, in_force)):
                del self._written[variable]
                yield f"{variable}: we last wrote {value:g}, and {in_force} is in force"

    # -- writing -------------------------------------------------------------------------------------------------

    async def write(
        self, session: ClientSession, moves: Sequence[Move], valid_until: datetime, hurried: Callable[[], bool]
    ) -> list[WriteOutcome]:
        """Write setpoints with their expiry, and look until they are in force, `settle_s` are over or it is `hurried`.

        PlantLost only where nothing was written.
        """
        refusals = await self._cleared(session, objections(moves, self._settings))
        going = {m.variable: m.value for m, refusal in zip(moves, refusals, strict=True) if not refusal}
        before = await self._held(session, tuple(going))
        done: dict[str, WriteOutcome] = {}
        if going:
            self._sent(going, {v: h.setpoint for v, h in before.items()}, valid_until)
            done = await self._commit(session, going, valid_until, hurried, setpoints=True)
        return [
            WriteOutcome(m.variable, m.value, None, Outcome.REFUSED, refusal) if refusal else done[m.variable]
            for m, refusal in zip(moves, refusals, strict=True)
        ]

    async def renew(
        self, session: ClientSession, variables: Sequence[str], valid_until: datetime, hurried: Callable[[], bool]
    ) -> list[WriteOutcome]:
        """Extend the lease of setpoints that are in force; one that lapsed or was changed is never revived."""
        held = await self._held(session, variables)
        found = [
            not_renewable(h, self._written.get(v), self._scanner.now, self._tables[v].valid_until is not None)
            for v, h in held.items()
        ]
        refusals = dict(zip(held, await self._cleared(session, found), strict=True))
        going = {v: h.setpoint for v, h in held.items() if h.setpoint is not None and not refusals[v]}
        done: dict[str, WriteOutcome] = {}
        if going:
            self._sent(going, going, valid_until)
            done = await self._commit(session, going, valid_until, hurried, setpoints=False)
        return [
            done.get(v) or WriteOutcome(v, _or_nan(held[v].setpoint), held[v].setpoint, Outcome.REFUSED, refusals[v])
            for v in variables
        ]

    async def release(self, session: ClientSession, moves: Sequence[Move]) -> list[WriteOutcome]:
        """End the lease of these setpoints, where they are still ours: the plant follows its own recipe at once."""
        held = await self._held(session, [m.variable for m in moves])
        foreign = ["" if m.variable in self._open else _not_ours(held[m.variable], m.value) for m in moves]
        cleared = await self._cleared(session, foreign)
        refusals = {m.variable: refusal for m, refusal in zip(moves, cleared, strict=True)}
        refusals |= await self._expire(session, [v for v, refusal in refusals.items() if not refusal])
        for name, refusal in refusals.items():
            if not refusal:
                self._open.pop(name, None)
        return [
            WriteOutcome(
                m.variable,
                m.value,
                held[m.variable].setpoint,
                Outcome.REFUSED if refusals[m.variable] else Outcome.WRITTEN,
                refusals[m.variable],
            )
            for m in moves
        ]

    async def _cleared(self, session: ClientSession, refusals: list[str]) -> list[str]:
        """These refusals, and of what is left why this controller must not write it now; nothing left asks nothing."""
        stale = "" if all(refusals) else await self._authority.objection(session)
        return [refusal or stale for refusal in refusals]

    def _sent(self, values: Mapping[str, float], before: Mapping[str, float | None], valid_until: datetime) -> None:
        """Remember what goes out now: from here on it may be in force."""
        self._written |= values
        for name, value in values.items():
            until = utc(valid_until) if self._tables[name].valid_until is not None else None
            self._open[name] = Asked(value, until, before.get(name), time.monotonic())

    async def _commit(
        self,
        session: ClientSession,
        values: Mapping[str, float],
        valid_until: datetime,
        hurried: Callable[[], bool],
        setpoints: bool,
    ) -> dict[str, WriteOutcome]:
        """Write, and look until every outcome is known, or there is no more time; a loss leaves them unknown."""
        done: dict[str, WriteOutcome] = {}
        try:
            refused = await self._put(session, values, valid_until, setpoints)
            done = await self._judged(session, refused, dict.fromkeys(refused))
            while looked := [v for v in values if v in self._open and self._open[v].sent > STUCK]:
                last = hurried() or not self.settling
                done |= await self._looked(session, looked)
                if last:
                    break
                await asyncio.sleep(LOOK_S)
        except PlantLost as fault:
            lost = {v: self._open[v] for v in values if v in self._open}
            done |= {
                v: WriteOutcome(v, asked.value, None, Outcome.UNKNOWN, f"{fault}; {asked.told}")
                for v, asked in lost.items()
            }
        return done

    async def _put(
        self, session: ClientSession, values: Mapping[str, float], valid_until: datetime, setpoints: bool
    ) -> dict[str, str]:
        """Send the setpoints, and the expiry of those that were taken; why the plant refused, by variable."""
        tags = {name: str(self._tables[name].setpoint) for name in values} if setpoints else {}
        answers = await write_tags(self._wire, session, {tag: values[name] for name, tag in tags.items()})
        refused = {name: answers[tag] for name, tag in tags.items() if answers[tag]}
        leases = {name: tag for name in values if name not in refused and (tag := self._tables[name].valid_until)}
        refused |= await self._write_expiry(session, leases, utc(valid_until))
        return refused

    # -- settling ------------------------------------------------------------------------------------------------

    async def settle(self, session: ClientSession) -> list[WriteOutcome]:
        """One look at every write whose outcome is not known; what is not in force after `settle_s` is undone."""
        return list((await self._looked(session, tuple(self._open))).values())

    async def _looked(self, session: ClientSession, variables: Sequence[str]) -> dict[str, WriteOutcome]:
        held = await self._held(session, variables)
        sent = {v: self._open[v] for v in variables}
        found = {v: difference(held[v], asked.value, asked.valid_until) for v, asked in sent.items()}
        settling = self.settling
        failed = {v: reason for v, reason in found.items() if reason and v not in settling}
        done = await self._judged(session, failed, {v: h.setpoint for v, h in held.items()})
        for name, reason in found.items():
            if not reason:
                asked = self._open.pop(name)
                done[name] = WriteOutcome(name, asked.value, held[name].setpoint, Outcome.WRITTEN)
            elif name in settling:
                asked = self._open[name]
                told = f"{reason}; {asked.told}"
                done[name] = WriteOutcome(name, asked.value, held[name].setpoint, Outcome.UNKNOWN, told)
        return done

    async def _judged(
        self, session: ClientSession, failed: Mapping[str, str], held: Mapping[str, float | None]
    ) -> dict[str, WriteOutcome]:
        """Undo these writes: refused where that was possible, unknown where what was asked may be in force."""
        stuck = await self._undo(session, failed)
        done = {}
        for name, reason in failed.items():
            asked = self._open[name]
            if stuck[name] and not self._over(asked):
                told = f"{reason}; it could not be undone, since {stuck[name]}; {asked.told}"
                done[name] = WriteOutcome(name, asked.value, held[name], Outcome.UNKNOWN, told)
                self._open[name] = replace(asked, sent=STUCK)
                continue
            del self._open[name]
            done[name] = WriteOutcome(name, asked.value, held[name], Outcome.REFUSED, reason)
        return done

    def _over(self, asked: Asked) -> bool:
        """Has its lease run out?"""
        now = self._scanner.now
        return asked.valid_until is not None and now is not None and asked.valid_until < now

    async def _undo(self, session: ClientSession, failed: Mapping[str, str]) -> dict[str, str]:
        """End these leases; where that cannot be, write what stood there before. Why neither was possible, or ""."""
        if not failed:
            return {}
        if forbidden := await self._authority.objection(session):
            return dict.fromkeys(failed, forbidden)
        stuck = await self._expire(session, list(failed))
        before = {name: value for name, why in stuck.items() if why and (value := self._open[name].before) is not None}
        replaced = [name for name, value in before.items() if not same(value, self._open[name].value)]
        tags = {name: str(self._tables[name].setpoint) for name in replaced}
        answers = await write_tags(self._wire, session, {tag: before[name] for name, tag in tags.items()})
        return stuck | dict.fromkeys(before, "") | {name: answers[tag] for name, tag in tags.items()}

    async def _expire(self, session: ClientSession, variables: Sequence[str]) -> dict[str, str]:
        """Let these leases end before now; the reason where that is not possible, else ""."""
        past = (self._scanner.now or EPOCH) - timedelta(seconds=1)
        for name in variables:
            self._written.pop(name, None)
        leases = {name: tag for name in variables if (tag := self._tables[name].valid_until) is not None}
        refused = await self._write_expiry(session, leases, past)
        return {name: refused.get(name, "") if name in leases else ENDLESS for name in variables}

    async def _write_expiry(self, session: ClientSession, leases: Mapping[str, str], until: datetime) -> dict[str, str]:
        """Write when these leases end; by variable why the plant refused, where it did."""
        answers = await write_tags(self._wire, session, dict.fromkeys(leases.values(), until))
        refused = {name: answers[tag] for name, tag in leases.items() if answers[tag]}
        kept = {name: why for name, why in self._expiry_refused.items() if name not in leases}
        self._expiry_refused = kept | refused
        return refused

    async def _held(self, session: ClientSession, variables: Sequence[str]) -> dict[str, Held]:
        """What the plant holds for these variables now."""
        tables = [self._tables[v] for v in variables]
        control = self._settings.supervisor.in_control
        nodes = dict.fromkeys(n for t in tables for n in (t.setpoint, t.valid_until, t.active) if n is not None)
        blind = control is not None and any(t.active is None for t in tables)
        raws = await read_tags(self._wire, session, [*nodes, *([control] if control and blind else [])])
        found = {}
        for table in tables:
            until = raws.get(str(table.valid_until))
            expiry = until.value if until is not None and isinstance(until.value, datetime) else None
            in_force = number_in(raws.get(str(table.active or table.setpoint)))
            follows = flag_in(raws.get(str(control))) if table.active is None else None
            found[table.name] = Held(number_in(raws.get(str(table.setpoint))), expiry, in_force, follows)
        return found


def _not_ours(held: Held, ours: float) -> str:
    """Why ending this lease is not for us, or ""."""
    if held.setpoint is None or same(held.setpoint, ours):
        return ""
    return f"someone else set it: we wrote {ours:g}, and it is {held.setpoint:g}"


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
