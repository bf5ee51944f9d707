"""Integrity check: is the historian as it was recorded, every row of every table and every file of the archive?

Records are held against their links. The minutes of the open hour are made again from their scans. Rows on their way
to InfluxDB come and go, so each carries a mark of its own and has its place in a row of numbers without holes.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from itertools import chain as one_after_another
from pathlib import Path
from typing import NamedTuple

import numpy as np

from controller.edge.historian import archive, archiving, chain, first_chain, marks, rollups, scans, schema
from controller.edge.historian import cells as make
from controller.edge.historian.archive import DAY_MS
from controller.edge.historian.rollups import HOUR_MS, MINUTE_MS
from controller.edge.historian.scans import Layout
from controller.support.hash_chain import FIRST

NEVER_SHORTENED = ("audit", "decision", "event", "link", "session")  # their counters are those of their last rows
FAR_MS = 2**60
ALTERED = "was altered, or its link or the one before it was"


class Link(NamedTuple):
    """A link of the chain: what its row is called, the digest of what it said, and the hash over it and all before."""

    id: int
    kind: str
    row: str
    digest: str
    hash: str


def faults(db: sqlite3.Connection, path: Path, expected: Collection[str] = ()) -> Iterator[str]:
    """What is wrong, a sentence for each row at fault; nothing when all is as it was recorded.

    `expected` are hashes of the chain as they were kept elsewhere: all that was recorded up to them is vouched for.
    """
    sound = True
    for fault in _records(db, path, expected):
        sound = False
        yield fault
    if sound:  # else there may be nothing to make the minutes of
        with closing(archive.ArchiveReader(path.parent)) as kept:
            for layout in _layouts(db):
                yield from _open_minutes(db, kept, layout)


def _records(db: sqlite3.Connection, path: Path, expected: Collection[str]) -> Iterator[str]:
    if db.execute("SELECT version FROM schema_version").fetchall() != [(schema.VERSION,)]:
        yield "schema_version was altered, or a row of it was removed or put in"
    yield from _linked(db, expected)
    for kind, (_, keys) in chain.KINDS.items():
        rows = db.execute(f"SELECT * FROM ({keys}) EXCEPT SELECT row FROM link WHERE kind = ?", (kind,))
        yield from (f"{kind} {key} was put in" for (key,) in rows)
    yield from _shortened(db)
    yield from marks.faults(db)
    yield from archiving.damaged(path, db)


def _linked(db: sqlite3.Connection, expected: Collection[str]) -> Iterator[str]:
    """Every link holds, the newest of a row fits what the row says, and the chain has the hashes that were kept."""
    kept = set(expected) - {FIRST}
    told_of = _teller(db)
    previous, number = FIRST, 0
    for link in map(Link._make, db.execute("SELECT id, kind, row, digest, hash FROM link ORDER BY id")):
        number += 1
        if link.id != number:
            yield f"link {number} was removed from the chain"
            number = link.id
        if fault := told_of(link, previous):
            yield fault
        previous = link.hash
        kept.discard(previous)
    for missing in sorted(kept):
        yield (
            f"no link has the hash {missing[:12]} that was kept (the last is {previous[:12]}): the chain was made anew,"
            " or rows are missing at the end"
        )


def _teller(db: sqlite3.Connection) -> Callable[[Link, str], str]:
    """What is wrong with a link after the hash before it, or with its row; "" when nothing is."""
    repeated = "SELECT kind || ' ' || row, max(id) FROM link GROUP BY kind, row HAVING count(*) > 1"
    newest = dict(db.execute(repeated).fetchall())
    away, closed = _archived(db), first_chain.closed(db)

    def fault(link: Link, previous: str) -> str:
        name = f"{link.kind} {link.row}"
        latest = newest.get(name, link.id) == link.id
        if link.kind in chain.ONCE and name in newest:
            return f"{name} was altered: it is linked twice"
        if link.id == closed:
            return "" if _closes(db, link, previous) else f"link {closed}, or one before it, was altered"
        content = chain.content_of(db, link.kind, link.row) if latest and link.kind in chain.KINDS else None
        gone = content is None and link.kind == "scan" and away(link.row, link.id)
        if link.id < closed:
            holds = not latest or gone or first_chain.hashed(previous, link.kind, link.row, content) == link.hash
        else:
            holds = chain.hashed(previous, link.kind, link.row, link.digest) == link.hash
        if holds and (not latest or gone or chain.digest_of(content) == link.digest):
            return ""
        return f"{name} was removed, or its link was altered" if latest and content is None else f"{name} {ALTERED}"

    return fault


def _closes(db: sqlite3.Connection, link: Link, previous: str) -> bool:
    held = chain.hashed(previous, link.kind, link.row, link.digest) == link.hash
    return held and first_chain.summed(db, link.id - 1) == link.digest


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
