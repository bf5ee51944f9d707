"""Batch control after ISA-88, as a table: its states, the phases of its recipe, and the book of what went in and out.

Pure. The plant's own sequence says which phase it is in; the recipe here is finer, and never contradicts it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from controller.loop.batch_records import BatchRecord, BatchState, Sample
from controller.loop.envelope import Envelope
from controller.loop.records import BATCH_KINDS, Intent, Ruling, Situation
from twin.signals import Plant, Role, Snapshot

S = BatchState
OVER = "complete"  # what a plant calls the phase after its last
MOVES: dict[tuple[BatchState, str], BatchState] = {
    (S.IDLE, "start"): S.RUNNING,
    **{(s, "hold"): S.HOLDING for s in (S.RUNNING, S.RESTARTING, S.HOLDING, S.HELD)},
    (S.HOLDING, "done"): S.HELD,
    (S.HELD, "lost"): S.HOLDING,
    **{(s, "restart"): S.RESTARTING for s in (S.HOLDING, S.HELD)},
    (S.RESTARTING, "done"): S.RUNNING,
    (S.RUNNING, "complete"): S.COMPLETE,
    **{(s, "stop"): S.STOPPING for s in (S.RUNNING, S.HOLDING, S.HELD, S.RESTARTING)},
    (S.STOPPING, "done"): S.STOPPED,
    **{(s, "abort"): S.ABORTING for s in (S.RUNNING, S.HOLDING, S.HELD, S.RESTARTING, S.STOPPING)},
    (S.ABORTING, "done"): S.ABORTED,
    **{(s, "reset_batch"): S.IDLE for s in (S.STOPPED, S.ABORTED, S.COMPLETE)},
}
COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
HOLDS = (S.HOLDING, S.HELD)


@dataclass(frozen=True, slots=True)
class Condition:
    """`signal` compared with a number, such as estimate.substrate < 0.3; or plant.phase == a name."""

    signal: str
    comparison: str
    number: float = 0.0
    name: str = ""

    def __str__(self) -> str:
        return f"{self.signal} {self.comparison} {self.name or format(self.number, 'g')}"

    def holds(self, numbers: Mapping[str, float], plant_phase: str) -> bool:
        """Whether it is met; what is not known meets nothing."""
        if self.comparison == "==":
            return plant_phase == self.name
        value = numbers.get(self.signal, math.nan)
        return COMPARE[self.comparison](value, self.number)


@dataclass(frozen=True, slots=True)
class Range:
    """Narrower limits of one manipulated variable, for the time of a phase."""

    variable: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of the recipe; it ends as soon as one of `ends_when` holds."""

    name: str
    text: str
    ends_when: tuple[Condition, ...]
    setpoints: Mapping[str, float] = field(default_factory=dict)  # proposed when the phase begins
    limits: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """The phases in order, and where setpoints rest while the batch is held."""

    phases: tuple[Phase, ...] = ()
    hold: Mapping[str, float] = field(default_factory=dict)
    volume: str = ""  # the state that is the broth's volume; without one nothing is known of what was there at first

    def phase(self, name: str) -> Phase | None:
        """The phase of that name, if there is one."""
        return next((p for p in self.phases if p.name == name), None)


def advance(
    before: BatchRecord | None,
    recipe: Recipe,
    situation: Situation,
    snapshot: Snapshot,
    numbers: Mapping[str, float],
    plant: Plant,
) -> tuple[BatchRecord, tuple[Ruling, ...], tuple[str, ...]]:
    """The batch after this scan, what became of what people asked of it, and what it did of itself."""
    if before is None or before.id != situation.batch:
        record = _counted(_begun(recipe, situation, snapshot), recipe, situation, snapshot, numbers, plant)
        return _followed(record, recipe, situation, snapshot, numbers, ())
    record = _counted(before, recipe, situation, snapshot, numbers, plant)
    rulings = []
    for intent in situation.intents:
        if intent.kind in BATCH_KINDS:
            record, ruling = _asked(record, recipe, intent, situation, snapshot.time)
            rulings.append(ruling)
    return _followed(record, recipe, situation, snapshot, numbers, tuple(rulings))


def settled(record: BatchRecord, now: datetime) -> BatchRecord:
    """The record after its setpoints rest where they shall: holding is held, restarting runs."""
    reached = MOVES.get((record.state, "done"))
    return record if reached is None else _into(record, reached, now, record.reason)


def lost(record: BatchRecord, now: datetime) -> BatchRecord:
    """The record once a hold is found not to be in force any more: held is holding again."""
    reached = MOVES.get((record.state, "lost"))
    return record if reached is None else _into(record, reached, now, record.reason)


def within_phase(envelope: Envelope, recipe: Recipe, record: BatchRecord | None) -> Envelope:
    """The envelope narrowed to what the recipe allows in the present phase; it never widens."""
    phase = recipe.phase(record.phase) if record else None
    ranges = {r.variable: r for r in phase.limits} if phase else {}
    limits = tuple(
        replace(x, low=max(x.low, ranges[x.variable].low), high=min(x.high, ranges[x.variable].high))
        if x.variable in ranges
        else x
        for x in envelope.limits
    )
    return replace(envelope, limits=limits)


