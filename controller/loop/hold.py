"""Hold: setpoints moved to where they shall rest, and whether they are read back in force there.

A hold is in force when every setpoint that it names is read at the plant where the hold wants it, or on the safe side
of that. Moving towards the safe side, which the configuration names, asks for no evidence: only that the setpoint in
force is known, and a step at a time. Everything else passes the same gate as any other move.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.loop.envelope import Limit
from controller.loop.records import Command, Mode, Move
from controller.loop.safety import largest_step, permitted
from controller.loop.standing_command import Terms, alike, commanded


@dataclass(frozen=True, slots=True)
class Hold:
    """What is to stand so that the hold comes into force or stays there, and what is not as it wants."""

    command: Command | None
    moving: tuple[str, ...] = ()  # sentences: setpoints on their way
    stuck: tuple[str, ...] = ()  # sentences: setpoints that cannot be moved, why, and what to do by hand

    @property
    def in_force(self) -> bool:
        """Whether every setpoint is read back where the hold wants it."""
        return not self.moving and not self.stuck


def hold(standing: Command | None, targets: Mapping[str, float], authority: str, terms: Terms) -> Hold:
    """One step towards the targets, as far as that is allowed; nothing that is unknown undoes what stands already."""
    moves = {m.variable: m for m in (standing.moves if standing else ())}
    moving, stuck = [], []
    for limit in terms.envelope.limits:
        target = targets.get(limit.variable, math.nan)
        if not math.isfinite(target):
            continue
        goal = min(max(target, limit.low), limit.high)
        present = terms.situation.setpoints.get(limit.variable)
        if present is None or not math.isfinite(present):
            stuck.append(f"the setpoint in force of {limit.variable} is not known{_by_hand(limit, goal)}")
        elif alike(present, goal):
            if limit.variable in moves or terms.situation.phase in limit.phases:
                moves[limit.variable] = Move(limit.variable, goal, limit.unit, present)
        elif not limit.safer(present, goal):
            granted, why = _step(limit, present, goal, standing, terms)
            where = f"{limit.variable} is {present:g} {limit.unit}, and the hold wants {goal:g}"
            if granted is None:
                out_of_phase = terms.situation.phase not in limit.phases  # there a value for this phase would be wrong
                stuck.append(f"{where}: {why}{'' if out_of_phase else _by_hand(limit, goal)}")
                continue
            moving.append(where)
            moves[limit.variable] = Move(limit.variable, granted, limit.unit, present)
    command = commanded(standing, "hold", tuple(moves.values()), authority, terms)
    if command is not None:  # nothing that is not known lets a hold lapse
        command = replace(command, valid_until=terms.snapshot.time + terms.valid)
    return Hold(None if _passive(terms) else command, tuple(moving), tuple(stuck))


def _step(
    limit: Limit, present: float, goal: float, standing: Command | None, terms: Terms
) -> tuple[float | None, str]:
    """The next value on the way to the goal; None, and why, when it may not be moved."""
    if _passive(terms):
        return None, f"the mode is {terms.mode}, in which nothing is written"
    safe = limit.safer(goal, present)
    if terms.obstacles and not safe:
        return None, terms.obstacles[0]
    return permitted(
        limit,
        present,
        goal,
        largest_step(limit, standing, terms.snapshot),
        terms.snapshot,
        terms.situation,
        terms.plant,
        terms.envelope,
        safe=safe,
    )


def _passive(terms: Terms) -> bool:
    return terms.mode in (Mode.OFF, Mode.SHADOW) or terms.plant.advisory_only


def _by_hand(limit: Limit, goal: float) -> str:
    return f"; set {limit.variable} to {goal:g} {limit.unit} at the reactor"
