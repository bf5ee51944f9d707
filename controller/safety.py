"""Safety says what may be written: refuse by default, hold to limits, and give every reason as a sentence.

It knows limits, not policy: nothing here knows how a proposal came to be. Non-finite numbers are refusals,
since min(max(nan, low), high) is nan.
"""

from __future__ import annotations

import math

from controller.envelope import Envelope, Limit
from controller.records import Abstention, Command, Move, Narrowing, Situation, Suggestion, Verdict
from twin.forecast import Forecast
from twin.signals import Plant, Reading, Snapshot


def missing_evidence(snapshot: Snapshot, plant: Plant, envelope: Envelope) -> tuple[str, ...]:
    """One sentence for each variable whose reading is absent, not good, or older than it may be."""
    sentences = []
    for name in envelope.evidence:
        reading = snapshot.readings.get(name)
        if reading is None:
            sentences.append(f"{name} has no reading")
        elif not reading.usable:
            sentences.append(f"{name} is {reading.quality.name.lower()}: {reading.reason or 'not a number'}")
        elif not _fresh(reading, snapshot, plant.variable(name).max_age_s):
            sentences.append(f"{name} is older than {plant.variable(name).max_age_s:g} s")
    return tuple(sentences)


def admit(
    proposal: Suggestion | Abstention,
    snapshot: Snapshot,
    baseline: Forecast,
    proposed: Forecast,
    envelope: Envelope,
    plant: Plant,
    situation: Situation,
    standing: Command | None = None,
) -> Verdict:
    """What of the proposal may be written now, each narrowing and each refusal with its reason.

    `standing` is the command in force, which bounds how soon its variables may be moved again. A plan is refused
    when the 80 % band of its forecast leaves a bound further than doing nothing would.
    """
    if isinstance(proposal, Abstention):
        return Verdict((), (), (f"nothing is proposed: {proposal.reason}",))
    refusals = list(situation.faults)
    if plant.advisory_only:
        refusals.append("this plant is advisory only: nothing is ever written to it")
    if not proposal.made_at <= snapshot.time < proposal.expires_at:
        refusals.append(f"the suggestion was valid until {proposal.expires_at:%Y-%m-%d %H:%M}")
    refusals += missing_evidence(snapshot, plant, envelope)
    refusals += _outside(baseline, proposed, envelope)
    moves: list[Move] = []
    narrowed: list[Narrowing] = []
    for move in proposal.moves:
        limit = next((x for x in envelope.limits if x.variable == move.variable), None)
        objection = _objection(move, limit, situation)
        if objection or limit is None:
            refusals.append(objection)
            continue
        present = situation.setpoints[move.variable]
        granted, reason = held(move.value, present, limit, largest_step(limit, standing, snapshot))
        if reason:
            narrowed.append(Narrowing(move.variable, move.value, granted, reason))
        if granted == present:
            refusals.append(f"{move.variable} stays at {present:g} {move.unit}: {reason or 'it is there already'}")
        moves.append(Move(move.variable, granted, move.unit, present))
    return Verdict(() if refusals else tuple(moves), tuple(narrowed), tuple(refusals))


def _fresh(reading: Reading, snapshot: Snapshot, max_age_s: float) -> bool:
    return reading.time is not None and (snapshot.time - reading.time).total_seconds() <= max_age_s


def _objection(move: Move, limit: Limit | None, situation: Situation) -> str:
    if limit is None:
        return f"{move.variable} has no limits configured, so it is never written"
    if not math.isfinite(move.value):
        return f"{move.variable} would be set to {move.value}, which is not a number"
    if move.unit != limit.unit:
        return f"{move.variable} is proposed in {move.unit} and limited in {limit.unit}"
    if situation.phase not in limit.phases:
        allowed = ", ".join(limit.phases) or "no phase"
        return f"{move.variable} may be moved in {allowed}, and the batch is in {situation.phase or 'no phase'}"
    present = situation.setpoints.get(move.variable)
    if present is None or not math.isfinite(present):
        return f"the setpoint in force of {move.variable} is not known"
    return ""


def largest_step(limit: Limit, standing: Command | None, snapshot: Snapshot) -> float:
    """One step, or what the rate allows since the standing command last moved this variable."""
    if standing is None or all(move.variable != limit.variable for move in standing.moves):
        return limit.max_step
    hours = max((snapshot.time - standing.issued_at).total_seconds(), 0.0) / 3600.0
    return min(limit.max_step, limit.max_rate_per_h * hours)


def held(asked: float, present: float, limit: Limit, step: float) -> tuple[float, str]:
    """The asked value held to a step from the present one and to the range; all of them must be finite."""
    stepped = min(max(asked, present - step), present + step)
    granted = min(max(stepped, limit.low), limit.high)
    if granted == asked:
        return granted, ""
    if granted != stepped:
        return granted, f"held to [{limit.low:g}, {limit.high:g}] {limit.unit}"
    return granted, f"held to a step of {step:.3g} {limit.unit} from {present:g}"


def _outside(baseline: Forecast, proposed: Forecast, envelope: Envelope) -> list[str]:
    """Sentences for each bound that the proposed plan breaks further than doing nothing would."""
    sentences = []
    for bound in envelope.bounds:
        if bound.variable not in proposed.bands or bound.variable not in baseline.bands:
            sentences.append(f"no forecast of {bound.variable}, which has bounds")
            continue
        new, old = proposed.bands[bound.variable], baseline.bands[bound.variable]
        values = (*new.low80, *new.high80)
        if not values or not all(map(math.isfinite, values)):
            sentences.append(f"the forecast of {bound.variable} is not finite")
            continue
        if min(new.low80) < min(bound.low, *old.low80):
            sentences.append(f"{bound.variable} would fall to {min(new.low80):.3g} {bound.unit}, below {bound.low:g}")
        if max(new.high80) > max(bound.high, *old.high80):
            sentences.append(f"{bound.variable} would rise to {max(new.high80):.3g} {bound.unit}, above {bound.high:g}")
    return sentences
