"""From the gateway's answers to what the trend draws."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from hmi.console import chart, strips
from hmi.console.palette import LIGHT

START = datetime(2026, 1, 1, tzinfo=UTC)
PLANT = {
    "variables": [
        {"name": "ph", "unit": "pH", "low": 2, "high": 12, "role": "measured", "text": "pH"},
        {"name": "feed", "unit": "L/h", "low": 0, "high": 0.1, "role": "manipulated", "text": "Sugar feed"},
    ],
    "states": [{"name": "biomass", "unit": "g/L", "text": ""}],
}


def ms(hours):
    return int(START.timestamp() * 1000 + hours * 3.6e6)


def rows(*points, quality=0):
    return [[ms(hours), value - 0.1, value, value + 0.1, quality] for hours, value in points]


def strip(name="ph", trend=None, assays=(), forecasts=None):
    return strips.strip(name, PLANT, START, trend or {}, assays, forecasts or {})


def drawn(built, kind):
    return next(s for s in built["series"] if f":{kind}|" in s["id"])


def options(*shown, window=(0.0, 230.0), place=True):
    return chart.options(shown, 96.0, 230.0, window, place, LIGHT)


def test_a_silence_is_drawn_as_a_gap():
    line = strip(trend={"process.ph": rows((0, 6.5), (1, 6.5), (2, 6.5), (6, 6.6), (7, 6.6))}).measured
    assert [value is None for _, value in line] == [False, False, False, True, False, False]


def test_a_bad_value_breaks_the_line_and_is_marked_where_it_was():
    trend = {"process.ph": rows((0, 6.5), (1, 6.5)) + rows((2, 3.0), quality=2) + rows((3, 6.5))}
    found = strip(trend=trend)
    assert found.measured[2] == (2.0, None)
    assert found.spread[2] == (2.0, None, None)
    assert found.bad == ((2.0, 3.0),)


def test_an_estimate_has_a_band_of_one_standard_deviation():
    trend = {"estimate.biomass": rows((0, 5.0), (1, 6.0)), "estimate.biomass_sd": rows((0, 0.5), (1, 0.25))}
    assert strip("biomass", trend).band == ((0.0, 4.5, 5.5), (1.0, 5.75, 6.25))


def test_an_assay_stands_where_its_sample_was_drawn():
    assay = {"variable": "biomass", "value": 4.2, "sampled_at": "2026-01-01T08:00:00Z"}
    assert strip("biomass", assays=[assay]).assays == ((8.0, 4.2),)


def test_a_planned_input_is_drawn_in_steps_to_the_end_of_the_plan():
    forecast = {
        "bands": {},
        "made_at": "2026-01-05T00:00:00Z",
        "end": "2026-01-10T14:00:00Z",
        "steps": [
            {"start": "2026-01-04T00:00:00Z", "inputs": {"feed": 0.0}},
            {"start": "2026-01-05T00:00:00Z", "inputs": {"feed": 0.042}},
            {"start": "2026-01-06T00:00:00Z", "inputs": {"precursor_feed": 0.002}},
            {"start": "2026-01-07T00:00:00Z", "inputs": {"feed": 0.03}},
        ],
    }
    found = strip("feed", forecasts={"baseline": forecast, "proposed": None})
    assert found.baseline.middle == ((96.0, 0.042), (144.0, 0.03), (230.0, 0.03))
    assert found.proposed is None


def test_the_window_is_placed_only_when_asked_so_that_a_zoom_survives_an_update():
    placed = options(strip(), window=(72.0, 96.0))["dataZoom"]
    assert [(z["startValue"], z["endValue"]) for z in placed] == [(72.0, 96.0)] * 2
    assert not any("startValue" in z or "start" in z for z in options(strip(), place=False)["dataZoom"])


def test_the_same_strips_always_make_the_same_series_whatever_they_hold():
    empty = options(strip(), strip("feed"))["series"]
    filled = options(strip(trend={"process.ph": rows((0, 6.5), (1, 6.5))}), strip("feed"))["series"]
    assert [s["id"] for s in empty] == [s["id"] for s in filled]


def kinds(*shown):
    return [s["id"].split(":")[1].split("|")[0] for s in options(*shown)["series"]]


def test_a_strip_has_the_series_that_its_variable_can_have_and_no_other():
    assay = {"variable": "biomass", "value": 4.2, "sampled_at": "2026-01-01T08:00:00Z"}
    band = {"median": [5.0], "low80": [4.0], "high80": [6.0]}
    forecast = {"bands": {"ph": band}, "times": ["2026-01-05T00:00:00Z"], "made_at": "2026-01-05T00:00:00Z"}
    assert kinds(strip()) == ["spread", "measured", "bad"]
    assert kinds(strip("feed")) == ["spread", "measured", "setpoint", "bad"]
    assert kinds(strip("biomass")) == ["sd", "measured", "estimate"]
    assert kinds(strip("biomass", assays=[assay])) == ["sd", "measured", "estimate", "assay"]
    fans = ["fan0", "fan1", "plan0", "plan1"]
    assert kinds(strip(forecasts={"baseline": forecast})) == ["spread", *fans, "measured", "bad"]


def test_points_reach_the_browser_as_numbers_and_what_is_missing_as_null():
    found = strip(trend={"process.ph": rows((0, 6.5)) + rows((1, 3.0), quality=2)})
    assert drawn(options(found), "measured")[":data"] == "Object.freeze(JSON.parse('[[0.0,6.5],[1.0,null]]'))"


def test_series_carry_the_digits_and_unit_that_the_tooltip_shows():
    assert drawn(options(strip("feed")), "setpoint")["id"] == "feed:setpoint|4|L/h"


@pytest.mark.parametrize(
    ("values", "span", "ends"),
    [
        ([0.02, 1.7], 5.0, (0.0, 2.0, 0.5)),
        ([30.0, 103.0], 120.0, (20.0, 120.0, 20.0)),
        ([6.49, 6.51], 10.0, (6.3, 6.7, 0.1)),
        ([-0.03, 1.7], 5.0, (0.0, 2.0, 0.5)),
        ([-12.0, 8.0], 20.0, (-15.0, 10.0, 5.0)),
        ([0.0, 0.0], 0.1, (0.0, 0.002, 0.0005)),
        ([], 1.0, (0.0, 1.0, 0.5)),
    ],
)
def test_an_axis_has_round_ends_and_does_not_blow_up_noise(values, span, ends):
    assert chart.scale(values, span) == pytest.approx(ends)


def test_only_what_the_window_shows_decides_the_axis():
    found = strip(trend={"process.ph": rows((0, 2.5), (10, 6.5), (11, 6.6))})
    assert options(found, window=(9.0, 12.0))["yAxis"][0]["min"] > 6.0
    assert options(found, window=(0.0, 12.0))["yAxis"][0]["min"] <= 2.5


def test_what_happened_is_marked_where_it_was_and_a_sample_where_it_was_drawn():
    def event(hours, kind, text):
        return {"time": datetime.fromtimestamp(ms(hours) / 1000, UTC).isoformat(), "kind": kind, "text": text}

    events = [
        event(40, "phase", "production"),
        event(50, "note", "foam"),
        event(61, "sample", "20 mL taken"),
        event(62, "loop", "turning"),
    ]
    assays = [{"sampled_at": event(h, "", "")["time"], "variable": v, "value": 1.0} for h in (48, 61) for v in "ab"]
    accepted = {"status": "accepted", "at": event(45, "", "")["time"]}
    found = chart.marks_of([accepted], events, assays, START)
    assert [(mark.hours, mark.sign) for mark in found] == [
        (40.0, "▸ Production"), (45.0, "✓"), (48.0, "S"), (50.0, "✎"), (61.0, "S"),
    ]  # fmt: skip
    lines = chart.options([strip()], 96.0, 230.0, (0.0, 230.0), True, LIGHT, marks=found)["series"]
    through = next(s for s in lines if ":measured|" in s["id"])["markLine"]["data"]
    assert [line["xAxis"] for line in through] == [40.0, 45.0, 48.0, 50.0, 61.0, 96.0]


def test_a_low_chart_marks_a_phase_by_its_sign_alone():
    marks = [chart.Mark(2.0, "▸ Growth", "phase"), chart.Mark(12.0, "S", "sample")]
    assert chart.brief(marks) == [chart.Mark(2.0, "▸", "sign"), marks[1]]


@pytest.mark.parametrize("count", [1, 4, 6, 20])
def test_strips_lie_one_below_the_other_and_leave_room_for_the_time_axis(count):
    built = options(*[strip()] * count)
    edges = [(float(g["top"][:-1]), float(g["top"][:-1]) + float(g["height"][:-1])) for g in built["grid"]]
    assert all(top > 0.0 and bottom > top for top, bottom in edges)
    assert all(after[0] > before[1] for before, after in pairwise(edges))
    assert edges[-1][1] < 100.0 - chart.BOTTOM / max(1.0, count / chart.ROOMY) + 0.01


def test_only_what_a_variable_has_is_asked_for():
    assert strips.series_of("ph", PLANT) == ["process.ph"]
    assert strips.series_of("feed", PLANT) == ["process.feed", "setpoint.feed"]
    assert strips.series_of("biomass", PLANT) == ["estimate.biomass", "estimate.biomass_sd"]
