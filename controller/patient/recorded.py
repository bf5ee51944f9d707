"""The regimens that recorded doses show: what was taken day by day, and from when on it was something else.

Days are counted from the first dose, a little before its hour. A day on which a part of the usual doses is lacking is
a day with missed doses, unless three days in a row are alike: then less is taken. Any other day begins a new regimen.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median_low

from controller.patient.regimen import DAY_H, Intake, Regimen, Source

EARLY = timedelta(hours=3)  # that a dose may be taken before its usual hour (design)
LESS_FOR_DAYS = 3  # of the same smaller amount, and no dose was missed: it is the new one (design)
Taken = tuple[datetime, float]


@dataclass(slots=True)
class _Phase:
    """Days of one regimen: number of the day, and its doses."""

    days: list[tuple[int, tuple[Taken, ...]]] = field(default_factory=list)

    @property
    def amounts(self) -> Counter[float]:
        return max((_amounts(doses) for _, doses in self.days), key=lambda c: c.total())


def recorded(drug: str, doses: Sequence[Taken], source: Source = Source.RECORDED) -> tuple[Regimen, ...]:
    """The regimens in order; none without a dose. Doses of zero mg are doses that were not taken."""
    taken = sorted((at, mg) for at, mg in doses if mg > 0)
    if not taken:
        return ()
    phases = _phases(_days(taken))
    return tuple(_regimen(drug, phase, source) for phase in phases)


def _days(taken: Sequence[Taken]) -> list[tuple[int, tuple[Taken, ...]]]:
    begin = taken[0][0] - EARLY
    days: dict[int, list[Taken]] = {}
    for at, mg in taken:
        days.setdefault(math.floor((at - begin) / timedelta(hours=DAY_H)), []).append((at, mg))
    return [(day, tuple(doses)) for day, doses in days.items()]


def _phases(days: Sequence[tuple[int, tuple[Taken, ...]]]) -> list[_Phase]:
    phases = [_Phase()]
    for k, day in enumerate(days):
        known = phases[-1]
        if known.days and not (_amounts(day[1]) <= known.amounts and not _less(days, k, known.amounts)):
            phases.append(_Phase())
        phases[-1].days.append(day)
    return phases


def _less(days: Sequence[tuple[int, tuple[Taken, ...]]], k: int, usual: Counter[float]) -> bool:
    """From day k on the same smaller amount is taken, several days in a row."""
    run = [_amounts(doses) for _, doses in days[k : k + LESS_FOR_DAYS]]
    return len(run) == LESS_FOR_DAYS and run[0] != usual and all(amounts == run[0] for amounts in run)


def _amounts(doses: Sequence[Taken]) -> Counter[float]:
    return Counter(mg for _, mg in doses)


def _regimen(drug: str, phase: _Phase, source: Source) -> Regimen:
    usual = phase.amounts
    _, whole = next(day for day in phase.days if _amounts(day[1]) == usual)
    start = phase.days[0][1][0][0]
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(phase.days)]
    begin = whole[0][0]
    cycle = tuple(Intake((at - begin) / timedelta(hours=1), mg) for at, mg in whole)
    return Regimen(drug, cycle, DAY_H * (median_low(gaps) if gaps else 1), start, source=source)
