"""A grid of samples six hours apart, and how reports made at any time fall into it.

A report belongs to the sample nearest to it, at most three hours away. Of several reports in one sample the last
counts; heart rate, saturation, temperature and heart rate variability are averaged, and steps are added up, of the
source that counted most, because a watch and a telephone count the same steps. Sleep is a nightly quantity: the last
one stands for 24 hours, until another is reported or said to be missing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean

from controller.patient.advice.stability import CHANNELS, SAMPLING
from controller.patient.data.channels import BY_NAME, EXTRAS
from controller.patient.data.samples import MOST_SAMPLES, UNDATED, Dose, Found, PatientFileFault, Report, Sample

SLEEP_STANDS = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Grid:
    """`count` samples from `anchor` on; hours count from `start`, the midnight before."""

    anchor: datetime
    count: int
    start: datetime

    @classmethod
    def of(cls, name: str, scored: Sequence[datetime], doses: Sequence[datetime], dated: bool) -> Grid:
        """Over all reports of the score and all doses of the files called `name`; the first report is a sample."""
        anchor, times = min(scored), [*scored, *doses]
        anchor -= max(0, -_slot(anchor, min(times))) * SAMPLING
        count = 1 + max(_slot(anchor, at) for at in times)
        if count > MOST_SAMPLES:
            raise PatientFileFault(f"{name} spans {count} samples of 6 h, more than the {MOST_SAMPLES} that are read")
        return cls(anchor, count, anchor.replace(hour=0, minute=0, second=0, microsecond=0) if dated else UNDATED)

    def samples(self, found: Found, taken: Sequence[Dose]) -> tuple[Sample, ...]:
        """Every sample with what was reported and swallowed."""
        slots = _by_slot(self.anchor, self.count, found.reports)
        doses: dict[int, float] = defaultdict(float)
        for dose in taken:
            doses[_slot(self.anchor, dose.at)] += dose.mg
        return tuple(self._sample(k, slots, found, doses[k]) for k in range(self.count))

    def hours(self, at: datetime) -> float:
        """Since the midnight before the first sample."""
        return (at - self.start) / timedelta(hours=1)

    def _sample(self, k: int, slots: Sequence[Mapping[str, Sequence[Report]]], found: Found, mg: float) -> Sample:
        at = self.anchor + k * SAMPLING
        values = {c: _gathered(c, slots[k].get(c, ())) for c in (*CHANNELS, *EXTRAS)}
        values["sleep"] = _slept(at, k, slots, found.nights)
        stress, sleep, mood = (values[c] for c in CHANNELS)
        extras = {c: v for c in EXTRAS if (v := values[c]) is not None}
        return Sample(self.hours(at), stress, sleep, mood, mg, "file", extras)


def _slot(anchor: datetime, at: datetime) -> int:
    return math.floor((at - anchor) / SAMPLING + 0.5)


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
