"""Schema migration of what is there: samples to scans, and minutes to closed hours."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from itertools import groupby

from controller.edge.historian import archive, first_chain, marks, scans
from controller.edge.historian.rollups import HOUR_MS, MINUTES, RollUps, close_hours
from controller.edge.historian.scans import Layout


def samples_to_scans(db: sqlite3.Connection) -> None:
    """Make the tables of scans, roll-ups and archive, and turn the samples into scans."""
    for statement in (scans.SCANS + archive.ARCHIVED).split(";"):
        db.execute(statement)
    batches = db.execute("SELECT DISTINCT plant, batch FROM series ORDER BY 1, 2").fetchall()
    for plant, batch in batches:
        _convert(db, plant, batch)
    db.execute("DROP TABLE sample")
    db.execute("DROP TABLE series")


def _convert(db: sqlite3.Connection, plant: str, batch: str) -> None:
    rows = db.execute(
        "SELECT t_ms, name, value, quality FROM sample JOIN series ON series.id = sample.series"
        " WHERE plant = ? AND batch = ? ORDER BY t_ms, series.id",
        (plant, batch),
    )
    converted: dict[tuple[str, ...], list[tuple[int, bytes]]] = defaultdict(list)
    for t_ms, group in groupby(rows, key=lambda row: row[0]):
        _, names, values, quality = zip(*group, strict=True)
        converted[names].append((t_ms, scans.body_of(values, quality)))
    for names, made in converted.items():
        layout = scans.layout_of(db, plant, batch, names)
        scans.insert(db, layout, made)


def link_the_rest(db: sqlite3.Connection) -> None:
    """Link what the chain left out so far, and mark what waits for InfluxDB."""
    first_chain.extend(db)
    marks.mark_all(db)


def minutes_by_series(db: sqlite3.Connection) -> None:
    """Make the table of the minutes of closed hours, and roll up or move what there is."""
    for statement in MINUTES.split(";"):
        db.execute(statement)
    batches = db.execute("SELECT DISTINCT plant, batch FROM layout").fetchall()
    for layout in [layout for of in batches for layout in scans.layouts(db, *of)]:
        if db.execute("SELECT 1 FROM roll WHERE layout = ?", (layout.id,)).fetchone():
            _move(db, layout)
        else:
            first, last = db.execute("SELECT min(t_ms), max(t_ms) FROM scan WHERE layout = ?", (layout.id,)).fetchone()
            RollUps().added(db, layout, first, last)


def _move(db: sqlite3.Connection, layout: Layout) -> None:
    query = "SELECT max(cell) FROM roll WHERE layout = ? AND level_ms = ?"
    (hour,) = db.execute(query, (layout.id, HOUR_MS)).fetchone()
    if hour is not None:
        close_hours(db, layout, (hour + 1) * HOUR_MS)
