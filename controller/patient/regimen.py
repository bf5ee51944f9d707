"""A regimen: how one drug is taken, as a cycle of single doses that repeats, and who says so.

A single dose is what is swallowed at once; a daily dose is what comes together in a day. Both are in mg, and nothing
here is called a dose without saying which of the two it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

DAY_H = 24.0
LATEST = datetime.max.replace(tzinfo=UTC)


class Source(StrEnum):
    """Who says that a drug is taken so; the most trusted first."""

    RECORDED = "recorded"  # dose by dose
    STATED = "stated"  # by the patient or whoever knows
    ORDERED = "ordered"
    ASSUMED = "assumed"  # by nobody: a default of this program


@dataclass(frozen=True, slots=True)
class Intake:
    """One single dose of a cycle."""

    at_h: float  # after the cycle's begin
    mg: float


@dataclass(frozen=True, slots=True)
class Regimen:
    """`cycle` repeats every `period_h` from `start` until `end`, the end included."""

    drug: str
    cycle: tuple[Intake, ...]
    period_h: float = DAY_H
    start: datetime | None = None  # None: not begun
    end: datetime | None = None  # None: still taken
    as_needed: bool = False
    source: Source = Source.ASSUMED

    @property
    def daily_mg(self) -> float:
        """The mean daily dose."""
        return math.fsum(i.mg for i in self.cycle) * (DAY_H / self.period_h)

    @property
    def even(self) -> bool:
        """Every day is like the other."""
        return not self.as_needed and math.isclose(self.most_mg(DAY_H), self.daily_mg)

    def most_mg(self, window_h: float) -> float:
        """The greatest sum of single doses within any stretch of this length."""
        cycles = math.ceil(window_h / self.period_h) + 1
        doses = [(k * self.period_h + i.at_h, i.mg) for k in range(cycles) for i in self.cycle]
        begins = [i.at_h for i in self.cycle]
        return max(
            (math.fsum(mg for at, mg in doses if begin <= at < begin + window_h) for begin in begins), default=0.0
        )

    def doses(self, begin: datetime, end: datetime) -> list[tuple[datetime, float]]:
        """Time and mg of each single dose from `begin` on and before `end`, in order."""
        if self.start is None or self.as_needed:
            return []
        period = timedelta(hours=self.period_h)
        k, found = max(0, math.floor((begin - self.start) / period)), []
        while (cycle := self.start + k * period) < end:
            found += [(cycle + timedelta(hours=i.at_h), i.mg) for i in self.cycle]
            k += 1
        return [(at, mg) for at, mg in found if begin <= at < end and (self.end is None or at <= self.end)]

    def with_daily(self, daily_mg: float) -> Regimen:
        """The same hours with another daily dose: every single dose keeps its share of the day's."""
        now = self.daily_mg
        return replace(self, cycle=tuple(replace(i, mg=i.mg / now * daily_mg) for i in self.cycle))

    def moved(self, by: timedelta) -> Regimen:
        """The same on a clock that shows something else."""
        start, end = (None if at is None else at + by for at in (self.start, self.end))
        return replace(self, start=start, end=end)

    @property
    def schedule(self) -> str:
        """The single doses and when they are taken."""
        gap, begin = self.period_h / len(self.cycle), self.cycle[0].at_h
        spaced = all(math.isclose(i.at_h, begin + k * gap) for k, i in enumerate(self.cycle))
        said = " and ".join(f"{i.mg:g} mg at {i.at_h:g} h" for i in self.cycle) + f" of every {self.period_h:g} h"
        if spaced and len({i.mg for i in self.cycle}) == 1:
            said = f"{self.cycle[0].mg:g} mg every {gap:g} h"
        return said + (" as needed" if self.as_needed else "")

    def __str__(self) -> str:
        once_a_day = self.period_h == DAY_H and len(self.cycle) == 1
        return self.schedule + ("" if once_a_day else f", {self.daily_mg:g} mg a day")


def every(
    drug: str,
    single_mg: float,
    hours: float = DAY_H,
    start: datetime | None = None,
    end: datetime | None = None,
    as_needed: bool = False,
    source: Source = Source.ASSUMED,
) -> Regimen:
    """One single dose again and again."""
    return Regimen(drug, (Intake(0.0, single_mg),), hours, start, end, as_needed, source)


def by_the_clock(drug: str, intakes: tuple[Intake, ...], period_h: float, since: datetime) -> Regimen:
    """Single doses at hours of the day (of the week, from Monday, for a period of seven days), the first from `since`.

    The hours are those of the zone in which `since` is told.
    """
    midnight = since.replace(hour=0, minute=0, second=0, microsecond=0)
    if period_h > DAY_H:
        midnight -= timedelta(days=midnight.weekday())
    hours_on = (since - midnight) / timedelta(hours=1)
    waits = sorted(((i.at_h - hours_on) % period_h, i.mg) for i in intakes)
    first = waits[0][0]
    cycle = tuple(Intake(wait - first, mg) for wait, mg in waits)
    return Regimen(drug, cycle, period_h, since + timedelta(hours=first))


def together(regimens: list[Regimen]) -> Regimen:
    """Regimens of one drug that are taken side by side, as one; ValueError when their cycles fit no common week."""
    first = min(regimens, key=lambda r: r.start or LATEST)
    if len(regimens) == 1:
        return first
    period = math.lcm(*(round(r.period_h * 60) for r in regimens)) / 60
    if period > 7 * DAY_H or first.start is None or len({(r.end, r.as_needed) for r in regimens}) > 1:
        raise ValueError(f"{' and '.join(map(str, regimens))} are not read as one")
    found: list[Intake] = []
    for r in regimens:
        shift = ((r.start or first.start) - first.start) / timedelta(hours=1)
        if shift >= r.period_h:
            raise ValueError(f"{r} begins later than {first}, so they are not read as one")
        for k in range(round(period / r.period_h)):
            found += [Intake((shift + k * r.period_h + i.at_h) % period, i.mg) for i in r.cycle]
    return replace(first, cycle=tuple(sorted(found, key=lambda i: i.at_h)), period_h=period)
