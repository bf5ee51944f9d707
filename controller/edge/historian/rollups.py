"""Roll-ups: what the scans of each minute and of each hour come to, kept as the scans come.

A cell is made once its minute (or hour) is over, from what is stored, in the transaction of the scan that opens the
next one; so a killed process leaves no half cell, and whatever is not rolled up yet is read from the scans. A scan
that comes late has its cell made again.
"""

from __future__ import annotations

import sqlite3

import numpy as np

from controller.edge.historian import cells as make
from controller.edge.historian import scans
from controller.edge.historian.cells import Cells, Integers
from controller.edge.historian.scans import Layout

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
LEVELS_MS = (MINUTE_MS, HOUR_MS)  # each made of the one before it, the first of scans


class RollUps:
    """Keeps the roll-ups of one file up to date; it belongs to the one writer."""

    def __init__(self) -> None:
        self._open: dict[int, int] = {}  # by layout, the first millisecond after what is rolled up to minutes

    def forget(self) -> None:
        """Look at the file again: what was done last has been rolled back."""
        self._open.clear()

    def added(self, db: sqlite3.Connection, layout: Layout, first_ms: int, last_ms: int) -> None:
        """Scans of these times have been stored: make the cells that are over, and again those that they changed."""
        opened = self._open.get(layout.id) or _opened(db, layout)
        now = max(opened, _down(last_ms, MINUTE_MS))
        if first_ms < opened:
            # Where the scans have gone to the archive, a cell could only be made again of what came late: it stays.
            (pruned_ms,) = db.execute("SELECT pruned_ms FROM layout WHERE id = ?", (layout.id,)).fetchone()
            roll(db, layout, max(first_ms, pruned_ms), min(opened, last_ms + 1), now)
        if now > opened:
            roll(db, layout, opened, now, now)
        self._open[layout.id] = now


def roll(db: sqlite3.Connection, layout: Layout, first_ms: int, end_ms: int, now_ms: int) -> None:
    """Make the cells of all levels that touch [first_ms, end_ms) and are over at `now_ms`."""
    every = np.arange(len(layout.names))
    begin, end = _down(first_ms, MINUTE_MS), min(_up(end_ms, MINUTE_MS), now_ms)
    if begin < end:
        _store(db, layout, MINUTE_MS, scans.select(db, layout, every, begin, end - 1))
    begin, end = _down(first_ms, HOUR_MS), min(_up(end_ms, HOUR_MS), _down(now_ms, HOUR_MS))
    if begin < end:
        _store(db, layout, HOUR_MS, select(db, layout, every, MINUTE_MS, begin, end))


def _opened(db: sqlite3.Connection, layout: Layout) -> int:
    """The first millisecond that is not rolled up yet, of a layout that has scans."""
    (oldest,) = db.execute("SELECT min(t_ms) FROM scan WHERE layout = ?", (layout.id,)).fetchone()
    return rolled_until(db, layout, MINUTE_MS) or _down(int(oldest), MINUTE_MS)


def rolled_until(db: sqlite3.Connection, layout: Layout, level_ms: int) -> int:
    """The first millisecond that is not rolled up at this level; 0 when nothing is."""
    query = "SELECT max(cell) FROM roll WHERE layout = ? AND level_ms = ?"
    (newest,) = db.execute(query, (layout.id, level_ms)).fetchone()
    return 0 if newest is None else (int(newest) + 1) * level_ms


def select(
    db: sqlite3.Connection, layout: Layout, chosen: Integers, level_ms: int, first_ms: int, end_ms: int
) -> Cells:
    """The cells of this level that begin in [first_ms, end_ms)."""
    rows = db.execute(
        "SELECT t_ms, scans, body FROM roll WHERE layout = ? AND level_ms = ? AND cell >= ? AND cell < ? ORDER BY cell",
        (layout.id, level_ms, -(-first_ms // level_ms), -(-end_ms // level_ms)),
    ).fetchall()
    t_ms, count = (np.array([row[i] for row in rows], np.int64) for i in (0, 1))
    return make.columns(make.unpacked(t_ms, count, [row[2] for row in rows], len(layout.names)), chosen)


def _store(db: sqlite3.Connection, layout: Layout, level_ms: int, parts: Cells) -> None:
    cell = parts.t_ms // level_ms
    whole = make.grouped(parts, cell)
    db.executemany(
        "INSERT OR REPLACE INTO roll (layout, level_ms, cell, t_ms, scans, body) VALUES (?, ?, ?, ?, ?, ?)",
        zip(
            [layout.id] * len(whole),
            [level_ms] * len(whole),
            np.unique(cell).tolist(),
            whole.t_ms.tolist(),
            whole.scans.tolist(),
            make.packed(whole),
            strict=True,
        ),
    )


def _down(t_ms: int, level_ms: int) -> int:
    return t_ms // level_ms * level_ms


def _up(t_ms: int, level_ms: int) -> int:
    return -(-t_ms // level_ms) * level_ms
