"""One turn of the loop, for a bioreactor and a patient alike: from a snapshot to a Decision.

No I/O, no clock and no plant by name: time comes with the snapshot, and what is remembered goes in and comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from controller.by_hand import Considered, Present, consider, objection
from controller.envelope import Envelope
from controller.records import (
    Abstention,
    Command,
    Decision,
    Insight,
    Intent,
    Mode,
    Move,
    Ruling,
    Situation,
    Suggestion,
    Verdict,
)
from controller.safety import admit, missing_evidence
from controller.supervisor import Gates, Ladder, climb, demoted, watch
from twin.correction import Correction
from twin.estimate import Estimate, Track
from twin.forecast import Forecast, Plan, Step
from twin.signals import Plant, Snapshot


class Engine(Protocol):
    """The TwinEngine: where is the plant now, and where will it go?"""

    def assimilate(self, track: Track | None, snapshot: Snapshot) -> Track:
        """The belief after this snapshot; late assays rewind and replay."""
        ...

    def forecast(self, estimate: Estimate, correction: Correction, plan: Plan) -> Forecast:
        """The future under this plan, with its uncertainty."""
        ...


class Core(Protocol):
    """NeuroCore: learns online how the plant differs from the twin. The one part with a memory of its own."""

    def step(self, snapshot: Snapshot, estimate: Estimate) -> Insight:
        """Learn from this scan, and say what is known and how unusual the present is."""
        ...


class Loop(Protocol):
    """A PharmacoLoop: what would be better?"""

    def hold(self, estimate: Estimate, situation: Situation) -> Plan:
        """What happens if nothing is changed."""
        ...

    def propose(
        self, estimate: Estimate, insight: Insight, baseline: Forecast, situation: Situation
    ) -> Suggestion | Abstention:
        """A better plan than the baseline's and why, or why there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often the loop looks ahead, and how long a command holds without being renewed."""

    plan_every: timedelta
    command_valid: timedelta


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything one plant is served by."""

    plant: Plant
    engine: Engine
    core: Core
    loop: Loop
    envelope: Envelope
    gates: Gates
    cadence: Cadence


@dataclass(frozen=True, slots=True)
class Outlook:
    """The last look ahead; a turn carries it on until the next is due."""

    made_at: datetime
    baseline: Forecast
    proposal: Suggestion | Abstention
    proposed: Forecast | None
    verdict: Verdict
    open: bool  # awaits an operator's answer
    rejected: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """What one turn hands to the next."""

    ladder: Ladder
    track: Track | None = None
    outlook: Outlook | None = None
    standing: Command | None = None  # the setpoints that are renewed as long as all is well


def turn(memory: Memory, snapshot: Snapshot, situation: Situation, parts: Parts) -> tuple[Decision, Memory]:
    """Estimate, learn, look ahead when it is due, judge what people asked, and say what may be written."""
    track = parts.engine.assimilate(memory.track, snapshot)
    estimate = track.now
    insight = parts.core.step(snapshot, estimate)
    obstacles = (*situation.faults, *missing_evidence(snapshot, parts.plant, parts.envelope))
    ladder, objections = watch(memory.ladder, estimate, insight, obstacles, parts.gates)
    notes = (ladder.reason,) if ladder.mode is not memory.ladder.mode else ()
    ladder, mode_rulings = _climbed(ladder, situation, obstacles, objections, parts.plant)

    outlook = memory.outlook
    if ladder.mode is not Mode.OFF and _due(outlook, snapshot, ladder, memory, parts):
        outlook = _kept(memory.outlook, _look_ahead(estimate, insight, snapshot, situation, memory.standing, parts))
    standing, dropped = _still_standing(memory.standing, ladder.mode, obstacles, snapshot, situation, parts)
    if dropped and standing is None:
        ladder = demoted(ladder, dropped[0])
    present = _present(estimate, insight, snapshot, situation, standing, parts)
    outlook, standing, answers = _answered(outlook, standing, ladder.mode, present, parts)

    decision = Decision(
        time=snapshot.time,
        plant=parts.plant.name,
        mode=ladder.mode,
        mode_reason=ladder.reason,
        snapshot=snapshot,
        situation=situation,
        estimate=estimate,
        insight=insight,
        baseline=outlook.baseline if outlook else None,
        proposal=outlook.proposal if outlook else None,
        proposed=outlook.proposed if outlook else None,
        verdict=outlook.verdict if outlook else None,
        command=standing,
        open=outlook.open if outlook else False,
        notes=(*notes, *dropped),
        rulings=(*mode_rulings, *answers),
    )
    return decision, Memory(ladder, track, outlook, standing)


def what_if(memory: Memory, last: Decision, steps: Sequence[Step], parts: Parts) -> Considered | str:
    """What the twin and safety say of a plan by hand after the last turn, or why it cannot be looked at.

    Nothing is remembered of it.
    """
    present = _present(last.estimate, last.insight, last.snapshot, last.situation, memory.standing, parts)
    return objection(steps, present) or consider(steps, present, f"H{last.time:%Y%m%dT%H%M%S}", "an operator")


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


def _due(outlook: Outlook | None, snapshot: Snapshot, ladder: Ladder, memory: Memory, parts: Parts) -> bool:
    """A look ahead is due by time, at a change of mode, and when new assays changed what is believed."""
    if outlook is None or ladder.mode is not memory.ladder.mode or snapshot.assays:
        return True
    return snapshot.time - outlook.made_at >= parts.cadence.plan_every


def _look_ahead(
    estimate: Estimate,
    insight: Insight,
    snapshot: Snapshot,
    situation: Situation,
    standing: Command | None,
    parts: Parts,
) -> Outlook:
    baseline = parts.engine.forecast(estimate, insight.correction, parts.loop.hold(estimate, situation))
    proposal = parts.loop.propose(estimate, insight, baseline, situation)
    if isinstance(proposal, Abstention):
        refused = Verdict((), (), (f"nothing is proposed: {proposal.reason}",))
        return Outlook(snapshot.time, baseline, proposal, None, refused, open=False)
    proposed = parts.engine.forecast(estimate, insight.correction, proposal.plan)
    verdict = admit(proposal, snapshot, baseline, proposed, parts.envelope, parts.plant, situation, standing)
    answerable = verdict.admitted or parts.plant.advisory_only
    return Outlook(snapshot.time, baseline, proposal, proposed, verdict, open=answerable)


def _kept(before: Outlook | None, now: Outlook) -> Outlook:
    """The new outlook with the suggestion people already know, when it asks for the same moves and is still valid.

    It keeps its name, so that what was read can be accepted, and what was rejected is not asked again.
    """
    if before is None or not (before.open or before.rejected):
        return now
    known, fresh = before.proposal, now.proposal
    if not isinstance(known, Suggestion) or not isinstance(fresh, Suggestion) or now.made_at >= known.expires_at:
        return now
    if (known.kind, known.moves) != (fresh.kind, fresh.moves) or (not known.moves and known.reason != fresh.reason):
        return now
    return replace(now, proposal=known, open=now.open and not before.rejected, rejected=before.rejected)


def _still_standing(
    standing: Command | None,
    mode: Mode,
    obstacles: tuple[str, ...],
    snapshot: Snapshot,
    situation: Situation,
    parts: Parts,
) -> tuple[Command | None, tuple[str, ...]]:
    """The standing command with its lease renewed, or nothing and the reason why.

    Without good evidence the lease is not renewed: it runs out, and the plant falls back to its own recipe.
    """
    if standing is None:
        return None, ()
    if mode in (Mode.OFF, Mode.SHADOW):
        return None, (f"the setpoints were given back to the plant's own recipe: the mode is {mode}",)
    if snapshot.time >= standing.valid_until:
        return None, ("the lease of the command ran out; the plant is on its own recipe",)
    for move in standing.moves:
        phases = next((x.phases for x in parts.envelope.limits if x.variable == move.variable), ())
        if situation.phase not in phases:
            return None, (f"{move.variable} was given back: the phase is {situation.phase or 'unknown'}",)
        in_force = situation.setpoints.get(move.variable, move.value)
        if abs(in_force - move.value) > 1e-6 * max(abs(move.value), abs(in_force)):
            return None, (
                f"{move.variable} is {in_force:g} {move.unit} at the plant, not the commanded {move.value:g}:"
                " the command is dropped",
            )
    if obstacles:
        return standing, (f"the lease is not renewed: {obstacles[0]}",)
    return replace(standing, valid_until=snapshot.time + parts.cadence.command_valid), ()


def _answered(
    outlook: Outlook | None,
    standing: Command | None,
    mode: Mode,
    present: Present,
    parts: Parts,
) -> tuple[Outlook | None, Command | None, tuple[Ruling, ...]]:
    """Judge the answers people gave to the open suggestion; in AUTO an admitted one needs none."""
    snapshot, situation = present.snapshot, present.situation
    rulings: list[Ruling] = []
    for intent in situation.intents:
        if intent.kind in ("accept", "modify", "reject", "propose"):
            outlook, standing, ruling = _answer(intent, outlook, standing, mode, present, parts)
            rulings.append(ruling)
    if outlook and outlook.open and mode is Mode.AUTO:
        outlook, standing, _ = _taken("auto", outlook, standing, snapshot, situation, parts)
    if outlook and outlook.open and (mode in (Mode.OFF, Mode.SHADOW) or _expired(outlook, snapshot)):
        outlook = replace(outlook, open=False)
    return outlook, standing, tuple(rulings)


def _answer(
    intent: Intent,
    outlook: Outlook | None,
    standing: Command | None,
    mode: Mode,
    present: Present,
    parts: Parts,
) -> tuple[Outlook | None, Command | None, Ruling]:
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


def _by_hand(
    intent: Intent,
    outlook: Outlook | None,
    standing: Command | None,
    mode: Mode,
    present: Present,
    parts: Parts,
) -> tuple[Outlook | None, Command | None, Ruling]:
    """Setpoints that a person stands for: forecast like any suggestion, and written only if safety admits them."""
    if mode not in (Mode.ADVISORY, Mode.AUTO):
        return outlook, standing, Ruling(intent, False, f"the mode is {mode}: nothing is written")
    present = replace(present, standing=standing)
    steps = (Step(present.snapshot.time, intent.moves),)
    against = objection(steps, present)
    if against:
        return outlook, standing, Ruling(intent, False, against)
    key = f"{intent.suggestion}M" if intent.suggestion else f"H{present.snapshot.time:%Y%m%dT%H%M%S}"
    own = consider(steps, present, key, intent.by)
    asked = Outlook(present.snapshot.time, own.baseline, own.suggestion, own.forecast, own.verdict, open=True)
    taken, command, reason = _taken(intent.by, asked, standing, present.snapshot, present.situation, parts)
    if taken.open:  # refused: what was open before still is
        return outlook, standing, Ruling(intent, False, reason)
    return taken, command, Ruling(intent, True, reason)


def _taken(
    authority: str,
    outlook: Outlook,
    standing: Command | None,
    snapshot: Snapshot,
    situation: Situation,
    parts: Parts,
) -> tuple[Outlook, Command | None, str]:
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


def _expired(outlook: Outlook, snapshot: Snapshot) -> bool:
    return isinstance(outlook.proposal, Suggestion) and snapshot.time >= outlook.proposal.expires_at
