"""A reactor is told in hours of its batch, a patient in days of a course."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hmi.console.chart import options
from hmi.console.palette import LIGHT
from hmi.console.strips import Strip, preferred
from hmi.console.subject import REACTOR, subject
from hmi.patient.subject import FIRST, SUBJECT

VARIABLES = [
    {"name": name, "unit": "1", "low": 0, "high": 10, "role": "measured", "text": ""}
    for name in ("stress", "sleep", "mood", "dose_mg", "heart_rate", "level")
]


def _plant(told=None, first=()):
    return {"subject": told, "first": first, "variables": VARIABLES, "states": []}


PATIENT = subject(_plant(SUBJECT, FIRST))


def _chart(kind, length):
    strip = Strip("mood", "Mood", "points", 2, 9.0, measured=((0.0, 5.0), (6.0, 5.1)))
    return options([strip], 6.0, length, (0.0, length), True, LIGHT, kind)


def test_what_says_nothing_of_itself_is_a_reactor():
    assert subject(_plant()) == REACTOR
    assert subject(_plant(SUBJECT)).noun == "Patient"


def test_what_is_watched_first_is_what_the_plant_says():
    assert preferred(_plant(first=("mood", "sleep")))[:2] == ["mood", "sleep"]


@pytest.mark.parametrize(("hours", "told"), [(0.0, "day 1, 0 h"), (90.0, "day 4, 18 h"), (240.0, "day 11, 0 h")])
def test_a_patients_age_is_told_in_days(hours, told):
    assert PATIENT.age(hours) == told


def test_a_reactors_age_is_told_in_hours_and_minutes():
    assert REACTOR.age(96.25) == "96 h 15 min"


def test_the_score_and_its_channels_come_first():
    assert preferred(_plant(SUBJECT, FIRST)) == ["neurocore.stability", "stress", "sleep", "mood", "level"]


def test_a_patients_axis_has_a_line_a_day_and_every_sample_is_seen():
    chart = _chart(PATIENT, 240.0)
    assert chart["xAxis"][0]["interval"] == 24.0 and chart["xAxis"][0]["name"] == "Elapsed time (h)"
    measured = next(s for s in chart["series"] if s["id"].startswith("mood:measured"))
    assert measured["showSymbol"]
    months = _chart(PATIENT, 24.0 * 90)["xAxis"][0]["interval"]
    assert months % 24.0 == 0 and 24.0 * 90 / months <= 12


def test_a_reactors_axis_is_as_it_was():
    chart = _chart(REACTOR, 230.0)
    assert "interval" not in chart["xAxis"][0] and chart["xAxis"][0]["name"] == "Elapsed fermentation time (h)"
    assert not next(s for s in chart["series"] if s["id"].startswith("mood:measured"))["showSymbol"]


@pytest.mark.parametrize("kind", [PATIENT, REACTOR])
def test_no_window_is_shorter_than_a_few_samples(kind):
    hours = [float(name) for name in kind.windows if name.isdigit()]
    assert all(a > b for a, b in pairwise(hours)) and min(hours) >= (72 if kind is PATIENT else 8)
