"""Hard constraints H1 to H13: a table of refusals that no score, forecast or reading can override.

Each takes the picture and a piece of advice and answers with the sentence that forbids it, or with nothing. They see
the facts of treatment first: a number that is not finite never counts as permission.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from controller.patient.advice.case import Advice, Picture, Treatment
from controller.patient.advice.guidelines import (
    ENZYME_INDUCERS,
    FORBIDDEN,
    FORBIDDEN_DAYS,
    PIMOZIDE,
    QT_DRUGS,
    SEROTONERGIC,
    cap_mg,
)
from controller.patient.model import MOOD_GAIN
from controller.patient.pharmacology.pharmacokinetics import exposure_ratio
from controller.patient.regimen import DAY_H

PLATEAU = 0.80  # occupancy above which more drug brings little (Meyer 2004; Sorensen 2022)
UNDERDOSED = 0.70  # occupancy; design
RELEVANT_GAIN = 0.5  # points of mood, the least that counts; design
FIRST_DAYS = 7.0  # in which nothing is said of another dose or drug
HALF_LIVES = 3.0  # on a dose before the next; 3 to 5
QTC_BLOCK_MS, QTC_RISE_MS = 500.0, 60.0  # usual practice
QTC_WARN_MS = (470.0, 450.0)  # women, or sex unknown; men
ECG_FROM_YEARS = 60.0  # an ECG first
ADEQUATE_TRIAL_DAYS = 14.0  # at least 2 to 4 weeks at a therapeutic level
ADULT_YEARS = 18.0
ROUNDING = 1e-9  # of a sum of doses against a limit
LARGEST_LOG_SD = 5.0  # a factor of 150 either way: nothing is known (design)
GOOD_SAMPLES = 3.0  # of the last four
# Lamotrigine, days since the first dose and the most per day (label, to be verified); half of it with valproate, twice
# with an inducer.
TITRATION = ((0.0, 25.0), (14.0, 50.0), (28.0, 100.0), (35.0, 200.0), (42.0, 300.0), (49.0, 400.0))
URGENT = "urgent"
ABOUT_DOSE = frozenset({"dose", "replacement"})


@dataclass(frozen=True, slots=True)
class Constraint:
    """One refusal: its name, what it demands, and the sentence when the advice breaks it."""

    id: str
    sentence: str
    objection: Callable[[Picture, Advice], str]


def objections(p: Picture, advice: Advice) -> tuple[str, ...]:
    """Every constraint that forbids this advice, each with its name first."""
    found = ((c.id, c.objection(p, advice)) for c in CONSTRAINTS)
    return tuple(f"{name}: {said}" for name, said in found if said)


def raises(p: Picture, advice: Advice) -> bool:
    """The advice means more drug, or starts another one."""
    more = advice.daily_mg is not None and not advice.daily_mg <= p.treatment.regimen.daily_mg
    return (advice.kind == "dose" and more) or advice.kind == "replacement"


def gain_of(p: Picture, daily_mg: float) -> float:
    """Points of mood that another daily dose brings once the benefit has followed."""
    t = p.treatment
    raised = t.drug.occupancy(p.predicted * exposure_ratio(t.pk, t.regimen.daily_mg, daily_mg))
    return MOOD_GAIN * p.response * (raised - p.occupancy)


def wait_days(t: Treatment) -> float:
    """The least on a dose before it may be raised."""
    return max(t.drug.interval_days, HALF_LIVES * t.drug.half_life_h / 24)


def red_flags(p: Picture) -> tuple[str, ...]:
    """What asks for a clinician now."""
    t, found = p.treatment, p.findings
    together = sorted((FORBIDDEN | {PIMOZIDE}) & set(t.comedication)) if t.drug.transporter and p.days >= 0 else []
    said = (
        (t.suicidality, "Thoughts of self-harm were reported"),
        (bool(found["red_flag_mood"]), "Mood was 2 or less in two samples"),
        (bool(found["red_flag_activation"]), "Sleep was under 4 h three times while mood rose"),
        (t.serotonin_signs, "Signs of serotonin syndrome were reported"),
        (t.qtc_ms is not None and t.qtc_ms >= QTC_BLOCK_MS, f"QTc is {t.qtc_ms or 0:.0f} ms"),
        (bool(together), f"{', '.join(together)} must not be combined with {t.drug.name}"),
    )
    return tuple(sentence for raised, sentence in said if raised)


def _cap(p: Picture, a: Advice) -> str:
    if a.daily_mg is None:
        return ""
    most, meant = cap_mg(p.treatment), p.treatment.regimen.with_daily(a.daily_mg)
    for days in (1, 7):
        taken = meant.most_mg(DAY_H * days)
        if not taken <= days * most * (1 + ROUNDING):
            return f"no {taken / days:g} mg a day: the most for this patient is {most:g} mg a day"
    return ""


def _interval(p: Picture, a: Advice) -> str:
    more = raises(p, a)
    least = wait_days(p.treatment) if more else FIRST_DAYS
    if a.kind != "dose" or p.days_on_dose >= least:
        return ""
    what = "increase" if more else "change of dose"
    return f"no {what} before day {least:.0f} on a dose; this is {p.days_on_dose:.1f} days"


def _one_at_a_time(p: Picture, a: Advice) -> str:
    if a.kind not in ABOUT_DOSE or not p.active:
        return ""
    return f"the proposal {p.active} has not been answered yet"


def _plateau(p: Picture, a: Advice) -> str:
    if a.kind != "dose" or a.daily_mg is None or not raises(p, a) or not p.treatment.drug.transporter:
        return ""
    if not p.occupancy < PLATEAU:
        return f"no increase: occupancy {100 * p.occupancy:.0f} % is on the plateau above {100 * PLATEAU:.0f} %"
    gain = gain_of(p, a.daily_mg)
    if p.occupancy >= UNDERDOSED and not gain >= RELEVANT_GAIN:
        return (
            f"no increase: {a.daily_mg:g} mg a day would bring {gain:.2f} points of mood in the long run,"
            f" less than {RELEVANT_GAIN:g}"
        )
    return ""


def _qt(p: Picture, a: Advice) -> str:
    t = p.treatment
    if a.kind != "dose" or not raises(p, a) or t.drug.qt != "known":
        return ""
    if t.qtc_ms is not None and not t.qtc_ms < QTC_BLOCK_MS:
        return f"no increase: QTc {t.qtc_ms:.0f} ms is at or above {QTC_BLOCK_MS:.0f} ms"
    if t.qtc_rise_ms is not None and not t.qtc_rise_ms < QTC_RISE_MS:
        return f"no increase: QTc rose by {t.qtc_rise_ms:.0f} ms, at or above {QTC_RISE_MS:.0f} ms"
    warned = QTC_WARN_MS[bool(t.male)]
    if t.qtc_ms is not None and t.qtc_ms >= warned:
        return f"no increase before a cardiological opinion: QTc {t.qtc_ms:.0f} ms is at or above {warned:.0f} ms"
    others = QT_DRUGS & ({*t.comedication, *t.perhaps} - {t.drug.name})
    if t.qtc_ms is None and ((t.age_years or 0) >= ECG_FROM_YEARS or t.cyp2c19 == "PM" or t.electrolytes_low or others):
        return (
            "no increase before an ECG, for age from 60 years, a poor metaboliser, low potassium or magnesium,"
            " or another drug that lengthens QT"
        )
    return ""


def _interactions(p: Picture, a: Advice) -> str:
    t = p.treatment
    if not raises(p, a) or not t.drug.transporter:
        return ""
    now = sorted((FORBIDDEN | {PIMOZIDE}) & set(t.comedication))
    if now:
        return f"{', '.join(now)} is taken, which must not be combined with a serotonergic drug"
    perhaps = sorted((FORBIDDEN | {PIMOZIDE}) & set(t.perhaps))
    if perhaps:
        return f"{', '.join(perhaps)} may be taken, which must not be combined with a serotonergic drug"
    since = timedelta(days=FORBIDDEN_DAYS)
    lately = sorted(drug for drug, until in t.stopped if drug in FORBIDDEN and p.now - until < since)
    if lately:
        return f"{', '.join(lately)} was taken within {FORBIDDEN_DAYS:.0f} days"
    second = sorted(SEROTONERGIC & ({*t.comedication, *t.perhaps} - {t.drug.name}))
    if second and a.kind == "dose":
        return f"a second serotonergic drug, {', '.join(second)}, needs review first"
    return ""


def _trial(p: Picture, a: Advice) -> str:
    if a.kind != "replacement":
        return ""
    if p.days >= ADEQUATE_TRIAL_DAYS and p.therapeutic:
        return ""
    if p.treatment.intolerance and p.days >= FIRST_DAYS:
        return ""
    return (
        f"no replacement before {ADEQUATE_TRIAL_DAYS:.0f} days at a therapeutic level; this is {p.days:.1f} days"
        f" at {p.predicted:.0f} ng/mL"
    )


def _no_stop(p: Picture, a: Advice) -> str:
    if a.daily_mg is not None and not a.daily_mg > 0.0:
        return "a drug is never stopped by advice of this program"
    if (a.kind in ABOUT_DOSE) and "discuss" not in a.reason:
        return "a change of dose or drug is only ever something to discuss"
    return ""


def _titration(p: Picture, a: Advice) -> str:
    t = p.treatment
    if t.drug.name != "lamotrigine" or a.daily_mg is None or not raises(p, a):
        return ""
    valproate, inducer = "valproate" in t.comedication, bool(ENZYME_INDUCERS & set(t.comedication))
    share = 0.5 if valproate else 2.0 if inducer else 1.0
    most = share * max((mg for day, mg in TITRATION if p.days >= day), default=0.0)
    if a.daily_mg <= most * (1 + ROUNDING):
        return ""
    return f"no {a.daily_mg:g} mg a day: on day {p.days:.0f} lamotrigine's titration allows {most:g} mg a day"


def _known(p: Picture, a: Advice) -> str:
    t = p.treatment
    if a.kind not in ABOUT_DOSE:
        return ""
    if t.withheld:
        return "; ".join(t.withheld)
    if t.regimen.end is not None and t.regimen.end < p.now:
        return f"{t.drug.name} is on record until {t.regimen.end:%Y-%m-%d} only; what is taken now is not known"
    if t.regimen.as_needed:
        return f"{t.drug.name} is taken as needed, so its daily dose is not known"
    if a.kind == "dose" and not t.regimen.even:
        return f"{t.regimen} is not the same every day; how that is changed is for a clinician alone"
    return ""


def _red_flag(p: Picture, a: Advice) -> str:
    flags = red_flags(p)
    return f"{flags[0]}: a clinician first, no other advice" if flags and a.kind != URGENT else ""


def _observed(p: Picture, a: Advice) -> str:
    t = p.treatment
    if a.kind == URGENT or (
        t.age_years is not None
        and t.age_years >= ADULT_YEARS
        and t.weight_kg is not None
        and t.weight_kg > 0
        and not t.pregnant
    ):
        return ""
    return "observation only: age under 18 or unknown, unknown weight, or pregnancy"


def _quality(p: Picture, a: Advice) -> str:
    if a.kind == URGENT:
        return ""
    if not p.findings["good_samples"] >= GOOD_SAMPLES:
        return f"only {p.findings['good_samples']:.0f} of the last 4 samples are complete and plausible; 3 are needed"
    numbers = (p.concentration, p.predicted, p.occupancy, p.settled, p.response, *p.log_sds)
    if not all(math.isfinite(x) and x >= 0 for x in numbers) or max(p.log_sds) > LARGEST_LOG_SD:
        return "the twin's numbers are not plausible"
    return ""


CONSTRAINTS: tuple[Constraint, ...] = (
    Constraint("H1", "No dose above the label's greatest, lowered by age, liver, genotype and inhibitors.", _cap),
    Constraint("H2", "No increase before the least interval, or three half-lives, since the last change.", _interval),
    Constraint("H3", "At most one unanswered proposal of a dose or a replacement.", _one_at_a_time),
    Constraint("H4", "No increase on the plateau of occupancy, nor for a gain too small to count.", _plateau),
    Constraint("H5", "No increase against the QT rules.", _qt),
    Constraint("H6", "No increase and no new drug with or soon after what must not be combined.", _interactions),
    Constraint("H7", "No replacement before an adequate trial, except for intolerance.", _trial),
    Constraint("H8", "No stop by itself: every change is something to discuss.", _no_stop),
    Constraint("H9", "Lamotrigine only along its titration.", _titration),
    Constraint("H10", "With a red flag nothing but urgent contact.", _red_flag),
    Constraint("H11", "Minors, pregnancy, unknown age or weight: observation only.", _observed),
    Constraint("H12", "No advice without three good samples of four and plausible numbers.", _quality),
    Constraint("H13", "No other dose or drug while it is not certain what is taken.", _known),
)
