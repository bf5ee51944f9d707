"""Safety says what may be written: refuse by default, hold to limits, and give every reason as a sentence.

It knows limits, not policy: nothing here knows how a proposal came to be. Non-finite numbers are refusals,
since min(max(nan, low), high) is nan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from controller.records import Abstention, Move, Narrowing, Situation, Suggestion, Verdict
from twin.forecast import Forecast
from twin.signals import Plant, Reading, Snapshot


@dataclass(frozen=True, slots=True)
class Limit:
    """How far and how fast one manipulated variable may be moved, and in which phases of the batch."""

    variable: str
    unit: str
    low: float
    high: float
    max_step: float  # the largest change of one command
    phases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """What a forecast variable must stay within: the 80 % band of the proposed plan is held against it."""

    variable: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Envelope:
    """Everything that is allowed; what is not named here is refused."""

    limits: tuple[Limit, ...]
    bounds: tuple[Bound, ...]
    evidence: tuple[str, ...]  # variables that must be good and fresh before anything is written


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
) -> Verdict:
    """What of the proposal may be written now, each narrowing and each refusal with its reason.

    A plan is refused when the 80 % band of its forecast leaves a bound further than doing nothing would.
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
        granted, reason = _held(move.value, situation.setpoints[move.variable], limit)
        if reason:
            narrowed.append(Narrowing(move.variable, move.value, granted, reason))
        moves.append(Move(move.variable, granted, move.unit, situation.setpoints[move.variable]))
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


def _held(asked: float, present: float, limit: Limit) -> tuple[float, str]:
    """The asked value held to the step from the present one and to the range; all three must be finite."""
    stepped = min(max(asked, present - limit.max_step), present + limit.max_step)
    granted = min(max(stepped, limit.low), limit.high)
    if granted == asked:
        return granted, ""
    if granted != stepped:
        return granted, f"held to [{limit.low:g}, {limit.high:g}] {limit.unit}"
    return granted, f"held to one step of {limit.max_step:g} {limit.unit} from {present:g}"


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
