"""Input validation: values of a wrong kind, dates of no zone, and a clock that jumps.

A turn takes whatever an edge hands it. What is not a number becomes a bad reading that says so, and a clock that
goes back or leaps ahead is not believed until it has been steady for a while.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.loop.records import Situation
from twin.signals import Assay, Plant, Quality, Reading, Role, Snapshot

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(9000, 1, 1, tzinfo=UTC)  # no plant is dated outside of these; a broken clock may be
LARGEST = 2**1000  # a whole number beyond has no float
STEADY_SCANS = 3  # scans in a row that a new time must go on by itself before it is believed (design)


@dataclass(frozen=True, slots=True)
class Clock:
    """The process time that is believed, and a time that is not yet."""

    now: datetime | None = None
    strange: datetime | None = None  # the last time that did not follow on `now`
    steady: int = 0  # how often in a row the strange times followed on each other


def ticked(clock: Clock, time: datetime, longest_gap: timedelta) -> tuple[Clock, str, bool]:
    """The clock after this time; why it is not believed, or ""; and whether everything begins anew from it.

    Time may stand still. A step back, or ahead by more than `longest_gap`, is strange; once it has gone on by itself
    for STEADY_SCANS it is believed, and what was believed before is of another time.
    """
    time = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    sane = EPOCH < time < LAST
    if sane and (clock.now is None or time == clock.now or _follows(clock.now, time, longest_gap)):
        return Clock(time), "", False
    now = clock.now or EPOCH
    steady = clock.steady + 1 if clock.strange is not None and _follows(clock.strange, time, longest_gap) else 0
    if sane and steady >= STEADY_SCANS:
        return Clock(time), "", True
    way = "back" if time <= now else "ahead"
    why = f"the plant's clock went {way} from {now.isoformat(' ', 'seconds')} to {time.isoformat(' ', 'seconds')}"
    return Clock(now, time, steady), why, False


def _follows(before: datetime, time: datetime, longest_gap: timedelta) -> bool:
    return timedelta(0) < time - before <= longest_gap


def checked(snapshot: Snapshot, time: datetime, plant: Plant, needed: Sequence[str] = ()) -> Snapshot:
    """The snapshot at this time, of readings and assays that can be reckoned with; `needed` ones are bad if absent."""
    missing = {n: Reading(None, plant.variable(n).unit, None, Quality.BAD, "it was not read") for n in needed}
    readings = {
        v.name: _fit(snapshot.readings[v.name], v.unit)
        for v in plant.variables
        if v.name in snapshot.readings and snapshot.readings[v.name] is not None
    }
    others = {n: r for n, r in snapshot.readings.items() if n not in readings and isinstance(r, Reading)}
    assayed = {v.name: v.unit for v in plant.having(Role.ASSAYED)}
    assays = tuple(a for a in snapshot.assays if _is_assay(a, assayed))
    return Snapshot(time, {**missing, **{n: _fit(r, r.unit) for n, r in others.items()}, **readings}, assays)


def checked_situation(situation: Situation, plant: Plant, latest_end: datetime) -> Situation:
    """The situation with believable setpoints only: one that is no number, or outside its span, is not known.

    A batch that ended after `latest_end` would be of another clock, and looking ahead that far would take for ever.
    """
    spans = {v.name: (v.low, v.high) for v in plant.variables}
    setpoints, local = (_within(given, spans) for given in (situation.setpoints, situation.local))
    return replace(situation, setpoints=setpoints, local=local, batch_end=min(situation.batch_end, latest_end))


def _fit(reading: Any, unit: str) -> Reading:
    if not isinstance(reading, Reading):
        return Reading(None, unit, None, Quality.BAD, f"not a reading but {type(reading).__name__}")
    value, time, quality, reason = reading.value, reading.time, reading.quality, reading.reason
    if not isinstance(quality, Quality):
        value, quality, reason = None, Quality.BAD, f"its quality is {quality!r}"
    if value is not None and not _is_number(value):
        value, quality, reason = None, Quality.BAD, f"not a number but {type(value).__name__}"
    if reading.unit != unit:
        value, quality, reason = None, Quality.BAD, f"given in {reading.unit!r}, and known in {unit!r}"
    if time is not None and not _has_zone(time):
        time, quality, reason = None, max(quality, Quality.UNCERTAIN), reason or "age unknown: its time has no zone"
    number = None if value is None else float(value)
    return Reading(number, unit, time, quality, str(reason))


def _is_assay(assay: Any, units: Mapping[str, str]) -> bool:
    if not isinstance(assay, Assay) or not isinstance(assay.quality, Quality) or not _is_number(assay.value):
        return False
    dated = _has_zone(assay.sampled_at) and _has_zone(assay.reported_at)
    return dated and units.get(assay.variable, assay.unit) == assay.unit


def _within(given: Mapping[str, Any], spans: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    found = {name: float(v) for name, v in given.items() if _is_number(v) and math.isfinite(v)}
    return {n: v for n, v in found.items() if n not in spans or spans[n][0] <= v <= spans[n][1]}


def _is_number(value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < LARGEST
    return isinstance(value, float)


def _has_zone(time: Any) -> bool:
    return isinstance(time, datetime) and time.tzinfo is not None
