"""What comes in is believed, or it becomes a bad reading that says why; a clock that jumps is waited for."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.loop import input_checks
from controller.loop.input_checks import Clock, ticked
from twin.signals import Assay, Quality, Reading, Role, Snapshot, Variable

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
SCAN, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
GAP = 48 * HOUR
checked, checked_situation = input_checks.checked, input_checks.checked_situation


@pytest.mark.parametrize("step", [timedelta(0), timedelta(microseconds=1), SCAN, GAP])
def test_a_clock_that_stands_still_or_goes_on_is_believed(step: timedelta) -> None:
    before = Clock(NOW, NOW + 9 * DAY, 2)
    assert ticked(before, NOW + step, GAP) == (Clock(NOW + step), "", False)


def test_the_first_time_is_believed() -> None:
    assert ticked(Clock(), NOW, GAP) == (Clock(NOW), "", False)


@pytest.mark.parametrize(
    ("time", "told"),
    [
        (NOW - timedelta(seconds=1), "back from 2026-01-03 12:00:00+00:00 to 2026-01-03 11:59:59+00:00"),
        (
            NOW + GAP + timedelta(seconds=1),
            "ahead from 2026-01-03 12:00:00+00:00 to 2026-01-05 12:00:01+00:00",
        ),
    ],
)
def test_a_clock_that_steps_back_or_leaps_ahead_is_not_believed(time: datetime, told: str) -> None:
    assert ticked(Clock(NOW), time, GAP) == (Clock(NOW, time, 0), f"the plant's clock went {told}", False)


def test_a_jump_is_told_to_the_second() -> None:
    fine = timedelta(microseconds=250_000)
    _, why, _ = ticked(Clock(NOW + fine), NOW - HOUR + fine, GAP)
    assert why == "the plant's clock went back from 2026-01-03 12:00:00+00:00 to 2026-01-03 11:00:00+00:00"


@pytest.mark.parametrize("leap", [-3 * DAY, 30 * DAY])
def test_a_clock_that_goes_on_from_elsewhere_is_believed_after_three_scans_and_everything_begins_anew(
    leap: timedelta,
) -> None:
    clock, found = Clock(NOW), []
    for k in range(5):
        clock, why, anew = ticked(clock, NOW + leap + k * SCAN, GAP)
        found.append((bool(why), anew))
    assert found == [(True, False), (True, False), (True, False), (False, True), (False, False)]
    assert clock == Clock(NOW + leap + 4 * SCAN)


def test_a_clock_that_leaps_at_each_scan_is_never_believed() -> None:
    clock = Clock(NOW)
    for k in range(1, 20):
        clock, why, anew = ticked(clock, NOW + k * 10 * DAY, GAP)
        assert why
        assert not anew
        assert (clock.now, clock.steady) == (NOW, 0)


def test_a_strange_clock_that_stands_still_is_not_steady() -> None:
    clock = Clock(NOW)
    for _ in range(9):
        clock, why, anew = ticked(clock, NOW + 10 * DAY, GAP)
        assert why
        assert not anew


def test_a_clock_that_comes_back_is_believed_at_once() -> None:
    clock, _, _ = ticked(Clock(NOW), NOW + 10 * DAY, GAP)
    assert ticked(clock, NOW + SCAN, GAP) == (Clock(NOW + SCAN), "", False)


@pytest.mark.parametrize("time", [datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)])
def test_a_time_that_no_plant_has_is_never_believed(time: datetime) -> None:
    clock, why, anew = ticked(Clock(), time, GAP)
    assert clock == Clock(datetime(1970, 1, 1, tzinfo=UTC), time, 0)
    assert why.startswith(f"the plant's clock went {'back' if time.year == 1970 else 'ahead'} from 1970-01-01")
    for k in range(1, 6):
        later = time + k * SCAN if time.year > 2000 else time - timedelta(0)
        clock, why, anew = ticked(clock, later, GAP)
        assert why
        assert not anew


def test_a_first_time_that_no_plant_has_leaves_the_next_sane_one_to_be_confirmed() -> None:
    clock, found = Clock(), []
    for time in (datetime(1970, 1, 1, tzinfo=UTC), NOW, NOW + SCAN, NOW + 2 * SCAN, NOW + 3 * SCAN):
        clock, _, anew = ticked(clock, time, GAP)
        found.append(anew)
    assert found == [False, False, False, False, True]
    assert clock == Clock(NOW + 3 * SCAN)


def test_a_time_without_a_zone_is_of_utc() -> None:
    assert ticked(Clock(NOW), (NOW + SCAN).replace(tzinfo=None), GAP)[0] == Clock(NOW + SCAN)
    east = (NOW + SCAN).astimezone(timezone(2 * HOUR))
    assert ticked(Clock(NOW), east, GAP)[0].now == NOW + SCAN


@given(st.lists(st.timedeltas(-9 * DAY, 9 * DAY), max_size=30))
def test_whatever_the_clock_does_what_is_believed_never_goes_back_but_anew(steps: list[timedelta]) -> None:
    clock, time = Clock(NOW), NOW
    for step in steps:
        time += step
        before = clock
        clock, why, anew = ticked(clock, time, GAP)
        assert clock.now is not None and before.now is not None
        assert clock.now == (before.now if why else time)
        assert anew or timedelta(0) <= clock.now - before.now <= GAP


def taken(world: Any, name: str, reading: Any, *needed: str, **plant: Any) -> Reading | None:
    snapshot = Snapshot(NOW, {name: reading})
    return checked(snapshot, NOW, replace(world.plant, **plant), needed).readings.get(name)


def test_a_sound_snapshot_is_taken_as_it_is_at_the_time_that_is_believed(world: Any) -> None:
    found = checked(world.snapshot, NOW + SCAN, world.plant, ("dissolved_oxygen",))
    assert found == replace(world.snapshot, time=NOW + SCAN)


def test_a_reading_keeps_its_quality_and_its_reason(world: Any) -> None:
    spoilt = Reading(3.0, "%", NOW, Quality.UNCERTAIN, "warming up")
    assert taken(world, "dissolved_oxygen", spoilt) == spoilt
    absent = Reading(None, "%", None, Quality.BAD, "unplugged")
    assert taken(world, "dissolved_oxygen", absent) == absent


@pytest.mark.parametrize(
    ("value", "kind"), [("42", "str"), (True, "bool"), ([1.0], "list"), (1j, "complex"), (2**1000, "int")]
)
def test_a_value_that_is_no_number_is_a_bad_reading_that_says_so(world: Any, value: Any, kind: str) -> None:
    reading = Reading(value, "%", NOW, Quality.GOOD)
    found = Reading(None, "%", NOW, Quality.BAD, f"not a number but {kind}")
    assert taken(world, "dissolved_oxygen", reading) == found
    assert taken(world, "dissolved_oxygen", replace(reading, value=-value if value == 2**1000 else value)) == found


def test_a_whole_number_is_a_number(world: Any) -> None:
    found = taken(world, "dissolved_oxygen", Reading(42, "%", NOW, Quality.GOOD))
    assert found == Reading(42.0, "%", NOW, Quality.GOOD)
    assert found is not None
    assert isinstance(found.value, float)
    large = taken(world, "dissolved_oxygen", Reading(2**1000 - 1, "%", NOW, Quality.GOOD))
    assert large is not None
    assert large.usable


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_stays_and_is_of_no_use(world: Any, value: float) -> None:
    found = taken(world, "dissolved_oxygen", Reading(value, "%", NOW, Quality.GOOD))
    assert found is not None
    assert not found.usable
    assert found.quality is Quality.GOOD


@pytest.mark.parametrize("quality", ["good", None, 0])
def test_a_quality_that_is_none_is_bad(world: Any, quality: Any) -> None:
    found = taken(world, "dissolved_oxygen", Reading(50.0, "%", NOW, quality))
    assert found == Reading(None, "%", NOW, Quality.BAD, f"its quality is {quality!r}")


def test_a_unit_that_is_not_the_plants_is_bad(world: Any) -> None:
    found = taken(world, "dissolved_oxygen", Reading(50.0, "mmHg", NOW, Quality.GOOD))
    assert found == Reading(None, "%", NOW, Quality.BAD, "given in 'mmHg', and known in '%'")


@pytest.mark.parametrize("time", [NOW.replace(tzinfo=None), "now", 1.7e9])
def test_a_time_without_a_zone_makes_a_reading_uncertain_and_of_no_age(world: Any, time: Any) -> None:
    found = taken(world, "dissolved_oxygen", Reading(50.0, "%", time, Quality.GOOD))
    assert found == Reading(50.0, "%", None, Quality.UNCERTAIN, "age unknown: its time has no zone")
    worse = taken(world, "dissolved_oxygen", Reading(50.0, "%", time, Quality.BAD, "unplugged"))
    assert worse == Reading(50.0, "%", None, Quality.BAD, "unplugged")


@pytest.mark.parametrize("what", [42.0, "42", {}])
def test_what_is_no_reading_is_a_bad_one(world: Any, what: Any) -> None:
    found = Reading(None, "%", None, Quality.BAD, f"not a reading but {type(what).__name__}")
    assert taken(world, "dissolved_oxygen", what) == found


def test_a_reading_that_was_not_read_is_absent_unless_it_is_needed(world: Any) -> None:
    missing = Reading(None, "%", None, Quality.BAD, "it was not read")
    assert taken(world, "dissolved_oxygen", None) is None
    assert taken(world, "dissolved_oxygen", None, "dissolved_oxygen") == missing
    assert checked(Snapshot(NOW, {}), NOW, world.plant, ("dissolved_oxygen",)).readings == {"dissolved_oxygen": missing}
    present = taken(world, "dissolved_oxygen", world.reading(), "dissolved_oxygen")
    assert present == world.reading()


def test_a_reading_that_the_plant_does_not_name_is_taken_in_its_own_unit_and_what_is_none_is_dropped(
    world: Any,
) -> None:
    turbidity = Reading(1, "NTU", NOW, Quality.GOOD)
    found = checked(Snapshot(NOW, {"turbidity": turbidity, "moon": 42.0}), NOW, world.plant)  # type: ignore[dict-item]
    assert found.readings == {"turbidity": replace(turbidity, value=1.0)}


@pytest.fixture
def laboratory(world: Any) -> Any:
    """The results that are taken at a plant that assays product in g/L."""
    plant = replace(world.plant, variables=(*world.plant.variables, Variable("product", "g/L", 0, 5, Role.ASSAYED)))
    return lambda *assays: checked(Snapshot(NOW, {}, assays), NOW, plant).assays


RESULT = Assay("product", 1.0, "g/L", NOW, NOW)


def test_sound_results_are_taken(laboratory: Any) -> None:
    another = replace(RESULT, variable="moon", unit="furlong")
    bad = replace(RESULT, quality=Quality.BAD, value=math.nan)
    assert laboratory(RESULT, another, bad) == (RESULT, another, bad)


@pytest.mark.parametrize(
    "spoilt",
    [
        "1.0",
        replace(RESULT, quality="good"),
        replace(RESULT, value="1.0"),
        replace(RESULT, value=None),
        replace(RESULT, unit="mg/L"),
        replace(RESULT, sampled_at=NOW.replace(tzinfo=None)),
        replace(RESULT, reported_at=NOW.replace(tzinfo=None)),
        replace(RESULT, sampled_at="today"),
    ],
)
def test_a_result_that_cannot_be_reckoned_with_is_dropped_and_no_other(laboratory: Any, spoilt: Any) -> None:
    assert laboratory(spoilt, RESULT) == (RESULT,)


@pytest.mark.parametrize("field", ["setpoints", "local"])
@pytest.mark.parametrize("value", [math.nan, math.inf, "0.04", None, True, -0.001, 0.101])
def test_a_setpoint_that_cannot_be_is_not_known_and_spoils_no_other(world: Any, field: str, value: Any) -> None:
    situation = replace(world.situation, **{field: {"feed": value, "precursor_feed": 0.0005}})
    found = checked_situation(situation, world.plant, world.end)
    assert getattr(found, field) == {"precursor_feed": 0.0005}
    assert replace(found, **{field: {}}) == replace(situation, **{field: {}})


def test_setpoints_at_the_ends_of_their_span_and_of_no_span_are_known(world: Any) -> None:
    given_ = {"feed": 0, "precursor_feed": 0.005, "moon": 1e9}
    found = checked_situation(replace(world.situation, setpoints=given_), world.plant, world.end).setpoints
    assert found == {"feed": 0.0, "precursor_feed": 0.005, "moon": 1e9}
    assert isinstance(found["feed"], float)
    assert checked_situation(replace(world.situation, setpoints={"feed": 0.1}), world.plant, world.end).setpoints


def test_a_batch_ends_no_later_than_can_be_looked_ahead(world: Any) -> None:
    assert checked_situation(world.situation, world.plant, world.end - HOUR).batch_end == world.end - HOUR
    assert checked_situation(world.situation, world.plant, world.end + HOUR).batch_end == world.end
