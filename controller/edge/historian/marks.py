"""Row marks on the way to InfluxDB, by which one that was changed or taken away by hand is found.

They are no chain, since these rows come and go: who changes a row and its mark is not found here, but by comparing
what InfluxDB holds with the historian.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from hashlib import blake2b

MARKS = ("ALTER TABLE outbox ADD COLUMN mark BLOB", "ALTER TABLE ack ADD COLUMN mark BLOB")


def mark(*of: int | float | str) -> bytes:
    """The mark of a row with these values."""
    return blake2b(repr(of).encode(), digest_size=8).digest()


def mark_all(db: sqlite3.Connection) -> None:
    """Make the columns, and give each row that waits and each acknowledgement its mark."""
    for statement in MARKS:
        db.execute(statement)
    for number, *rest in db.execute("SELECT id, t_ms, queued_s, line FROM outbox").fetchall():
        db.execute("UPDATE outbox SET mark = ? WHERE id = ?", (mark(number, *rest), number))
    for number, at_s in db.execute("SELECT id, at_s FROM ack").fetchall():
        db.execute("UPDATE ack SET mark = ? WHERE id = ?", (mark(number, at_s), number))


def faults(db: sqlite3.Connection) -> Iterator[str]:
    """Rows that are not as they were queued, or that went before they were acknowledged or dropped."""
    ends = "SELECT (SELECT max(id) FROM ack), (SELECT max(last_id) FROM dropped)"
    gone = max(value or 0 for value in db.execute(ends).fetchone())  # up to here they may have been forgotten
    counted = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    last = counted[0] if counted else 0
    reached = None
    for number, *rest, told in db.execute("SELECT id, t_ms, queued_s, line, mark FROM outbox ORDER BY id"):
        before = min(gone, number - 1) if reached is None else reached
        if number != before + 1:
            yield f"outbox {before + 1} to {number - 1} were removed"
        if told != mark(number, *rest):
            yield f"outbox {number} was altered"
        reached = number
    reached = gone if reached is None else reached
    if reached != last:
        yield f"outbox ends at row {reached}, and {last} were counted: sqlite_sequence says so"
    for number, at_s, told in db.execute("SELECT id, at_s, mark FROM ack ORDER BY id"):
        if told != mark(number, at_s) or number > last:
            yield f"ack {number} was altered or put in"
