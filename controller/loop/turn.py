"""Control turn, for a bioreactor and a patient alike: from a snapshot to a Decision.

No I/O, no clock and no plant by name: time comes with the snapshot, and what is remembered goes in and comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from controller.loop import alarms, plausibility
from controller.loop.alarm_records import AlarmBook
from controller.loop.batch import AIM, Recipe, advance, sampled, settled, within_phase
from controller.loop.batch_records import BatchRecord, BatchState
from controller.loop.input_checks import Clock, checked, checked_situation, ticked
from controller.loop.look_ahead import LookAhead, answered, look_ahead, tallied
from controller.loop.manual_entries import entered
from controller.loop.mode_ladder import Ladder, climb, demoted, watch
from controller.loop.named_values import conditions, numbers, sight_of
from controller.loop.parts import Cadence, Core, Engine, Loop, Parts
from controller.loop.plausibility import NO_TRACES, Traces, diagnose
from controller.loop.records import Command, Decision, Insight, Ledger, Mode, Ruling, Situation
from controller.loop.safety import missing_evidence, tripped
from controller.loop.shadow_benefit import Shadowed, benefit, followed
from controller.loop.standing_command import Terms, ramp, still_standing
from controller.loop.what_if import Considered, Present, consider, objection
from twin.records import Estimate, Step, Track
from twin.signals import Plant, Snapshot

__all__ = ["Cadence", "Core", "Engine", "LookAhead", "Loop", "Memory", "Parts", "turn", "what_if"]
NOTHING_ALARMING, NOTHING_ASKED, NO_TIME = AlarmBook(), Ledger(), Clock()
AT_REST = (BatchState.IDLE, BatchState.STOPPED, BatchState.ABORTING, BatchState.ABORTED, BatchState.COMPLETE)


@dataclass(frozen=True, slots=True)
class Memory:
    """What one turn hands to the next."""

    ladder: Ladder
    track: Track | None = None
    outlook: LookAhead | None = None
    standing: Command | None = None  # the setpoints that are renewed as long as all is well
    batch: BatchRecord | None = None
    alarms: AlarmBook = NOTHING_ALARMING
    ledger: Ledger = NOTHING_ASKED
    traces: Traces = NO_TRACES
    clock: Clock = NO_TIME
    shadowed: Shadowed | None = None  # what SHADOW advised, and what was done instead


class _Present(NamedTuple):
    """What is known at this instant, once it was estimated and learned."""

    snapshot: Snapshot
    situation: Situation
    estimate: Estimate
    insight: Insight
    numbers: dict[str, float]
    batch: BatchRecord | None


def turn(memory: Memory, snapshot: Snapshot, situation: Situation, parts: Parts) -> tuple[Decision, Memory]:
    """Estimate, learn, look ahead when it is due, judge what people asked, and say what may be written."""
    memory, snapshot, situation, jumped = _taken_in(memory, snapshot, situation, parts)
    snapshot, entries = entered(snapshot, situation, parts.plant)
    track = parts.engine.assimilate(memory.track, snapshot)
    insight = parts.core.step(snapshot, track.now)
    findings, traces = diagnose(
        memory.traces, snapshot, situation, memory.track, track.now, parts.plant.variables, parts.checks
    )
    faults = tuple(dict.fromkeys((*situation.faults, *(f.sentence for f in findings if f.blocks))))
    situation = replace(situation, faults=faults)
    against = tripped(memory.standing, snapshot, parts.plant, parts.envelope, situation.phase)
    obstacles = (*faults, *missing_evidence(snapshot, parts.plant, parts.envelope), *against)
    ladder, objections = watch(memory.ladder, track.now, insight, obstacles, parts.gates)
    if differs := situation.conditions.get("loop.readback", ""):
        ladder = demoted(ladder, differs)  # at once: what was written is not what is there
    notes = (ladder.reason,) if ladder.mode is not memory.ladder.mode else ()
    ladder, rulings = _climbed(ladder, situation, obstacles, objections, parts.plant)
    rulings = (*rulings, *entries)

    seen = numbers(track.now, insight, situation)
    batch, asked, passed = _batch(memory.batch, situation, snapshot, seen, entries, parts)
    situation = replace(situation, fed=batch.fed) if batch else situation
    now = _Present(snapshot, situation, track.now, insight, seen, batch)
    outlook, blind = _looked(memory, now, ladder.mode, parts)
    terms = Terms(ladder.mode, obstacles, snapshot, situation, parts.envelope, parts.cadence.command_valid)
    standing, dropped = still_standing(memory.standing, terms)
    if dropped and standing is None:
        ladder = demoted(ladder, dropped[0])
        batch = settled(batch, snapshot.time) if batch else None  # what the plant took back is not fought over
    standing, batch, steered = _steered(standing, batch, replace(terms, mode=ladder.mode), parts.recipe)
    allowed = _in_phase(parts, batch)
    present = _present(track.now, insight, snapshot, situation, standing, allowed)
    outlook, standing, answers = answered(outlook, standing, ladder.mode, present, batch, allowed)

    said = conditions(situation, memory.ladder, ladder, objections, (*dropped, *steered))
    sight = sight_of(snapshot, situation, seen, batch, outlook.baseline if outlook else None, parts.plant)
    sight = replace(sight, conditions={**sight.conditions, **said, **plausibility.conditions(findings)})
    book, acts = alarms.watch(memory.alarms, parts.alarms, parts.alarm_rules, sight, situation.intents)
    ledger = tallied(_of_batch(memory, batch), memory.outlook, outlook, answers, ladder.mode)
    ledger, shadowed = _credited(ledger, memory, now, outlook, ladder.mode, parts)
    after = Memory(ladder, track, outlook, standing, batch, book, ledger, traces, memory.clock, shadowed)
    notes = (*jumped, *notes, *passed, *blind, *dropped, *steered)
    return _decision(after, now, parts.plant.name, notes, (*rulings, *asked, *answers, *acts)), after


def _of_batch(memory: Memory, batch: BatchRecord | None) -> Ledger:
    """The ledger of this batch; another batch begins a new one."""
    changed = batch is not None and memory.batch is not None and batch.id != memory.batch.id
    return NOTHING_ASKED if changed else memory.ledger


def _credited(
    ledger: Ledger, memory: Memory, now: _Present, outlook: LookAhead | None, mode: Mode, parts: Parts
) -> tuple[Ledger, Shadowed | None]:
    """What the advice of SHADOW would have brought by now; reckoned again at each look ahead, and only there."""
    same_batch = memory.batch is None or now.batch is None or memory.batch.id == now.batch.id
    before = memory.shadowed if same_batch else None
    if mode is not Mode.SHADOW:
        return ledger, None
    if outlook is None or outlook is memory.outlook:
        return ledger, before
    hold = outlook.baseline.plan
    shadowed = followed(before, now.estimate, outlook.verdict, hold)
    if shadowed is None:
        return ledger, None
    try:
        return benefit(
            shadowed, hold, lambda start, plan: parts.engine.forecast(start, now.insight.correction, plan), ledger
        ), shadowed
    except ArithmeticError:  # the twin cannot tell from there: the last figure stands
        return ledger, shadowed


def _taken_in(
    memory: Memory, snapshot: Snapshot, situation: Situation, parts: Parts
) -> tuple[Memory, Snapshot, Situation, tuple[str, ...]]:
    """Snapshot and situation, checked. While the clock is not believed the turn stands still: that is a fault."""
    clock, why, anew = ticked(memory.clock, snapshot.time, parts.cadence.longest_gap)
    snapshot = checked(snapshot, clock.now or snapshot.time, parts.plant, parts.envelope.evidence)
    situation = checked_situation(situation, parts.plant, snapshot.time + parts.cadence.longest_ahead)
    memory = replace(memory, clock=clock)
    if why:
        return memory, snapshot, replace(situation, faults=(*situation.faults, why)), (why,)
    if not anew:
        return memory, snapshot, situation, ()
    when = f"{snapshot.time:%Y-%m-%d %H:%M}"
    note = f"the plant's clock goes on from {when}: the twin begins anew, and setpoints are given back"
    ladder = demoted(memory.ladder, note)
    return replace(memory, ladder=ladder, track=None, outlook=None, standing=None), snapshot, situation, (note,)


def _decision(
    memory: Memory, now: _Present, plant: str, notes: tuple[str, ...], rulings: tuple[Ruling, ...]
) -> Decision:
    outlook = memory.outlook
    return Decision(
        time=now.snapshot.time,
        plant=plant,
        mode=memory.ladder.mode,
        mode_reason=memory.ladder.reason,
        snapshot=now.snapshot,
        situation=now.situation,
        estimate=now.estimate,
        insight=now.insight,
        baseline=outlook.baseline if outlook else None,
        proposal=outlook.proposal if outlook else None,
        proposed=outlook.proposed if outlook else None,
        verdict=outlook.verdict if outlook else None,
        command=memory.standing,
        open=outlook.open if outlook else False,
        notes=notes,
        rulings=rulings,
        batch=memory.batch,
        alarms=memory.alarms,
        ledger=memory.ledger,
    )


def what_if(memory: Memory, last: Decision, steps: Sequence[Step], parts: Parts) -> Considered | str:
    """What the twin and safety say of a plan by hand after the last turn, or why it cannot be looked at.

    Nothing is remembered of it.
    """
    allowed = _in_phase(parts, memory.batch)
    present = _present(last.estimate, last.insight, last.snapshot, last.situation, memory.standing, allowed)
    try:
        return objection(steps, present) or consider(steps, present, f"H{last.time:%Y%m%dT%H%M%S}", "an operator")
    except ArithmeticError as fault:
        return f"no look ahead was possible: {fault}"


def _present(
    estimate: Estimate,
    insight: Insight,
    snapshot: Snapshot,
    situation: Situation,
    standing: Command | None,
    parts: Parts,
) -> Present:
    return Present(
        hold=parts.loop.hold(estimate, situation),
        look=lambda plan: parts.engine.forecast(estimate, insight.correction, plan),
        snapshot=snapshot,
        situation=situation,
        envelope=parts.envelope,
        plant=parts.plant,
        standing=standing,
        valid=parts.cadence.command_valid,
    )


def _climbed(
    ladder: Ladder,
    situation: Situation,
    obstacles: tuple[str, ...],
    objections: tuple[str, ...],
    plant: Plant,
) -> tuple[Ladder, tuple[Ruling, ...]]:
    rulings = []
    for intent in situation.intents:
        if intent.kind == "mode":
            ladder, ruling = climb(ladder, intent, obstacles, objections, plant.advisory_only)
            rulings.append(ruling)
    return ladder, tuple(rulings)


def _batch(
    before: BatchRecord | None,
    situation: Situation,
    snapshot: Snapshot,
    seen: dict[str, float],
    entries: tuple[Ruling, ...],
    parts: Parts,
) -> tuple[BatchRecord | None, tuple[Ruling, ...], tuple[str, ...]]:
    """The batch after this scan, with the samples that were entered booked; None for a plant without batches."""
    if parts.recipe is None:
        return None, (), ()
    batch, rulings, notes = advance(before, parts.recipe, situation, snapshot, seen, parts.plant)
    for ruling in entries:
        if ruling.granted and ruling.intent.sample is not None:
            batch = sampled(batch, ruling.intent.sample)
    return batch, rulings, notes


def _in_phase(parts: Parts, batch: BatchRecord | None) -> Parts:
    """The parts with the envelope narrowed to the present phase of the recipe."""
    if parts.recipe is None:
        return parts
    return replace(parts, envelope=within_phase(parts.envelope, parts.recipe, batch))


def _looked(memory: Memory, now: _Present, mode: Mode, parts: Parts) -> tuple[LookAhead | None, tuple[str, ...]]:
    """The last look ahead, or a new one: due by time, at a change of mode or batch, and when assays came in.

    When the twin cannot look ahead from here, the last outlook is closed: nobody can accept what nobody can foresee.
    """
    last = memory.outlook
    if mode is Mode.OFF:
        return last, ()
    due = last is None or mode is not memory.ladder.mode or bool(now.snapshot.assays)
    due = due or _stage(now.batch) != _stage(memory.batch)
    if last is not None and not due and now.snapshot.time - last.made_at < parts.cadence.plan_every:
        return last, ()
    allowed = _in_phase(parts, now.batch)
    try:
        look = look_ahead(
            now.estimate, now.insight, now.snapshot, now.situation, memory.standing, now.batch, allowed, last
        )
    except ArithmeticError as fault:
        return replace(last, open=False) if last else None, (f"no look ahead was possible: {fault}",)
    return look, ()


def _stage(batch: BatchRecord | None) -> tuple[str, str]:
    return (batch.state, batch.phase) if batch else ("", "")


def _steered(
    standing: Command | None, batch: BatchRecord | None, terms: Terms, recipe: Recipe | None
) -> tuple[Command | None, BatchRecord | None, tuple[str, ...]]:
    """Setpoints ramped to where they shall rest: held, restarted, or on their way back to the plant's recipe."""
    passive = terms.mode in (Mode.OFF, Mode.SHADOW)
    state = batch.state if batch else None
    if batch is not None and state in AT_REST:
        note = (f"the setpoints were given back at once: the batch is {state}",) if standing else ()
        return None, settled(batch, terms.snapshot.time), note
    purpose = AIM.get(state, "") if state else ""
    if passive or purpose == "handback":
        why = f"the mode is {terms.mode}" if passive else f"the batch is {state}"
        ramped, arrived = ramp(standing, "handback", terms.situation.local, why, terms)
        note = (f"the setpoints were given back to the plant's own recipe: {why}",) if standing and not ramped else ()
        return ramped, settled(batch, terms.snapshot.time) if batch and arrived else batch, note
    if batch is None or recipe is None or state not in (BatchState.HOLDING, BatchState.RESTARTING):
        return standing, batch, ()
    targets = recipe.hold if state is BatchState.HOLDING else batch.resume
    ramped, arrived = ramp(standing, purpose, targets, batch.reason, terms)
    return ramped, settled(batch, terms.snapshot.time) if arrived else batch, ()
