"""Roll-ups: what the scans of each minute and of each hour come to, kept as the scans come.

A cell is made once its minute (or hour) is over, from what is stored, in the transaction of the scan that opens the
next one; so a killed process leaves no half cell, and whatever is not rolled up yet is read from the scans. A scan
that comes late has its cell made again. Once an hour is over, its minutes are stored series by series: a trend of
some tags over weeks reads those tags only.
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

MINUTES = """
CREATE TABLE minutes (layout INTEGER NOT NULL, series INTEGER NOT NULL, hour INTEGER NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX minutes_of ON minutes (layout, series, hour);
"""


class RollUps:
    """Keeps the roll-ups of one file up to date; it belongs to the one writer."""

    def __init__(self) -> None:
        self._open: dict[int, int] = {}  # by layout, the first millisecond after what is rolled up to minutes

    def forget(self) -> None:
        """Look at the file again: what was done last has been rolled back."""
        self._open.clear()

    def added(self, db: sqlite3.Connection, layout: Layout, first_ms: int, last_ms: int) -> set[int]:
        """Scans of these times have been stored: make the cells that are over, and again those that they changed.

        Returns the hours (counted from 1970) that are over and were made.
        """
        made: set[int] = set()
        opened = self._open.get(layout.id) or _opened(db, layout)
        now = max(opened, _down(last_ms, MINUTE_MS))
        if first_ms < opened:
            # Where the scans have gone to the archive, a cell could only be made again of what came late: it stays.
            (pruned_ms,) = db.execute("SELECT pruned_ms FROM layout WHERE id = ?", (layout.id,)).fetchone()
            made |= roll(db, layout, max(first_ms, pruned_ms), min(opened, last_ms + 1), now)
        if now > opened:
            made |= roll(db, layout, opened, now, now)
        self._open[layout.id] = now
        return made


def roll(db: sqlite3.Connection, layout: Layout, first_ms: int, end_ms: int, now_ms: int) -> set[int]:
    """Make the cells of all levels that touch [first_ms, end_ms) and are over at `now_ms`; returns the hours made."""
    made: set[int] = set()
    every = np.arange(len(layout.names))
    closed = _down(now_ms, HOUR_MS)
    begin, end = _down(first_ms, HOUR_MS), min(_up(end_ms, HOUR_MS), closed)
    if begin < end:
        made = _close(db, layout, _minutes(db, layout, begin, end, first_ms, min(end, _up(end_ms, MINUTE_MS))))
        query = "DELETE FROM roll WHERE layout = ? AND level_ms = ? AND cell < ?"
        db.execute(query, (layout.id, MINUTE_MS, closed // MINUTE_MS))
    begin, end = max(_down(first_ms, MINUTE_MS), closed), min(_up(end_ms, MINUTE_MS), now_ms)
    if begin < end:
        _store(db, layout, MINUTE_MS, by_minute(scans.select(db, layout, every, begin, end - 1)))
    return made


def by_minute(cells: Cells) -> Cells:
    """Cells of scans put together by minute."""
    return make.grouped(cells, cells.t_ms // MINUTE_MS)


def _minutes(db: sqlite3.Connection, layout: Layout, begin: int, end: int, first_ms: int, end_ms: int) -> Cells:
    """The minutes of these hours: from scans where they are new, and as they are elsewhere."""
    every = np.arange(len(layout.names))
    since = _down(first_ms, MINUTE_MS)
    parts = [by_minute(scans.select(db, layout, every, since, end_ms - 1))]
    if begin < since:
        parts.append(select(db, layout, every, MINUTE_MS, begin, since))
    if end_ms < end:
        parts.append(select(db, layout, every, MINUTE_MS, end_ms, end))
    return make.joined(parts)


def close_hours(db: sqlite3.Connection, layout: Layout, end_ms: int) -> None:
    """Move the minutes before `end_ms`, a whole hour, to where those of closed hours are."""
    _close(db, layout, select(db, layout, np.arange(len(layout.names)), MINUTE_MS, 0, end_ms))
    query = "DELETE FROM roll WHERE layout = ? AND level_ms = ? AND cell < ?"
    db.execute(query, (layout.id, MINUTE_MS, end_ms // MINUTE_MS))


def _close(db: sqlite3.Connection, layout: Layout, minutes: Cells) -> set[int]:
    """Store whole hours: each as a cell, and its minutes series by series, so that a trend reads only its own."""
    hours = minutes.t_ms // HOUR_MS
    _store(db, layout, HOUR_MS, make.grouped(minutes, hours))
    made = set(np.unique(hours).tolist())
    for hour in made:
        inside = make.rows(minutes, np.flatnonzero(hours == hour))
        shared = np.concatenate([inside.t_ms, inside.scans]).astype("<i8").tobytes()
        rows = [(layout.id, -1, hour, shared)]
        rows += [(layout.id, i, hour, body) for i, body in enumerate(make.packed_by_series(inside))]
        db.executemany("INSERT OR REPLACE INTO minutes (layout, series, hour, body) VALUES (?, ?, ?, ?)", rows)
    return made


def _opened(db: sqlite3.Connection, layout: Layout) -> int:
    """The first millisecond that is not rolled up yet, of a layout that has scans."""
    (oldest,) = db.execute("SELECT min(t_ms) FROM scan WHERE layout = ?", (layout.id,)).fetchone()
    return rolled_until(db, layout, MINUTE_MS) or _down(int(oldest), MINUTE_MS)


def rolled_until(db: sqlite3.Connection, layout: Layout, level_ms: int) -> int:
    """The first millisecond that is not rolled up at this level; 0 when nothing is."""
    query = "SELECT max((cell + 1) * level_ms) FROM roll WHERE layout = ? AND level_ms >= ?"
    (end_ms,) = db.execute(query, (layout.id, level_ms)).fetchone()
    return int(end_ms or 0)


def select(
    db: sqlite3.Connection, layout: Layout, chosen: Integers, level_ms: int, first_ms: int, end_ms: int
) -> Cells:
    """The cells of this level that begin in [first_ms, end_ms)."""
    rows = db.execute(
        "SELECT t_ms, scans, body FROM roll WHERE layout = ? AND level_ms = ? AND cell >= ? AND cell < ? ORDER BY cell",
        (layout.id, level_ms, -(-first_ms // level_ms), -(-end_ms // level_ms)),
    ).fetchall()
    t_ms, count = (np.array([row[i] for row in rows], np.int64) for i in (0, 1))
    live = make.columns(make.unpacked(t_ms, count, [row[2] for row in rows], len(layout.names)), chosen)
    if level_ms != MINUTE_MS:
        return live
    return make.joined([_closed(db, layout, chosen, first_ms, end_ms), live])


def _closed(db: sqlite3.Connection, layout: Layout, chosen: Integers, first_ms: int, end_ms: int) -> Cells:
    """The minutes of closed hours that begin in [first_ms, end_ms)."""
    hours = (first_ms // HOUR_MS, (end_ms - 1) // HOUR_MS)
    query = "SELECT body FROM minutes WHERE layout = ? AND series = ? AND hour BETWEEN ? AND ? ORDER BY hour"

    def bodies(series: int) -> list[bytes]:
        return [body for (body,) in db.execute(query, (layout.id, series, *hours)).fetchall()]

    shared = [np.frombuffer(body, "<i8").reshape(2, -1) for body in bodies(-1)]
    if not shared:
        return make.nothing(len(chosen))
    t_ms, count = np.hstack(shared)
    sizes = [part.shape[1] for part in shared]
    found = make.unpacked_by_series(t_ms, count, sizes, [bodies(int(series)) for series in chosen])
    minute = t_ms // MINUTE_MS * MINUTE_MS
    inside = np.flatnonzero((minute >= first_ms) & (minute < end_ms))
    return found if len(inside) == len(found) else make.rows(found, inside)


def _store(db: sqlite3.Connection, layout: Layout, level_ms: int, whole: Cells) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO roll (layout, level_ms, cell, t_ms, scans, body) VALUES (?, ?, ?, ?, ?, ?)",
        zip(
            [layout.id] * len(whole),
            [level_ms] * len(whole),
            (whole.t_ms // level_ms).tolist(),
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
