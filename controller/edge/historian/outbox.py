"""Outbox for InfluxDB: a queue of rows, durable beside the decisions that they come from.

A row waits until it is acknowledged. Since a server may lose what it has just acknowledged, a row is kept a while
longer, and acknowledgement can be taken back: points are idempotent, so sending one twice is harmless.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable

from controller.edge.historian import chain
from controller.edge.historian.database import transaction
from controller.edge.historian.marks import mark

DROP_FRACTION = 0.1  # of a full outbox: dropping a little in every scan would cost a ledger entry each
PRUNE_ROWS = 20_000  # at a time, so that the recorder does not wait long for its turn to write

Row = tuple[int, str]  # its id and its line


def put(connection: sqlite3.Connection, rows: Iterable[str], t_us: int) -> None:
    """Queue rows, inside the caller's transaction; `t_us` is the process time that they are of."""
    now_s, t_ms = time.time(), t_us // 1000
    counted = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    following = enumerate(rows, counted[0] + 1 if counted else 1)
    connection.executemany(
        "INSERT INTO outbox (id, t_ms, queued_s, line, mark) VALUES (?, ?, ?, ?, ?)",
        [(number, t_ms, now_s, row, mark(number, t_ms, now_s, row)) for number, row in following],
    )


def pending(connection: sqlite3.Connection) -> int:
    """How many rows wait to be acknowledged. Ids have no holes, so this does not count them one by one."""
    low, high, acknowledged = connection.execute(
        "SELECT (SELECT min(id) FROM outbox), (SELECT max(id) FROM outbox), (SELECT max(id) FROM ack)"
    ).fetchone()
    return 0 if high is None else max(0, int(high) - max(int(acknowledged or 0), int(low) - 1))


def health(connection: sqlite3.Connection) -> dict[str, float | int | str | None]:
    """How the historian stands: rows that wait for InfluxDB, that it refused, that were dropped; megabytes on disk."""
    refused, dropped = connection.execute(
        "SELECT (SELECT count(*) FROM dead_letter), (SELECT count(*) FROM dropped)"
    ).fetchone()
    [pages], [size] = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    waiting = {"outbox_pending": pending(connection), "dead_letters": int(refused), "dropped": int(dropped)}
    return {**waiting, "size_mb": pages * size / 1e6}


def bound(connection: sqlite3.Connection, limit: int) -> None:
    """Drop the oldest rows of an outbox that is too full, and enter the hole in the gap ledger."""
    waiting = pending(connection)
    if waiting <= limit:
        return
    (high,) = connection.execute("SELECT max(id) FROM outbox").fetchone()
    (acknowledged,) = connection.execute("SELECT coalesce(max(id), 0) FROM ack").fetchone()
    last = high - int(limit * (1 - DROP_FRACTION))
    rows = connection.execute(
        "INSERT INTO dropped SELECT min(id), max(id), min(t_ms), max(t_ms), ?, ? FROM outbox"
        " WHERE id > ? AND id <= ? RETURNING first_id",
        (time.time(), f"the outbox was full: more than {limit} rows waited", acknowledged, last),
    )
    for (first,) in rows.fetchall():
        chain.append(connection, "dropped", first)
    connection.execute("DELETE FROM outbox WHERE id <= ?", (last,))


def position(connection: sqlite3.Connection) -> int:
    """The id of the newest acknowledged row."""
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM ack").fetchone()
    return int(last)


def waiting(connection: sqlite3.Connection, most: int, most_characters: int) -> list[Row]:
    """The oldest rows that are not acknowledged: one at least, and then no more than so many and so long together."""
    query = "SELECT id, line FROM outbox WHERE id > ? ORDER BY id LIMIT ?"
    found: list[Row] = []
    for row in connection.execute(query, (position(connection), most)):
        most_characters -= len(row[1]) + 1
        if found and most_characters < 0:
            break
        found.append(row)
    return found


def oldest_age_s(connection: sqlite3.Connection) -> float | None:
    """How long the oldest waiting row has been waiting."""
    query = "SELECT queued_s FROM outbox WHERE id > ? ORDER BY id LIMIT 1"
    row = connection.execute(query, (position(connection),)).fetchone()
    return None if row is None else max(0.0, time.time() - row[0])


def acknowledge(connection: sqlite3.Connection, last: int) -> None:
    """All rows up to this one are stored by the server."""
    now_s = time.time()
    connection.execute("INSERT OR REPLACE INTO ack VALUES (?, ?, ?)", (last, now_s, mark(last, now_s)))


def floor(connection: sqlite3.Connection, seconds: float) -> int:
    """The position of so many seconds before the last acknowledgement: what a crash can have cost lies after it."""
    query = "SELECT coalesce(max(id), 0) FROM ack WHERE at_s <= (SELECT at_s FROM ack ORDER BY id DESC LIMIT 1) - ?"
    return int(connection.execute(query, (seconds,)).fetchone()[0])


def rewind(connection: sqlite3.Connection, to: int) -> None:
    """Take back the acknowledgement of the rows after this one."""
    connection.execute("DELETE FROM ack WHERE id > ?", (to,))
    if to > 0:  # so that the position is `to` even when nothing was acknowledged just there
        now_s = time.time()
        connection.execute("INSERT OR IGNORE INTO ack VALUES (?, ?, ?)", (to, now_s, mark(to, now_s)))


def prune(connection: sqlite3.Connection, seconds: float) -> None:
    """Forget rows that were acknowledged so long before the last one that no crash can have cost them."""
    last = floor(connection, seconds)
    (first,) = connection.execute("SELECT coalesce(min(id), 0) FROM outbox").fetchone()
    if first <= last:
        with transaction(connection):
            connection.execute("DELETE FROM outbox WHERE id <= ?", (min(last, first + PRUNE_ROWS),))
            connection.execute("DELETE FROM ack WHERE id < ?", (last,))


def park(connection: sqlite3.Connection, row: Row, answer: str) -> None:
    """Set a row aside that the server will never take, with its answer."""
    connection.execute(
        "INSERT OR REPLACE INTO dead_letter (id, line, answer, parked_s) VALUES (?, ?, ?, ?)",
        (*row, answer, time.time()),
    )
    chain.append(connection, "dead_letter", row[0])
    acknowledge(connection, row[0])
