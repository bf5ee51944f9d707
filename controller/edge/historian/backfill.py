"""Backfilled samples: fetched after an outage, and stored beside those of the turns.

They get layouts of their own: no scan of a turn is ever changed, and a trend puts all layouts together.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence

from controller.edge.historian import archive, linked, scans, trends
from controller.edge.historian.rollups import RollUps
from controller.edge.historian.series import SeriesValue, read
from controller.edge.historian.times import to_us
from twin.signals import Reading

Found = Mapping[int, Sequence[SeriesValue]]  # by microsecond, in order of time


def new_samples(
    db: sqlite3.Connection,
    kept: archive.ArchiveReader,
    plant: str,
    batch: str,
    readings: Mapping[str, Sequence[Reading]],
) -> Found:
    """What is not stored yet, by time; a reading without a source time raises ValueError."""
    found: dict[int, list[SeriesValue]] = defaultdict(list)
    for name, fetched in readings.items():
        by_time: dict[int, SeriesValue] = {}
        for reading in fetched:
            if reading.time is None:
                raise ValueError(f"a reading of {name} without a source time cannot be stored afterwards")
            by_time[to_us(reading.time)] = read(name, reading.value, reading.quality)
        if not by_time:
            continue
        series, span = f"process.{name}", (min(by_time) // 1000, max(by_time) // 1000)
        stored = {row.t_ms for row in trends.trend(db, kept, (plant, batch), [series], span, None)[series]}
        for t_us, sample in by_time.items():
            if t_us // 1000 not in stored:
                found[t_us].append(sample)
    return dict(sorted(found.items()))


def store(db: sqlite3.Connection, plant: str, batch: str, found: Found, apart: str) -> None:
    """Store scans of these samples, in layouts that `apart` keeps from all others, and roll them up at once."""
    grouped: dict[tuple[str, ...], list[tuple[int, bytes]]] = defaultdict(list)
    for t_us, samples in found.items():
        body = scans.body_of([s.value for s in samples], [int(s.quality) for s in samples])
        grouped[tuple(s.series for s in samples)].append((t_us // 1000, body))
    for names, rows in grouped.items():
        layout = scans.layout_of(db, plant, batch, names, apart)
        linked.store(db, layout, rows, RollUps())


def by_variable(found: Found) -> dict[str, list[int]]:
    """The times of each variable's samples."""
    times: dict[str, list[int]] = defaultdict(list)
    for t_us, samples in found.items():
        for sample in samples:
            times[sample.field].append(t_us)
    return times
