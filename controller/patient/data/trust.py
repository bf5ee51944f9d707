"""The doses of one drug, by what is trusted most: recorded dose by dose, then stated, then ordered.

A recorded dose takes the place of the stated one it is nearest to. Where doses are on record an order adds none: what
is not on record was missed. Without any, they are assumed as stated or ordered, and marked so wherever they go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from controller.patient.data.samples import MOST_SAMPLES, Dose, Found, PatientFileFault
from controller.patient.recorded import recorded
from controller.patient.regimen import Regimen, Source

ASSUMED_BEFORE = timedelta(days=28)  # of doses that nobody recorded; a steady state by then (design)
LATEST = datetime.max.replace(tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Taken:
    """The doses of one drug, the regimens that they follow, and what is doubtful about them."""

    doses: Sequence[Dose] = ()
    regimens: tuple[Regimen, ...] = ()
    given: tuple[tuple[datetime, float], ...] = ()  # the doses on record, time and mg
    notes: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    assumed: bool = False


def taken_of(drug: str | None, found: Found, first: datetime, last: datetime) -> Taken:
    """What was taken of a drug between the first and the last report, and some time before."""
    if drug is None:
        return Taken()
    on_record = [dose for dose in found.doses if dose.drug == drug]
    given = tuple(sorted((dose.at, dose.mg) for dose in on_record if dose.mg > 0))
    said = [(r, where) for r, where in found.regimens if r.drug == drug]
    stated = _in_order([(r, where) for r, where in said if r.source is Source.STATED])
    ordered = _in_order([(r, where) for r, where in said if r.source is Source.ORDERED])
    plan = stated if given else [*stated, *_after(ordered, stated, first)]
    extra = _between(plan, on_record, first, last)
    doses = sorted([*on_record, *extra], key=lambda dose: dose.at)
    shown = recorded(drug, [(dose.at, dose.mg) for dose in doses]) if given else ()
    differing = (*_differ(shown, stated, last), *_differ(shown, ordered, last))
    if given and not extra:
        return Taken(doses, shown, given, withheld=differing)
    dispensed = () if plan else tuple(text for name, text in found.dispensed if name == drug)
    doubts = (*differing, *_overlaps(plan), *dispensed)
    return Taken(doses, tuple(plan), given, _noted(extra, bool(given)), doubts, assumed=bool(extra))


def _in_order(said: Sequence[tuple[Regimen, str]]) -> list[Regimen]:
    """By their beginning; two orders for the same time are refused, for nobody here knows which one is followed."""
    said = sorted(said, key=lambda one: one[0].start or LATEST)
    for (one, first), (other, second) in pairwise(said):
        if first != second and other.source is Source.ORDERED and one.end is None:
            raise PatientFileFault(
                f"{second} prescribes {other.drug} {other}, and another entry {one.drug} {one};"
                " one current plan is needed"
            )
    return [regimen for regimen, _ in said]


def _between(regimens: Sequence[Regimen], known: Sequence[Dose], first: datetime, last: datetime) -> list[Dose]:
    """The doses that the regimens mean, without those whose place a known one takes."""
    found = []
    for regimen in regimens:
        near = timedelta(hours=regimen.period_h / len(regimen.cycle) / 2)
        for at, mg in regimen.doses(first - ASSUMED_BEFORE, last + INSTANT):
            if not any(abs(dose.at - at) <= near for dose in known):
                found.append(Dose(at, regimen.drug, mg, f"the {regimen.source} regimen"))
    if len(found) > MOST_SAMPLES:
        raise PatientFileFault(f"{len(found)} doses are more than the {MOST_SAMPLES} that are read")
    return found


def _after(ordered: Sequence[Regimen], stated: Sequence[Regimen], first: datetime) -> list[Regimen]:
    """Orders from where no statement says what is taken; one that does not say since when begins with the reports."""
    ends = [regimen.end for regimen in stated]
    if None in ends:
        return []
    plan = []
    for regimen in ordered:
        start = regimen.start or first
        if start.year == 1:
            start = first
        since = max([start, *(end + INSTANT for end in ends if end is not None)])
        cycles = math.ceil((since - start) / timedelta(hours=regimen.period_h))
        start += cycles * timedelta(hours=regimen.period_h)
        if regimen.end is None or start <= regimen.end:
            plan.append(replace(regimen, start=start))
    return plan


def _noted(assumed: Sequence[Dose], some: bool) -> tuple[str, ...]:
    if not assumed:
        return ()
    how = "prescribed" if all(Source.ORDERED in dose.where for dose in assumed) else "stated"
    missing = "not every dose is" if some else "no dose is"
    return (f"{missing} on record: {len(assumed)} are assumed, as {how}",)


def _differ(shown: Sequence[Regimen], meant: Sequence[Regimen], last: datetime) -> tuple[str, ...]:
    """Whoever takes something else than is stated or ordered is asked before anything is changed."""
    now = [r for r in meant if (r.start is None or r.start <= last) and (r.end is None or r.end >= last)]
    if not shown or not now or math.isclose(now[-1].daily_mg, shown[-1].daily_mg, rel_tol=0.01):
        return ()
    return (f"{now[-1]} is {now[-1].source}, and on record is {shown[-1]}",)


def _overlaps(regimens: Sequence[Regimen]) -> tuple[str, ...]:
    return tuple(
        f"{one} and {other} are said of the same time"
        for one, other in pairwise(regimens)
        if other.start is not None and (one.end is None or one.end >= other.start)
    )
