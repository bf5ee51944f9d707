"""The chain over decisions, events, assays, sessions and the audit trail: a link for each row, in order of recording.

A row that was altered, removed, put in or exchanged is found by `verify`. Rows removed from the end, together with
their links, are found by comparing with the last hash, which is to be kept elsewhere. Only samples are not chained:
they are what the decisions' readings say.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from controller.chain import FIRST, digest
from controller.edge.historian.wire import expand

TABLES = """
CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, plant TEXT NOT NULL, batch TEXT NOT NULL,
    t_us INTEGER NOT NULL, at_s REAL NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, old TEXT NOT NULL,
    new TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE link (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, row TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER link_stays BEFORE UPDATE ON link BEGIN SELECT RAISE(ABORT, 'the chain is append-only'); END;
CREATE TRIGGER link_is_kept BEFORE DELETE ON link BEGIN SELECT RAISE(ABORT, 'the chain is append-only'); END
"""

_KEY = "json_array(plant, batch, variable, sampled_us, reported_us)"  # of an assay, which has no number
CONTENT = {  # by kind, the columns that a link vouches for
    "decision": (
        "SELECT plant, batch, t_us, body, (SELECT digest FROM forecast WHERE id = baseline),"
        " (SELECT digest FROM forecast WHERE id = proposed) FROM decision WHERE id = ?"
    ),
    "event": "SELECT plant, batch, t_us, kind, text FROM event WHERE id = ?",
    "assay": (
        f"SELECT plant, batch, variable, sampled_us, reported_us, value, unit, quality FROM assay WHERE {_KEY} = ?"
    ),
    "session": "SELECT plant, batch, t_us, after, resumed_from, body FROM session WHERE id = ?",
    "audit": "SELECT plant, batch, t_us, at_s, who, what, old, new, reason FROM audit WHERE id = ?",
}
ROWS = {
    kind: "SELECT id FROM " + kind + " ORDER BY id" if kind != "assay" else f"SELECT {_KEY} FROM assay"
    for kind in CONTENT
}


def begin(db: sqlite3.Connection) -> None:
    """Make the tables, and link what is there already: from here on it cannot be changed unseen."""
    for statement in TABLES.split(";\n"):
        db.execute(statement)
    for kind, query in ROWS.items():
        for (row,) in db.execute(query).fetchall():
            append(db, kind, row)


def append(db: sqlite3.Connection, kind: str, row: int | str) -> None:
    """Link the row that was just written, in the same transaction."""
    last = db.execute("SELECT hash FROM link ORDER BY id DESC LIMIT 1").fetchone()
    content = db.execute(CONTENT[kind], (row,)).fetchone()
    hashed = _hash(last[0] if last else FIRST, kind, str(row), content)
    db.execute("INSERT INTO link (kind, row, hash) VALUES (?, ?, ?)", (kind, str(row), hashed))


def head(db: sqlite3.Connection) -> tuple[int, str]:
    """How many links there are, and the hash of the last: keep it elsewhere, and a shortened chain is found too."""
    count, last = db.execute("SELECT count(*), max(id) FROM link").fetchone()
    row = db.execute("SELECT hash FROM link WHERE id = ?", (last,)).fetchone()
    return int(count), str(row[0]) if row else FIRST


def faults(db: sqlite3.Connection, expected: str | None = None) -> Iterator[str]:
    """What is wrong, a sentence for each row at fault; nothing when all is as it was recorded."""
    newest = dict(db.execute("SELECT kind || ' ' || row, max(id) FROM link GROUP BY kind, row"))
    previous, number = FIRST, 0
    for identity, kind, row, told in db.execute("SELECT id, kind, row, hash FROM link ORDER BY id"):
        number += 1
        if identity != number:
            yield f"link {number} was removed from the chain"
            number = identity
        content = db.execute(CONTENT[kind], (row,)).fetchone() if kind in CONTENT else None
        if content is None:
            yield f"{kind} {row} was removed"
        elif newest[f"{kind} {row}"] == identity and _hash(previous, kind, row, content) != told:
            yield f"{kind} {row} was altered, or its link or the one before it was"
        previous = told
    for kind, query in ROWS.items():
        yield from (f"{kind} {row} was put in" for (row,) in db.execute(query) if f"{kind} {row}" not in newest)
    for key, fingerprint, body in db.execute("SELECT id, digest, body FROM forecast"):
        if blake2b(expand(body), digest_size=16).digest() != fingerprint:
            yield f"forecast {key} was altered"
    if expected is not None and previous != expected:
        yield f"the last hash is {previous[:12]}, not {expected[:12]} as it was kept: rows are missing at the end"


def _hash(previous: str, kind: str, row: str, content: tuple[Any, ...]) -> str:
    values = [hashlib.sha256(v).hexdigest() if isinstance(v, bytes) else _exact(v) for v in content]
    return digest({"previous": previous, "kind": kind, "row": row, "content": values})


def _exact(value: Any) -> Any:
    return value.hex() if isinstance(value, float) else value
