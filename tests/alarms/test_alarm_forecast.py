"""A predictive alarm says what will happen, when, and how surely, from the bands of the forecast."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from controller.loop.alarm_records import AlarmBook, Priority
from controller.loop.alarms import Definition, Kind, Sight, judged
from twin.records import Band, Forecast, Plan, Step

NOW = datetime(2026, 1, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)


def falling(end: float, sd: float = 2.0) -> Forecast:
    """Oxygen from 40 % now to `end` in two hours, normally distributed about that."""
    times = tuple(NOW + k * HOUR for k in range(3))
    median = tuple(40.0 + (end - 40.0) * k / 2.0 for k in range(3))
    bands = [tuple(m + z * sd for m in median) for z in (0.0, -1.2816, 1.2816, -1.96, 1.96)]
    return Forecast(NOW, Plan((Step(NOW, {}),), times[-1]), times, {"oxygen": Band(*bands)}, (1.0,), "product", "g")


def low(probability: float = 0.8, horizon: timedelta = 12 * HOUR, kind: Kind = Kind.PREDICTED_LOW) -> Definition:
    return Definition(
        "soon", "Dissolved oxygen", "forecast.oxygen", kind, Priority.MEDIUM, "c", "r",
        unit="%", limit=20.0, probability=probability, horizon=horizon,
    )  # fmt: skip


def seen(forecast: Forecast | None, now: datetime = NOW) -> Sight:
    return Sight(now, ("growth",), {}, forecast=forecast)


def test_it_says_when_and_how_surely() -> None:
    found = judged(low(), seen(falling(10.0)), AlarmBook())
    assert found.active
    assert found.text == "Dissolved oxygen: below 20 % in 108 min, 100%"
    assert found.value == pytest.approx(108.3, abs=1.0)


def test_the_time_is_counted_from_now_and_not_from_the_forecast() -> None:
    later = judged(low(), seen(falling(10.0), NOW + timedelta(minutes=60)), AlarmBook())
    assert later.value == pytest.approx(48.3, abs=1.0)


@pytest.mark.parametrize(("end", "probability", "active"), [(20.0, 0.8, False), (20.0, 0.5, True), (17.0, 0.8, True)])
def test_it_needs_the_probability_that_is_configured(end: float, probability: float, active: bool) -> None:
    assert judged(low(probability), seen(falling(end)), AlarmBook()).active is active


def test_it_looks_no_further_than_its_horizon() -> None:
    assert not judged(low(horizon=HOUR), seen(falling(10.0)), AlarmBook()).active


def test_it_looks_upwards_too() -> None:
    assert not judged(low(kind=Kind.PREDICTED_HIGH), seen(falling(10.0), NOW + 2 * HOUR), AlarmBook()).active
    assert judged(low(kind=Kind.PREDICTED_HIGH), seen(falling(60.0)), AlarmBook()).active


def test_without_a_forecast_or_with_a_broken_one_it_says_nothing() -> None:
    assert judged(low(), seen(None), AlarmBook()).active is None
    assert judged(low(), seen(falling(math.nan)), AlarmBook()).active is None
