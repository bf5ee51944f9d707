"""The rules of a patient's review: what fits the pattern, which gate forbids it, and the sentence for people.

Hard constraints are never overridden by the score. In the first seven days of a dose no rule may speak of the dose.

| rule | pattern | kind |
|---|---|---|
| red flag | mood at most 2 twice; sleep under 4 h three times while mood rises | urgent |
| adherence | a dose was missed and the predicted concentration is below range | adherence |
| morning | sleep falls and early activation is high, first ten days | schedule |
| wait | stress or activation high, occupancy rising, before day 7 | monitoring |
| step up | day 7 or later, occupancy under 70 % or concentration below range, tolerable | dose |
| exposure | concentration above range, or a poor metaboliser with activation | level |
| replace | adequate trial, response posterior below 0.3 | replacement |
| measure | wide posterior or high novelty | level |
| watch | anything else | monitoring |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from twin.models.patient import E2, MOOD_GAIN, Pharmacokinetics, occupancy

# Escitalopram label: start 10, most 20 mg/d, steps of 5 to 10 mg, one week between them.
LABEL_CAP_MG = 20.0
STEP_MG = 5.0
MIN_INTERVAL_DAYS = 7.0
ELDERLY_YEARS, ELDERLY_CAP_MG = 65.0, 10.0  # MHRA
# DPWG 2021: mg/d for under and from 65 years.
PHENOTYPE_CAP_MG = {"PM": (10.0, 5.0), "IM": (15.0, 7.5)}
RANGE_NG_PER_ML = (15.0, 80.0)  # AGNP 2017 as used by Courlet 2019
PLATEAU = 0.80  # occupancy above which more drug brings little (Meyer 2004; Sorensen 2022)
UNDERDOSED = 0.70  # occupancy; design
RELEVANT_GAIN = 0.5  # points of mood, the least that counts; design
QTC_BLOCK_MS = 500.0  # usual practice
ECG_FROM_YEARS = 60.0  # an ECG first
ADEQUATE_TRIAL_DAYS = 14.0  # at least 2 to 4 weeks at a therapeutic level
NO_RESPONSE = 0.3  # of the reference response; design
STILL_RISING = 0.01  # of occupancy; design
ACTIVATION_HIGH = 0.3  # design
STRESS_HIGH = 6.0  # two points above target; design
SLEEP_FALL_H = 0.3  # of the level within 24 h; design
WIDE_LOG_SD = 0.3  # of response or clearance; design
NOVELTY_HIGH = 0.95  # design


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is prescribed and for whom: facts given to the loop, never decided by it."""

    dose_mg: float = 10.0
    every: timedelta = timedelta(hours=24)
    started_at: datetime | None = None  # of the first dose; None: untreated
    changed_at: datetime | None = None  # of the last change of dose
    age_years: float | None = 45.0
    weight_kg: float | None = 70.0
    pregnant: bool = False
    cyp2c19: str = "unknown"  # PM, IM, NM, RM, UM
    qtc_ms: float | None = None
    pk: Pharmacokinetics = E2


@dataclass(frozen=True, slots=True)
class Picture:
    """The numbers that the rules look at."""

    now: datetime
    treatment: Treatment
    days: float  # since the first dose; negative before it
    stability: float
    findings: Mapping[str, float]
    concentration: float  # ng/mL now
    predicted: float  # ng/mL, mean of the next 24 h as prescribed
    occupancy: float  # of the predicted concentration
    settled: float  # occupancy at the end of the horizon, as prescribed
    activation: float
    stress: float
    response: float
    log_sds: tuple[float, float]  # of response and clearance
    novelty: float

    @property
    def rising(self) -> bool:
        """The drug is still building up."""
        return self.settled > self.occupancy + STILL_RISING

    @property
    def response_high(self) -> float:
        """The upper end of the response's central 90 % interval."""
        return self.response * math.exp(1.645 * self.log_sds[0])

    @property
    def days_on_dose(self) -> float:
        """Since the dose was last changed, or started."""
        changed = self.treatment.changed_at
        return self.days if changed is None else (self.now - changed) / timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Advice:
    """What a rule says. `dose_mg` differs from the present one only for the kind "dose"."""

    kind: str
    reason: str
    valid: timedelta
    dose_mg: float | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """A rule whose pattern fits, and the gate that forbids it."""

    reason: str


Rule = Callable[[Picture], Advice | Blocked | None]


