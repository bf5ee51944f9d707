"""How the console writes numbers, units and times, and what its banner says."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from hmi.console import words
from hmi.console.alerts import alerts

START = datetime(2026, 1, 1, tzinfo=UTC)
STATUS = {
    "link": "connected",
    "link_text": "",
    "mode_reason": "A. Keller: ready",
    "notice": "",
    "scan_age_s": 1.0,
    "scan_period_s": 5.0,
}
READING = {"value": 1.0, "quality": "good", "reason": ""}


def texts(status=None, readings=None, faults=(), away=None, heard_s=0.0):
    decision = {"readings": readings or {}, "faults": list(faults)}
    return [a.text for a in alerts(STATUS | (status or {}), decision, {"ph": "pH"}, away, heard_s)]


@pytest.mark.parametrize(
    ("value", "low", "high", "shown"),
    [
        (40.94, 0, 120, "40.9"),
        (6.507, 2, 12, "6.51"),
        (0.042, 0, 0.1, "0.0420"),
        (0.0021, 0, 0.005, "0.002100"),
        (3.1e-5, 0, 1e-4, "0.0000310"),
        (-0.00001, 0, 120, "0.0"),
        (-3.0, -10, 10, "−3.00"),
        (math.nan, 0, 1, "–"),
        (None, 0, 1, "–"),
    ],
)
def test_a_value_has_the_digits_that_a_thousandth_of_its_span_deserves(value, low, high, shown):
    assert words.number(value, words.decimals_of_span(low, high)) == shown


@pytest.mark.parametrize(
    ("value", "sd", "shown"),
    [(17.1234, 0.35, ("17.12", "0.35")), (1012.4, 61.0, ("1012", "61")), (0.744, 0.031, ("0.744", "0.031"))],
)
def test_an_estimate_has_the_digits_that_its_standard_deviation_deserves(value, sd, shown):
    assert words.belief(value, sd) == shown


def test_an_estimate_without_a_standard_deviation_shows_none():
    assert words.belief(1.0, None) == ("1.000", "–")


def test_a_sentence_has_a_capital_a_full_stop_and_plain_numbers():
    told = words.sentence("precursor would rise to 2.09e+03 mg/L, and base by 4e-05 L/h")
    assert told == "Precursor would rise to 2090 mg/L, and base by 0.00004 L/h."
    assert words.sentence(" ") == ""


def test_units_and_names_are_printed_for_people():
    assert words.unit("mmol/(L.h)") == "mmol/(L·h)"
    assert (words.unit("degC"), words.unit("1")) == ("°C", "")
    assert words.title("oxygen_uptake_rate") == "Oxygen uptake rate"
    assert words.title("ph") == "pH"
    assert words.title("feed", "Sugar feed") == "Sugar feed"


@pytest.mark.parametrize(
    ("value", "shown"), [(16.32, "16.32"), (1324.4, "1324"), (0.2684, "0.2684"), (5.5e-5, "0.0001"), (0.0, "0.000")]
)
def test_a_laboratory_result_has_four_digits_and_no_more_decimals_than_can_be_known(value, shown):
    assert words.result(value) == shown


def test_elapsed_time_counts_from_inoculation():
    assert words.clock(words.hours("2026-01-05T00:15:00Z", START)) == "96 h 15 min"
    assert words.elapsed(words.hours(None, START)) == "–"


def test_a_log_multiplier_is_shown_as_a_percentage():
    assert words.signed(words.correction(0.077), 1) == "+8.0"
    assert words.signed(words.correction(-0.105), 1) == "−10.0"
    assert [words.signed(value, 1) for value in (0.0, 0.04, -0.04, None)] == ["0.0", "0.0", "0.0", "–"]


def test_the_banner_is_silent_when_all_is_well():
    assert texts(readings={"ph": READING}) == []


def test_the_banner_names_bad_readings_with_their_reason_before_uncertain_ones():
    readings = {
        "weight": READING | {"quality": "uncertain"},
        "ph": READING | {"quality": "bad", "reason": "probe frozen"},
    }
    assert texts(readings=readings) == ["Quality bad: pH (probe frozen).", "Quality uncertain: weight."]


def test_the_banner_counts_the_age_of_the_answer_into_the_age_of_the_scan():
    assert texts(heard_s=8.0) == []
    assert texts(heard_s=20.0) == ["Stale data: the last scan was 21 s ago."]


def test_the_banner_says_that_the_link_is_lost_once_and_why():
    told = texts({"link": "lost", "link_text": "connection refused", "notice": "connection refused"})
    assert told == ["The link to the plant is lost: connection refused."]


def test_the_banner_says_that_the_loop_lowered_its_mode_by_itself():
    assert texts({"mode_reason": "demoted from auto: novelty 0.9"}) == ["Demoted from auto: novelty 0.9."]


def test_an_unreachable_controller_is_not_also_called_stale():
    told = texts(away=(START, 34.0), heard_s=34.0)
    assert told == ["Controller not reachable since 00:00:00 (34 s). Values shown are the last received. Trying again."]


def test_faults_of_the_loop_are_told():
    assert texts(faults=["the link has only just come back"]) == ["The link has only just come back."]


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("phase_h >= 6", "this phase has lasted 6 h"),
        ("batch_h > 2", "the batch has lasted more than 2 h"),
        ("plant.phase == feed_start", "the plant reports feed start"),
        ("estimate.substrate < 0.3", "estimated sugar is below 0.3 g/L"),
        ("process.carbon_dioxide_evolution_rate >= 1.5", "CO₂ evolution rate is at least 1.5 mmol/(L·h)"),
        ("when somebody says so", "when somebody says so"),
    ],
)
def test_a_condition_of_the_recipe_is_told_in_words(told, shown):
    names = {"substrate": "Sugar", "carbon_dioxide_evolution_rate": "CO₂ evolution rate"}
    units = {"substrate": "g/L", "carbon_dioxide_evolution_rate": "mmol/(L·h)"}
    assert words.condition(told, names, units) == shown


def test_what_ends_a_phase_is_one_sentence():
    listed = ["plant.phase == production", "phase_h >= 6", "plant.phase == complete"]
    told = "this phase has lasted 6 h, or the plant reports production or complete"
    assert words.conditions(listed, {}, {}) == told
    assert words.conditions([], {}, {}) == ""


def test_a_sentence_names_variables_as_people_do():
    names = {"carbon_dioxide_evolution_rate": "CO₂ evolution rate", "feed": "Sugar feed"}
    names |= {"precursor_feed": "Precursor feed"}
    told = "most of it carbon_dioxide_evolution_rate; precursor_feed = 0.1, the feed stays"
    assert words.readable(told, names) == "most of it CO₂ evolution rate; precursor feed = 0.1, the feed stays"
    assert words.readable("as it is", {}) == "as it is"
    assert words.told("precursor_feed is bad", names) == "Precursor feed is bad."
    assert words.happened({"kind": "phase", "text": "feed_start"}, names) == "feed start"
    assert words.happened({"kind": "written", "text": "precursor_feed = 1"}, names) == "precursor feed = 1"
    assert (words.counted(1, "alarm"), words.counted(2, "alarm")) == ("1 alarm", "2 alarms")
