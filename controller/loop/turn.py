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

__all__ = [
    "Cadence",
    "Core",
    "Engine",
    "LookAhead",
    "Loop",
    "Memory",
    "Parts",
    "Perceived",
    "perceive",
    "turn",
    "what_if",
]
NOTHING_ALARMING, NOTHING_ASKED, NO_TIME = AlarmBook(), Ledger(), Clock()
AT_REST = (BatchState.IDLE, BatchState.STOPPED, BatchState.ABORTING, BatchState.ABORTED, BatchState.COMPLETE)


@dataclass(frozen=True, slots=True)
class Memory:
    """What one turn hands to the next: with it, a turn is the same in any process."""

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
    remembered: object = None  # what the loop needs of its last proposal; only the loop can read it
    learned: object = None  # all that NeuroCore knows; only NeuroCore can read it


@dataclass(frozen=True, slots=True)
class Perceived:
    """What is known at this instant, once it was checked, estimated and learned."""

    snapshot: Snapshot
    situation: Situation
    track: Track
    insight: Insight
    learned: object
    clock: Clock
    anew: bool  # the plant's clock goes on from another time: what was believed before is of no use
    entries: tuple[Ruling, ...]  # what people entered by hand
    notes: tuple[str, ...]

    @property
    def estimate(self) -> Estimate:
        """The belief now."""
        return self.track.now


class _Authority(NamedTuple):
    """What may be done at this instant, and what stands against more."""

    ladder: Ladder
    obstacles: tuple[str, ...]  # sentences: without good evidence nothing is written
    objections: tuple[str, ...]  # sentences: what stands against AUTO besides
    rulings: tuple[Ruling, ...]
    notes: tuple[str, ...]


def turn(memory: Memory, snapshot: Snapshot, situation: Situation, parts: Parts) -> tuple[Decision, Memory]:
    """Estimate, learn, look ahead when it is due, judge what people asked, and say what may be written."""
    now = perceive(memory, snapshot, situation, parts)
    memory = _begun_anew(memory, now)
    findings, traces = diagnose(
        memory.traces, now.snapshot, now.situation, memory.track, now.estimate, parts.plant.variables, parts.checks
    )
    now = _doubting(now, findings)
    may = _authority(memory, now, parts)
    seen = numbers(now.estimate, now.insight, now.situation)
    batch, asked, passed = _batch(memory.batch, now, seen, parts)
    now = replace(now, situation=replace(now.situation, fed=batch.fed)) if batch else now

    outlook, remembered, blind = _looked(memory, now, batch, may.ladder.mode, parts)
    terms = Terms(
        may.ladder.mode, may.obstacles, now.snapshot, now.situation, parts.envelope, parts.cadence.command_valid
    )
    standing, dropped = still_standing(memory.standing, terms)
    ladder = may.ladder
    if dropped and standing is None:
        ladder = demoted(ladder, dropped[0])
        batch = settled(batch, now.snapshot.time) if batch else None  # what the plant took back is not fought over
    standing, batch, steered = _steered(standing, batch, replace(terms, mode=ladder.mode), parts.recipe)
    allowed = _in_phase(parts, batch)
    present = _present(now.estimate, now.insight, now.snapshot, now.situation, standing, allowed)
    outlook, standing, answers = answered(outlook, standing, ladder.mode, present, batch, allowed)

    said = conditions(now.situation, memory.ladder, ladder, may.objections, (*dropped, *steered))
    sight = sight_of(now.snapshot, now.situation, seen, batch, outlook.baseline if outlook else None, parts.plant)
    sight = replace(sight, conditions={**sight.conditions, **said, **plausibility.conditions(findings)})
    book, acts = alarms.watch(memory.alarms, parts.alarms, parts.alarm_rules, sight, now.situation.intents)
    ledger = tallied(_of_batch(memory, batch), memory.outlook, outlook, answers, ladder.mode)
    ledger, shadowed = _credited(ledger, memory, now, batch, outlook, ladder.mode, parts)
    after = Memory(
        ladder, now.track, outlook, standing, batch, book, ledger, traces, now.clock, shadowed, remembered, now.learned
    )
    notes = (*now.notes, *may.notes, *passed, *blind, *dropped, *steered)
    return _decision(after, now, parts.plant.name, notes, (*may.rulings, *asked, *answers, *acts)), after


def perceive(memory: Memory, snapshot: Snapshot, situation: Situation, parts: Parts) -> Perceived:
    """Check what came in, believe and learn. A clock that is not believed is a fault: then the turn stands still."""
    clock, why, anew = ticked(memory.clock, snapshot.time, parts.cadence.longest_gap)
    snapshot = checked(snapshot, clock.now or snapshot.time, parts.plant, parts.envelope.evidence)
    situation = checked_situation(situation, parts.plant, snapshot.time + parts.cadence.longest_ahead)
    notes: tuple[str, ...] = ()
    if why:
        situation, notes = replace(situation, faults=(*situation.faults, why)), (why,)
    elif anew:
        when = f"{snapshot.time:%Y-%m-%d %H:%M}"
        notes = (f"the plant's clock goes on from {when}: the twin begins anew, and setpoints are given back",)
    snapshot, entries = entered(snapshot, situation, parts.plant)
    track = parts.engine.assimilate(None if anew else memory.track, snapshot)
    insight, learned = parts.core.learn(memory.learned, snapshot, track.now)
    return Perceived(snapshot, situation, track, insight, learned, clock, anew, entries, notes)