def silence(p: Picture) -> str:
    """Why no review is registered: no trigger, or a gate that forbids any advice."""
    if not p.findings["low"] and not p.findings["fall"]:
        return f"stability {p.stability:.2f} calls for no review"
    if p.findings["good_samples"] < 3:
        return f"only {p.findings['good_samples']:.0f} of the last 4 samples are complete and plausible; 3 are needed"
    age, weight = p.treatment.age_years, p.treatment.weight_kg
    if age is None or age < 18 or weight is None or p.treatment.pregnant:
        return "observation only: age under 18 or unknown, unknown weight, or pregnancy"
    return ""


def red_flag(p: Picture) -> Advice | None:
    """Red flags pass every gate and say nothing of the dose."""
    if p.findings["red_flag_mood"]:
        return Advice("urgent", "Mood was 2 or less in two samples: contact a clinician now.", timedelta(days=1))
    if p.findings["red_flag_activation"]:
        reason = "Sleep was under 4 h three times while mood rose: contact a clinician now."
        return Advice("urgent", reason, timedelta(days=1))
    return None


def first_passing(p: Picture) -> tuple[Advice, tuple[str, ...]]:
    """The first rule that fits and passes its gates, and the objections met on the way."""
    blocked: list[str] = []
    for rule in RULES:
        said = rule(p)
        if isinstance(said, Advice):
            return said, tuple(blocked)
        if said is not None:
            blocked.append(said.reason)
    return _watch(p), tuple(blocked)


def _trigger(p: Picture) -> str:
    if p.findings["fall"]:
        return f"Stability fell by {p.findings['fall']:.2f} to {p.stability:.2f} within 48 h"
    return f"Stability is {p.stability:.2f}, below 0.50 for two samples"


def expected_mg(p: Picture) -> float:
    """What should have been swallowed within 48 h."""
    due = min(timedelta(days=2) / p.treatment.every, math.floor(p.days * timedelta(days=1) / p.treatment.every) + 1)
    return p.treatment.dose_mg * due


def _adherence(p: Picture) -> Advice | None:
    if p.days < 0:
        return None
    taken, expected = p.findings["dose_mg_48h"], expected_mg(p)
    if taken >= 0.99 * expected or p.concentration >= RANGE_NG_PER_ML[0]:
        return None
    return Advice(
        "adherence",
        f"{_trigger(p)}, {taken:g} of {expected:g} mg were taken in 48 h and the concentration is about"
        f" {p.concentration:.0f} ng/mL, below {RANGE_NG_PER_ML[0]:.0f}: agree on a fixed hour and a reminder.",
        timedelta(days=1),
    )


def _morning(p: Picture) -> Advice | None:
    fall = p.findings["sleep_fall_h"]
    if not (0 <= p.days < 10 and fall > SLEEP_FALL_H and p.activation > ACTIVATION_HIGH):
        return None
    return Advice(
        "schedule",
        f"{_trigger(p)}, sleep fell by {fall:.1f} h within 24 h while early activation is {p.activation:.2f}:"
        " discuss a morning dose and sleep hygiene, check again in 48 h.",
        timedelta(days=2),
    )


def _wait(p: Picture) -> Advice | None:
    high = p.stress > STRESS_HIGH or p.activation > ACTIVATION_HIGH
    if not (0 <= p.days < MIN_INTERVAL_DAYS and high and p.rising):
        return None
    return Advice(
        "monitoring",
        f"{_trigger(p)}; on day {math.floor(p.days) + 1} stress is about {p.stress:.1f} and occupancy still rises,"
        f" from {100 * p.occupancy:.0f} to {100 * p.settled:.0f} %: keep the dose, watch, reassess on day 7.",
        timedelta(days=1),
    )


def _step_up(p: Picture) -> Advice | Blocked | None:
    low = p.occupancy < UNDERDOSED or p.predicted < RANGE_NG_PER_ML[0]
    if p.days < 0 or not low or p.activation > ACTIVATION_HIGH:
        return None
    objection = dose_objection(p)
    if objection:
        return Blocked(objection)
    old, new = p.treatment.dose_mg, p.treatment.dose_mg + STEP_MG
    return Advice(
        "dose",
        f"{_trigger(p)}, after {p.days_on_dose:.0f} days on {old:g} mg occupancy is about"
        f" {100 * p.occupancy:.0f} %: discuss {new:g} mg.",
        timedelta(days=1),
        new,
    )


