"""Trends from roll-ups, archive and scans together are exactly those of the samples, however they are stored."""

from __future__ import annotations

import math
import random
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from controller.edge.historian import Bucket, Historian, schema
from controller.edge.historian.rollups import HOUR_MS
from controller.edge.historian.times import to_ms
from controller.edge.historian.trends import grid
from controller.loop.records import Decision
from twin.signals import Quality, Reading

Make = Callable[..., Decision]
SERIES = "process.ph"


def fed(historian: Historian, times: list[datetime], seed: int = 1) -> list[tuple[int, float, int]]:
    """Store scans at these times; what was read of `ph`: time, value (NaN: none) and quality."""
    chance, told = random.Random(seed), []
    for at in times:
        value = math.nan if chance.random() < 0.05 else chance.gauss(7, 1)
        quality = Quality.BAD if math.isnan(value) else chance.choice([Quality.GOOD, Quality.GOOD, Quality.UNCERTAIN])
        historian.scans("R1", "B1", [SERIES], [to_ms(at)], np.array([[value]]), np.array([[quality]]))
        told.append((to_ms(at), value, int(quality)))
    return told


def judged(found: list[Bucket], told: list[tuple[int, float, int]], buckets: int) -> None:
    """Every bucket is what its samples come to, and every sample is in one bucket."""
    groups: dict[int, list[tuple[int, float, int]]] = defaultdict(list)
    on = grid(min(told)[0], max(told)[0], buckets)
    for sample in sorted(told):
        groups[(sample[0] - on.origin_ms) // on.width_ms].append(sample)
    for row, group in zip(found, groups.values(), strict=True):
        values = [value for _, value, _ in group if not math.isnan(value)]
        assert (row.low, row.high) == (min(values), max(values))
        assert row.mean == pytest.approx(sum(values) / len(values), rel=1e-12)
        assert row.worst_quality == max(quality for *_, quality in group)
        assert row.t_ms == pytest.approx(sum(t for t, *_ in group) / len(group), abs=2)


@pytest.mark.parametrize(("step_s", "buckets"), [(1, 7), (7, 40), (20, 11), (300, 24), (300, 3)])
def test_a_trend_from_roll_ups_is_that_of_the_samples(
    historian: Historian, start: datetime, step_s: int, buckets: int
) -> None:
    begin = start + timedelta(seconds=13)
    times = [begin + timedelta(seconds=step_s * i) for i in range(700)]
    told = fed(historian, times)
    assert sum(historian._rows("SELECT count(*) FROM " + table)[0][0] for table in ("roll", "minutes")) >= 10
    found = historian.trend("R1", "B1", [SERIES], buckets=buckets)[SERIES]
    assert buckets / 2 - 1 <= len(found) <= buckets + 2
    judged(found, told, buckets)
    window = (times[100], times[600])
    judged(historian.trend("R1", "B1", [SERIES], *window, buckets=buckets)[SERIES], told[100:601], buckets)


def test_whole_hours_are_read_from_the_hours(historian: Historian, start: datetime) -> None:
    told = fed(historian, [start + timedelta(minutes=5 * i) for i in range(400)])
    inside = (told[50][0] // HOUR_MS, told[300][0] // HOUR_MS)
    historian._writing.execute("DELETE FROM minutes WHERE hour BETWEEN ? AND ?", inside)
    judged(historian.trend("R1", "B1", [SERIES], buckets=10)[SERIES], told, 10)


def test_a_restart_in_the_middle_of_a_minute_loses_no_sample_of_it(path: Path, start: datetime) -> None:
    times, told = [start + timedelta(seconds=7 * i) for i in range(120)], []
    for i in range(0, 120, 8):
        with Historian(path) as historian:
            told += fed(historian, times[i : i + 8], seed=i)
    with Historian(path) as historian:
        judged(historian.trend("R1", "B1", [SERIES], buckets=5)[SERIES], told, 5)


def test_a_turn_that_comes_late_is_in_the_trend(historian: Historian, start: datetime) -> None:
    times = [start + timedelta(seconds=10 * i) for i in range(800)]
    told = fed(historian, times)
    told += fed(historian, [times[40] + timedelta(seconds=3)], seed=9)
    judged(historian.trend("R1", "B1", [SERIES], buckets=2)[SERIES], told, 2)
    judged(historian.trend("R1", "B1", [SERIES], buckets=60)[SERIES], told, 60)


def test_series_that_come_and_go_keep_their_own_points(historian: Historian, decision: Make, start: datetime) -> None:
    for minute in range(60):
        made = decision(minute)
        readings = {"ph": Reading(float(minute), "", made.time, Quality.GOOD)}
        if minute % 3 == 0:
            readings["od"] = Reading(-float(minute), "", made.time, Quality.GOOD)
        historian.record(replace(made, snapshot=replace(made.snapshot, readings=readings)))
    found = historian.trend("R1", "B1", ["process.ph", "process.od"], buckets=6)
    assert [row.high for row in found["process.ph"]] == [9, 19, 29, 39, 49, 59]
    assert [row.high for row in found["process.od"]] == [0, -12, -21, -30, -42, -51]


def test_a_row_for_each_sample_becomes_a_row_for_each_scan(
    path: Path, start: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db, monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", schema.STEPS[:2])
        patch.setattr(schema, "VERSION", 2)
        db.execute("BEGIN")
        schema.advance(db, 0)
        for number, batch in ((1, "B1"), (2, "B2"), (3, "B1")):
            name = "process.od" if number == 3 else SERIES
            db.execute("INSERT INTO series VALUES (?, 'R1', ?, ?)", (number, batch, name))
        told = [(to_ms(start) + 10_000 * i, None if i % 9 == 8 else float(i), 2 * (i % 9 == 8)) for i in range(900)]
        db.executemany("INSERT INTO sample VALUES (1, ?, ?, ?)", told)
        db.executemany("INSERT INTO sample VALUES (2, ?, ?, ?)", told[:5])
        db.executemany("INSERT INTO sample VALUES (3, ?, ?, ?)", told[::2])
        db.execute("COMMIT")
    with Historian(path) as historian:
        for batch, series, expected in (
            ("B1", SERIES, told),
            ("B2", SERIES, told[:5]),
            ("B1", "process.od", told[::2]),
        ):
            rows = historian.trend("R1", batch, [series])[series]
            assert [(row.t_ms, row.mean, row.worst_quality) for row in rows] == expected
        judged(
            historian.trend("R1", "B1", [SERIES], buckets=20)[SERIES],
            [(t, math.nan if value is None else value, quality) for t, value, quality in told],
            20,
        )
