"""Actuation: the Decision's command is written, its lease renewed, setpoints given back, and the heartbeat beaten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from controller.edge.opcua import Outcome, PlantLink, PlantLost, WriteOutcome
from controller.loop.records import Command, Decision, Mode, Move, Ruling, Unsettled


@dataclass(slots=True)
class Done:
    """What became of one Decision at the plant: written, refused, or not known yet."""

    faults: tuple[str, ...] = ()
    written: int = 0
    refused: int = 0
    unknown: int = 0
    events: list[tuple[str, str]] = field(default_factory=list)  # kind and text, for the record


class Actuator:
    """Remembers what is in force by our hand, so that a command is written once and then only renewed."""

    def __init__(self, link: PlantLink) -> None:
        self._link = link
        self._in_force: Command | None = None
        self._unsettled: Command | None = None  # it was sent, and whether it is in force is not known
        self._ours: tuple[Move, ...] = ()  # what of it may be in force, and is given back in the end
        self._told: dict[str, str] = {}  # by topic what was told last, so that it is told once
        self.faults: tuple[str, ...] = ()  # of the last Decision: what the next turn must know before it writes again

    def take_over(self, command: Command | None) -> None:
        """Go on with a command that an earlier process wrote; it is renewed if the plant still follows it."""
        self._in_force = command
        self._ours = command.moves if command is not None else ()

    async def settle(self) -> Done:
        """Before a turn: what became of a command whose outcome was not known."""
        done, command = Done(), self._unsettled
        if command is None:
            return done
        try:
            outcomes = await self._link.settle()
        except PlantLost:
            return done
        if not self._link.settling:
            self._judge(command, outcomes, done)
            self.faults = done.faults
            done.events = [(kind, text) for kind, text in done.events if self._news("settling", text)]
        return done

    async def act(self, decision: Decision, due: datetime | None = None) -> Done:
        """Say that the controller lives when it may act at all; then write, renew or give back.

        What is not known to be in force when process time reaches `due` is left to `settle`.
        """
        done, command = Done(), decision.command
        beating = command is not None or decision.mode in (Mode.ADVISORY, Mode.AUTO)
        try:
            if beating:
                await self._link.beat()
            if command is None:
                await self._give_back(done, beating)
            elif self._link.not_yet:
                done.events.append(("held", f"{command.id}: {self._link.not_yet}"))
            elif self._unsettled is not None and command.moves == self._unsettled.moves:
                done.unknown = 1
                if self._news("waiting", command.id):
                    done.events.append(("unknown", f"{command.id}: whether it is in force is not known yet"))
            elif self._in_force is None or command.moves != self._in_force.moves:
                await self._write(command, done, due)
            elif command.valid_until != self._in_force.valid_until:
                await self._renew(command, done, due)
        except PlantLost as fault:
            untold = f"nothing of {command.id} was written: " if command is not None else ""
            done.faults = (f"{untold}the plant was lost: {fault}",)
            done.events.append(("lost", done.faults[0]))
        self._supervised(done)
        self.faults = done.faults
        return done

    def _supervised(self, done: Done) -> None:
        """Tell once what the plant refused of claim, heartbeat, lease or expiry."""
        refused = self._link.supervision
        if self._news("supervision", refused) and refused:
            done.events.append(("refused", refused))

    def _news(self, topic: str, text: str) -> bool:
        """Was something else told of this before?"""
        before, self._told[topic] = self._told.get(topic), text
        return text != before

    async def _write(self, command: Command, done: Done, due: datetime | None) -> None:
        outcomes = await self._link.write(command.moves, command.valid_until, due)
        self._in_force = self._unsettled = command
        self._judge(command, outcomes, done)

    def _judge(self, command: Command, outcomes: Sequence[WriteOutcome], done: Done) -> None:
        """Refused is the whole command when any of it was; written when all of it is in force."""
        refused, unknown = _of(outcomes, Outcome.REFUSED), _of(outcomes, Outcome.UNKNOWN)
        self._unsettled = command if unknown else None
        lost = {found.variable for found in outcomes if found.outcome is Outcome.REFUSED}
        self._ours = tuple(move for move in command.moves if move.variable not in lost)
        if refused or (unknown and not self._link.settling and self._link.resynchronised):
            done.faults = (*refused, *unknown)
        if refused:
            done.refused = 1
            done.events.append(("refused", f"{command.id}: {'; '.join(refused)}"))
        if unknown:
            done.unknown = 1
            done.events.append(("unknown", f"{command.id}: {'; '.join(unknown)}"))
        if not refused and not unknown:
            done.written = 1
            told = ", ".join(f"{m.variable} = {m.value:g} {m.unit}" for m in command.moves)
            done.events.append(("written", f"{command.id} by {command.authority}: {told}, read back"))

    async def _renew(self, command: Command, done: Done, due: datetime | None) -> None:
        outcomes = await self._link.renew(command.valid_until, [m.variable for m in command.moves], due)
        refused, unknown = _of(outcomes, Outcome.REFUSED), _of(outcomes, Outcome.UNKNOWN)
        # What cannot be renewed is written anew at the next scan, if it still stands by then.
        self._in_force = None if refused or unknown else command
        for kind, told in (("refused", refused), ("unknown", unknown)):
            if told:
                done.events.append((kind, f"the lease of {command.id}: {'; '.join(told)}"))

    async def _give_back(self, done: Done, beating: bool) -> None:
        """End our leases; while the plant refuses that, or is only watched yet, it is tried again at each scan."""
        if self._ours:
            kept = _of(await self._link.release(self._ours), Outcome.REFUSED)
            told = "; ".join(kept)
            if self._news("release", told) and kept:
                done.events.append(("refused", f"it could not be given back: {told}"))
            if self._unsettled is not None and not kept:
                done.events.append(("refused", f"{self._unsettled.id}: it was given back before it was seen in force"))
            if not kept or not (self._link.not_yet or self._link.supervision):
                self._ours = ()
        self._in_force = self._unsettled = None
        if not self._ours:
            self._link.rest(beating)


def _of(outcomes: Sequence[WriteOutcome], kind: Outcome) -> tuple[str, ...]:
    return tuple(f"{found.variable}: {found.reason}" for found in outcomes if found.outcome is kind)


def carried_out(ruling: Ruling, done: Done) -> Ruling:
    """The ruling with what became of it at the plant: in force, refused there and why, or not known."""
    if not ruling.granted or ruling.intent.kind not in ("accept", "modify", "propose"):
        return ruling
    told = "; ".join(f"{kind}: {text}" for kind, text in done.events) or "; ".join(done.faults)
    told = told or "these setpoints are in force at the plant already; their lease goes on"
    if done.unknown and not done.faults:
        return Unsettled(ruling.intent, True, told)
    return replace(ruling, granted=not done.faults, reason=told)
