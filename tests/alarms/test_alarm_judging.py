"""Each kind of alarm judges its signal: whether the matter stands, by what number, and in which words."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.loop.alarm_records import AlarmBook, AlarmRecord, AlarmState, Priority
from controller.loop.alarms import Definition, Kind, Sight, judged
from controller.loop.alarms.judging import Judged
from twin.signals import Quality, Reading

NOW = datetime(2026, 1, 3, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HIGH = Definition(
    "oxygen", "Oxygen", "process.oxygen", Kind.HIGH, Priority.HIGH, "c", "r", unit="%", limit=80.0, deadband=2.0
)


def good(value: float | None, age: timedelta = timedelta(0)) -> Reading:
    return Reading(value, "%", NOW - age, Quality.GOOD)


def before(value: float | None = None, age: timedelta = HOUR, active: bool = False) -> AlarmBook:
    return AlarmBook((AlarmRecord("oxygen", AlarmState.NORMAL, NOW - HOUR, active, value=value, value_at=NOW - age),))


def found(definition: Definition, value: float | Reading | None, book: AlarmBook | None = None, **sight: Any) -> Judged:
    reading = value if isinstance(value, Reading) else good(value)
    return judged(definition, Sight(NOW, ("growth",), {"oxygen": reading}, **sight), book or AlarmBook())


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Kind.HIGH, 80.123456, "Oxygen: 80.12 % is above 80 %"),
        (Kind.LOW, 79.876543, "Oxygen: 79.88 % is below 80 %"),
    ],
)
def test_a_limit_says_the_number_its_side_and_the_limit(kind: Kind, value: float, text: str) -> None:
    assert found(replace(HIGH, kind=kind), value) == Judged(True, value, text)


def test_a_value_at_its_limit_is_within_it() -> None:
    assert found(HIGH, 80.0).active is False
    assert found(replace(HIGH, kind=Kind.LOW), 80.0).active is False


def test_once_it_stands_the_value_must_come_back_inside_by_the_deadband() -> None:
    assert found(HIGH, 78.1, before(active=True)).active is True
    assert found(HIGH, 78.0, before(active=True)).active is False
    assert found(HIGH, 78.1, before(active=False)).active is False
    low = replace(HIGH, kind=Kind.LOW)
    assert found(low, 81.9, before(active=True)).active is True
    assert found(low, 82.0, before(active=True)).active is False


def test_a_deviation_is_measured_either_way_from_the_other_signal() -> None:
    away = replace(HIGH, kind=Kind.DEVIATION, of="setpoint.oxygen", limit=5.0, deadband=0.0)
    for value in (44.0, 56.0):
        told = "Oxygen: it is 6 % from 50, above 5 %"
        assert found(away, value, numbers={"setpoint.oxygen": 50.0}) == Judged(True, value, told)
        assert found(away, value, numbers={"setpoint.oxygen": (value + 50.0) / 2}).active is False
    other = replace(away, of="process.probe_b")
    sight = Sight(NOW, (), {"oxygen": good(56.0), "probe_b": good(50.0)})
    assert judged(other, sight, AlarmBook()).active


@pytest.mark.parametrize("numbers", [{}, {"setpoint.oxygen": math.nan}, {"setpoint.oxygen": math.inf}])
def test_a_deviation_from_what_nobody_knows_cannot_be_told(numbers: dict[str, float]) -> None:
    away = replace(HIGH, kind=Kind.DEVIATION, of="setpoint.oxygen", limit=5.0)
    assert found(away, 44.0, numbers=numbers) == Judged(None, 44.0, "Oxygen: setpoint.oxygen is not known")


@pytest.mark.parametrize(("value", "speed"), [(60.0, "-20"), (100.0, "20")])
def test_a_rate_is_per_hour_and_counts_either_way(value: float, speed: str) -> None:
    rate = replace(HIGH, kind=Kind.RATE, limit=19.0, deadband=0.0)
    told = f"Oxygen: it changes by {speed} % an hour, above 19 %"
    assert found(rate, value, before(80.0)) == Judged(True, value, told)
    assert found(rate, value, before(80.0, 2 * HOUR)).active is False
    assert found(replace(rate, limit=39.99), value, before(80.0, HOUR / 2)).active is True


def test_a_rate_needs_two_values_of_two_times() -> None:
    rate = replace(HIGH, kind=Kind.RATE, limit=19.0)
    unknown = Judged(None, 60.0, "Oxygen: its rate is not known yet")
    assert found(rate, 60.0) == unknown
    assert found(rate, 60.0, before(80.0, timedelta(0))) == unknown
    assert found(rate, 60.0, before(80.0, -HOUR)) == unknown
    assert found(rate, 60.0, before(None)) == unknown


def test_a_reading_is_frozen_while_it_says_just_what_it_said() -> None:
    frozen = replace(HIGH, kind=Kind.FROZEN)
    told = "Oxygen: it has read 50.1234 % all the time"
    assert found(frozen, 50.1234, before(50.1234)) == Judged(True, 50.1234, told)
    assert found(frozen, 50.1235, before(50.1234)).active is False
    assert found(frozen, 50.1234).active is False


@pytest.mark.parametrize("kind", [Kind.HIGH, Kind.LOW, Kind.RATE, Kind.DEVIATION, Kind.FROZEN])
@pytest.mark.parametrize(
    "reading", [good(None), good(math.nan), good(math.inf), replace(good(99.0), quality=Quality.UNCERTAIN)]
)
def test_a_value_that_is_not_fit_cannot_be_judged(kind: Kind, reading: Reading) -> None:
    told = Judged(None, None, "Oxygen: process.oxygen is not known")
    assert found(replace(HIGH, kind=kind), reading, before(99.0)) == told


@pytest.mark.parametrize("numbers", [{}, {"estimate.biomass": math.nan}])
def test_a_number_that_nobody_knows_cannot_be_judged(numbers: dict[str, float]) -> None:
    biomass = replace(HIGH, signal="estimate.biomass")
    assert found(biomass, 0.0, numbers=numbers).text == "Oxygen: estimate.biomass is not known"
    assert found(biomass, 0.0, numbers={"estimate.biomass": 81.0}).active is True


def test_a_condition_stands_while_its_sentence_is_said() -> None:
    told = replace(HIGH, kind=Kind.CONDITION, signal="loop.link")
    assert found(told, 0.0, conditions={"loop.link": "the cable is out"}) == Judged(True, None, "the cable is out")
    assert found(told, 0.0, conditions={"loop.lease": "it ran out"}) == Judged(False, None, "")


BAD = replace(HIGH, kind=Kind.BAD)


@pytest.mark.parametrize(
    ("reading", "text"),
    [
        (replace(good(50.0), quality=Quality.BAD, reason="unplugged"), "Oxygen: it is bad, unplugged"),
        (replace(good(50.0), quality=Quality.UNCERTAIN, reason="warming up"), "Oxygen: it is uncertain, warming up"),
        (good(math.nan), "Oxygen: it is good, not a number"),
    ],
)
def test_a_bad_reading_is_told_with_its_reason_and_its_value(reading: Reading, text: str) -> None:
    judged_ = found(BAD, reading)
    assert (judged_.active, judged_.text) == (True, text)
    assert judged_.value is reading.value


@pytest.mark.parametrize(("age_s", "text"), [(30.0, ""), (31.0, "it is 31 s old, 30 s are allowed"), (-31.0, "")])
def test_a_reading_is_old_from_its_allowed_age_on(age_s: float, text: str) -> None:
    judged_ = found(BAD, good(50.0, timedelta(seconds=age_s)), max_age_s={"oxygen": 30.0})
    assert (judged_.active, judged_.value, judged_.text) == (bool(text), 50.0, f"Oxygen: {text}")


def test_a_reading_without_a_date_is_older_than_any_age_but_forever() -> None:
    ageless = replace(good(50.0), time=None)
    assert found(BAD, ageless, max_age_s={"oxygen": 1e9}).text == "Oxygen: it is inf s old, 1e+09 s are allowed"
    assert found(BAD, ageless, max_age_s={"another": 1.0}).active is False
    assert found(BAD, good(50.0, 1000 * HOUR), max_age_s={}).active is False


def test_a_signal_is_found_by_all_that_follows_its_family() -> None:
    dotted = {"probe.a": replace(good(90.0), quality=Quality.BAD, reason="unplugged")}
    bad = replace(BAD, signal="process.probe.a")
    assert judged(bad, Sight(NOW, (), dotted), AlarmBook()).text == "Oxygen: it is bad, unplugged"
    high = replace(HIGH, signal="process.probe.a")
    assert judged(high, Sight(NOW, (), {"probe.a": good(90.0)}), AlarmBook()).active is True


@given(value=st.floats(), limit=st.floats(-100, 100), low=st.booleans(), active=st.booleans())
def test_whatever_is_read_a_limit_is_judged_by_a_finite_number_or_not_at_all(
    value: float, limit: float, low: bool, active: bool
) -> None:
    kind = Kind.LOW if low else Kind.HIGH
    judged_ = found(replace(HIGH, kind=kind, limit=limit, deadband=0.0), value, before(active=active))
    if math.isfinite(value):
        assert judged_.active is (value < limit if low else value > limit)
    else:
        assert judged_.active is None
