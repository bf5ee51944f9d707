"""A predictive alarm says what will happen, when, and how surely, from the bands of the forecast."""

from __future__ import annotations

import math
from dataclasses import replace
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


def of(*points: tuple[float, ...], hours: tuple[float, ...] | None = None) -> Forecast:
    """A forecast of oxygen whose 95 %, 80 % and median are given at each time: low95, low80, median, high80, high95."""
    times = tuple(NOW + h * HOUR for h in (hours or range(len(points))))
    low95, low80, median, high80, high95 = zip(*points, strict=True)
    bands = {"oxygen": Band(median, low80, high80, low95, high95)}
    return Forecast(NOW, Plan((Step(NOW, {}),), times[-1]), times, bands, (1.0,), "product", "g")


NEVER = (30.0, 32.0, 35.0, 38.0, 40.0)  # far above the limit of 20
AT = (10.0, 14.0, 20.0, 30.0, 40.0)  # the limit is the median


@pytest.mark.parametrize(
    ("points", "chance"),
    [
        ((20.0, 22.0, 25.0, 28.0, 30.0), 0.0),  # the limit is the end of the 95 % band
        ((18.0, 22.0, 25.0, 28.0, 30.0), 0.0625),  # halfway from 2.5 % to 10 %
        ((10.0, 18.0, 22.0, 28.0, 30.0), 0.3),
        (AT, 0.5),
        ((5.0, 10.0, 18.0, 22.0, 30.0), 0.7),
        ((5.0, 10.0, 15.0, 18.0, 22.0), 0.9375),
        ((5.0, 10.0, 15.0, 18.0, 20.0), 0.975),
        ((5.0, 10.0, 15.0, 18.0, 19.0), 1.0),
        ((20.0, 20.0, 20.0, 20.0, 20.0), 0.0),
        ((10.0, 15.0, 15.0, 15.0, 25.0), 0.9375),  # several quantiles are one
    ],
)
def test_the_chance_is_linear_between_the_quantiles_of_the_band(points: tuple[float, ...], chance: float) -> None:
    forecast = of(points, points)
    for kind, wanted in ((Kind.PREDICTED_LOW, chance), (Kind.PREDICTED_HIGH, 1.0 - chance)):
        assert judged(low(wanted - 1e-9, kind=kind), seen(forecast), AlarmBook()).active is True
        assert judged(low(wanted + 1e-9, kind=kind), seen(forecast), AlarmBook()).active is False


def test_what_is_so_already_is_told_with_no_time_left() -> None:
    found = judged(low(0.5), seen(of(AT, AT)), AlarmBook())
    assert (found.active, found.value) == (True, 0.0)
    assert found.text == "Dissolved oxygen: below 20 % in 0 min, 50%"


def test_certainty_can_be_asked_for() -> None:
    certain = (5.0, 10.0, 15.0, 18.0, 19.0)
    assert judged(low(1.0), seen(of(certain, certain)), AlarmBook()).value == 0.0
    assert judged(low(1.0), seen(of(NEVER, certain)), AlarmBook()).value == 60.0
    assert judged(low(1.0), seen(of(AT, AT)), AlarmBook()).active is False


def test_a_forecast_is_found_by_all_that_follows_its_family() -> None:
    forecast = of(AT, AT)
    dotted = replace(forecast, bands={"probe.oxygen": forecast.bands["oxygen"]})
    assert judged(replace(low(0.5), signal="forecast.probe.oxygen"), seen(dotted), AlarmBook()).active is True


def test_a_chance_that_falls_again_counts_from_when_it_was_enough() -> None:
    assert judged(low(0.5), seen(of(AT, NEVER, NEVER)), AlarmBook()).value == 0.0


def test_when_is_linear_between_the_times_of_the_forecast() -> None:
    forecast = of(NEVER, AT, (5.0, 10.0, 15.0, 18.0, 22.0))  # 0, 0.5 and 0.9375
    assert judged(low(0.25), seen(forecast), AlarmBook()).value == pytest.approx(30.0)
    assert judged(low(0.71875), seen(forecast), AlarmBook()).value == pytest.approx(90.0)
    later = seen(forecast, NOW + timedelta(minutes=75))  # 0.609375 by then
    assert judged(low(0.7734375), later, AlarmBook()).value == pytest.approx(22.5)
    assert judged(low(0.6), later, AlarmBook()).value == 0.0


