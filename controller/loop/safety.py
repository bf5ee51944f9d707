"""Safety limits on what may be written: refuse by default, hold to limits, and give every reason as a sentence.

It knows limits, not policy: nothing here knows how a proposal came to be. Non-finite numbers are refusals,
since min(max(nan, low), high) is nan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from controller.loop.envelope import Envelope, Interlock, Limit, beyond
from controller.loop.records import Abstention, Command, Move, Narrowing, Situation, Suggestion, Verdict
from twin.records import Forecast
from twin.signals import Plant, Reading, Snapshot

UNNOTICED = 0.01  # of a bound: who is beyond it anyway may be so much further, if for less of the time (design)
LEAST_REMAINING_H = 1.0  # an allowance is spread over what is left of the batch, and over this at the least (design)


def missing_evidence(snapshot: Snapshot, plant: Plant, envelope: Envelope) -> tuple[str, ...]:
    """One sentence for each variable whose reading is absent, not good, or older (or younger) than it may be."""
    return tuple(why for name in envelope.evidence if (why := _unfit(name, snapshot, plant)))


def tripped(standing: Command | None, snapshot: Snapshot, plant: Plant, envelope: Envelope, phase: str) -> list[str]:
    """The sentences of interlocks that speak against moves of the standing command: its lease must not be renewed."""
    moves = standing.moves if standing else ()
    return [
        why for m in moves for why in _interlocked(m.variable, m.value - m.previous, snapshot, plant, envelope, phase)
    ]


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
        present, step = situation.setpoints[move.variable], largest_step(limit, standing, snapshot)
        granted, reason = permitted(limit, present, move.value, step, snapshot, situation, plant, envelope)
        if granted is None:
            refusals.append(reason)
            continue
        if reason:
            narrowed.append(Narrowing(move.variable, move.value, granted, reason))
        if granted == present:
            refusals.append(f"{move.variable} stays at {present:g} {move.unit}: {reason or 'it is there already'}")
        moves.append(Move(move.variable, granted, move.unit, present))
    return Verdict(() if refusals else tuple(moves), tuple(narrowed), tuple(refusals))


def permitted(
    limit: Limit,
    present: float,
    asked: float,
    step: float,
    snapshot: Snapshot,
    situation: Situation,
    plant: Plant,
    envelope: Envelope,
    *,
    safe: bool = False,
) -> tuple[float | None, str]:
    """The one gate of every move: what of it may be written now, and what narrowed it; None, and why, if nothing may.

    Phase, allowance, step, range and interlocks, for suggestions, plans by hand, holds, restarts and handbacks alike.
    Towards the `safe` side an allowance is no hindrance, nor is an interlock whose reading is not fit to judge by.
    """
    if situation.phase not in limit.phases:
        return None, _out_of_phase(limit, situation)
    allowed, spent = (limit, "") if safe else within_allowance(limit, snapshot, situation)
    if spent:
        return None, spent
    granted, reason = held(asked, present, allowed, step)
    if granted is None:
        return None, reason
    locked = _interlocked(limit.variable, granted - present, snapshot, plant, envelope, situation.phase, safe)
    return (None, "; ".join(locked)) if locked else (granted, reason)


def largest_step(limit: Limit, standing: Command | None, snapshot: Snapshot) -> float:
    """One step, or what the rate allows since the standing command last moved this variable."""
    if standing is None or all(move.variable != limit.variable for move in standing.moves):
        return limit.max_step
    hours = max((snapshot.time - standing.issued_at).total_seconds(), 0.0) / 3600.0
    return min(limit.max_step, limit.max_rate_per_h * hours)


def held(asked: float, present: float, limit: Limit, step: float) -> tuple[float | None, str]:
    """The asked value held to a step from the present one and to the range; all of them must be finite.

    None, and why, when the present value lies so far outside the range that getting inside would be a jump.
    """
    stepped = min(max(asked, present - step), present + step)
    granted = min(max(stepped, limit.low), limit.high)
    if not present - step <= granted <= present + step:
        return None, (
            f"{limit.variable} is at {present:g} {limit.unit}, more than a step of {step:.3g} outside"
            f" [{limit.low:g}, {limit.high:g}]"
        )
    if granted == asked:
        return granted, ""
    if granted != stepped:
        return granted, f"held to [{limit.low:g}, {limit.high:g}] {limit.unit}"
    return granted, f"held to a step of {step:.3g} {limit.unit} from {present:g}"


def within_allowance(limit: Limit, snapshot: Snapshot, situation: Situation) -> tuple[Limit, str]:
    """The limit lowered so that the batch's allowance lasts to its end, and the sentence when it does not any more."""
    if limit.allowance == math.inf:
        return limit, ""
    fed = situation.fed.get(limit.variable, math.nan)
    if not (math.isfinite(fed) and math.isfinite(limit.allowance)):
        return limit, f"how much {limit.variable} the batch got is not known, and it has an allowance"
    remaining_h = max((situation.batch_end - snapshot.time).total_seconds() / 3600.0, LEAST_REMAINING_H)
    high = min(limit.high, (limit.allowance - fed) / remaining_h)
    if high < limit.low:
        return limit, (
            f"{limit.variable} has an allowance of {limit.allowance:g} a batch, {fed:.3g} of it is used, and"
            f" {limit.low:g} {limit.unit} to the end would exceed it"
        )
    return replace(limit, high=high), ""


