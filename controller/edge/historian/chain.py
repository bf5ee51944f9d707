"""Hash chain over all that is recorded: a link for each row, in order of recording, with the hash of the one before.

A link carries the digest of what its row said, and its hash is over the hash before, the row's name and that digest:
so every link can be checked for ever, whatever became of its row. A row that is changed or taken away on purpose (a
gap that closes, a scan that goes to the archive) gets a new link: the newest link of a row vouches for it. `integrity`
finds what was altered, removed, put in or exchanged; who makes the whole chain anew is found by a hash kept elsewhere.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

from controller.support.hash_chain import FIRST, digest


class LinkedTable(NamedTuple):
    """What is linked: the columns that a link vouches for, by key, and the keys of all rows there are."""

    content: str
    keys: str


Content = tuple[Any, ...]

_OF_ASSAY = "json_array(plant, batch, variable, sampled_us, reported_us)"  # it has no number
_NUMBERED = "SELECT CAST(id AS TEXT) FROM {} ORDER BY id"
KINDS = {
    "decision": LinkedTable(
        "SELECT plant, batch, t_us, body, (SELECT digest FROM forecast WHERE id = baseline),"
        " (SELECT digest FROM forecast WHERE id = proposed) FROM decision WHERE id = ?",
        _NUMBERED.format("decision"),
    ),
    "event": LinkedTable("SELECT plant, batch, t_us, kind, text FROM event WHERE id = ?", _NUMBERED.format("event")),
    "assay": LinkedTable(
        "SELECT plant, batch, variable, sampled_us, reported_us, value, unit, quality FROM assay"
        f" WHERE {_OF_ASSAY} = ?",
        f"SELECT {_OF_ASSAY} FROM assay",
    ),
    "session": LinkedTable(
        "SELECT plant, batch, t_us, after, resumed_from, body FROM session WHERE id = ?", _NUMBERED.format("session")
    ),
    "audit": LinkedTable(
        "SELECT plant, batch, t_us, at_s, who, what, old, new, reason FROM audit WHERE id = ?",
        _NUMBERED.format("audit"),
    ),
    "forecast": LinkedTable("SELECT digest, body FROM forecast WHERE id = ?", _NUMBERED.format("forecast")),
    "layout": LinkedTable(
        "SELECT plant, batch, digest, size, names, pruned_ms FROM layout WHERE id = ?", _NUMBERED.format("layout")
    ),
    "scan": LinkedTable(
        "SELECT body FROM scan WHERE layout = ? AND t_ms = ?",
        "SELECT layout || '/' || t_ms FROM scan ORDER BY layout, t_ms",
    ),
    "roll": LinkedTable(
        "SELECT t_ms, scans, body FROM roll WHERE layout = ? AND cell = ? AND level_ms = 3600000",
        "SELECT layout || '/' || cell FROM roll WHERE level_ms = 3600000",
    ),
    "minutes": LinkedTable(
        "SELECT series, body FROM minutes WHERE layout = ? AND hour = ? ORDER BY series",
        "SELECT DISTINCT layout || '/' || hour FROM minutes",
    ),
    "archived": LinkedTable(
        "SELECT first_ms, scans, file, bytes, digest, archived_s FROM archived WHERE layout = ? AND day = ?",
        "SELECT layout || '/' || day FROM archived",
    ),
    "gap": LinkedTable(
        "SELECT plant, batch, variable, start_us, end_us, cause, text, backfilled, note FROM gap WHERE id = ?",
        _NUMBERED.format("gap"),
    ),
    "dropped": LinkedTable(
        "SELECT last_id, first_ms, last_ms, dropped_s, reason FROM dropped WHERE first_id = ?",
        "SELECT CAST(first_id AS TEXT) FROM dropped",
    ),
    "dead_letter": LinkedTable(
        "SELECT line, answer, parked_s FROM dead_letter WHERE id = ?", "SELECT CAST(id AS TEXT) FROM dead_letter"
    ),
    "core_state": LinkedTable("SELECT t_us, body FROM core_state WHERE plant = ?", "SELECT plant FROM core_state"),
    "checkpoint": LinkedTable("SELECT body FROM checkpoint WHERE id = ?", _NUMBERED.format("checkpoint")),
}
ONCE = ("audit", "checkpoint", "decision", "event", "forecast", "session")  # kinds that no second link may change


def append(db: sqlite3.Connection, kind: str, key: int | str) -> None:
    """Link the row that was just written or taken away, in the same transaction."""
    append_all(db, kind, [(str(key), content_of(db, kind, str(key)))])


def append_all(db: sqlite3.Connection, kind: str, rows: Iterable[tuple[str, Content | None]]) -> None:
    """Link rows of a kind, key and content each, in this order; no content: it was taken away on purpose."""
    append_digests(db, kind, ((key, digest_of(content)) for key, content in rows))


def append_digests(db: sqlite3.Connection, kind: str, rows: Iterable[tuple[str, str]]) -> None:
    """Link rows of a kind, key and digest each, in this order."""
    _, previous = end(db)
    links = []
    for key, vouched in rows:
        previous = hashed(previous, kind, key, vouched)
        links.append((kind, key, vouched, previous))
    db.executemany("INSERT INTO link (kind, row, digest, hash) VALUES (?, ?, ?, ?)", links)


def content_of(db: sqlite3.Connection, kind: str, key: str) -> Content | None:
    """What a link of this row vouches for; None when there is no such row."""
    query = KINDS[kind].content
    rows = db.execute(query, (key,) if query.count("?") == 1 else key.split("/")).fetchall()
    return tuple(value for row in rows for value in row) if rows else None


def end(db: sqlite3.Connection) -> tuple[int, str]:
    """The number of the last link and its hash: keep it elsewhere, and a chain made anew or shortened is found too."""
    last = db.execute("SELECT id, hash FROM link ORDER BY id DESC LIMIT 1").fetchone()
    return (int(last[0]), str(last[1])) if last else (0, FIRST)


def hashed(previous: str, kind: str, key: str, vouched: str) -> str:
    """The hash of a link."""
    return digest({"previous": previous, "kind": kind, "row": key, "digest": vouched})


def digest_of(content: Content | None) -> str:
    """The digest of a row's content; "" when there is no such row."""
    return "" if content is None else digest({"content": exact(content)})


def exact(content: Content) -> list[Any]:
    """The content as plain JSON that no two contents share."""
    return [_exact(value) for value in content]


def _exact(value: Any) -> Any:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    return value.hex() if isinstance(value, float) else value
