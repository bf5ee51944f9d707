"""What the historian is given can be read back, whole and decimated, by its writer and by others."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from controller.edge.historian import Event, Historian
from controller.loop.records import Decision
from twin.records import Forecast
from twin.signals import Assay, Quality, Reading

Make = Callable[..., Decision]


def same(one: Decision | None, other: Decision) -> bool:
    """Equal but for the population, which holds NaN."""
    return one is not None and replace(one, insight=other.insight) == other


def with_reading(decision: Decision, name: str, reading: Reading) -> Decision:
    snapshot = decision.snapshot
    return replace(decision, snapshot=replace(snapshot, readings={**snapshot.readings, name: reading}))


def test_the_last_decision_is_the_one_recorded_last(historian: Historian, decision: Make) -> None:
    assert historian.last_decision("R1") is None
    for made in (decision(0), decision(1), decision(5, batch="B2"), decision(9, plant="R2")):
        historian.record(made)
    assert same(historian.last_decision("R1"), decision(5, batch="B2"))
    assert same(historian.last_decision("R1", "B1"), decision(1))
    assert historian.last_decision("R1", "B3") is None
    assert historian.batches("R1") == ["B1", "B2"]


def test_two_turns_at_one_instant_are_both_kept(historian: Historian, decision: Make) -> None:
    historian.record(decision(0, mode_reason="first"))
    historian.record(decision(0, mode_reason="second"))
    assert [d.mode_reason for d in historian.decisions("R1", "B1")] == ["first", "second"]


def test_a_batch_is_read_from_a_time_on(historian: Historian, decision: Make, start: datetime) -> None:
    for minute in range(6):
        historian.record(decision(minute))
    since = start + timedelta(minutes=4)
    assert [d.time for d in historian.decisions("R1", "B1", since)] == [since, since + timedelta(minutes=1)]
    assert historian.snapshots("R1", "B1", since) == [decision(4).snapshot, decision(5).snapshot]
    assert len(historian.snapshots("R1", "B1")) == 6


def test_a_forecast_that_turns_carry_on_is_stored_once(
    path: Path, decision: Make, forecast: Callable[..., Forecast]
) -> None:
    early, late = forecast(3), forecast(4)
    with Historian(path) as historian:
        historian.record(decision(0, baseline=early, proposed=None))
        historian.record(decision(1, baseline=early, proposed=late))
    with Historian(path) as again:  # a restart carries an equal forecast on, which is another object
        again.record(decision(2, baseline=forecast(3), proposed=late))
        kept = again.decisions("R1", "B1")
        stored = again._rows("SELECT count(*) FROM forecast")
    assert [(d.baseline, d.proposed) for d in kept] == [(early, None), (early, late), (early, late)]
    assert kept[0].baseline is kept[2].baseline
    assert stored == [(2,)]


def test_trends_hold_readings_setpoints_estimates_and_what_was_learned(historian: Historian, decision: Make) -> None:
    made = decision(0)
    historian.record(made)
    [(t_ms, low, mean, high, quality)] = historian.trend("R1", "B1", ["process.variable_0"])["process.variable_0"]
    assert t_ms == made.time.timestamp() * 1000
    assert low == mean == high == made.snapshot.readings["variable_0"].value
    assert quality == Quality.GOOD
    expected = {
        "setpoint.feed": 0.042,
        "estimate.biomass": made.estimate["biomass"],
        "estimate.biomass_sd": 0.5,
        "estimate.growth": math.exp(0.1),
        "estimate.growth_sd": 0.5 * math.exp(0.1),
        "neurocore.growth": math.exp(0.05),
        "neurocore.novelty": 0.125,
        "neurocore.stability": 0.875,
        "neurocore.learned": 1.0,
    }
    found = historian.trend("R1", "B1", list(expected))
    assert {name: rows[0].mean for name, rows in found.items()} == expected


def test_a_value_that_is_missing_or_no_number_is_none_and_bad(historian: Historian, decision: Make) -> None:
    for minute, value in enumerate((math.nan, math.inf, None)):
        made = decision(minute)
        historian.record(with_reading(made, "ph", Reading(value, "pH", made.time, Quality.GOOD)))
    rows = historian.trend("R1", "B1", ["process.ph"])["process.ph"]
    assert [tuple(row[1:]) for row in rows] == [(None, None, None, Quality.BAD)] * 3


def test_buckets_hold_minimum_mean_maximum_and_the_worst_quality(historian: Historian, decision: Make) -> None:
    for minute in range(100):
        made = decision(minute)
        quality = Quality.UNCERTAIN if minute == 57 else Quality.GOOD
        historian.record(with_reading(made, "ph", Reading(float(minute), "pH", made.time, quality)))
    rows = historian.trend("R1", "B1", ["process.ph"], buckets=10)["process.ph"]
    assert [(row.low, row.mean, row.high) for row in rows] == [(10 * i, 10 * i + 4.5, 10 * i + 9) for i in range(10)]
    assert [row.worst_quality for row in rows] == [0] * 5 + [1] + [0] * 4


def test_gaps_stay_gaps(historian: Historian, decision: Make, start: datetime) -> None:
    for minute in (*range(20), *range(80, 100)):
        historian.record(decision(minute))
    for buckets in (1000, 50):
        rows = historian.trend("R1", "B1", ["process.variable_0"], buckets=buckets)["process.variable_0"]
        [hole] = [row for row in rows if row.mean is None]
        minute = (hole.t_ms / 1000 - start.timestamp()) / 60
        assert 20 < minute < 80
        assert hole.worst_quality == Quality.BAD
        assert [row.t_ms for row in rows] == sorted(row.t_ms for row in rows)


def test_a_trend_keeps_to_its_batch_and_its_window(historian: Historian, decision: Make, start: datetime) -> None:
    for minute in range(10):
        historian.record(decision(minute))
        historian.record(decision(minute, batch="B2"))
    window = (start + timedelta(minutes=3), start + timedelta(minutes=6))
    rows = historian.trend("R1", "B2", ["process.variable_1", "process.none"], *window)
    assert [row.mean for row in rows["process.variable_1"]] == [
        decision(minute).snapshot.readings["variable_1"].value for minute in range(3, 7)
    ]
    assert rows["process.none"] == []
    with pytest.raises(ValueError, match="at least one bucket, not 0"):
        historian.trend("R1", "B2", [], *window, buckets=0)


def test_an_assay_that_is_delivered_twice_is_one_assay(historian: Historian, decision: Make, start: datetime) -> None:
    early = Assay("biomass", 12.5, "g/L", start - timedelta(hours=4), start, Quality.GOOD)
    late = replace(early, sampled_at=start, reported_at=start + timedelta(hours=4), quality=Quality.UNCERTAIN)
    first = decision(0)
    historian.record(replace(first, snapshot=replace(first.snapshot, assays=(late, early))))
    second = decision(1)
    historian.record(replace(second, snapshot=replace(second.snapshot, assays=(early,))))
    assert historian.assays("R1", "B1") == [early, late]
    assert historian.assays("R1", "B2") == []


def test_the_newest_core_state_is_kept(historian: Historian, decision: Make, start: datetime) -> None:
    assert historian.core_state("R1") is None
    historian.record(decision(0), {"weights": [[1, -2], [3, 4]], "gain": 0.1, "seen": None})
    historian.record(decision(1), None)
    assert historian.core_state("R1") == {"weights": [[1, -2], [3, 4]], "gain": 0.1, "seen": None}
    historian.save_core_state("R1", start, {"weights": [list(range(500))], "gain": math.inf})
    assert historian.core_state("R1") == {"weights": [list(range(500))], "gain": math.inf}
    assert historian.core_state("R2") is None


def test_events_are_told_in_order_and_only_the_newest(historian: Historian, start: datetime) -> None:
    for minute in range(5):
        historian.event(start + timedelta(minutes=minute), "R1", "B1", "link", f"text {minute}")
    historian.event(start, "R2", "B9", "written", "feed = 0.04 L/h")
    assert [event.text for event in historian.events("R1", limit=2)] == ["text 3", "text 4"]
    assert historian.events(since=start + timedelta(minutes=4)) == [
        Event(start + timedelta(minutes=4), "R1", "B1", "link", "text 4")
    ]
    assert [event.plant for event in historian.events("R2", "B9")] == ["R2"]


def test_rows_are_counted(historian: Historian, decision: Make, start: datetime) -> None:
    assert historian.counts() == 0
    historian.record(decision(0))
    historian.event(start, "R1", "B1", "link", "lost")
    samples = 3 + 1 + 2 * (2 + 2) + 2 + (2 + 3)
    assert historian.counts() == samples + 2


def test_nothing_is_queued_when_no_influxdb_is_configured(path: Path, decision: Make) -> None:
    with Historian(path) as historian:
        historian.record(decision(0))
        assert historian.outbox_pending() is None
    with Historian(path, outbox=True) as historian:
        historian.record(decision(1))
        assert (
            historian.outbox_pending() == 8
        )  # process, setpoint, estimate, neurocore, quality, suggestion, alarm, historian
