"""Timing of FHIR R4: when the single doses of an order are taken. What is not understood raises Unreadable by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from controller.patient.regimen import DAY_H, Intake, Regimen, by_the_clock, every

Json = Mapping[str, Any]
PER_H = {"s": 1 / 3600, "min": 1 / 60, "h": 1.0, "d": DAY_H, "wk": 7 * DAY_H}
SHORTEST_H, LONGEST_H = 1.0, 31 * DAY_H  # between two single doses; anything else is a typing error (design)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Hours of the day that an event of daily life stands for (design); events that come several times a day are not read.
WHEN_H = {
    "MORN.early": 6.0, "MORN": 8.0, "MORN.late": 10.0, "NOON": 12.0, "AFT.early": 13.0, "AFT": 15.0, "AFT.late": 17.0,
    "EVE.early": 18.0, "EVE": 19.0, "EVE.late": 21.0, "NIGHT": 22.0, "HS": 22.0, "WAKE": 7.0,
    "CM": 8.0, "ACM": 7.5, "PCM": 8.5, "CD": 12.5, "ACD": 12.0, "PCD": 13.0, "CV": 19.0, "ACV": 18.5, "PCV": 19.5,
}  # fmt: skip
# GTSAbbreviation: single doses in so many hours, or one at an hour of the day.
CODES = {
    "QD": (1, DAY_H), "BID": (2, DAY_H), "TID": (3, DAY_H), "QID": (4, DAY_H), "QOD": (1, 2 * DAY_H),
    "Q1H": (24, DAY_H), "Q2H": (12, DAY_H), "Q3H": (8, DAY_H), "Q4H": (6, DAY_H), "Q6H": (4, DAY_H),
    "Q8H": (3, DAY_H), "WK": (1, 7 * DAY_H),
}  # fmt: skip
CODES_AT = {"AM": 8.0, "PM": 19.0, "BED": 22.0}


class Unreadable(Exception):
    """What of an order is not understood, as the end of a sentence that begins with the order's name."""


@dataclass(slots=True)
class Fields:
    """The fields of one element that were not looked at yet; those that remain make the order unreadable."""

    path: str
    left: dict[str, Any]

    @classmethod
    def of(cls, element: Any, path: str) -> Fields:
        """The element's fields without what may be ignored by anybody: its id and its extensions."""
        if not isinstance(element, Mapping):
            raise Unreadable(f"{path} is no element")
        return cls(path, {key: value for key, value in element.items() if key not in {"id", "extension"}})

    def take(self, name: str, default: Any = None) -> Any:
        """A field that is understood."""
        return self.left.pop(name, default)

    def done(self) -> None:
        """Refuse what is left."""
        if self.left:
            raise Unreadable(f"{self.path}.{min(self.left)} is not understood")


def regimen_of(timing: Any, drug: str, single_mg: float, since: datetime, path: str) -> Regimen:
    """The cycle of single doses that a Timing means, from `since` on, within its bounds."""
    fields = Fields.of(timing, path)
    repeat, coded = fields.take("repeat"), _coded(fields.take("code"), f"{path}.code")
    fields.done()
    if repeat is None and coded is None:
        raise Unreadable(f"{path} says neither repeat nor code")
    by_code = None if coded is None else _by_code(coded, drug, single_mg, since)
    if repeat is None:
        return by_code  # type: ignore[return-value]  # one of the two is there
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
