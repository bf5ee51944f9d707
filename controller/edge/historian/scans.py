"""Scan storage: one row for all numbers of an instant, however many series there are.

A layout says once which series a plant's scans of a batch hold, and in which order. A scan's body is its values as
little-endian doubles (NaN: none), and after them one byte of quality each, left out when all are good. So a scan of
100 tags is 800 bytes and touches one page of the file, where a row per tag would be three times that and touch 100.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from controller.edge.historian.cells import Cells, Integers, of_scans

SCANS = """
CREATE TABLE layout (id INTEGER PRIMARY KEY, plant TEXT NOT NULL, batch TEXT NOT NULL, digest BLOB NOT NULL,
    size INTEGER NOT NULL, names TEXT NOT NULL, pruned_ms INTEGER NOT NULL DEFAULT 0, UNIQUE (plant, batch, digest));
CREATE TABLE scan (layout INTEGER NOT NULL, t_ms INTEGER NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX scan_at ON scan (layout, t_ms);
CREATE TABLE roll (layout INTEGER NOT NULL, level_ms INTEGER NOT NULL, cell INTEGER NOT NULL, t_ms INTEGER NOT NULL,
    scans INTEGER NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX roll_at ON roll (layout, level_ms, cell);
"""


class Layout(NamedTuple):
    """Which series the scans hold; those before `pruned_ms` are in the archive only."""

    id: int
    names: tuple[str, ...]
    pruned_ms: int
    new: bool = False  # made just now


def layouts(db: sqlite3.Connection, plant: str, batch: str) -> list[Layout]:
    """The layouts of this batch."""
    rows = db.execute(
        "SELECT id, names, pruned_ms FROM layout WHERE plant = ? AND batch = ? ORDER BY id", (plant, batch)
    )
    return [Layout(number, tuple(json.loads(names)), pruned_ms) for number, names, pruned_ms in rows]


def layout_of(db: sqlite3.Connection, plant: str, batch: str, names: Sequence[str], apart: str = "") -> Layout:
    """The layout with these names, made when it is new; those that are to be kept `apart` are not shared."""
    text = json.dumps(names)
    digest = blake2b((text + apart).encode(), digest_size=16).digest()
    made = db.execute(
        "INSERT OR IGNORE INTO layout (plant, batch, digest, size, names) VALUES (?, ?, ?, ?, ?)",
        (plant, batch, digest, len(names), text),
    )
    query = "SELECT id, pruned_ms FROM layout WHERE plant = ? AND batch = ? AND digest = ?"
    number, pruned_ms = db.execute(query, (plant, batch, digest)).fetchone()
    return Layout(number, tuple(names), pruned_ms, made.rowcount == 1)


def body_of(values: Sequence[float | None], quality: Sequence[int]) -> bytes:
    """A scan as it is stored."""
    # None becomes NaN
    numbers = np.array(values, "<f8").tobytes()
    return numbers + bytes(quality) if any(quality) else numbers


def insert(db: sqlite3.Connection, layout: Layout, rows: Iterable[tuple[int, bytes]]) -> None:
    """Store scans, (t_ms, body) each; one of the same instant is replaced."""
    db.executemany(
        "INSERT OR REPLACE INTO scan (layout, t_ms, body) VALUES (?, ?, ?)", ((layout.id, *row) for row in rows)
    )


def ends(db: sqlite3.Connection, layout: int) -> tuple[int | None, int | None]:
    """The times of the first and last stored scan; each asked for alone, which the index answers at once."""
    whole = "(SELECT {}(t_ms) FROM scan WHERE layout = :layout)"
    low, high = db.execute(f"SELECT {whole.format('min')}, {whole.format('max')}", {"layout": layout}).fetchone()
    return low, high


def select(db: sqlite3.Connection, layout: Layout, chosen: Integers, first_ms: int, last_ms: int) -> Cells:
    """The chosen series of the stored scans from first to last, both included; the archive is not looked into."""
    query = "SELECT t_ms, body FROM scan WHERE layout = ? AND t_ms BETWEEN ? AND ? ORDER BY t_ms"
    rows = db.execute(query, (layout.id, first_ms, last_ms)).fetchall()
    size, whole = len(layout.names), 8 * len(layout.names)
    values = np.frombuffer(b"".join([body[:whole] for _, body in rows]), "<f8").reshape(len(rows), size)[:, chosen]
    quality = np.zeros((len(rows), len(chosen)), np.uint8)
    for i, (_, body) in enumerate(rows):
        if len(body) > whole:
            quality[i] = np.frombuffer(body, np.uint8, size, whole)[chosen]
    return of_scans(np.array([t_ms for t_ms, _ in rows], np.int64), values, quality)
