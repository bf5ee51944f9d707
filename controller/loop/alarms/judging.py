"""Alarm conditions: does the matter stand? Each kind judges its signal; one that cannot be judged says None."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from controller.loop.alarm_records import AlarmRecord
from controller.loop.alarms.definition import Definition, Kind, Sight
from twin.records import Band
from twin.signals import Reading

QUANTILES = (0.025, 0.1, 0.5, 0.9, 0.975)  # of a Band: low95, low80, median, high80, high95


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether the matter stands (None: it cannot be told), by what value, and the sentence for people."""

    active: bool | None
    value: float | None
    text: str


def judge(definition: Definition, sight: Sight, before: AlarmRecord | None) -> Judged:
    """The matter of this alarm as it is now; `before` is what was known of it."""
    if definition.kind is Kind.CONDITION:
        sentence = sight.conditions.get(definition.signal, "")
        return Judged(bool(sentence), None, sentence)
    if definition.kind is Kind.BAD:
        return _quality(definition, sight)
    if definition.kind in (Kind.PREDICTED_HIGH, Kind.PREDICTED_LOW):
        return _predicted(definition, sight)
    value = number(definition.signal, sight)
    if value is None:
        return Judged(None, None, f"{definition.text}: {definition.signal} is not known")
    if definition.kind is Kind.FROZEN:
        same = before is not None and before.value == value
        return Judged(same, value, f"{definition.text}: it has read {value:.6g} {definition.unit} all the time")
    return _against_limit(definition, sight, before, value)


def number(signal: str, sight: Sight) -> float | None:
    """The finite number of a signal; None for a reading that is not usable and for one that nobody knows."""
    family, _, name = signal.partition(".")
    if family == "process":
        reading = sight.readings.get(name)
        return reading.value if reading is not None and reading.usable else None
    value = sight.numbers.get(signal)
    return value if value is not None and math.isfinite(value) else None


def _against_limit(definition: Definition, sight: Sight, before: AlarmRecord | None, value: float) -> Judged:
    subject, judged = f"{definition.text}: {value:.4g} {definition.unit} is", value
    if definition.kind is Kind.DEVIATION:
        other = number(definition.of, sight)
        if other is None:
            return Judged(None, value, f"{definition.text}: {definition.of} is not known")
        judged = abs(value - other)
        subject = f"{definition.text}: it is {judged:.4g} {definition.unit} from {other:.4g},"
    if definition.kind is Kind.RATE:
        speed = _per_hour(sight.time, value, before)
        if speed is None:
            return Judged(None, value, f"{definition.text}: its rate is not known yet")
        judged = abs(speed)
        subject = f"{definition.text}: it changes by {speed:.4g} {definition.unit} an hour,"
    standing = before is not None and before.active
    slack = definition.deadband if standing else 0.0
    low = definition.kind is Kind.LOW
    active = judged < definition.limit + slack if low else judged > definition.limit - slack
    side = "below" if low else "above"
    return Judged(active, value, f"{subject} {side} {definition.limit:g} {definition.unit}".strip())


def _per_hour(now: datetime, value: float, before: AlarmRecord | None) -> float | None:
    if before is None or before.value is None or before.value_at is None:
        return None
    hours = (now - before.value_at).total_seconds() / 3600.0
    return (value - before.value) / hours if hours > 0 else None


def _quality(definition: Definition, sight: Sight) -> Judged:
    name = definition.signal.partition(".")[2]
    reading = sight.readings.get(name)
    why = _unfit(reading, sight, name)
    return Judged(bool(why), reading.value if reading else None, f"{definition.text}: {why}")


def _unfit(reading: Reading | None, sight: Sight, name: str) -> str:
    if reading is None:
        return "there is no reading"
    if not reading.usable:
        return f"it is {reading.quality.name.lower()}, {reading.reason or 'not a number'}"
    age_s = math.inf if reading.time is None else (sight.time - reading.time).total_seconds()
    allowed_s = sight.max_age_s.get(name, math.inf)
    return f"it is {age_s:.0f} s old, {allowed_s:g} s are allowed" if age_s > allowed_s else ""


def _predicted(definition: Definition, sight: Sight) -> Judged:
    """Whether, when and how surely the forecast passes the limit."""
    forecast = sight.forecast
    band = forecast.bands.get(definition.signal.partition(".")[2]) if forecast else None
    if forecast is None or band is None:
        return Judged(None, None, f"{definition.text}: there is no forecast")
    high = definition.kind is Kind.PREDICTED_HIGH
    side = "above" if high else "below"
    chances = [(time, _beyond(band, k, definition.limit, high)) for k, time in enumerate(forecast.times)]
    if any(not math.isfinite(p) for _, p in chances):
        return Judged(None, None, f"{definition.text}: the forecast is not finite")
    met = _when(chances, definition.probability, sight.time)
    if met is None or met - sight.time > definition.horizon:
        return Judged(False, None, f"{definition.text}: not {side} {definition.limit:g} {definition.unit}")
    worst = max(p for time, p in chances if time >= met)
    told = f"{definition.text}: {side} {definition.limit:g} {definition.unit} in {_span(met - sight.time)}, {worst:.0%}"
    return Judged(True, (met - sight.time).total_seconds() / 60.0, told)


def _beyond(band: Band, k: int, limit: float, high: bool) -> float:
    """The probability of lying above (or below) the limit, linear between the band's quantiles."""
    points = (band.low95[k], band.low80[k], band.median[k], band.high80[k], band.high95[k])
    if not all(map(math.isfinite, points)):
        return math.nan
    below = _distribution(points, limit)
    return 1.0 - below if high else below


def _distribution(points: tuple[float, ...], limit: float) -> float:
    """The probability of lying below the limit; outside the 95 % band it is 0 or 1."""
    if limit <= points[0]:
        return 0.0
    for (x0, p0), (x1, p1) in pairwise(zip(points, QUANTILES, strict=True)):
        if limit <= x1:
            return p0 + (p1 - p0) * (limit - x0) / (x1 - x0)
    return 1.0


def _when(chances: list[tuple[datetime, float]], wanted: float, now: datetime) -> datetime | None:
    """When the probability first reaches what is wanted, from now on; linear between the times of the forecast."""
    for (t0, p0), (t1, p1) in pairwise(chances):
        if t1 <= now:
            continue
        if t0 < now:
            t0, p0 = now, p0 + (p1 - p0) * ((now - t0) / (t1 - t0))
        if p0 >= wanted:
            return t0
        if p1 >= wanted:
            return t0 + (t1 - t0) * ((wanted - p0) / (p1 - p0))
    return None


def _span(ahead: timedelta) -> str:
    minutes = ahead.total_seconds() / 60.0
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
