"""Hash chain of the historian's first versions, whose links carry no digest, and how the present chain takes it over.

There the hash of a link was over the content itself, so a link could be checked only while its row said the same. Such
links are kept and checked as they were. One link closes them: it is over all of them, and over the digest of what each
row said at the take-over, so from there on they cannot be changed unseen either.
"""

from __future__ import annotations

import hashlib
import sqlite3

from controller.edge.historian import chain
from controller.support.hash_chain import digest

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

DIGESTS = "ALTER TABLE link ADD COLUMN digest TEXT NOT NULL DEFAULT ''"  # what the row said; "": there is none
FIRST_KINDS = ("decision", "event", "assay", "session", "audit")  # that the first version of the chain knew
LATER_KINDS = ("checkpoint",)  # whose tables came after the second
CLOSING = "chain"  # the kind of the link that closes the first chain


def begin(db: sqlite3.Connection) -> None:
    """Make the tables, and link what is there already: from here on it cannot be changed unseen."""
    for statement in TABLES.split(";\n"):
        db.execute(statement)
    for kind in FIRST_KINDS:
        _link_all(db, kind)


def extend(db: sqlite3.Connection) -> None:
    """Link the rows of the kinds that the first version of the chain left out."""
    for kind in chain.KINDS:
        if kind not in (*FIRST_KINDS, *LATER_KINDS):
            _link_all(db, kind)


def close(db: sqlite3.Connection) -> None:
    """Give each link the digest of what its row says, and close them all by one link of the present chain."""
    [(stays,)] = db.execute("SELECT sql FROM sqlite_master WHERE name = 'link_stays'").fetchall()
    db.execute("DROP TRIGGER link_stays")
    db.execute(DIGESTS)
    count = 0
    for count, kind, key in db.execute("SELECT id, kind, row FROM link ORDER BY id").fetchall():
        vouched = chain.digest_of(chain.content_of(db, kind, key)) if kind in chain.KINDS else ""
        db.execute("UPDATE link SET digest = ? WHERE id = ?", (vouched, count))
    db.execute(stays)
    if count:
        chain.append_digests(db, CLOSING, [(str(count), summed(db, count))])


def closed(db: sqlite3.Connection) -> int:
    """The number of the link that closes the first chain; 0 when the file never had one."""
    [(found,)] = db.execute("SELECT coalesce(min(id), 0) FROM link WHERE kind = ?", (CLOSING,)).fetchall()
    return int(found)


def summed(db: sqlite3.Connection, last: int) -> str:
    """The digest of all links up to the last of the first chain."""
    links = hashlib.sha256()
    for row in db.execute("SELECT id, kind, row, hash, digest FROM link WHERE id <= ? ORDER BY id", (last,)):
        links.update(repr(row).encode())
    return links.hexdigest()


def hashed(previous: str, kind: str, key: str, content: chain.Content | None) -> str:
    """The hash of a link of the first chain."""
    values = None if content is None else chain.exact(content)
    return digest({"previous": previous, "kind": kind, "row": key, "content": values})


def _link_all(db: sqlite3.Connection, kind: str) -> None:
    _, previous = chain.end(db)
    for (key,) in db.execute(chain.KINDS[kind].keys).fetchall():
        previous = hashed(previous, kind, key, chain.content_of(db, kind, key))
        db.execute("INSERT INTO link (kind, row, hash) VALUES (?, ?, ?)", (kind, key, previous))
