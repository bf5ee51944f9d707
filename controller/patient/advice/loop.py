"""PharmacoLoop for a patient: a registered review, its reason and its predicted effect. Advice only, nothing written.

Research use only. Not a medical device. A review is registered when the stability score triggers, and the first rule
that fits and passes every gate speaks; red flags wait for no trigger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import NormalDist, fmean, quantiles
from typing import Protocol

from controller.loop.records import Abstention, Effect, Insight, Proposal, Situation, Suggestion
from controller.patient.advice.case import Advice, Picture, Treatment
from controller.patient.advice.constraints import ABOUT_DOSE, PLATEAU, RELEVANT_GAIN, ROUNDING
from controller.patient.advice.guidelines import cap_mg
from controller.patient.advice.reviews import expected_mg, first_passing, red_flag, silence
from controller.patient.advice.stability import SAMPLING
from controller.patient.model import MOOD_GAIN, RESPONSE, concentration_ng_per_ml
from controller.patient.regimen import Regimen
from twin.records import Correction, Estimate, Forecast, Plan, Step

DISCLAIMER = "Research use only. Advisory. Not a medical device. Never act on it without a clinician."

HORIZON = timedelta(days=7)  # of every forecast; the shortest time after which a dose may be judged
NORMAL_80 = 1.2816  # half the central 80 % interval of a unit normal


class Forecaster(Protocol):
    """What the loop asks of the TwinEngine."""

    def forecast(self, estimate: Estimate, correction: Correction, plan: Plan) -> Forecast:
        """The ensemble's future under a plan."""
        ...


@dataclass(frozen=True, slots=True)
class Pending:
    """The proposal of a dose or a replacement that nobody has answered, until it expires."""

    proposal: Suggestion | None = None

    def followed_by(self, suggestion: Suggestion) -> Pending:
        """With note taken of a proposal, when it is one of those of which there may be only one."""
        return Pending(suggestion) if suggestion.kind in ABOUT_DOSE else self

    def at(self, situation: Situation, now: datetime) -> Pending:
        """What is left of it once it is answered or has expired."""
        known = self.proposal
        over = known is None or now >= known.expires_at or any(i.suggestion == known.id for i in situation.intents)
        return Pending() if over else self

    def before(self, now: datetime) -> str:
        """The id of a proposal that was made before now and is still open, or nothing."""
        return self.proposal.id if self.proposal is not None and self.proposal.made_at < now else ""


@dataclass(frozen=True, slots=True)
class PatientLoop:
    """Reviews for one patient. `engine` shows each dose with and without."""

    treatment: Treatment
    engine: Forecaster

    def hold(self, estimate: Estimate, situation: Situation) -> Plan:
        """The doses go on as prescribed."""
        return _plan(estimate, self.treatment.at(estimate.time).regimen)

    def propose(
        self, estimate: Estimate, insight: Insight, baseline: Forecast, situation: Situation, remembered: object = None
    ) -> Proposal:
        """The review that this sample calls for, or why there is none; a Pending comes in and goes out."""
        now, pending = estimate.time, remembered if isinstance(remembered, Pending) else Pending()
        pending = pending.at(situation, now)
        picture = _picture(estimate, insight, baseline, self.treatment.at(now), pending.before(now))
        urgent = red_flag(picture)
        if urgent is not None:
            return Proposal(self._suggestion(picture, urgent, baseline.plan, None, None, ()), baseline, pending)
        quiet = silence(picture)
        if quiet:
            return Proposal(Abstention(now, quiet), None, pending)
        advice, blocked = first_passing(picture)
        proposed, effect, confidence = self._with_and_without(estimate, insight, baseline, picture, advice)
        suggestion = self._suggestion(picture, advice, proposed.plan, effect, confidence, blocked)
        return Proposal(suggestion, proposed, pending.followed_by(suggestion))

    def _with_and_without(
        self, estimate: Estimate, insight: Insight, baseline: Forecast, picture: Picture, advice: Advice
    ) -> tuple[Forecast, Effect | None, float | None]:
        """The forecast of what the advice means, what it changes, and how probably that is worth it.

        Advice that changes neither dose nor drug has no effect of its own: its confidence is that of carrying on.
        """
        regimen = picture.treatment.regimen
        if advice.kind == "dose" and advice.daily_mg is not None:
            meant = _plan(estimate, regimen.with_daily(advice.daily_mg))
            changed = self.engine.forecast(estimate, insight.correction, meant)
            return changed, *_effect(baseline, changed, picture)
        if advice.kind == "adherence":
            taken = picture.findings["dose_mg_48h"] / expected_mg(picture) * regimen.daily_mg
            without = self.engine.forecast(estimate, insight.correction, _plan(estimate, regimen.with_daily(taken)))
            return baseline, *_effect(without, baseline, picture)
        if advice.kind == "replacement":
            return baseline, *_other_drug(baseline, picture)
        return baseline, None, _improves(baseline)

    def _suggestion(
        self,
        picture: Picture,
        advice: Advice,
        plan: Plan,
        effect: Effect | None,
        confidence: float | None,
        blocked: tuple[str, ...],
    ) -> Suggestion:
        return Suggestion(
            id=f"{advice.kind}-{picture.now:%Y%m%dT%H%M}",
            made_at=picture.now,
            expires_at=picture.now + advice.valid,
            kind=advice.kind,
            moves=(),  # nothing is ever written for a patient
            plan=plan,
            reason=advice.reason + _told(effect) + _beyond(picture.treatment) + _unchecked(picture.treatment),
            effect=effect,
            bounded_by=blocked,
            evidence=advice.evidence,
            confidence=confidence,
            alternatives=advice.alternatives,
            disclaimer=DISCLAIMER,
        )


