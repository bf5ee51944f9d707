"""Integrity check: is the historian as it was recorded, every row of every table and every file of the archive?

Records are held against their links. The minutes of the open hour are made again from their scans. Rows on their way
to InfluxDB come and go, so each carries a mark of its own and has its place in a row of numbers without holes.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain as one_after_another
from pathlib import Path

import numpy as np

from controller.edge.historian import archive, archiving, chain, marks, rollups, scans, schema
from controller.edge.historian import cells as make
from controller.edge.historian.archive import DAY_MS
from controller.edge.historian.rollups import HOUR_MS, MINUTE_MS
from controller.edge.historian.scans import Layout
from controller.support.hash_chain import FIRST

NEVER_SHORTENED = ("audit", "decision", "event", "link", "session")  # their counters are those of their last rows
FAR_MS = 2**60


def faults(db: sqlite3.Connection, path: Path, expected: str | None = None) -> Iterator[str]:
    """What is wrong, a sentence for each row at fault; nothing when all is as it was recorded."""
    sound = True
    for fault in _records(db, path, expected):
        sound = False
        yield fault
    if sound:  # else there may be nothing to make the minutes of
        with closing(archive.ArchiveReader(path.parent)) as kept:
            for layout in _layouts(db):
                yield from _open_minutes(db, kept, layout)


def _records(db: sqlite3.Connection, path: Path, expected: str | None) -> Iterator[str]:
    if db.execute("SELECT version FROM schema_version").fetchall() != [(schema.VERSION,)]:
        yield "schema_version was altered, or a row of it was removed or put in"
    yield from _linked(db, expected)
    for kind, (_, keys) in chain.KINDS.items():
        rows = db.execute(f"SELECT * FROM ({keys}) EXCEPT SELECT row FROM link WHERE kind = ?", (kind,))
        yield from (f"{kind} {key} was put in" for (key,) in rows)
    yield from _shortened(db)
    yield from marks.faults(db)
    yield from archiving.damaged(path, db)


def _linked(db: sqlite3.Connection, expected: str | None) -> Iterator[str]:
    """Every link holds, and the newest of a row fits what the row says."""
    repeated = "SELECT kind || ' ' || row, max(id) FROM link GROUP BY kind, row HAVING count(*) > 1"
    newest = dict(db.execute(repeated).fetchall())
    away = _archived(db)
    previous, number = FIRST, 0
    for identity, kind, key, told in db.execute("SELECT id, kind, row, hash FROM link ORDER BY id"):
        number += 1
        if identity != number:
            yield f"link {number} was removed from the chain"
            number = identity
        if newest.get(f"{kind} {key}", identity) == identity:
            content = chain.content_of(db, kind, key) if kind in chain.KINDS else None
            if chain.hashed(previous, kind, key, content) != told:
                if content is not None:
                    yield f"{kind} {key} was altered, or its link or the one before it was"
                elif not (kind == "scan" and away(key, identity)):
                    yield f"{kind} {key} was removed, or its link was altered"
        previous = told
    if expected is not None and previous != expected:
        yield f"the last hash is {previous[:12]}, not {expected[:12]} as it was kept: rows are missing at the end"


def _archived(db: sqlite3.Connection) -> Callable[[str, int], bool]:
    """Whether the scan with this key and link has gone to the archive: its day was written after it was linked."""
    pruned = dict(db.execute("SELECT id, pruned_ms FROM layout").fetchall())
    files = dict(db.execute("SELECT row, max(id) FROM link WHERE kind = 'archived' GROUP BY row").fetchall())

    def away(key: str, identity: int) -> bool:
        if not re.fullmatch(r"\d+/-?\d+", key):
            return False
        layout, t_ms = map(int, key.split("/"))
        written: int = files.get(f"{layout}/{t_ms // DAY_MS}", 0)
        return bool(t_ms < pruned.get(layout, 0)) and identity < written

    return away


def _shortened(db: sqlite3.Connection) -> Iterator[str]:
    counters = dict(db.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    for table in (*NEVER_SHORTENED, "gap"):
        (last,) = db.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()
        count = counters.get(table, 0)
        if count != last if table in NEVER_SHORTENED else count < last:
            yield f"{table} ends at row {last}, and {count} were counted: sqlite_sequence says so"


def _layouts(db: sqlite3.Connection) -> list[Layout]:
    batches = db.execute("SELECT DISTINCT plant, batch FROM layout").fetchall()
    return list(one_after_another.from_iterable(scans.layouts(db, *of) for of in batches))


def _open_minutes(db: sqlite3.Connection, kept: archive.ArchiveReader, layout: Layout) -> Iterator[str]:
    """The minutes of the hour that is not over are what its scans come to, be these live or archived."""
    every = np.arange(len(layout.names))
    rolled_ms = rollups.rolled_until(db, layout, MINUTE_MS)
    begin = rolled_ms // HOUR_MS * HOUR_MS
    found = scans.select(db, layout, every, begin, FAR_MS)
    if begin < layout.pruned_ms:
        found = make.joined([found, kept.select(db, layout, every, begin, layout.pruned_ms)])
    end = max(rolled_ms, int(found.t_ms.max(initial=0)) // MINUTE_MS * MINUTE_MS)
    inside = (found.t_ms >= end // HOUR_MS * HOUR_MS) & (found.t_ms < end)
    cells = rollups.by_minute(make.rows(found, np.flatnonzero(inside)))
    bodies = zip(cells.t_ms.tolist(), cells.scans.tolist(), make.packed(cells), strict=True)
    due = dict(zip((cells.t_ms // MINUTE_MS).tolist(), bodies, strict=True))
    query = "SELECT cell, t_ms, scans, body FROM roll WHERE layout = ? AND level_ms != ?"
    stored = {cell: tuple(rest) for cell, *rest in db.execute(query, (layout.id, HOUR_MS))}
    for cell in sorted(due.keys() | stored.keys()):
        if due.get(cell) != stored.get(cell):
            yield f"roll {layout.id}/{cell}, a minute, is not what its scans come to"