def test_the_chance_told_is_the_highest_from_then_on() -> None:
    forecast = of(NEVER, AT, (5.0, 10.0, 15.0, 18.0, 22.0), NEVER)
    assert judged(low(0.4), seen(forecast), AlarmBook()).text == "Dissolved oxygen: below 20 % in 48 min, 94%"
    past = seen(of((5.0, 10.0, 15.0, 18.0, 22.0), NEVER, AT, NEVER), NOW + HOUR)
    assert judged(low(0.4), past, AlarmBook()).text == "Dissolved oxygen: below 20 % in 48 min, 50%"
    last = of(NEVER, AT)
    assert judged(low(0.4), seen(last), AlarmBook()).text == "Dissolved oxygen: below 20 % in 48 min, 50%"
    met = of(NEVER, AT, NEVER)
    assert judged(low(0.5), seen(met), AlarmBook()).text == "Dissolved oxygen: below 20 % in 60 min, 50%"


def test_from_two_hours_on_the_time_is_told_in_hours() -> None:
    for hours, told in ((1.9, "114 min"), (2.0, "2.0 h"), (2.01, "2.0 h"), (11.96, "12.0 h")):
        found = judged(low(0.5), seen(of(NEVER, AT, hours=(0.0, hours))), AlarmBook())
        assert found.text == f"Dissolved oxygen: below 20 % in {told}, 50%"


def test_a_forecast_at_the_horizon_is_looked_at_and_one_beyond_is_not() -> None:
    forecast = of(NEVER, AT)
    assert judged(low(0.5, horizon=HOUR), seen(forecast), AlarmBook()).active is True
    beyond = judged(low(0.5, horizon=HOUR - timedelta(seconds=1)), seen(forecast), AlarmBook())
    assert (beyond.active, beyond.value) == (False, None)
    assert beyond.text == "Dissolved oxygen: not below 20 %"
    assert judged(low(kind=Kind.PREDICTED_HIGH), seen(of(AT, AT)), AlarmBook()).text.endswith("not above 20 %")


def test_where_nothing_is_set_four_in_five_within_twelve_hours_is_enough() -> None:
    usual = Definition(
        "soon", "Dissolved oxygen", "forecast.oxygen", Kind.PREDICTED_LOW, Priority.MEDIUM, "c", "r", limit=20.0
    )
    likely, less = (5.0, 10.0, 15.0, 19.0, 22.0), (5.0, 10.0, 17.0, 21.1, 30.0)  # 92 % and 79 %
    assert judged(usual, seen(of(likely, likely)), AlarmBook()).active is True
    assert judged(usual, seen(of(less, less)), AlarmBook()).active is False
    for hours, active in ((11.9, True), (14.0, False)):
        late = of(NEVER, likely, hours=(hours - 0.1, hours))
        assert judged(usual, seen(late), AlarmBook()).active is active


def test_the_side_is_told() -> None:
    found = judged(low(kind=Kind.PREDICTED_HIGH), seen(of(NEVER, NEVER)), AlarmBook())
    assert found.text == "Dissolved oxygen: above 20 % in 0 min, 100%"


def test_a_forecast_that_has_ended_says_nothing_of_what_is_to_come() -> None:
    assert judged(low(0.5), seen(of(AT, AT), NOW + HOUR), AlarmBook()).active is False


def test_what_cannot_be_foreseen_is_told_as_such() -> None:
    assert judged(low(), seen(None), AlarmBook()).text == "Dissolved oxygen: there is no forecast"
    another = low()
    assert judged(replace(another, signal="forecast.ph"), seen(falling(10.0)), AlarmBook()).text == (
        "Dissolved oxygen: there is no forecast"
    )
    broken = judged(low(), seen(of(AT, (math.nan, 14.0, 20.0, 30.0, 40.0))), AlarmBook())
    assert (broken.active, broken.value) == (None, None)
    assert broken.text == "Dissolved oxygen: the forecast is not finite"