def _plan(estimate: Estimate, regimen: Regimen) -> Plan:
    """Every dose of the horizon at its hour; what was just swallowed stays what it is.

    A dose is swallowed once, when its step begins, so none is needed between two doses.
    """
    now = estimate.time
    steps = [Step(now, {"dose_mg": estimate.inputs.get("dose_mg", 0.0)})]
    steps += [Step(at, {"dose_mg": mg}) for at, mg in regimen.doses(now + SAMPLING / 2, now + HORIZON)]
    return Plan(tuple(steps), now + HORIZON)


def _beyond(treatment: Treatment) -> str:
    """On every advice, that more is taken than is allowed for this patient."""
    now, most = treatment.regimen.daily_mg, cap_mg(treatment)
    if treatment.started_at is None or now <= most * (1 + ROUNDING):
        return ""
    return f" TAKEN NOW: {now:g} mg a day, and the most for this patient is {most:g} mg a day."


def _unchecked(treatment: Treatment) -> str:
    """What of the record could not be read, on every advice."""
    return f" NOT CHECKED: {'; '.join(treatment.unchecked)}." if treatment.unchecked else ""


def _picture(estimate: Estimate, insight: Insight, baseline: Forecast, treatment: Treatment, active: str) -> Picture:
    now, pk, day_h = estimate.time, treatment.pk, timedelta(hours=24)
    central = baseline.bands["level"].median
    soon, late = now + day_h, baseline.plan.end - day_h
    day = [x for t, x in zip(baseline.times, central, strict=True) if t < soon]
    last = [x for t, x in zip(baseline.times, central, strict=True) if t >= late]
    present = concentration_ng_per_ml(estimate, pk)
    predicted, settled = fmean(day), fmean(last[1:] or last)
    log_response = estimate.log_multipliers[estimate.multiplier_names.index("response")]
    return Picture(
        now=now,
        treatment=treatment,
        days=-1.0 if treatment.started_at is None else (now - treatment.started_at) / timedelta(days=1),
        stability=insight.stability,
        findings=insight.components,
        concentration=present,
        predicted=predicted,
        occupancy=treatment.drug.occupancy(predicted),
        settled=treatment.drug.occupancy(settled),
        activation=max(0.0, treatment.drug.occupancy(present) - estimate["tolerance"]),
        stress=baseline.bands["stress"].median[0],
        response=math.exp(log_response),
        log_sds=(estimate.sd("response"), estimate.sd("log_clearance")),
        novelty=insight.novelty,
        active=active,
    )


def _told(effect: Effect | None) -> str:
    if effect is None:
        return ""
    return (
        f" Predicted: {effect.gain:+.2f} {effect.unit} of {effect.quantity}"
        f" (80 %: {effect.gain_low:+.2f} to {effect.gain_high:+.2f})."
    )


def _effect(without: Forecast, with_: Forecast, picture: Picture) -> tuple[Effect, float]:
    """Mood at the end of the horizon, from the paired ensembles; and the probability that the gain counts.

    The interval is that of the benefit, widened by the whole interval of the response: rather too wide than too narrow.
    """
    risen = [b - a for a, b in zip(without.objective, with_.objective, strict=True)]
    gains = [MOOD_GAIN * picture.response * r for r in risen]
    tenths = quantiles(gains, n=10, method="inclusive")
    spread = math.exp(NORMAL_80 * picture.log_sds[0])
    ends = [end * factor for end in (tenths[0], tenths[8]) for factor in (spread, 1 / spread)]
    baseline = without.bands["mood"].median[-1]
    effect = Effect("mood in 7 days", "points", baseline, baseline + tenths[4], tenths[4], min(ends), max(ends))
    return effect, fmean(_exceeds(MOOD_GAIN * r, picture.response, picture.log_sds[0]) for r in risen)


def _other_drug(baseline: Forecast, picture: Picture) -> tuple[Effect, float]:
    """Mood once the benefit of a drug of which nothing is known has followed, against going on with this one.

    Of the new drug the response is the prior's, at the occupancy that its usual dose gives.
    """
    without = picture.response * picture.occupancy
    sd = RESPONSE.initial_sd
    low, middle, high = (MOOD_GAIN * (math.exp(z * sd) * PLATEAU - without) for z in (-NORMAL_80, 0.0, NORMAL_80))
    start = baseline.bands["mood"].median[-1]
    effect = Effect("mood in the long run", "points", start, start + middle, middle, low, high)
    needed = (RELEVANT_GAIN / MOOD_GAIN + without) / PLATEAU
    return effect, NormalDist().cdf(-math.log(needed) / sd)


def _exceeds(gain_per_response: float, response: float, log_sd: float) -> float:
    """The probability that a gain proportional to a log-normal response is more than the least that counts."""
    if gain_per_response <= 0.0:
        return 0.0
    return NormalDist().cdf(math.log(gain_per_response * response / RELEVANT_GAIN) / max(log_sd, 1e-9))


def _improves(baseline: Forecast) -> float:
    """The probability that mood rises by what counts within the horizon, as prescribed."""
    mood = baseline.bands["mood"]
    sd = (mood.high80[-1] - mood.low80[-1]) / (2 * NORMAL_80)
    return NormalDist().cdf((mood.median[-1] - mood.median[0] - RELEVANT_GAIN) / max(sd, 1e-9))
