"""Alarm performance after ISA-18.2: rate, flood, chattering and standing alarms, from what the book remembers."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime, timedelta

from controller.loop.alarm_records import AlarmBook, AlarmFigures
from controller.loop.alarms.definition import AlarmRules
from controller.loop.alarms.states import STANDING

WINDOW, HOUR, DAY = timedelta(minutes=10), timedelta(hours=1), timedelta(days=1)


def figures(book: AlarmBook, rules: AlarmRules, now: datetime) -> AlarmFigures:
    """The figures of the last day before `now` (process time)."""
    times = sorted(t for alarm in book.alarms for t in alarm.announced if now - DAY <= t <= now)
    recent = sum(1 for t in times if t > now - WINDOW)
    hourly = {a.name: sum(1 for t in a.announced if now - HOUR < t <= now) for a in book.alarms}
    chattering = [(name, n) for name, n in hourly.items() if n >= rules.chattering_per_hour]
    standing = [a.name for a in book.alarms if a.state in STANDING and a.raised_at and now - a.raised_at > DAY]
    return AlarmFigures(
        last_10_min=recent,
        peak_10_min=_peak(times),
        last_day=len(times),
        flood=recent > rules.flood_per_10_min,
        chattering=tuple(sorted(chattering, key=lambda pair: (-pair[1], pair[0]))),
        standing=tuple(standing),
    )


def _peak(times: list[datetime]) -> int:
    """The most announcements within any ten minutes."""
    return max((bisect_right(times, start + WINDOW) - k for k, start in enumerate(times)), default=0)
