"""Actuation: the Decision's command is written, its lease renewed, setpoints given back, and the heartbeat beaten."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from controller.edge.opcua import PlantLink, PlantLost, WriteOutcome
from controller.loop.records import Command, Decision, Mode, Ruling


@dataclass(slots=True)
class Done:
    """What became of one Decision at the plant."""

    faults: tuple[str, ...] = ()
    written: int = 0
    refused: int = 0
    events: list[tuple[str, str]] = field(default_factory=list)  # kind and text, for the record


class Actuator:
    """Remembers what is in force by our hand, so that a command is written once and then only renewed."""

    def __init__(self, link: PlantLink) -> None:
        self._link = link
        self._in_force: Command | None = None
        self.faults: tuple[str, ...] = ()  # of the last Decision: what the next turn must know before it writes again

    def take_over(self, command: Command | None) -> None:
        """Go on with a command that an earlier process wrote; it is renewed if the plant still follows it."""
        self._in_force = command

    async def act(self, decision: Decision) -> Done:
        """Write, renew or give back, and say that the controller lives when it may act at all."""
        done = Done()
        command = decision.command
        try:
            if command is None:
                await self._give_back()
            elif self._link.not_yet:
                done.events.append(("held", f"{command.id}: {self._link.not_yet}"))
            elif self._in_force is None or command.moves != self._in_force.moves:
                await self._write(command, done)
            elif command.valid_until != self._in_force.valid_until:
                await self._renew(command, done)
            if command is not None or decision.mode in (Mode.ADVISORY, Mode.AUTO):
                await self._link.beat()
        except PlantLost as fault:
            done.faults = (f"the plant was lost while it was written to: {fault}",)
            done.events.append(("lost", done.faults[0]))
        self.faults = done.faults
        return done

    async def _write(self, command: Command, done: Done) -> None:
        failed = _failures(await self._link.write(command.moves, command.valid_until))
        self._in_force = command
        if failed:
            done.faults, done.refused = failed, 1
            done.events.append(("refused", f"{command.id}: {'; '.join(failed)}"))
        else:
            done.written = 1
            told = ", ".join(f"{m.variable} = {m.value:g} {m.unit}" for m in command.moves)
            done.events.append(("written", f"{command.id} by {command.authority}: {told}, read back"))

    async def _renew(self, command: Command, done: Done) -> None:
        failed = _failures(await self._link.renew(command.valid_until, [m.variable for m in command.moves]))
        # What cannot be renewed is written anew at the next scan, if it still stands by then.
        self._in_force = None if failed else command
        if failed:
            done.events.append(("refused", f"the lease of {command.id}: {'; '.join(failed)}"))

    async def _give_back(self) -> None:
        if self._in_force is not None:
            await self._link.release([m.variable for m in self._in_force.moves])
            self._in_force = None


def _failures(outcomes: list[WriteOutcome]) -> tuple[str, ...]:
    return tuple(f"{outcome.variable}: {outcome.reason}" for outcome in outcomes if not outcome.ok)


def carried_out(ruling: Ruling, done: Done) -> Ruling:
    """The ruling with what became of it at the plant: written and read back, or refused there and why."""
    if not ruling.granted or ruling.intent.kind not in ("accept", "modify", "propose"):
        return ruling
    told = "; ".join(f"{kind}: {text}" for kind, text in done.events)
    told = told or "these setpoints are in force at the plant already; their lease goes on"
    return replace(ruling, granted=not done.faults, reason=told)