def dose_objection(p: Picture) -> str:
    """The first hard constraint that forbids a higher dose now, as a sentence; empty when none does."""
    t = p.treatment
    if p.days_on_dose < MIN_INTERVAL_DAYS:
        return f"no increase before day {MIN_INTERVAL_DAYS:.0f} on a dose; this is {p.days_on_dose:.1f} days"
    if t.dose_mg + STEP_MG > cap_mg(t):
        return f"no increase from {t.dose_mg:g} mg: the most is {cap_mg(t):g} mg"
    if p.occupancy >= PLATEAU:
        return f"no increase: occupancy {100 * p.occupancy:.0f} % is on the plateau above {100 * PLATEAU:.0f} %"
    if p.occupancy >= UNDERDOSED and gain_of_step(p) < RELEVANT_GAIN:
        return (
            f"no increase: {t.dose_mg + STEP_MG:g} mg would bring {gain_of_step(p):.2f} points of mood in the long run,"
            f" less than {RELEVANT_GAIN:g}"
        )
    if t.qtc_ms is not None and t.qtc_ms >= QTC_BLOCK_MS:
        return f"no increase: QTc {t.qtc_ms:.0f} ms is at or above {QTC_BLOCK_MS:.0f} ms"
    if t.qtc_ms is None and ((t.age_years or 0) >= ECG_FROM_YEARS or t.cyp2c19 == "PM"):
        return "no increase before an ECG, for age from 60 years or a poor metaboliser"
    return ""


def gain_of_step(p: Picture) -> float:
    """Points of mood that one step up brings once the benefit has followed; concentration is linear in the dose."""
    raised = occupancy(p.predicted * (p.treatment.dose_mg + STEP_MG) / p.treatment.dose_mg)
    return MOOD_GAIN * p.response * (raised - p.occupancy)


def cap_mg(treatment: Treatment) -> float:
    """The most per day for this patient."""
    elderly = treatment.age_years is not None and treatment.age_years >= ELDERLY_YEARS
    by_age = ELDERLY_CAP_MG if elderly else LABEL_CAP_MG
    by_phenotype = PHENOTYPE_CAP_MG.get(treatment.cyp2c19, (LABEL_CAP_MG, LABEL_CAP_MG))[elderly]
    return min(by_age, by_phenotype)


def _exposure(p: Picture) -> Advice | None:
    poor = p.treatment.cyp2c19 == "PM" and p.activation > ACTIVATION_HIGH
    if p.predicted <= RANGE_NG_PER_ML[1] and not poor:
        return None
    return Advice(
        "level",
        f"{_trigger(p)}, the concentration is predicted at {p.predicted:.0f} ng/mL and activation is"
        f" {p.activation:.2f}: request a drug level and the CYP2C19 genotype.",
        timedelta(days=3),
    )


def _replace(p: Picture) -> Advice | Blocked | None:
    if p.days < 0 or p.response_high >= NO_RESPONSE:
        return None
    if p.days < ADEQUATE_TRIAL_DAYS or p.predicted < RANGE_NG_PER_ML[0]:
        return Blocked(
            f"no replacement before {ADEQUATE_TRIAL_DAYS:.0f} days at a therapeutic level; this is {p.days:.1f} days"
            f" at {p.predicted:.0f} ng/mL"
        )
    return Advice(
        "replacement",
        f"{_trigger(p)}, after {p.days:.0f} days the response is at most {p.response_high:.2f} of the reference:"
        " discuss another drug, with a taper.",
        timedelta(days=7),
    )


def _measure(p: Picture) -> Advice | None:
    uncertain = max(p.log_sds) > WIDE_LOG_SD or p.novelty > NOVELTY_HIGH
    if p.days < MIN_INTERVAL_DAYS or not uncertain:
        return None
    return Advice(
        "level",
        f"{_trigger(p)} on day {math.floor(p.days) + 1}, and the response of {p.response:.1f} is uncertain by a factor"
        f" of {math.exp(p.log_sds[0]):.1f}, the concentration by {math.exp(p.log_sds[1]):.1f}:"
        " request a drug level and a PHQ-9.",
        timedelta(days=3),
    )


def _watch(p: Picture) -> Advice:
    treated = f"on day {math.floor(p.days) + 1} of treatment" if p.days >= 0 else "without treatment so far"
    return Advice(
        "monitoring",
        f"{_trigger(p)} {treated}; no rule asks for more: check again in 24 h.",
        timedelta(days=1),
    )


RULES: tuple[Rule, ...] = (_adherence, _morning, _wait, _step_up, _exposure, _replace, _measure)
