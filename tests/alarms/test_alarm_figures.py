"""How busy alarms keep people: what counts as recent, as a flood, as chattering and as standing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.loop.alarm_records import AlarmBook, AlarmRecord, AlarmState
from controller.loop.alarms import AlarmRules, figures

NOW = datetime(2026, 1, 3, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
RULES = AlarmRules(flood_per_10_min=3, chattering_per_hour=2)


def record(*ago: timedelta, name: str = "a", state: AlarmState = AlarmState.RETURNED, **more: Any) -> AlarmRecord:
    return AlarmRecord(name, state, NOW, announced=tuple(sorted(NOW - t for t in ago)), **more)


def told(*alarms: AlarmRecord) -> Any:
    return figures(AlarmBook(alarms), RULES, NOW)


def test_a_book_without_announcements_has_nothing_to_tell() -> None:
    quiet = told(record())
    assert (quiet.last_10_min, quiet.peak_10_min, quiet.last_day, quiet.flood) == (0, 0, 0, False)
    assert quiet.chattering == quiet.standing == ()


def test_windows_reach_back_to_just_before_their_length() -> None:
    assert told(record(10 * MINUTE)).last_10_min == 0
    assert told(record(10 * MINUTE - timedelta(seconds=1), timedelta(0))).last_10_min == 2
    assert told(record(DAY, DAY + MINUTE)).last_day == 1
    assert told(record(-MINUTE)).last_day == 0  # of a clock that went back


def test_more_than_the_rule_in_ten_minutes_is_a_flood() -> None:
    assert not told(record(*(k * MINUTE for k in range(3)))).flood
    assert told(record(*(k * MINUTE for k in range(4)))).flood


def test_the_usual_rules_are_ten_in_ten_minutes_and_three_an_hour() -> None:
    for count, flood in ((10, False), (11, True)):
        many = record(*(k * timedelta(seconds=30) for k in range(count)))
        assert figures(AlarmBook((many,)), AlarmRules(), NOW).flood is flood
    for count, chattering in ((2, ()), (3, (("a", 3),))):
        some = record(*(k * 19 * MINUTE for k in range(count)))
        assert figures(AlarmBook((some,)), AlarmRules(), NOW).chattering == chattering


def test_the_busiest_ten_minutes_are_found_wherever_they_lie_in_the_day() -> None:
    busy = record(*(5 * HOUR + k * 2 * MINUTE for k in range(6)), *(HOUR + k * 11 * MINUTE for k in range(4)))
    assert told(busy).peak_10_min == 6


def test_chattering_alarms_are_named_the_most_frequent_first_and_then_by_name() -> None:
    alarms = [
        record(MINUTE, 2 * MINUTE, name="c"),
        record(MINUTE, 2 * MINUTE, name="b"),
        record(MINUTE, 2 * MINUTE, 3 * MINUTE, name="d"),
        record(MINUTE, HOUR, name="a"),  # the second was just an hour ago
        record(timedelta(0), HOUR - MINUTE, name="e"),
    ]
    assert told(*alarms).chattering == (("d", 3), ("b", 2), ("c", 2), ("e", 2))


@pytest.mark.parametrize(
    ("state", "raised", "standing"),
    [
        (AlarmState.UNACKNOWLEDGED, DAY + MINUTE, True),
        (AlarmState.ACKNOWLEDGED, DAY + MINUTE, True),
        (AlarmState.ACKNOWLEDGED, DAY, False),
        (AlarmState.RETURNED, DAY + MINUTE, False),
        (AlarmState.SHELVED, DAY + MINUTE, False),
        (AlarmState.ACKNOWLEDGED, None, False),
    ],
)
def test_an_alarm_stands_when_it_was_raised_more_than_a_day_ago_and_is_not_over(
    state: AlarmState, raised: timedelta | None, standing: bool
) -> None:
    found = told(record(state=state, raised_at=NOW - raised if raised else None))
    assert found.standing == (("a",) if standing else ())


@given(st.lists(st.integers(0, 24 * 60), max_size=40))
def test_the_peak_is_what_counting_every_ten_minutes_gives(minutes: list[int]) -> None:
    found = told(record(*(m * MINUTE for m in minutes)))
    counted = max((sum(1 for other in minutes if m - 10 <= other <= m) for m in minutes), default=0)
    assert found.peak_10_min == counted
    assert found.last_day == len(minutes)
