"""Alarms are announced after their delays, answered by people, put away for a while, and forgotten when over."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.edge.historian.wire import decode_as, encode
from controller.loop.alarm_records import AlarmBook, AlarmRecord, AlarmState, Priority
from controller.loop.alarms import AlarmRules, Definition, Kind, Sight, figures, watch
from controller.loop.records import ALARM_KINDS, Intent, Ruling
from twin.signals import Quality, Reading

NOW = datetime(2026, 1, 3, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LOW = Definition(
    "oxygen_low", "Dissolved oxygen low", "process.oxygen", Kind.LOW, Priority.HIGH, "it starves", "add air",
    unit="%", limit=20.0, deadband=2.0,
)  # fmt: skip
S = AlarmState


class Room:
    """A control room: one scan a minute, and people who do things."""

    def __init__(self, *definitions: Definition, rules: AlarmRules | None = None) -> None:
        self.definitions = definitions or (LOW,)
        self.rules = rules or AlarmRules()
        self.book = AlarmBook()
        self.time = NOW

    def scan(self, value: float | None = 50.0, *intents: Intent, phase: str = "growth", **sight: Any) -> AlarmState:
        self.time += MINUTE
        good = value is not None and math.isfinite(value)
        reading = Reading(value, "%", self.time, Quality.GOOD if good else Quality.BAD, "" if good else "unplugged")
        seen = Sight(self.time, (phase,), {"oxygen": reading}, **sight)
        self.book, self.rulings = watch(self.book, self.definitions, self.rules, seen, intents)
        return self.state()

    def state(self, name: str | None = None) -> AlarmState:
        record = self.book.find(name or self.definitions[0].name)
        return record.state if record else S.NORMAL

    def asks(self, kind: str, name: str | None = None, **more: Any) -> Intent:
        return Intent(kind, "ada", self.time, alarm=name or self.definitions[0].name, reason="seen", **more)

    @property
    def ruling(self) -> Ruling:
        return self.rulings[0]


def test_an_alarm_is_announced_acknowledged_and_over() -> None:
    room = Room()
    assert room.scan(50.0) is S.NORMAL
    assert room.scan(18.3) is S.UNACKNOWLEDGED
    assert room.book.alarms[0].text == "Dissolved oxygen low: 18.3 % is below 20 %"
    assert room.book.changes[0].after is S.UNACKNOWLEDGED
    assert room.scan(18.0, room.asks("ack")) is S.ACKNOWLEDGED
    assert room.book.alarms[0].by == "ada"
    assert room.scan(50.0) is S.NORMAL


def test_an_alarm_that_is_over_before_anybody_looked_still_asks_to_be_seen() -> None:
    room = Room()
    room.scan(10.0)
    assert room.scan(50.0) is S.RETURNED
    assert room.scan(10.0) is S.UNACKNOWLEDGED
    assert room.scan(50.0) is S.RETURNED
    assert room.scan(50.0, room.asks("ack")) is S.NORMAL


def test_a_latched_alarm_stays_until_it_is_acknowledged_and_reset() -> None:
    room = Room(replace(LOW, latched=True))
    room.scan(10.0)
    assert room.scan(50.0) is S.LATCHED
    assert room.scan(50.0, room.asks("reset")) is S.LATCHED
    assert room.ruling.reason == "Dissolved oxygen low is latched: nothing to reset"
    assert room.scan(50.0, room.asks("ack")) is S.LATCHED_ACKNOWLEDGED
    assert room.scan(50.0, room.asks("reset")) is S.NORMAL


def test_the_deadband_keeps_an_alarm_from_chattering_about_its_limit() -> None:
    room = Room()
    assert [room.scan(v) for v in (19.9, 20.1, 21.9, 22.1)] == [*[S.UNACKNOWLEDGED] * 3, S.RETURNED]


def test_the_delays_ask_the_matter_to_stand_or_to_be_over_for_a_while() -> None:
    room = Room(replace(LOW, on_delay=2 * MINUTE, off_delay=3 * MINUTE))
    assert [room.scan(v) for v in (10, 10, 50, 10, 10, 10)] == [*[S.NORMAL] * 5, S.UNACKNOWLEDGED]
    assert [room.scan(v) for v in (50, 50, 50, 50)] == [*[S.UNACKNOWLEDGED] * 3, S.RETURNED]


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_reading_that_is_not_fit_neither_raises_nor_ends_an_alarm_of_its_value(value: float | None) -> None:
    room = Room()
    assert room.scan(value) is S.NORMAL
    room.scan(10.0)
    assert room.scan(value) is S.UNACKNOWLEDGED


def test_a_reading_that_is_not_good_absent_or_old_is_an_alarm_of_its_own() -> None:
    room = Room(replace(LOW, kind=Kind.BAD, text="Oxygen probe"))
    assert room.scan(50.0) is S.NORMAL
    assert room.scan(None) is S.UNACKNOWLEDGED
    assert room.book.alarms[0].text == "Oxygen probe: it is bad, unplugged"
    old = Reading(50.0, "%", room.time - MINUTE, Quality.GOOD)
    for readings, text in (({}, "there is no reading"), ({"oxygen": old}, "it is 120 s old, 30 s are allowed")):
        room.book = AlarmBook()
        room.time += MINUTE
        sight = Sight(room.time, (), readings, max_age_s={"oxygen": 30.0})
        book, _ = watch(room.book, room.definitions, room.rules, sight)
        assert book.alarms[0].text == f"Oxygen probe: {text}"
        room.time -= MINUTE


def test_a_shelved_alarm_is_silent_for_the_time_that_was_said_and_then_speaks_again() -> None:
    room = Room()
    room.scan(10.0)
    assert room.scan(10.0, room.asks("shelve", hours=0.05)) is S.SHELVED
    assert room.scan(10.0) is S.SHELVED
    assert room.scan(10.0) is S.SHELVED
    assert room.scan(10.0) is S.UNACKNOWLEDGED


@pytest.mark.parametrize("hours", [None, 0.0, -1.0, 9.0, math.nan])
def test_shelving_needs_a_time_that_is_allowed(hours: float | None) -> None:
    room = Room()
    room.scan(10.0)
    assert room.scan(10.0, room.asks("shelve", hours=hours)) is S.UNACKNOWLEDGED
    assert room.ruling.reason == "Dissolved oxygen low can be shelved for up to 8 h; say how long"


def test_an_alarm_out_of_service_is_silent_until_it_is_put_back() -> None:
    room = Room()
    assert room.scan(50.0, room.asks("out_of_service")) is S.OUT_OF_SERVICE
    assert room.scan(10.0) is S.OUT_OF_SERVICE
    assert room.scan(10.0, room.asks("unshelve")) is not S.NORMAL
    assert room.ruling.reason == "Dissolved oxygen low is out of service, not shelved"
    assert room.scan(10.0, room.asks("in_service")) is S.UNACKNOWLEDGED


def test_an_alarm_is_suppressed_outside_its_phases_and_announced_when_they_begin() -> None:
    room = Room(replace(LOW, phases=("growth",)))
    assert room.scan(10.0, phase="harvest") is S.SUPPRESSED
    assert room.scan(10.0, phase="growth") is S.UNACKNOWLEDGED
    assert room.scan(10.0, phase="harvest") is S.SUPPRESSED


def test_a_consequence_is_suppressed_while_its_cause_stands() -> None:
    worse = replace(LOW, name="oxygen_low_low", limit=10.0)
    room = Room(replace(LOW, unless=("oxygen_low_low",)), worse)
    room.scan(15.0)
    assert (room.state("oxygen_low"), room.state("oxygen_low_low")) == (S.UNACKNOWLEDGED, S.NORMAL)
    room.scan(5.0)
    assert (room.state("oxygen_low"), room.state("oxygen_low_low")) == (S.SUPPRESSED, S.UNACKNOWLEDGED)


def test_rate_deviation_frozen_and_condition_are_judged_too() -> None:
    rate = replace(LOW, kind=Kind.RATE, limit=60.0, deadband=0.0)
    assert [Room(rate).scan(v) for v in (50.0, 10.0)] == [S.NORMAL, S.NORMAL]  # each room sees its first value
    room = Room(rate)
    assert [room.scan(v) for v in (50.0, 50.5, 52.0)] == [S.NORMAL, S.NORMAL, S.UNACKNOWLEDGED]
    away = Room(replace(LOW, kind=Kind.DEVIATION, of="setpoint.oxygen", limit=5.0, deadband=0.0))
    assert away.scan(50.0, numbers={"setpoint.oxygen": 54.0}) is S.NORMAL
    assert away.scan(50.0, numbers={"setpoint.oxygen": 56.0}) is S.UNACKNOWLEDGED
    stuck = Room(replace(LOW, kind=Kind.FROZEN, on_delay=2 * MINUTE))
    assert [stuck.scan(v) for v in (50.0, 50.0, 50.0, 50.0)] == [*[S.NORMAL] * 3, S.UNACKNOWLEDGED]
    assert stuck.scan(50.1) is S.RETURNED
    told = Room(replace(LOW, kind=Kind.CONDITION, signal="loop.link"))
    assert told.scan(50.0, conditions={"loop.link": "the cable is out"}) is S.UNACKNOWLEDGED
    assert told.book.alarms[0].text == "the cable is out"
    assert told.scan(50.0) is S.RETURNED


def test_what_nobody_knows_can_neither_be_acknowledged_nor_shelved() -> None:
    room = Room()
    room.scan(10.0, room.asks("ack", "nonsense"))
    assert room.ruling.reason == "there is no alarm 'nonsense'"
    room.book = AlarmBook()
    room.scan(50.0, room.asks("ack"))
    assert not room.ruling.granted


def test_the_figures_tell_a_flood_and_a_chattering_alarm() -> None:
    many = [replace(LOW, name=f"a{k}") for k in range(12)]
    room = Room(*many)
    room.scan(10.0)
    told = figures(room.book, room.rules, room.time)
    assert (told.last_10_min, told.peak_10_min, told.flood, told.chattering) == (12, 12, True, ())
    room = Room()
    for _ in range(3):
        room.scan(10.0)
        room.scan(50.0)
    assert figures(room.book, room.rules, room.time).chattering == (("oxygen_low", 3),)
    later = figures(room.book, room.rules, room.time + timedelta(hours=2))
    assert (later.last_10_min, later.chattering, later.last_day) == (0, (), 3)


def test_an_alarm_that_stands_for_more_than_a_day_is_named() -> None:
    room = Room()
    room.scan(10.0)
    assert figures(room.book, room.rules, room.time + timedelta(hours=25)).standing == ("oxygen_low",)


def test_the_book_survives_the_historian_and_goes_on_there() -> None:
    room = Room(replace(LOW, on_delay=2 * MINUTE))
    room.scan(10.0)
    room.book = decode_as(AlarmBook, encode(room.book))
    room.scan(10.0)
    assert room.scan(10.0) is S.UNACKNOWLEDGED
    assert decode_as(AlarmBook, encode(room.book)) == room.book


def test_a_normal_alarm_leaves_no_record_behind() -> None:
    room = Room()
    room.scan(50.0)
    assert room.book == AlarmBook()


LEGAL = {
    S.NORMAL: {S.UNACKNOWLEDGED},
    S.UNACKNOWLEDGED: {S.ACKNOWLEDGED, S.RETURNED, S.LATCHED, S.NORMAL, S.LATCHED_ACKNOWLEDGED},
    S.ACKNOWLEDGED: {S.NORMAL, S.LATCHED_ACKNOWLEDGED},
    S.RETURNED: {S.NORMAL, S.UNACKNOWLEDGED},
    S.LATCHED: {S.LATCHED_ACKNOWLEDGED, S.UNACKNOWLEDGED},
    S.LATCHED_ACKNOWLEDGED: {S.NORMAL, S.UNACKNOWLEDGED},
}
AWAY = {S.SHELVED, S.SUPPRESSED, S.OUT_OF_SERVICE}


@settings(max_examples=150)
@given(
    latched=st.booleans(),
    steps=st.lists(
        st.tuples(st.floats(0, 40), st.sampled_from((*ALARM_KINDS, "")), st.sampled_from(("growth", "harvest"))),
        min_size=1,
        max_size=30,
    ),
)
def test_whatever_happens_an_alarm_only_moves_as_the_standard_says(
    latched: bool, steps: list[tuple[float, str, str]]
) -> None:
    room = Room(replace(LOW, latched=latched, phases=("growth",)))
    before = S.NORMAL
    for value, kind, phase in steps:
        now = room.scan(value, *([room.asks(kind, hours=1.0)] if kind else []), phase=phase)
        if now is not before and now not in AWAY and before not in AWAY:
            assert now in LEGAL[before], (before, now)
        record: AlarmRecord | None = room.book.find("oxygen_low")
        active = record is not None and record.active
        assert (now in (S.UNACKNOWLEDGED, S.ACKNOWLEDGED)) <= active
        before = now