def _begun_anew(memory: Memory, now: Perceived) -> Memory:
    """The memory of before, without what is of another time where the plant's clock goes on from elsewhere."""
    if not now.anew:
        return memory
    return replace(memory, ladder=demoted(memory.ladder, now.notes[0]), track=None, outlook=None, standing=None)


def _doubting(now: Perceived, findings: tuple[plausibility.Finding, ...]) -> Perceived:
    """With the findings that block among the faults."""
    faults = dict.fromkeys((*now.situation.faults, *(f.sentence for f in findings if f.blocks)))
    return replace(now, situation=replace(now.situation, faults=tuple(faults)))


def _authority(memory: Memory, now: Perceived, parts: Parts) -> _Authority:
    """Where the ladder stands after this scan, once evidence, gates and people have had their say."""
    against = tripped(memory.standing, now.snapshot, parts.plant, parts.envelope, now.situation.phase)
    obstacles = (*now.situation.faults, *missing_evidence(now.snapshot, parts.plant, parts.envelope), *against)
    ladder, objections = watch(memory.ladder, now.estimate, now.insight, obstacles, parts.gates)
    if differs := now.situation.conditions.get("loop.readback", ""):
        ladder = demoted(ladder, differs)  # at once: what was written is not what is there
    notes = (ladder.reason,) if ladder.mode is not memory.ladder.mode else ()
    ladder, rulings = _climbed(ladder, now.situation, obstacles, objections, parts.plant)
    return _Authority(ladder, obstacles, objections, (*rulings, *now.entries), notes)


def _of_batch(memory: Memory, batch: BatchRecord | None) -> Ledger:
    """The ledger of this batch; another batch begins a new one."""
    changed = batch is not None and memory.batch is not None and batch.id != memory.batch.id
    return NOTHING_ASKED if changed else memory.ledger


def _credited(
    ledger: Ledger,
    memory: Memory,
    now: Perceived,
    batch: BatchRecord | None,
    outlook: LookAhead | None,
    mode: Mode,
    parts: Parts,
) -> tuple[Ledger, Shadowed | None]:
    """What the advice of SHADOW would have brought by now; reckoned again at each look ahead, and only there."""
    same_batch = memory.batch is None or batch is None or memory.batch.id == batch.id
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


def _decision(
    memory: Memory, now: Perceived, plant: str, notes: tuple[str, ...], rulings: tuple[Ruling, ...]
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
    before: BatchRecord | None, now: Perceived, seen: dict[str, float], parts: Parts
) -> tuple[BatchRecord | None, tuple[Ruling, ...], tuple[str, ...]]:
    """The batch after this scan, with the samples that were entered booked; None for a plant without batches."""
    if parts.recipe is None:
        return None, (), ()
    batch, rulings, notes = advance(before, parts.recipe, now.situation, now.snapshot, seen, parts.plant)
    for ruling in now.entries:
        if ruling.granted and ruling.intent.sample is not None:
            batch = sampled(batch, ruling.intent.sample)
    return batch, rulings, notes


def _in_phase(parts: Parts, batch: BatchRecord | None) -> Parts:
    """The parts with the envelope narrowed to the present phase of the recipe."""
    if parts.recipe is None:
        return parts
    return replace(parts, envelope=within_phase(parts.envelope, parts.recipe, batch))


def _looked(
    memory: Memory, now: Perceived, batch: BatchRecord | None, mode: Mode, parts: Parts
) -> tuple[LookAhead | None, object, tuple[str, ...]]:
    """The last look ahead, or a new one: due by time, at a change of mode or batch, and when assays came in.

    When the twin cannot look ahead from here, the last outlook is closed: nobody can accept what nobody can foresee.
    """
    last, remembered = memory.outlook, memory.remembered
    if not _due(memory, now, batch, mode, parts):
        return last, remembered, ()
    allowed = _in_phase(parts, batch)
    try:
        outlook, remembered = look_ahead(
            now.estimate, now.insight, now.snapshot, now.situation, memory.standing, batch, allowed, last, remembered
        )
    except ArithmeticError as fault:
        return replace(last, open=False) if last else None, remembered, (f"no look ahead was possible: {fault}",)
    return outlook, remembered, ()


def _due(memory: Memory, now: Perceived, batch: BatchRecord | None, mode: Mode, parts: Parts) -> bool:
    """Whether it is time to look ahead."""
    last = memory.outlook
    if mode is Mode.OFF:
        return False
    if last is None or mode is not memory.ladder.mode or now.snapshot.assays or _stage(batch) != _stage(memory.batch):
        return True
    return now.snapshot.time - last.made_at >= parts.cadence.plan_every


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
