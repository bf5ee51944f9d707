"""Standing command: how long it stands, and how setpoints are ramped to where they shall rest.

A restart takes them back to where they were, and a handback to what the plant's own recipe would set, so that giving
them back is no jump. Each step passes the same gate as a suggestion. A hold has a module of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

from controller.loop.envelope import Envelope, Limit
from controller.loop.records import Command, Mode, Move, Situation
from controller.loop.safety import largest_step, permitted
from twin.signals import Plant, Snapshot


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a command stands at this instant."""

    mode: Mode
    obstacles: tuple[str, ...]
    snapshot: Snapshot
    situation: Situation
    envelope: Envelope  # narrowed to the present phase of the recipe
    valid: timedelta
    plant: Plant


def still_standing(standing: Command | None, terms: Terms) -> tuple[Command | None, tuple[str, ...]]:
    """The standing command with its lease renewed, or nothing and the reason why.

    Without good evidence the lease is not renewed: it runs out, and the plant falls back to its own recipe.
    """
    if standing is None:
        return None, ()
    if standing.purpose == "hold" and terms.snapshot.time < standing.valid_until:
        return standing, ()  # a hold is judged by what is in force, whatever else is not known
    dropped = _dropped(standing, terms)
    if dropped:
        return None, (dropped,)
    if terms.obstacles:
        return standing, (f"the lease is not renewed: {terms.obstacles[0]}",)
    return replace(standing, valid_until=terms.snapshot.time + terms.valid), ()


def _dropped(standing: Command, terms: Terms) -> str:
    """Why the command stands no longer, or an empty string."""
    if terms.snapshot.time >= standing.valid_until:
        return "the lease of the command ran out; the plant is on its own recipe"
    for move in standing.moves:
        phases = next((x.phases for x in terms.envelope.limits if x.variable == move.variable), ())
        if terms.situation.phase not in phases:
            return f"{move.variable} was given back: the phase is {terms.situation.phase or 'unknown'}"
        in_force = terms.situation.setpoints.get(move.variable, move.value)
        if not alike(in_force, move.value):
            return (
                f"{move.variable} is {in_force:g} {move.unit} at the plant, not the commanded {move.value:g}:"
                " the command is dropped"
            )
    return ""


class Ramped(NamedTuple):
    """A command on its way, whether it has arrived, and what keeps it from getting there."""

    command: Command | None
    arrived: bool
    kept: tuple[str, ...] = ()  # sentences of the gate


def ramp(standing: Command | None, purpose: str, targets: Mapping[str, float], authority: str, terms: Terms) -> Ramped:
    """The command one step nearer to the targets. What may not be moved stays as it is.

    A handback that has come within one step of the plant's own setpoints ends in no command at all.
    """
    if standing is None and purpose == "handback":
        return Ramped(None, True)
    if terms.obstacles:
        return Ramped(standing, False)
    moves = {m.variable: m for m in (standing.moves if standing else ())}
    arrived, kept = True, []
    for limit in terms.envelope.limits:
        present = terms.situation.setpoints.get(limit.variable, math.nan)
        target = targets.get(limit.variable, math.nan)
        ours = purpose != "handback" or limit.variable in moves
        if not ours or not _movable(limit, present, target, terms):
            continue
        if purpose == "handback" and abs(target - present) <= limit.max_step:
            continue
        step = largest_step(limit, standing, terms.snapshot)
        granted, why = permitted(
            limit, present, target, step, terms.snapshot, terms.situation, terms.plant, terms.envelope
        )
        if granted is None:  # out of the reach of a step, or the gate says no: it stays where it is
            arrived = arrived and limit.variable not in moves
            kept.append(f"{limit.variable} stays at {present:g} {limit.unit}: {why}")
            continue
        goal = min(max(target, limit.low), limit.high)
        arrived = arrived and granted == goal
        if granted != present or limit.variable in moves:
            moves[limit.variable] = Move(limit.variable, granted, limit.unit, present)
    if purpose == "handback" and arrived:
        return Ramped(None, True)
    return Ramped(commanded(standing, purpose, tuple(moves.values()), authority, terms), arrived, tuple(kept))


def alike(one: float, other: float) -> bool:
    """Equal, but for what a 32-bit float loses."""
    return abs(one - other) <= 1e-6 * max(abs(one), abs(other))


def _movable(limit: Limit, present: float, target: float, terms: Terms) -> bool:
    return math.isfinite(present) and math.isfinite(target) and terms.situation.phase in limit.phases


def commanded(
    standing: Command | None, purpose: str, moves: tuple[Move, ...], authority: str, terms: Terms
) -> Command | None:
    """The standing command when it says the same already, else one with these moves."""
    if not moves:
        return None
    same = standing is not None and {m.variable: m.value for m in standing.moves} == {
        m.variable: m.value for m in moves
    }
    now = terms.snapshot.time
    if same and standing is not None:
        return replace(standing, purpose=purpose)
    return Command(f"{purpose}-{now:%Y%m%dT%H%M%S}", moves, now, now + terms.valid, authority, purpose)