def volume_l(record: BatchRecord) -> float | None:
    """The book-kept broth volume: what was there, and was fed, less what was sampled."""
    if record.initial_l is None:
        return None
    return record.initial_l + sum(record.fed.values()) - record.sampled_l


def sampled(record: BatchRecord, sample: Sample) -> BatchRecord:
    """The book after a sample was taken."""
    return replace(record, sampled_l=record.sampled_l + sample.volume_l)


def phase_hours(record: BatchRecord, now: datetime) -> dict[str, float]:
    """Ages in hours, as conditions may name them."""
    ages = {"batch_h": record.started_at, "phase_h": record.phase_since}
    return {name: (now - since).total_seconds() / 3600.0 for name, since in ages.items() if since is not None}


def _begun(recipe: Recipe, situation: Situation, snapshot: Snapshot) -> BatchRecord:
    """A batch as it is first seen: a plant that names a phase is running it already."""
    state, reason = S.IDLE, "it waits to be started"
    if situation.phase == OVER:
        state, reason = S.COMPLETE, "the plant says that it is over"
    elif situation.phase:
        state, reason = S.RUNNING, f"the plant is in {situation.phase}"
    running = state is S.RUNNING
    start = (situation.batch_start or snapshot.time) if running else None
    first = recipe.phases[0].name if running and recipe.phases else ""
    return BatchRecord(situation.batch, state, snapshot.time, reason, first, start if first else None, start)


def _asked(
    record: BatchRecord, recipe: Recipe, intent: Intent, situation: Situation, now: datetime
) -> tuple[BatchRecord, Ruling]:
    reached = MOVES.get((record.state, intent.kind))
    word = "reset" if intent.kind == "reset_batch" else intent.kind
    if reached is None:
        return record, Ruling(intent, False, f"the batch is {record.state}: there is nothing to {word}")
    reason = f"{word} by {intent.by}" + (f": {intent.reason}" if intent.reason else "")
    moved = _into(record, reached, now, reason)
    if intent.kind == "hold" and record.state is S.RUNNING:
        moved = replace(moved, resume=dict(situation.setpoints))
    if intent.kind == "start":
        first = recipe.phases[0].name if recipe.phases else ""
        moved = replace(moved, started_at=now, phase=first, phase_since=now if first else None)
    return moved, Ruling(intent, True, f"the batch is {reached}")


def _followed(
    record: BatchRecord,
    recipe: Recipe,
    situation: Situation,
    snapshot: Snapshot,
    numbers: Mapping[str, float],
    rulings: tuple[Ruling, ...],
) -> tuple[BatchRecord, tuple[Ruling, ...], tuple[str, ...]]:
    """The phases that are over by now are left behind, one after the other; after the last the batch is complete."""
    notes: list[str] = []
    names = [phase.name for phase in recipe.phases]
    if record.state is S.IDLE and record.started_at is None and situation.phase not in ("", OVER):
        record = replace(_begun(recipe, situation, snapshot), counted_at=record.counted_at, fed=record.fed)
        notes.append("the batch runs: the plant started it")
    while record.state is S.RUNNING and record.phase in names:
        phase = recipe.phases[names.index(record.phase)]
        seen = {**numbers, **phase_hours(record, snapshot.time)}
        if not any(condition.holds(seen, situation.phase) for condition in phase.ends_when):
            break
        later = names[names.index(phase.name) + 1 :]
        if not later:
            record = replace(record, phase="", phase_since=None)
            break
        record = replace(record, phase=later[0], phase_since=snapshot.time)
        notes.append(f"phase {phase.name} is over; {later[0]} begins")
    ended = record.phase == "" if names else situation.phase == OVER
    if record.state is S.RUNNING and ended:
        record = _into(record, S.COMPLETE, snapshot.time, "the recipe is complete")
        notes.append("the batch is complete")
    return record, rulings, tuple(notes)


def _counted(
    record: BatchRecord,
    recipe: Recipe,
    situation: Situation,
    snapshot: Snapshot,
    numbers: Mapping[str, float],
    plant: Plant,
) -> BatchRecord:
    """The book with what was fed since it was last written; a flow that cannot be read counts as its setpoint."""
    now = snapshot.time
    initial = record.initial_l
    if initial is None:
        volume = numbers.get(f"estimate.{recipe.volume}", math.nan)
        initial = volume if math.isfinite(volume) else None
    if record.counted_at is None or now <= record.counted_at:
        return replace(record, initial_l=initial, counted_at=record.counted_at or now)
    hours = (now - record.counted_at).total_seconds() / 3600.0
    fed = dict(record.fed)
    for variable in plant.having(Role.MANIPULATED):
        reading = snapshot.readings.get(variable.name)
        usable = reading is not None and reading.usable
        flow = reading.value if reading is not None and usable else situation.setpoints.get(variable.name)
        if variable.unit.endswith("/h") and flow is not None and math.isfinite(flow):
            flow = min(max(flow, variable.low, 0.0), variable.high)
            fed[variable.name] = fed.get(variable.name, 0.0) + flow * hours
    return replace(record, initial_l=initial, counted_at=now, fed=fed)


def _into(record: BatchRecord, state: BatchState, now: datetime, reason: str) -> BatchRecord:
    return replace(record, state=state, since=now, reason=reason)
