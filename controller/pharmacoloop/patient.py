"""PharmacoLoop for a patient: a registered review, its reason and its predicted effect. Advice only, nothing written.

Research use only. Not a medical device. A review is registered when the stability score triggers, and the first rule
that fits and passes every gate speaks; red flags wait for no trigger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from statistics import fmean, quantiles
from typing import Protocol

from controller.pharmacoloop.reviews import Advice, Picture, Treatment, expected_mg, first_passing, red_flag, silence
from controller.records import Abstention, Effect, Insight, Situation, Suggestion
from twin.correction import Correction
from twin.estimate import Estimate
from twin.forecast import Forecast, Plan, Step
from twin.models.patient import MOOD_GAIN, concentration_ng_per_ml, occupancy

DISCLAIMER = "Research use only. Advisory. Not a medical device. Never act on it without a clinician."

HORIZON = timedelta(days=7)  # of every forecast; the shortest time after which a dose may be judged
SAMPLING = timedelta(hours=6)
NORMAL_80 = 1.2816  # half the central 80 % interval of a unit normal


class Forecaster(Protocol):
    """What the loop asks of the TwinEngine."""

    def forecast(self, estimate: Estimate, correction: Correction, plan: Plan) -> Forecast:
        """The ensemble's future under a plan."""
        ...


@dataclass(frozen=True, slots=True)
class PatientLoop:
    """Reviews for one patient. `engine` shows each dose with and without."""

    treatment: Treatment
    engine: Forecaster

    def hold(self, estimate: Estimate, situation: Situation) -> Plan:
        """The doses go on as prescribed."""
        return self._plan(estimate, self.treatment.dose_mg)

    def propose(
        self, estimate: Estimate, insight: Insight, baseline: Forecast, situation: Situation
    ) -> Suggestion | Abstention:
        """The review that this sample calls for, or why there is none."""
        picture = _picture(estimate, insight, baseline, self.treatment)
        urgent = red_flag(picture)
        if urgent is not None:
            return self._suggestion(picture, urgent, baseline, None, ())
        quiet = silence(picture)
        if quiet:
            return Abstention(estimate.time, quiet)
        advice, blocked = first_passing(picture)
        plan, effect = self._with_and_without(estimate, insight, baseline, picture, advice)
        return self._suggestion(picture, advice, baseline, effect, blocked, plan)

    def _with_and_without(
        self, estimate: Estimate, insight: Insight, baseline: Forecast, picture: Picture, advice: Advice
    ) -> tuple[Plan, Effect | None]:
        """The plan that the advice means and what it changes; only what changes the doses taken has an effect."""
        if advice.kind == "dose" and advice.dose_mg is not None:
            changed = self.engine.forecast(estimate, insight.correction, self._plan(estimate, advice.dose_mg))
            return changed.plan, _effect(baseline, changed, picture)
        if advice.kind == "adherence":
            taken = picture.findings["dose_mg_48h"] / expected_mg(picture) * self.treatment.dose_mg
            without = self.engine.forecast(estimate, insight.correction, self._plan(estimate, taken))
            return baseline.plan, _effect(without, baseline, picture)
        return baseline.plan, None

    def _suggestion(
        self,
        picture: Picture,
        advice: Advice,
        baseline: Forecast,
        effect: Effect | None,
        blocked: tuple[str, ...],
        plan: Plan | None = None,
    ) -> Suggestion:
        return Suggestion(
            id=f"{advice.kind}-{picture.now:%Y%m%dT%H%M}",
            made_at=picture.now,
            expires_at=picture.now + advice.valid,
            kind=advice.kind,
            moves=(),  # nothing is ever written for a patient
            plan=plan or baseline.plan,
            reason=advice.reason + _told(effect),
            effect=effect,
            bounded_by=blocked,
        )

    def _plan(self, estimate: Estimate, dose_mg: float) -> Plan:
        """Every dose of the horizon at its hour; what was just swallowed stays what it is."""
        now, start = estimate.time, self.treatment.started_at
        steps = [Step(now, {"dose_mg": estimate.inputs.get("dose_mg", 0.0)})]
        time = now + SAMPLING
        while time < now + HORIZON:
            due = start is not None and time >= start and (time - start) % self.treatment.every < SAMPLING
            steps.append(Step(time, {"dose_mg": dose_mg if due else 0.0}))
            time += SAMPLING
        return Plan(tuple(steps), now + HORIZON)


def _picture(estimate: Estimate, insight: Insight, baseline: Forecast, treatment: Treatment) -> Picture:
    now, pk = estimate.time, treatment.pk
    central = baseline.bands["central"].median
    day = [x for t, x in zip(baseline.times, central, strict=True) if t < now + timedelta(hours=24)]
    last = [x for t, x in zip(baseline.times, central, strict=True) if t >= baseline.plan.end - timedelta(hours=24)]
    present = concentration_ng_per_ml(estimate, pk)
    predicted = 1000.0 * fmean(day) / pk.volume_l
    settled = 1000.0 * fmean(last[1:] or last) / pk.volume_l
    log_response = estimate.log_multipliers[estimate.multiplier_names.index("response")]
    return Picture(
        now=now,
        treatment=treatment,
        days=-1.0 if treatment.started_at is None else (now - treatment.started_at) / timedelta(days=1),
        stability=insight.stability,
        findings=insight.components,
        concentration=present,
        predicted=predicted,
        occupancy=occupancy(predicted),
        settled=occupancy(settled),
        activation=max(0.0, occupancy(present) - estimate["tolerance"]),
        stress=baseline.bands["stress"].median[0],
        response=math.exp(log_response),
        log_sds=(estimate.sd("response"), estimate.sd("log_clearance")),
        novelty=insight.novelty,
    )


def _told(effect: Effect | None) -> str:
    if effect is None:
        return ""
    return (
        f" Predicted: {effect.gain:+.2f} {effect.unit} of {effect.quantity}"
        f" (80 %: {effect.gain_low:+.2f} to {effect.gain_high:+.2f})."
    )


def _effect(without: Forecast, with_: Forecast, picture: Picture) -> Effect:
    """Mood at the end of the horizon, from the paired ensembles.

    The interval is that of the benefit, widened by the whole interval of the response: rather too wide than too narrow.
    """
    gains = [MOOD_GAIN * picture.response * (b - a) for a, b in zip(without.objective, with_.objective, strict=True)]
    tenths = quantiles(gains, n=10, method="inclusive")
    spread = math.exp(NORMAL_80 * picture.log_sds[0])
    ends = [end * factor for end in (tenths[0], tenths[8]) for factor in (spread, 1 / spread)]
    baseline = without.bands["mood"].median[-1]
    return Effect("mood in 7 days", "points", baseline, baseline + tenths[4], tenths[4], min(ends), max(ends))
