"""What-if analysis: what the twin says of a plan changed by hand, and whether safety would let it through.

It serves two ends alike: an operator who only asks "what if", and one who stands for other setpoints than proposed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.loop.envelope import Envelope
from controller.loop.gain import effect_of
from controller.loop.records import Command, Move, Situation, Suggestion, Verdict
from controller.loop.safety import admit
from twin.records import Forecast, Plan, Step
from twin.signals import Plant, Snapshot


@dataclass(frozen=True, slots=True)
class Present:
    """What a plan is judged by: what is in force, how the twin looks ahead from here, and what bounds a move."""

    hold: Plan  # what happens if nothing is changed
    look: Callable[[Plan], Forecast]
    snapshot: Snapshot
    situation: Situation
    envelope: Envelope
    plant: Plant
    standing: Command | None
    valid: timedelta


@dataclass(frozen=True, slots=True)
class Considered:
    """A plan by hand beside the present one; the suggestion's effect is the paired gain of the two."""

    suggestion: Suggestion
    baseline: Forecast
    forecast: Forecast
    verdict: Verdict


def objection(steps: Sequence[Step], present: Present) -> str:
    """Why these steps cannot even be looked at, or ""."""
    movable = {limit.variable for limit in present.envelope.limits}
    if not movable:
        return "this plant has no setpoint that may be moved"
    if not any(step.inputs for step in steps):
        return "no setpoint is changed; name at least one"
    for step in steps:
        for name, value in step.inputs.items():
            if name not in movable:
                return f"{name!r} cannot be moved; there are: {', '.join(sorted(movable))}"
            if not math.isfinite(value):
                return f"{name} cannot be {value:g}; give a number"
        if step.start >= present.hold.end:
            return f"the plan ends at {present.hold.end:%Y-%m-%d %H:%M}, before the step at {step.start:%Y-%m-%d %H:%M}"
    return ""


def consider(steps: Sequence[Step], present: Present, key: str, by: str) -> Considered:
    """Both forecasts, the gain between them and the verdict of safety; `objection` must have been "" before."""
    baseline, plan = present.look(present.hold), replanned(present.hold, steps)
    forecast = present.look(plan)
    now, effect = present.snapshot.time, effect_of(baseline, forecast)
    moves = tuple(_move(name, value, present) for name, value in _at(steps, now).items())
    changed = tuple(move for move in moves if move.value != move.previous)
    told = ", ".join(f"{m.variable} from {m.previous:.4g} to {m.value:.4g} {m.unit}" for m in changed)
    suggestion = Suggestion(
        id=key,
        made_at=now,
        expires_at=min(now + present.valid, present.hold.end),
        kind="setpoints",
        moves=changed,
        plan=plan,
        reason=f"By hand of {by}: {told or 'no setpoint is moved now'}; {effect.quantity} {effect.gain:+.3g}"
        f" {effect.unit} (80 % interval {effect.gain_low:+.3g} to {effect.gain_high:+.3g}).",
        effect=effect,
    )
    verdict = admit(
        suggestion,
        present.snapshot,
        baseline,
        forecast,
        present.envelope,
        present.plant,
        present.situation,
        present.standing,
    )
    return Considered(suggestion, baseline, forecast, verdict)


def replanned(plan: Plan, steps: Sequence[Step]) -> Plan:
    """The plan with these steps laid over it: each input keeps the value given by hand until the next one given."""
    first = plan.steps[0].start
    starts = sorted({step.start for step in plan.steps} | {max(step.start, first) for step in steps})
    laid = tuple(Step(start, {**_at(plan.steps, start), **_at(steps, start)}) for start in starts)
    return Plan(laid, plan.end, plan.latch)


def _at(steps: Sequence[Step], time: datetime) -> dict[str, float]:
    """The inputs that these steps have given by then."""
    given: dict[str, float] = {}
    for step in sorted(steps, key=lambda step: step.start):
        if step.start <= time:
            given |= step.inputs
    return given


def _move(name: str, value: float, present: Present) -> Move:
    unit = next(limit.unit for limit in present.envelope.limits if limit.variable == name)
    return Move(name, value, unit, present.situation.setpoints.get(name, math.nan))
