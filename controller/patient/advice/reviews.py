"""The rules of a patient's review: what fits the pattern, and the sentence for people.

The hard constraints judge what a rule says and are never overridden by the score. In the first seven days nothing is
said of another dose.

| rule | pattern | kind |
|---|---|---|
| red flag | mood at most 2 twice; sleep under 4 h three times while mood rises; reported signs; QTc | urgent |
| adherence | a dose was missed and the predicted concentration is below range | adherence |
| morning | sleep falls and early activation is high, first ten days | schedule |
| wait | stress or activation high, occupancy rising, before day 7 | monitoring |
| step up | occupancy under 70 % or concentration below range, tolerable | dose |
| step down | concentration above range, and a level says so | dose |
| exposure | concentration above range, or a poor metaboliser with activation | level |
| replace | response posterior below 0.3, or intolerance | replacement |
| measure | wide posterior or high novelty | level |
| watch | anything else | monitoring |
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta

from controller.loop.records import Evidence
from controller.patient.advice import guidelines
from controller.patient.advice.case import Advice, Picture, Treatment
from controller.patient.advice.constraints import FIRST_DAYS, RELEVANT_GAIN, UNDERDOSED, URGENT, objections, red_flags
from controller.patient.advice.guidelines import cap_mg
from controller.patient.advice.stability import SAMPLING

__all__ = [
    "MIN_INTERVAL_DAYS",
    "RELEVANT_GAIN",
    "Advice",
    "Picture",
    "Treatment",
    "cap_mg",
    "dose_objection",
    "expected_mg",
    "first_passing",
    "red_flag",
    "silence",
]

MIN_INTERVAL_DAYS = FIRST_DAYS
NO_RESPONSE = 0.3  # of the reference response; design
ACTIVATION_HIGH = 0.3  # design
STRESS_HIGH = 6.0  # two points above target; design
SLEEP_FALL_H = 0.3  # of the level within 24 h; design
WIDE_LOG_SD = 0.3  # of response or clearance; design
NOVELTY_HIGH = 0.95  # design
MORNING_DAYS = 10.0  # in which early activation is to be expected; design
STEP_DOWN = 0.75  # of the dose: a quarter less; 25 to 50 %

Rule = Callable[[Picture], Advice | None]


def silence(p: Picture) -> str:
    """Why no review is registered: no trigger, or a constraint that forbids any advice."""
    if not p.findings["low"] and not p.findings["fall"]:
        return f"stability {p.stability:.2f} calls for no review"
    return "; ".join(objections(p, _watch(p)))


def red_flag(p: Picture) -> Advice | None:
    """Red flags wait for no trigger, pass every gate and say nothing of the dose."""
    flags = red_flags(p)
    if not flags:
        return None
    reason = f"{'; '.join(flags)}: contact a clinician now."
    return Advice(URGENT, reason, timedelta(days=1), evidence=(guidelines.BOX, guidelines.DESIGN))


def first_passing(p: Picture) -> tuple[Advice, tuple[str, ...]]:
    """The first rule that fits and passes every constraint, and the objections met on the way."""
    blocked: dict[str, None] = {}
    for rule in RULES:
        advice = rule(p)
        if advice is None:
            continue
        against = objections(p, advice)
        if not against:
            return advice, tuple(blocked)
        blocked |= dict.fromkeys(against)
    return _watch(p), tuple(blocked)


def dose_objection(p: Picture) -> str:
    """Every constraint that forbids a higher dose now, as sentences; empty when none does."""
    return "; ".join(objections(p, _raised(p)))


def _trigger(p: Picture) -> str:
    if p.findings["fall"]:
        return f"Stability fell by {p.findings['fall']:.2f} to {p.stability:.2f} within 48 h"
    return f"Stability is {p.stability:.2f}, below 0.50 for two samples"


def _level(p: Picture, ng_per_ml: float) -> str:
    return f"{ng_per_ml:.0f} ng/mL" if ng_per_ml < 1000 else f"{ng_per_ml / 1000:.1f} mg/L"


def _genetic(p: Picture) -> tuple[Evidence, ...]:
    rows = guidelines.guidance(p.treatment, p.treatment.drug.name)
    return tuple(row.evidence() for row in rows)


def expected_mg(p: Picture) -> float:
    """What should have been swallowed within 48 h."""
    half = SAMPLING / 2  # a sample stands for the hours around it
    return p.treatment.due(p.now + half - timedelta(days=2), p.now + half)


def _adherence(p: Picture) -> Advice | None:
    if p.days < 0:
        return None
    taken, expected = p.findings["dose_mg_48h"], expected_mg(p)
    low = p.treatment.drug.range_ng_per_ml[0]
    if taken >= 0.99 * expected or p.concentration >= low:
        return None
    return Advice(
        "adherence",
        f"{_trigger(p)}, {taken:g} of {expected:g} mg were taken in 48 h and the concentration is about"
        f" {_level(p, p.concentration)}, below {_level(p, low)}: agree on a fixed hour and a reminder.",
        timedelta(days=1),
        evidence=(guidelines.RANGES, guidelines.DESIGN),
        alternatives=("Ask why doses were missed before anything else is changed.",),
    )


def _morning(p: Picture) -> Advice | None:
    fall = p.findings["sleep_fall_h"]
    if not (0 <= p.days < MORNING_DAYS and fall > SLEEP_FALL_H and p.activation > ACTIVATION_HIGH):
        return None
    return Advice(
        "schedule",
        f"{_trigger(p)}, sleep fell by {fall:.1f} h within 24 h while early activation is {p.activation:.2f}:"
        " discuss a morning dose and sleep hygiene, check again in 48 h.",
        timedelta(days=2),
        evidence=(guidelines.SLEEP, guidelines.DESIGN),
        alternatives=("Keep the hour, and watch for 48 h.",),
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
        evidence=(guidelines.LABEL, guidelines.EARLY),
    )


def _step_up(p: Picture) -> Advice | None:
    low = p.occupancy < UNDERDOSED if p.treatment.drug.transporter else False
    if p.days < 0 or not (low or not p.therapeutic) or p.activation > ACTIVATION_HIGH:
        return None
    return _raised(p)


def _raised(p: Picture) -> Advice:
    t = p.treatment
    now = t.regimen.daily_mg
    return Advice(
        "dose",
        f"{_trigger(p)}, after {p.days_on_dose:.0f} days on {now:g} mg a day {_exposed(p)}: discuss"
        f" {_meant(t, now + t.drug.step_mg)}.",
        timedelta(days=1),
        now + t.drug.step_mg,
        (guidelines.LABEL, guidelines.RANGES, guidelines.PLATEAU, *_genetic(p)),
        (f"Keep {now:g} mg a day and ask for a drug level first.",),
    )


def _meant(t: Treatment, daily_mg: float) -> str:
    """Another daily dose, and how it would be taken."""
    return f"{daily_mg:g} mg a day ({t.regimen.with_daily(daily_mg).schedule})"


def _exposed(p: Picture) -> str:
    if p.treatment.drug.transporter:
        return f"occupancy is about {100 * p.occupancy:.0f} %"
    return f"the concentration is about {_level(p, p.predicted)}"


def _step_down(p: Picture) -> Advice | None:
    t, high = p.treatment, p.treatment.drug.range_ng_per_ml[1]
    now = t.regimen.daily_mg
    if p.days < 0 or p.predicted <= high or p.log_sds[1] > WIDE_LOG_SD:
        return None
    return Advice(
        "dose",
        f"{_trigger(p)}, and the concentration is predicted at {_level(p, p.predicted)}, above {_level(p, high)}:"
        f" discuss {_meant(t, STEP_DOWN * now)}, a quarter less.",
        timedelta(days=1),
        STEP_DOWN * now,
        (guidelines.RANGES, *_genetic(p)),
        (f"Keep {now:g} mg a day if it is tolerated, and ask for an ECG.",),
    )


def _exposure(p: Picture) -> Advice | None:
    poor = p.treatment.cyp2c19 == "PM" and p.activation > ACTIVATION_HIGH
    if p.predicted <= p.treatment.drug.range_ng_per_ml[1] and not poor:
        return None
    return Advice(
        "level",
        f"{_trigger(p)}, the concentration is predicted at {_level(p, p.predicted)} and activation is"
        f" {p.activation:.2f}: request a drug level and the CYP2C19 genotype.",
        timedelta(days=3),
        evidence=(guidelines.RANGES, guidelines.DPWG, *_genetic(p)),
    )


def _replace(p: Picture) -> Advice | None:
    t = p.treatment
    ranked = guidelines.candidates(t)
    if p.days < 0 or not ranked or (p.response_high >= NO_RESPONSE and not t.intolerance):
        return None
    why = (
        f"{t.drug.name} is not tolerated"
        if t.intolerance
        else f"after {p.days:.0f} days the response is at most {p.response_high:.2f} of the reference"
    )
    return Advice(
        "replacement",
        f"{_trigger(p)}, {why}: discuss another drug, first of all {ranked[0].drug.name}."
        f" {guidelines.taper(t, p.days)}",
        timedelta(days=7),
        evidence=(guidelines.SWITCH, *_genetic(p)),
        alternatives=tuple(candidate.told() for candidate in ranked),
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
        evidence=(guidelines.RANGES, guidelines.DESIGN),
        alternatives=("Only the PHQ-9, when blood cannot be drawn.",),
    )


def _watch(p: Picture) -> Advice:
    treated = f"on day {math.floor(p.days) + 1} of treatment" if p.days >= 0 else "without treatment on record"
    return Advice(
        "monitoring",
        f"{_trigger(p)} {treated}; no rule asks for more: check again in 24 h.",
        timedelta(days=1),
        evidence=(guidelines.DESIGN,),
    )


RULES: tuple[Rule, ...] = (_adherence, _morning, _wait, _step_up, _step_down, _exposure, _replace, _measure)
