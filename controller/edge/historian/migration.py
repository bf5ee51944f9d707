"""From a row for each sample to a row for each scan, with the roll-ups of what is there."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from itertools import groupby

from controller.edge.historian import archive, scans
from controller.edge.historian.rollups import RollUps


def samples_to_scans(db: sqlite3.Connection) -> None:
    """Make the tables of scans, roll-ups and archive, and fill them from the samples."""
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
        RollUps().added(db, layout, made[0][0], made[-1][0])
