"""Control turn, for a bioreactor and a patient alike: from a snapshot to a Decision.

No I/O, no clock and no plant by name: time comes with the snapshot, and what is remembered goes in and comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from controller.loop import alarms, plausibility
from controller.loop.batch import HOLDS, advance, sampled, settled
from controller.loop.batch_records import BatchRecord
from controller.loop.look_ahead import LookAhead, answered, look_ahead, tallied
from controller.loop.memory import NOTHING_ASKED, Memory
from controller.loop.mode_ladder import Ladder, climb, demoted, watch
from controller.loop.named_values import conditions, numbers, sight_of
from controller.loop.parts import Cadence, Core, Engine, Loop, Parts
from controller.loop.perception import Perceived, begun_anew, doubting, perceive
from controller.loop.plausibility import diagnose
from controller.loop.records import Command, Decision, Insight, Ledger, Mode, Ruling, Situation
from controller.loop.safety import missing_evidence, tripped
from controller.loop.shadow_benefit import Shadowed, benefit, followed
from controller.loop.standing_command import Terms, still_standing
from controller.loop.steering import in_phase, steered, told_of_hold
from controller.loop.what_if import Considered, Present, consider, objection
from twin.records import Estimate, Step
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
    memory = begun_anew(memory, now)
    findings, traces = diagnose(
        memory.traces, now.snapshot, now.situation, memory.track, now.estimate, parts.plant.variables, parts.checks
    )
    now = doubting(now, findings)
    may = _authority(memory, now, parts)
    seen = numbers(now.estimate, now.insight, now.situation)
    batch, asked, passed = _batch(memory.batch, now, seen, parts)
    now = replace(now, situation=replace(now.situation, fed=batch.fed)) if batch else now

    outlook, remembered, blind = _looked(memory, now, batch, may.ladder.mode, parts)
    terms = Terms(
        may.ladder.mode,
        may.obstacles,
        now.snapshot,
        now.situation,
        parts.envelope,
        parts.cadence.command_valid,
        parts.plant,
    )
    standing, dropped = still_standing(memory.standing, terms)
    ladder = may.ladder
    if dropped and standing is None:
        ladder = demoted(ladder, dropped[0])
        if batch and batch.state not in HOLDS:  # what the plant took back is not fought over, but for a hold
            batch = settled(batch, now.snapshot.time)
    standing, batch, on_the_way, holding = steered(standing, batch, replace(terms, mode=ladder.mode), parts)
    asked = told_of_hold(asked, holding)
    allowed = in_phase(parts, batch)
    present = _present(now.estimate, now.insight, now.snapshot, now.situation, standing, allowed)
    outlook, standing, answers = answered(outlook, standing, ladder.mode, present, batch, allowed)

    said = conditions(now.situation, memory.ladder, ladder, may.objections, (*dropped, *on_the_way))
    sight = sight_of(now.snapshot, now.situation, seen, batch, outlook.baseline if outlook else None, parts.plant)
    said |= {"loop.hold": "; ".join(holding.stuck)} if holding and holding.stuck else {}
    sight = replace(sight, conditions={**sight.conditions, **said, **plausibility.conditions(findings)})
    book, acts = alarms.watch(memory.alarms, parts.alarms, parts.alarm_rules, sight, now.situation.intents)
    ledger = tallied(_of_batch(memory, batch), memory.outlook, outlook, answers, ladder.mode)
    ledger, shadowed = _credited(ledger, memory, now, batch, outlook, ladder.mode, parts)
    after = Memory(
        ladder, now.track, outlook, standing, batch, book, ledger, traces, now.clock, shadowed, remembered, now.learned
    )
    notes = (*now.notes, *may.notes, *passed, *blind, *dropped, *on_the_way)
    return _decision(after, now, parts.plant.name, notes, (*may.rulings, *asked, *answers, *acts)), after


def _authority(memory: Memory, now: Perceived, parts: Parts) -> _Authority:
    """Where the ladder stands after this scan, once evidence, gates and people have had their say."""
    against = tripped(memory.standing, now.snapshot, parts.plant, parts.envelope, now.situation.phase)
    obstacles = (*now.situation.faults, *missing_evidence(now.snapshot, parts.plant, parts.envelope), *against)
    ladder, objections = watch(memory.ladder, now.estimate, now.insight, obstacles, parts.gates)
    if differs := now.situation.conditions.get("loop.readback", ""):
        ladder = demoted(ladder, differs)  # at once: what was written is not what is there
    if alone := now.situation.conditions.get("loop.no_auto", ""):
        ladder, objections = demoted(ladder, alone), (*objections, alone)
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
    allowed = in_phase(parts, memory.batch)
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


def _looked(
    memory: Memory, now: Perceived, batch: BatchRecord | None, mode: Mode, parts: Parts
) -> tuple[LookAhead | None, object, tuple[str, ...]]:
    """The last look ahead, or a new one: due by time, at a change of mode or batch, and when assays came in.

    When the twin cannot look ahead from here, the last outlook is closed: nobody can accept what nobody can foresee.
    """
    last, remembered = memory.outlook, memory.remembered
    if not _due(memory, now, batch, mode, parts):
        return last, remembered, ()
    allowed = in_phase(parts, batch)
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
