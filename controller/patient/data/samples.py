"""A patient's samples, six hours apart, and how reports made at any time become such samples.

A report belongs to the sample nearest to it, at most three hours away. Of several reports in one sample the last
counts; heart rate, saturation, temperature and heart rate variability are averaged, and steps are added up, of the
source that counted most, because a watch and a telephone count the same steps. Sleep is a nightly quantity: the last
one stands for 24 hours, until another is reported or said to be missing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import fmean

from controller.patient.advice.stability import CHANNELS
from controller.patient.data.channels import BY_NAME, EXTRAS
from controller.patient.pharmacology.pharmacokinetics import Level
from controller.support.user_error import UserError

SAMPLING_H = 6.0
SAMPLING = timedelta(hours=SAMPLING_H)
SLEEP_STANDS = timedelta(hours=24)
ASSUMED_BEFORE = timedelta(days=28)  # of doses that nobody recorded; a steady state by then (design)
MOST_SAMPLES = 4000  # nearly three years
UNDATED = datetime(1970, 1, 1, tzinfo=UTC)  # day 1 of a file that counts hours and knows no date


class PatientFileFault(UserError):
    """What is wrong with the file and where, in one sentence."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of input; None where nothing usable was reported."""

    time_h: float  # since midnight before the first sample
    stress: float | None
    sleep: float | None
    mood: float | None
    dose_mg: float
    origin: str  # "published", "generated" or "file"
    extras: Mapping[str, float] = field(default_factory=dict)  # of wearables and questionnaires, by channel


@dataclass(frozen=True, slots=True)
class Prescribed:
    """What was prescribed, as far as the data say."""

    drug: str
    dose_mg: float | None = None
    every_h: float | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything that a patient's files hold."""

    samples: tuple[Sample, ...]
    levels: tuple[Level, ...] = ()
    prescribed: Prescribed | None = None  # None: no drug is known of
    others: tuple[str, ...] = ()  # further drugs, by name: constraints must know of them
    start: datetime | None = None  # midnight before the first sample; None: the files know no date
    notes: tuple[str, ...] = ()  # what was left out or assumed, in sentences


@dataclass(frozen=True, slots=True)
class Report:
    """One value of one channel at one time; None says that it is missing. `where` names it for people."""

    at: datetime
    channel: str
    value: float | None
    source: str
    where: str


@dataclass(frozen=True, slots=True)
class Dose:
    """One dose swallowed, or with zero mg one that was not."""

    at: datetime
    drug: str
    mg: float
    where: str


@dataclass(slots=True)
class Found:
    """What one file gave, before it is ordered in time."""

    reports: list[Report] = field(default_factory=list)
    doses: list[Dose] = field(default_factory=list)
    nights: list[tuple[datetime, datetime]] = field(default_factory=list)  # stretches asleep
    others: set[str] = field(default_factory=set)  # drugs that the table of codes does not know, by name
    prescribed: Prescribed | None = None
    prescribed_from: datetime | None = None
    dated: bool = True
    notes: list[str] = field(default_factory=list)


def recording(name: str, found: Found, drug: str | None = None) -> Recording:
    """The samples of everything found in the files called `name`, of one drug."""
    _refuse_twins(found)
    followed, others = _followed(name, found, drug)
    taken = [d for d in found.doses if d.drug == followed]
    notes = list(found.notes)
    scored = [r.at for r in found.reports if r.channel in CHANNELS]
    if not scored:
        raise PatientFileFault(f"{name} holds no stress, no sleep and no mood")
    if not taken and found.prescribed is not None:
        taken = _as_prescribed(found.prescribed, found.prescribed_from or min(scored), scored)
        notes += [f"no dose is on record: {len(taken)} are assumed, as prescribed"] if taken else []
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
    levels = sorted((r.at, r.value) for r in found.reports if r.channel == "level" and r.value is not None)
    return Recording(
        samples=tuple(samples),
        levels=tuple(Level(_hours(start, at), value) for at, value in levels),
        prescribed=found.prescribed if followed is None or found.prescribed else Prescribed(followed),
        others=tuple(sorted({*others, *found.others})),
        start=start if found.dated else None,
        notes=tuple(notes),
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
    drugs = sorted({d.drug for d in found.doses} | ({found.prescribed.drug} if found.prescribed else set()))
    if drug is not None and drug not in drugs:
        raise PatientFileFault(f"{name} holds no dose of {drug}; it holds doses of {', '.join(drugs) or 'nothing'}")
    if drug is None and len(drugs) > 1:
        raise PatientFileFault(f"{name} holds doses of {' and '.join(drugs)}; say which one the twin is to follow")
    followed = drug or (drugs[0] if drugs else None)
    return followed, tuple(d for d in drugs if d != followed)


def _as_prescribed(plan: Prescribed, since: datetime, scored: Sequence[datetime]) -> list[Dose]:
    if plan.dose_mg is None or plan.every_h is None:
        return []
    every = timedelta(hours=plan.every_h)
    since += max(0, math.ceil((min(scored) - since - ASSUMED_BEFORE) / every)) * every
    count = min(math.floor((max(scored) - since) / every) + 1, MOST_SAMPLES)
    return [Dose(since + i * every, plan.drug, plan.dose_mg, "the prescription") for i in range(count)]


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
