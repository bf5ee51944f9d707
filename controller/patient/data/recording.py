"""A recording: reports made at any time as samples six hours apart, with the doses and all else that the files hold.

A report belongs to the sample nearest to it, at most three hours away. Of several reports in one sample the last
counts; heart rate, saturation, temperature and heart rate variability are averaged, and steps are added up, of the
source that counted most, because a watch and a telephone count the same steps. Sleep is a nightly quantity: the last
one stands for 24 hours, until another is reported or said to be missing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import fmean

from controller.patient.advice.stability import CHANNELS, SAMPLING
from controller.patient.comedication import Comedication
from controller.patient.data.channels import BY_NAME, EXTRAS
from controller.patient.data.codes import DRUGS as CODED
from controller.patient.data.samples import MOST_SAMPLES, UNDATED, Found, PatientFileFault, Recording, Report, Sample
from controller.patient.data.trust import taken_of
from controller.patient.pharmacology.drugs import DRUGS as MODELLED
from controller.patient.pharmacology.pharmacokinetics import Level

SLEEP_STANDS = timedelta(hours=24)


def recording(name: str, found: Found, drug: str | None = None) -> Recording:
    """The samples of everything found in the files called `name`, of one drug."""
    _refuse_twins(found)
    followed, others = _followed(name, found, drug)
    scored = [r.at for r in found.reports if r.channel in CHANNELS]
    if not scored:
        raise PatientFileFault(f"{name} holds no stress, no sleep and no mood")
    intake = taken_of(followed, found, min(scored), max(scored))
    taken = intake.doses
    unreadable = tuple(said for drug, said in found.unreadable if drug == followed)
    anchor, first = min(scored), min([*scored, *(d.at for d in taken)])
    anchor -= max(0, -_slot(anchor, first)) * SAMPLING
    start = anchor.replace(hour=0, minute=0, second=0, microsecond=0) if found.dated else UNDATED
    count = 1 + max(_slot(anchor, at) for at in [*scored, *(d.at for d in taken)])
    if count > MOST_SAMPLES:
        raise PatientFileFault(f"{name} spans {count} samples of 6 h, more than the {MOST_SAMPLES} that are read")
    by_slot = _by_slot(anchor, count, found.reports)
    doses: dict[int, float] = defaultdict(float)
    for dose in taken:
        doses[_slot(anchor, dose.at)] += dose.mg
    samples = []
    for k in range(count):
        at = anchor + k * SAMPLING
        values = {c: _gathered(c, by_slot[k].get(c, ())) for c in (*CHANNELS, *EXTRAS)}
        values["sleep"] = _slept(at, k, by_slot, found.nights)
        stress, sleep, mood = (values[c] for c in CHANNELS)
        extras = {c: v for c in EXTRAS if (v := values[c]) is not None}
        samples.append(Sample(_hours(start, at), stress, sleep, mood, doses[k], "file", extras))
    drawn = [r for r in found.reports if r.channel == "level" and r.drug in ("", followed)]
    levels = sorted((r.at, r.value) for r in drawn if r.value is not None)
    return Recording(
        samples=tuple(samples),
        levels=tuple(Level(_hours(start, at), value) for at, value in levels),
        drug=followed,
        regimens=intake.regimens,
        others=tuple(dict.fromkeys([o for o in found.others if o.name != followed] + _by_doses(found, others))),
        start=start if found.dated else None,
        notes=(*found.notes, *intake.notes),
        unchecked=(*found.unchecked, *unreadable, *_unknown(found, min(scored), max(scored))),
        withheld=(
            *(said for drug, said in found.withheld if drug in (None, followed)),
            *unreadable,
            *intake.withheld,
        ),
        suicidality=tuple(sorted(found.suicidality)),
        person=next(iter(found.people), ""),
        assumed=intake.assumed,
    )


def gaps(samples: Sequence[Sample]) -> dict[str, int]:
    """How many samples lack each channel of the score."""
    return {c: sum(getattr(s, c) is None for s in samples) for c in CHANNELS}


def _refuse_twins(found: Found) -> None:
    """The same thing said twice is a mistake that nobody here can resolve."""
    seen: dict[tuple[datetime, str, str], str] = {}
    said = [((r.at, r.channel, r.source), r.where) for r in found.reports]
    said += [((d.at, d.drug, ""), d.where) for d in found.doses]
    for key, where in said:
        if key in seen:
            at = key[0]
            when = f"{at:%Y-%m-%d %H:%M} UTC" if found.dated else f"{_hours(UNDATED, at):g} h"
            raise PatientFileFault(f"{where} repeats {seen[key]}: {key[1]} at {when}")
        seen[key] = where


def _followed(name: str, found: Found, drug: str | None) -> tuple[str | None, tuple[str, ...]]:
    """The drug that the twin follows, and the others."""
    drugs = sorted({d.drug for d in found.doses} | {r.drug for r, _ in found.regimens})
    drugs = drugs or sorted({d for d, _ in [*found.withheld, *found.unreadable, *found.dispensed] if d in CODED})
    if drug is not None and drug not in drugs:
        raise PatientFileFault(f"{name} holds no dose of {drug}; it holds doses of {', '.join(drugs) or 'nothing'}")
    ours = [d for d in drugs if d in MODELLED] or drugs
    if drug is None and len(ours) > 1:
        raise PatientFileFault(f"{name} holds doses of {' and '.join(ours)}; say which one the twin is to follow")
    followed = drug or (ours[0] if ours else None)
    return followed, tuple(d for d in drugs if d != followed)


def _by_doses(found: Found, drugs: Sequence[str]) -> list[Comedication]:
    """Other drugs by their doses on record, for a file that has nothing else."""
    told = []
    for drug in drugs:
        at = [d.at for d in found.doses if d.drug == drug and d.mg > 0]
        if at and not any(other.name == drug for other in found.others):
            told.append(Comedication(drug, min(at), max(at)))
    return told


def _unknown(found: Found, first: datetime, last: datetime) -> list[str]:
    """Drugs that are not known here and that may act while there are reports."""
    return [f"{said} was not checked" for said, told in found.unknown if told.acts_between(first, last)]


def _slot(anchor: datetime, at: datetime) -> int:
    return math.floor((at - anchor) / SAMPLING + 0.5)


def _hours(start: datetime, at: datetime) -> float:
    return (at - start) / timedelta(hours=1)


def _by_slot(anchor: datetime, count: int, reports: Sequence[Report]) -> list[dict[str, list[Report]]]:
    slots: list[dict[str, list[Report]]] = [defaultdict(list) for _ in range(count)]
    for report in sorted(reports, key=lambda r: r.at):
        k = _slot(anchor, report.at)
        if 0 <= k < count:  # a wearable may have run for longer than there were reports
            slots[k][report.channel].append(report)
    return slots


def _gathered(channel: str, reports: Sequence[Report]) -> float | None:
    values = [r.value for r in reports if r.value is not None]
    if not values:
        return None
    how = BY_NAME[channel].gather
    if how == "mean":
        return fmean(values)
    if how == "sum":
        by_source: dict[str, float] = defaultdict(float)
        for r in reports:
            by_source[r.source] += r.value or 0.0
        return max(by_source.values())
    return values[-1] if reports[-1].value is not None else None


def _slept(
    at: datetime, k: int, slots: Sequence[Mapping[str, Sequence[Report]]], nights: Sequence[tuple[datetime, datetime]]
) -> float | None:
    """The last sleep reported within 24 h; without any, what was slept in them by stretches."""
    for past in range(k, max(-1, k - 6), -1):
        reports = slots[past].get("sleep", ())
        if reports and at - reports[-1].at <= SLEEP_STANDS:
            return reports[-1].value
    return _asleep(at, nights)


def _asleep(at: datetime, nights: Sequence[tuple[datetime, datetime]]) -> float | None:
    """Hours asleep in the 24 h before; stretches of several devices overlap and count once."""
    hours, until, since = 0.0, at - SLEEP_STANDS, at - SLEEP_STANDS
    seen = False
    for begin, end in sorted(nights):
        if end <= since or begin >= at:
            continue
        seen = True
        begin, end = max(begin, until), min(end, at)
        hours += max(0.0, (end - begin) / timedelta(hours=1))
        until = max(until, end)
    return hours if seen else None
