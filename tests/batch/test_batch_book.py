"""The book of a batch: what was there, what was fed and what was sampled."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.loop.batch import Recipe, sampled, volume_l
from controller.loop.batch_records import BatchState, Sample
from twin.signals import Role, Variable

HOUR = timedelta(hours=1)


def test_the_first_scan_opens_the_book_and_counts_nothing(floor: Any) -> None:
    floor.scan()
    assert floor.record.counted_at == floor.time
    assert floor.record.fed == {}
    assert floor.record.initial_l == 100.0


def test_a_flow_counts_for_the_hours_since_the_last_scan(floor: Any) -> None:
    floor.scan()
    floor.scan(after=2 * HOUR)
    assert floor.record.fed == {"feed": pytest.approx(0.084), "precursor_feed": pytest.approx(0.001)}
    assert floor.record.counted_at == floor.time
    floor.flow = 0.04
    floor.scan(after=HOUR)
    assert floor.record.fed["feed"] == pytest.approx(0.124)


@pytest.mark.parametrize(
    ("flow", "counted"), [(0.0, 0.0), (-0.5, 0.0), (7.0, 0.1), (math.nan, 0.04), (math.inf, 0.04), (None, 0.04)]
)
def test_a_flow_counts_within_its_span_and_as_its_setpoint_when_it_cannot_be_read(
    floor: Any, flow: float | None, counted: float
) -> None:
    floor.setpoints = {"feed": 0.04}
    floor.flow = flow
    floor.scan()
    floor.scan(after=HOUR)
    assert floor.record.fed == {"feed": pytest.approx(counted)}


@pytest.mark.parametrize("setpoint", [math.nan, math.inf, None])
def test_a_flow_that_nobody_knows_is_not_counted(floor: Any, setpoint: float | None) -> None:
    floor.setpoints = {} if setpoint is None else {"feed": setpoint}
    floor.flow = None
    floor.scan()
    floor.scan(after=HOUR)
    assert floor.record.fed == {}


def test_a_flow_counts_no_less_than_its_span_and_never_backwards(floor: Any) -> None:
    variables = tuple(replace(v, low=0.01 if v.name == "feed" else -0.005) for v in floor.plant.variables)
    floor.plant = replace(floor.plant, variables=variables)
    floor.flow, floor.setpoints = 0.0, {"precursor_feed": -0.004}
    floor.scan()
    floor.scan(after=HOUR)
    assert floor.record.fed == {"feed": pytest.approx(0.01), "precursor_feed": 0.0}


def test_only_what_flows_by_the_hour_and_is_moved_is_fed(floor: Any) -> None:
    others = (
        Variable("stirrer", "rpm", 0.0, 900.0, Role.MANIPULATED),
        Variable("base_flow", "L/h", 0.0, 1.0, Role.MEASURED),
    )
    floor.plant = replace(floor.plant, variables=(*others, *floor.plant.variables))
    floor.setpoints |= {"stirrer": 300.0, "base_flow": 0.5}
    floor.scan()
    floor.scan(after=HOUR)
    assert set(floor.record.fed) == {"feed", "precursor_feed"}


def test_a_volume_that_is_known_late_is_still_the_first(floor: Any) -> None:
    floor.volume = math.inf
    floor.scan()
    floor.volume = 90.0
    floor.scan(after=HOUR)
    assert floor.record.initial_l == 90.0


def test_the_book_begins_with_the_first_volume_that_is_known_and_keeps_it(floor: Any) -> None:
    floor.volume = math.nan
    floor.scan()
    assert floor.record.initial_l is None
    assert volume_l(floor.record) is None
    floor.volume = 90.0
    floor.scan(after=-HOUR)  # even while the clock goes back
    assert floor.record.initial_l == 90.0
    floor.volume = 80.0
    floor.scan(after=2 * HOUR)
    assert floor.record.initial_l == 90.0


def test_a_clock_that_stands_still_or_goes_back_leaves_the_book_where_it_is(floor: Any) -> None:
    floor.scan()
    floor.scan(after=timedelta(0))
    assert floor.record.fed == {}
    floor.scan(after=HOUR)
    counted, fed = floor.record.counted_at, floor.record.fed
    for step in (timedelta(0), -HOUR):
        floor.scan(after=step)
        assert (floor.record.counted_at, floor.record.fed) == (counted, fed)


def test_samples_add_up_and_lower_the_volume(floor: Any) -> None:
    floor.scan()
    once = sampled(floor.record, Sample(floor.time, 0.25))
    twice = sampled(once, Sample(floor.time, 0.5))
    assert twice.sampled_l == 0.75
    assert volume_l(twice) == 99.25
    assert volume_l(replace(twice, fed={"feed": 2.0, "precursor_feed": 1.0})) == 102.25


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(-2.0, 5.0), st.floats(allow_nan=True)), max_size=12))
def test_whatever_a_meter_says_the_book_grows_by_no_more_than_its_pump_can_give(floor_of: Any, course: Any) -> None:
    floor = floor_of(Recipe())
    floor.setpoints = {}
    floor.scan()
    latest = began = floor.time
    before = 0.0
    for hours, flow in course:
        floor.flow = flow
        assert floor.scan(after=timedelta(hours=hours)) is BatchState.RUNNING
        latest = max(latest, floor.time)
        fed = floor.record.fed.get("feed", 0.0)
        assert before <= fed <= 0.1 * ((latest - began) / HOUR) * (1 + 1e-9)
        before = fed