def _unfit(name: str, snapshot: Snapshot, plant: Plant) -> str:
    """Why the reading of this variable is no evidence, or an empty string."""
    reading = snapshot.readings.get(name)
    if reading is None:
        return f"{name} has no reading"
    if not reading.usable:
        return f"{name} is {reading.quality.name.lower()}: {reading.reason or 'not a number'}"
    max_age_s = plant.variable(name).max_age_s
    age_s = _age_s(reading, snapshot)
    if age_s > max_age_s:
        return f"{name} is older than {max_age_s:g} s"
    return f"{name} is dated {-age_s:g} s ahead" if age_s < -max_age_s else ""


def _age_s(reading: Reading, snapshot: Snapshot) -> float:
    return math.inf if reading.time is None else (snapshot.time - reading.time).total_seconds()


def _objection(move: Move, limit: Limit | None, situation: Situation) -> str:
    if limit is None:
        return f"{move.variable} has no limits configured, so it is never written"
    if not math.isfinite(move.value):
        return f"{move.variable} would be set to {move.value}, which is not a number"
    if move.unit != limit.unit:
        return f"{move.variable} is proposed in {move.unit} and limited in {limit.unit}"
    if not -math.inf < limit.low <= limit.high < math.inf:
        return f"{move.variable} is limited to [{limit.low:g}, {limit.high:g}], which is no range"
    if situation.phase not in limit.phases:
        return _out_of_phase(limit, situation)
    present = situation.setpoints.get(move.variable)
    if present is None or not math.isfinite(present):
        return f"the setpoint in force of {move.variable} is not known"
    return ""


def _out_of_phase(limit: Limit, situation: Situation) -> str:
    allowed = ", ".join(limit.phases) or "no phase"
    return f"{limit.variable} may be moved in {allowed}, and the batch is in {situation.phase or 'no phase'}"


def _interlocked(
    variable: str,
    change: float,
    snapshot: Snapshot,
    plant: Plant,
    envelope: Envelope,
    phase: str,
    safe: bool = False,
) -> list[str]:
    """The sentences of the interlocks that forbid this change now; to the `safe` side only those that can judge."""
    sentences = []
    for interlock in envelope.interlocks:
        if interlock.variable != variable or not _concerned(interlock, change, phase):
            continue
        word = {"up": "raised", "down": "lowered"}.get(interlock.way, "moved")
        unfit = _unfit(interlock.reading, snapshot, plant)
        value = snapshot.readings[interlock.reading].value if not unfit else None
        if value is None:
            sentences += [] if safe else [f"{variable} must not be {word}: {unfit}"]
        elif not interlock.low <= value <= interlock.high:
            sentences.append(
                f"{variable} must not be {word}: {interlock.reading} is {value:.4g} {interlock.unit}, outside"
                f" [{interlock.low:g}, {interlock.high:g}]"
            )
    return sentences


def _concerned(interlock: Interlock, change: float, phase: str) -> bool:
    if interlock.phases and phase not in interlock.phases:
        return False
    if interlock.way == "up":
        return not change <= 0.0
    if interlock.way == "down":
        return not change >= 0.0
    return True


def _outside(baseline: Forecast, proposed: Forecast, envelope: Envelope) -> list[str]:
    """Sentences for each bound that the proposed plan breaks further than doing nothing would."""
    sentences = []
    for bound in envelope.bounds:
        if bound.variable not in proposed.bands or bound.variable not in baseline.bands:
            sentences.append(f"no forecast of {bound.variable}, which has bounds")
            continue
        new, old = proposed.bands[bound.variable], baseline.bands[bound.variable]
        values = (*new.low80, *new.high80)
        if not values or not all(map(math.isfinite, (*values, *old.low80, *old.high80))):
            sentences.append(f"the forecast of {bound.variable} is not finite")
            continue
        low, high = beyond(proposed, bound)
        least, most = beyond(baseline, bound)
        if _further(low, least, bound.low):
            fallen = bound.low - max(low)
            sentences.append(f"{bound.variable} would fall to {fallen:.3g} {bound.unit}, below {bound.low:g}")
        if _further(high, most, bound.high):
            risen = bound.high + max(high)
            sentences.append(f"{bound.variable} would rise to {risen:.3g} {bound.unit}, above {bound.high:g}")
    return sentences


def _further(new: Sequence[float], old: Sequence[float], edge: float) -> bool:
    """Whether a plan breaks a bound further than doing nothing: deeper, unless by less than anyone would notice.

    Where both end at nothing, as a sugar does, which of them ends lower is chance: then the one that is beyond the
    bound less, over the hours, does not break it further.
    """
    deeper = max(new) - max(old)
    if deeper <= 0.0:
        return False
    return deeper > UNNOTICED * abs(edge) or fmean(new) >= fmean(old)
