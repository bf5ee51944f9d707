"""Look-ahead: what is proposed, whether it may be done, and what people answered to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.loop.batch_records import BatchRecord, BatchState
from controller.loop.parts import Parts
from controller.loop.records import (
    Abstention,
    Command,
    Insight,
    Intent,
    Ledger,
    Mode,
    Move,
    Proposal,
    Ruling,
    Situation,
    Suggestion,
    Verdict,
)
from controller.loop.safety import admit
from controller.loop.what_if import Present, consider, objection
from twin.records import Estimate, Forecast, Step
from twin.signals import Snapshot

ANSWERS = ("accept", "modify", "reject", "propose")
SAME_MOVE = 0.25  # share of a move by which a fresh plan may differ without being another suggestion (design)
RECIPE_VALID = timedelta(hours=8)  # how long the setpoints of a phase wait for an answer (design: one shift)


@dataclass(frozen=True, slots=True)
class LookAhead:
    """The last look ahead; a turn carries it on until the next is due."""

    made_at: datetime
    baseline: Forecast
    proposal: Suggestion | Abstention
    proposed: Forecast | None
    verdict: Verdict
    open: bool  # awaits an operator's answer
    rejected: bool = False


def look_ahead(
    estimate: Estimate,
    insight: Insight,
    snapshot: Snapshot,
    situation: Situation,
    standing: Command | None,
    batch: BatchRecord | None,
    parts: Parts,
    before: LookAhead | None = None,
    remembered: object = None,
) -> tuple[LookAhead, object]:
    """Forecast with nothing changed, ask for a plan, forecast that, and judge it; and what the loop remembers of it.

    A suggestion that people already know from `before` stays, forecast and judged anew, while the fresh one asks for
    much the same: what was read can be accepted, and what was rejected is not asked again.
    """
    baseline = parts.engine.forecast(estimate, insight.correction, parts.loop.hold(estimate, situation))
    prior = _prior(batch, baseline, snapshot, situation, parts)
    found = Proposal(prior, None, remembered) if prior else None
    found = found or parts.loop.propose(estimate, insight, baseline, situation, remembered)
    proposal = found.answer
    if isinstance(proposal, Abstention):
        refused = Verdict((), (), (f"nothing is proposed: {proposal.reason}",))
        return LookAhead(snapshot.time, baseline, proposal, None, refused, open=False), found.remembered
    known = _known(before, proposal, snapshot)
    rejected = known is not None and before is not None and before.rejected
    plan = known.plan if known and known.moves else proposal.plan  # advice without moves goes by the clock
    proposed = found.forecast if plan is proposal.plan else None
    proposal = known or proposal
    proposed = proposed or parts.engine.forecast(estimate, insight.correction, plan)
    verdict = admit(proposal, snapshot, baseline, proposed, parts.envelope, parts.plant, situation, standing)
    answerable = (verdict.admitted or parts.plant.advisory_only) and not rejected
    return LookAhead(snapshot.time, baseline, proposal, proposed, verdict, answerable, rejected), found.remembered


def _prior(
    batch: BatchRecord | None, baseline: Forecast, snapshot: Snapshot, situation: Situation, parts: Parts
) -> Suggestion | Abstention | None:
    """What comes before any plan: a batch that does not run moves nothing, and a phase that begins sets its own."""
    if batch is not None and batch.state is not BatchState.RUNNING:
        return Abstention(snapshot.time, f"the batch is {batch.state}: {batch.reason}")
    if batch is not None and parts.recipe is not None:
        return by_recipe(batch, baseline, snapshot, situation, parts)
    return None


def _known(before: LookAhead | None, fresh: Suggestion, snapshot: Snapshot) -> Suggestion | None:
    """The suggestion that awaits an answer or was rejected, if it is still valid and says what the fresh one says."""
    if before is None or not (before.open or before.rejected):
        return None
    known = before.proposal
    if not isinstance(known, Suggestion) or snapshot.time >= known.expires_at or known.kind != fresh.kind:
        return None
    if not known.moves:
        return known if not fresh.moves and known.reason == fresh.reason else None
    alike = len(known.moves) == len(fresh.moves) and all(map(_alike, known.moves, fresh.moves))
    return known if alike else None


def _alike(known: Move, fresh: Move) -> bool:
    """The same move from the same setpoint, but for SAME_MOVE of it."""
    if known.variable != fresh.variable or known.previous != fresh.previous:
        return False
    return abs(known.value - fresh.value) <= SAME_MOVE * abs(fresh.value - fresh.previous)


def by_recipe(
    batch: BatchRecord, baseline: Forecast, snapshot: Snapshot, situation: Situation, parts: Parts
) -> Suggestion | None:
    """The setpoints of a phase that begins at this instant, where they are not in force already."""
    phase = parts.recipe.phase(batch.phase) if parts.recipe else None
    if phase is None or batch.phase_since != snapshot.time:
        return None
    present = situation.setpoints
    moves = tuple(
        Move(name, value, parts.plant.variable(name).unit, present[name])
        for name, value in phase.setpoints.items()
        if name in present and abs(present[name] - value) > 1e-6 * max(abs(value), abs(present[name]))
    )
    if not moves:
        return None
    first = baseline.plan.steps[0]
    inputs = {**first.inputs, **{move.variable: move.value for move in moves}}
    plan = replace(baseline.plan, steps=(Step(snapshot.time, inputs),))
    told = ", ".join(f"{m.variable} from {m.previous:g} to {m.value:g} {m.unit}" for m in moves)
    return Suggestion(
        id=f"R{snapshot.time:%Y%m%d-%H%M%S}",
        made_at=snapshot.time,
        expires_at=snapshot.time + RECIPE_VALID,
        kind="recipe",
        moves=moves,
        plan=plan,
        reason=f"Phase {phase.name} begins, and the recipe sets {told}.",
        effect=None,
    )


def answered(
    outlook: LookAhead | None,
    standing: Command | None,
    mode: Mode,
    present: Present,
    batch: BatchRecord | None,
    parts: Parts,
) -> tuple[LookAhead | None, Command | None, tuple[Ruling, ...]]:
    """Judge the answers people gave to the open suggestion; in AUTO an admitted one needs none."""
    snapshot, situation = present.snapshot, present.situation
    rulings: list[Ruling] = []
    if batch is not None and batch.state is not BatchState.RUNNING:
        outlook = replace(outlook, open=False) if outlook else None
        return outlook, standing, _at_rest(situation, f"the batch is {batch.state}")
    for intent in situation.intents:
        if intent.kind in ANSWERS:
            outlook, standing, ruling = _answer(intent, outlook, standing, mode, present, parts)
            rulings.append(ruling)
    if outlook and outlook.open and mode is Mode.AUTO:
        outlook, standing, _ = _taken("auto", outlook, standing, snapshot, situation, parts)
    if outlook and outlook.open and (mode in (Mode.OFF, Mode.SHADOW) or _expired(outlook, snapshot)):
        outlook = replace(outlook, open=False)
    return outlook, standing, tuple(rulings)


def _answer(
    intent: Intent,
    outlook: LookAhead | None,
    standing: Command | None,
    mode: Mode,
    present: Present,
    parts: Parts,
) -> tuple[LookAhead | None, Command | None, Ruling]:
    snapshot, situation = present.snapshot, present.situation
    if intent.kind == "propose":
        return _by_hand(intent, outlook, standing, mode, present, parts)
    proposal = outlook.proposal if outlook else None
    if outlook is None or not isinstance(proposal, Suggestion) or proposal.id != intent.suggestion:
        return (
            outlook,
            standing,
            Ruling(intent, False, f"suggestion {intent.suggestion} is no longer the current one"),
        )
    if not outlook.open or _expired(outlook, snapshot):
        return outlook, standing, Ruling(intent, False, f"suggestion {proposal.id} is not open any more")
    if intent.kind == "reject":
        rejected = replace(outlook, open=False, rejected=True)
        return rejected, standing, Ruling(intent, True, "rejected; nothing is written")
    if parts.plant.advisory_only:
        return replace(outlook, open=False), standing, Ruling(intent, True, "noted; nothing is ever written")
    if mode not in (Mode.ADVISORY, Mode.AUTO):
        return outlook, standing, Ruling(intent, False, f"the mode is {mode}: nothing is written")
    if intent.kind == "modify":
        return _by_hand(intent, outlook, standing, mode, present, parts)
    outlook, standing, reason = _taken(intent.by, outlook, standing, snapshot, situation, parts)
    return outlook, standing, Ruling(intent, not outlook.open, reason)


def _at_rest(situation: Situation, why: str) -> tuple[Ruling, ...]:
    """While the batch does not run, no setpoint is taken from anybody."""
    return tuple(Ruling(i, False, f"refused: {why}") for i in situation.intents if i.kind in ANSWERS)


def _by_hand(
    intent: Intent,
    outlook: LookAhead | None,
    standing: Command | None,
    mode: Mode,
    present: Present,
    parts: Parts,
) -> tuple[LookAhead | None, Command | None, Ruling]:
    """Setpoints that a person stands for: forecast like any suggestion, and written only if safety admits them."""
    if mode not in (Mode.ADVISORY, Mode.AUTO):
        return outlook, standing, Ruling(intent, False, f"the mode is {mode}: nothing is written")
    present = replace(present, standing=standing)
    steps = (Step(present.snapshot.time, intent.moves),)
    against = objection(steps, present)
    if against:
        return outlook, standing, Ruling(intent, False, against)
    key = f"{intent.suggestion}M" if intent.suggestion else f"H{present.snapshot.time:%Y%m%dT%H%M%S}"
    try:
        own = consider(steps, present, key, intent.by)
    except ArithmeticError as fault:
        return outlook, standing, Ruling(intent, False, f"no look ahead was possible: {fault}")
    asked = LookAhead(present.snapshot.time, own.baseline, own.suggestion, own.forecast, own.verdict, open=True)
    taken, command, reason = _taken(intent.by, asked, standing, present.snapshot, present.situation, parts)
    if taken.open:  # refused: what was open before still is
        return outlook, standing, Ruling(intent, False, reason)
    return taken, command, Ruling(intent, True, reason)


def _taken(
    authority: str,
    outlook: LookAhead,
    standing: Command | None,
    snapshot: Snapshot,
    situation: Situation,
    parts: Parts,
) -> tuple[LookAhead, Command | None, str]:
    """Make the open suggestion the standing command, if safety still admits it on the present evidence."""
    proposal = outlook.proposal
    if not isinstance(proposal, Suggestion) or outlook.proposed is None:
        return outlook, standing, "there is nothing to take"
    verdict = admit(
        proposal, snapshot, outlook.baseline, outlook.proposed, parts.envelope, parts.plant, situation, standing
    )
    outlook = replace(outlook, verdict=verdict)
    if not verdict.admitted:
        return outlook, standing, f"refused: {'; '.join(verdict.refusals)}"
    merged: dict[str, Move] = {m.variable: m for m in (standing.moves if standing else ())}
    merged |= {m.variable: m for m in verdict.moves}
    command = Command(
        id=proposal.id,
        moves=tuple(merged.values()),
        issued_at=snapshot.time,
        valid_until=snapshot.time + parts.cadence.command_valid,
        authority=authority,
    )
    return replace(outlook, open=False), command, "accepted; it is being written"


def _expired(outlook: LookAhead, snapshot: Snapshot) -> bool:
    return isinstance(outlook.proposal, Suggestion) and snapshot.time >= outlook.proposal.expires_at


def tallied(
    ledger: Ledger, before: LookAhead | None, now: LookAhead | None, rulings: tuple[Ruling, ...], mode: Mode
) -> Ledger:
    """The ledger after this turn: what was opened to people, and what became of it. AUTO asks nobody."""
    given = [r.intent.kind for r in rulings if r.granted]
    was, is_open = (x.proposal if x is not None and x.open else None for x in (before, now))
    fresh = is_open is not None and (was is None or _id(was) != _id(is_open))
    over = was is not None and (is_open is None or _id(was) != _id(is_open))
    asked = mode is Mode.ADVISORY
    accepted, rejected = given.count("accept") + given.count("modify"), given.count("reject")
    return replace(
        ledger,
        opened=ledger.opened + int(fresh and asked),
        accepted=ledger.accepted + accepted,
        rejected=ledger.rejected + rejected,
        unanswered=ledger.unanswered + int(over and asked and not accepted and not rejected),
    )


def _id(proposal: Suggestion | Abstention) -> str:
    return proposal.id if isinstance(proposal, Suggestion) else ""
