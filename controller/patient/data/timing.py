"""Timing of FHIR R4: when the single doses of an order are taken. What is not understood raises Unreadable by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from controller.patient.data.fields import Fields, Unreadable
from controller.patient.data.timing_codes import CODES, CODES_AT, DAYS, PER_H, WHEN_H
from controller.patient.regimen import DAY_H, Intake, Regimen, by_the_clock, every

Json = Mapping[str, Any]
SHORTEST_H, LONGEST_H = 1.0, 31 * DAY_H  # between two single doses; anything else is a typing error (design)


def regimen_of(timing: Any, drug: str, single_mg: float, since: datetime, path: str) -> Regimen:
    """The cycle of single doses that a Timing means, from `since` on, within its bounds."""
    fields = Fields.of(timing, path)
    repeat, coded = fields.take("repeat"), _coded(fields.take("code"), f"{path}.code")
    fields.done()
    by_code = None if coded is None else _by_code(coded, drug, single_mg, since)
    if repeat is None and by_code is None:
        raise Unreadable(f"{path} says neither repeat nor code")
    if repeat is None and by_code is not None:
        return by_code
    found = _repeated(Fields.of(repeat, f"{path}.repeat"), drug, single_mg, since, by_code)
    if by_code is not None and abs(found.daily_mg - by_code.daily_mg) > 1e-9 * found.daily_mg:
        raise Unreadable(f"{path}.repeat and {path}.code ({coded}) contradict each other")
    return found


def _coded(concept: Any, path: str) -> str | None:
    if concept is None:
        return None
    codes = {c.get("code") for c in concept.get("coding", ())} if isinstance(concept, Mapping) else set()
    text = concept.get("text", "").strip().upper() if isinstance(concept, Mapping) else ""
    known = {code for code in codes | {text} if code in CODES or code in CODES_AT}
    if len(known) != 1:
        said = text or " or ".join(sorted(map(str, codes)))
        raise Unreadable(f'{path} is "{said}", which is not understood')
    return str(known.pop())


def _by_code(code: str, drug: str, single_mg: float, since: datetime) -> Regimen:
    if code in CODES_AT:
        return by_the_clock(drug, (Intake(CODES_AT[code], single_mg),), DAY_H, since)
    count, period_h = CODES[code]
    return every(drug, single_mg, period_h / count, start=since)


def _repeated(fields: Fields, drug: str, single_mg: float, since: datetime, coded: Regimen | None) -> Regimen:
    begin, end = _bounds(fields, since)
    count = _same(fields, "count", "countMax")
    clock, clock_h = _clock(fields)
    frequency, period_h = _same(fields, "frequency", "frequencyMax"), _period(fields)
    fields.done()
    if clock:
        found = _at_hours(clock, clock_h, drug, single_mg, begin, (frequency, period_h), fields.path)
    elif period_h is not None:
        found = _every(drug, single_mg, period_h / (frequency or 1), begin, fields.path)
    elif frequency is not None and coded is None:
        raise Unreadable(f"{fields.path} has a frequency without a period")
    elif coded is not None:
        found = coded if coded.start == begin else coded.moved(begin - since)
    else:
        raise Unreadable(f"{fields.path} does not say how often")
    return replace(found, end=_ended(found, end, count))


def _every(drug: str, single_mg: float, hours: float, begin: datetime, path: str) -> Regimen:
    if not SHORTEST_H <= hours <= LONGEST_H:
        raise Unreadable(f"{path} is every {hours:g} h, which is no schedule that is followed")
    return every(drug, single_mg, hours, start=begin)


def _at_hours(
    clock: list[float],
    clock_h: float,
    drug: str,
    single_mg: float,
    begin: datetime,
    often: tuple[float | None, float | None],
    path: str,
) -> Regimen:
    frequency, period_h = often
    # A frequency and period beside hours must say the same number of single doses a day.
    if period_h is not None and frequency is not None and frequency / period_h != len(clock) / clock_h:
        raise Unreadable(f"{path} has {len(clock)} hours, and {frequency:g} every {period_h:g} h")
    if period_h not in (None, DAY_H, clock_h):
        raise Unreadable(f"{path} has hours of the day, and a period of {period_h:g} h")
    return by_the_clock(drug, tuple(Intake(at, single_mg) for at in clock), clock_h, begin)


def _clock(fields: Fields) -> tuple[list[float], float]:
    """Hours at which a single dose is taken, and of what they are: of the day, or of the week from Monday on."""
    hours = [_hour(text, fields.path) for text in fields.take("timeOfDay", ())]
    for code in fields.take("when", ()):
        if code not in WHEN_H:
            raise Unreadable(f'{fields.path}.when is "{code}", which is no single hour of the day')
        hours.append(WHEN_H[code])
    if fields.take("offset"):
        raise Unreadable(f"{fields.path}.offset is not understood")
    days = fields.take("dayOfWeek", ())
    if not days:
        return sorted(hours), DAY_H
    return sorted(DAY_H * DAYS.index(day) + hour for day in days for hour in hours or [WHEN_H["MORN"]]), 7 * DAY_H


def _hour(text: Any, path: str) -> float:
    try:
        at = time.fromisoformat(str(text))
    except ValueError:
        raise Unreadable(f'{path}.timeOfDay is "{text}", which is no time') from None
    return at.hour + at.minute / 60 + at.second / 3600


def _same(fields: Fields, name: str, most: str) -> float | None:
    """A number that is not a range."""
    value, limit = fields.take(name), fields.take(most)
    if limit is not None and limit != value:
        raise Unreadable(f"{fields.path}.{most} leaves it open how much is taken")
    return None if value is None else float(value)


def _period(fields: Fields) -> float | None:
    value, unit = _same(fields, "period", "periodMax"), fields.take("periodUnit")
    if value is None:
        return None
    if unit not in PER_H:
        raise Unreadable(f'{fields.path}.periodUnit is "{unit}", which is no fixed number of hours')
    return value * PER_H[unit]


def _bounds(fields: Fields, since: datetime) -> tuple[datetime, datetime | None]:
    period, duration = fields.take("boundsPeriod"), fields.take("boundsDuration")
    if period is not None:
        own = Fields.of(period, f"{fields.path}.boundsPeriod")
        start, end = own.take("start"), own.take("end")
        own.done()
        return _moment(start, since) or since, _moment(end, since, last=True)
    if duration is None:
        return since, None
    own = Fields.of(duration, f"{fields.path}.boundsDuration")
    value, unit = own.take("value"), own.take("code", own.left.get("unit"))
    own.take("unit"), own.take("system")
    own.done()
    if unit not in PER_H or value is None:
        raise Unreadable(f'{own.path} has the unit "{unit}", which is no fixed number of hours')
    return since, since + timedelta(hours=float(value) * PER_H[unit]) - timedelta(seconds=1)


def _moment(text: Any, since: datetime, last: bool = False) -> datetime | None:
    """A FHIR date or date and time; of a day, its first or last instant."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        raise Unreadable(f'boundsPeriod has "{text}", which is no day') from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=since.tzinfo or UTC)
    return at + timedelta(days=1, seconds=-1) if last and "T" not in str(text) else at


def _ended(regimen: Regimen, end: datetime | None, count: float | None) -> datetime | None:
    """The last instant at which a single dose may be taken."""
    if count is None or regimen.start is None:
        return end
    cycles, rest = divmod(int(count) - 1, len(regimen.cycle))
    last = regimen.start + timedelta(hours=cycles * regimen.period_h + regimen.cycle[rest].at_h)
    return last if end is None else min(last, end)
