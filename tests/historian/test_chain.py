"""The hash chain: an insider changes the record and links it anew, and a hash that was kept from before shows it."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.edge.audit import AuditEntry
from controller.edge.historian import Cause, Historian, anchors, chain, first_chain, integrity, schema
from controller.loop.records import Decision
from controller.support.hash_chain import FIRST

Make = Callable[..., Decision]
START = datetime(2026, 1, 1, tzinfo=UTC)
TRIGGERS = ("audit_stays", "audit_is_kept", "link_stays", "link_is_kept")
TEXTS = {"audit": "who", "event": "text", "gap": "text", "decision": "batch", "session": "batch", "core_state": "body"}


def fill(path: Path, decision: Make) -> str:
    """Turns with links that are superseded all along; returns the last hash."""
    with Historian(path) as historian:
        for minute in range(8):
            made = decision(minute)
            entry = AuditEntry(made.time, "R1", "B1", "operator-one", "mode", "shadow", "advisory", "a test")
            historian.record(made, {"weights": [minute]}, [entry])
            historian.event(made.time, "R1", "B1", "loop", f"turn {minute}")
            begun = START + timedelta(minutes=minute)
            historian.gap("R1", "B1", begun, None, Cause.LINK_DOWN)
            historian.gap("R1", "B1", begun, begun + timedelta(seconds=30), Cause.LINK_DOWN)
        return historian.chain_head()[1]


@pytest.fixture
def kept(path: Path, decision: Make) -> str:
    return fill(path, decision)


@pytest.fixture
def base(path: Path, kept: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN")
        for trigger in TRIGGERS:
            db.execute(f"DROP TRIGGER {trigger}")
        yield db
        db.execute("ROLLBACK")


def faults(db: sqlite3.Connection, *kept: str) -> list[str]:
    [(_, _, file)] = db.execute("PRAGMA database_list").fetchall()
    return list(integrity.faults(db, Path(file), kept))


def relink(db: sqlite3.Connection, first: int, last: int) -> None:
    """Every link from first to last, made anew over what the rows say now; a superseded one keeps its digest."""
    newest = dict(db.execute("SELECT kind || ' ' || row, max(id) FROM link GROUP BY kind, row").fetchall())
    [(previous,)] = db.execute("SELECT coalesce(max(hash), ?) FROM link WHERE id = ?", (FIRST, first - 1))
    query = "SELECT id, kind, row, digest FROM link WHERE id BETWEEN ? AND ? ORDER BY id"
    for number, kind, key, digest in db.execute(query, (first, last)).fetchall():
        if kind in chain.KINDS and newest[f"{kind} {key}"] == number:
            digest = chain.digest_of(chain.content_of(db, kind, key))
        previous = chain.hashed(previous, kind, key, digest)
        db.execute("UPDATE link SET digest = ?, hash = ? WHERE id = ?", (digest, previous, number))


def shift(db: sqlite3.Connection, after: int, by: int) -> None:
    """Renumber the links after this one, and the counter with them."""
    db.execute("UPDATE link SET id = -(id + ?) WHERE id > ?", (by, after))
    db.execute("UPDATE link SET id = -id WHERE id < 0")
    db.execute("UPDATE sqlite_sequence SET seq = (SELECT max(id) FROM link) WHERE name = 'link'")


def change(db: sqlite3.Connection, number: int, kind: str, key: str) -> None:
    column = TEXTS[kind]
    name = "plant" if kind == "core_state" else "id"
    assert db.execute(f"UPDATE {kind} SET {column} = {column} || 'x' WHERE {name} = ?", (key,)).rowcount == 1


def remove(db: sqlite3.Connection, number: int, kind: str, key: str) -> None:
    db.execute(f"DELETE FROM {kind} WHERE {'plant' if kind == 'core_state' else 'id'} = ?", (key,))
    db.execute("DELETE FROM link WHERE (kind, row) = (?, ?)", (kind, key))
    rows = [row for (row,) in db.execute("SELECT id FROM link ORDER BY id").fetchall()]
    for place, row in enumerate(rows, 1):
        db.execute("UPDATE link SET id = ? WHERE id = ?", (place, row))
    shift(db, len(rows), 0)


def put_in(db: sqlite3.Connection, number: int, kind: str, key: str) -> None:
    made = db.execute("INSERT INTO event (plant, batch, t_us, kind, text) VALUES ('R1', 'B1', 1, 'loop', 'x')")
    shift(db, number - 1, 1)
    link = (number, "event", str(made.lastrowid))
    db.execute("INSERT INTO link (id, kind, row, hash, digest) VALUES (?, ?, ?, '', '')", link)


def truncate(db: sqlite3.Connection, number: int, kind: str, key: str) -> None:
    for gone, row in db.execute("SELECT kind, row FROM link WHERE id >= ? AND kind IN ('audit', 'event')", (number,)):
        db.execute(f"DELETE FROM {gone} WHERE id = ?", (row,))
    db.execute("DELETE FROM link WHERE id >= ?", (number,))
    for table in ("audit", "event", "link"):
        db.execute(f"UPDATE sqlite_sequence SET seq = (SELECT max(id) FROM {table}) WHERE name = ?", (table,))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edit=st.sampled_from([change, remove, put_in, truncate]),
    place=st.floats(0, 1),
    upto=st.one_of(st.just(1.0), st.floats(0, 1)),
)
def test_with_the_last_hash_from_before_every_edit_by_an_insider_is_found(
    base: sqlite3.Connection, kept: str, edit: Callable[..., None], place: float, upto: float
) -> None:
    assert faults(base, kept) == []
    base.execute("SAVEPOINT edit")
    kinds = ", ".join(repr(kind) for kind in TEXTS)
    rows = base.execute(f"SELECT id, kind, row FROM link WHERE kind IN ({kinds}) ORDER BY id").fetchall()
    edit(base, *rows[round(place * (len(rows) - 1))])
    [(last,)] = base.execute("SELECT max(id) FROM link").fetchall()
    relink(base, 1, max(1, round(upto * last)))
    found = faults(base, kept)
    base.execute("ROLLBACK TO edit")
    base.execute("RELEASE edit")
    assert found


def test_a_row_before_a_superseded_link_is_not_relinked_unseen(base: sqlite3.Connection, kept: str) -> None:
    base.execute("UPDATE audit SET who = 'engineer-one' WHERE id = 1")
    [(own,)] = base.execute("SELECT id FROM link WHERE kind = 'audit' AND row = '1'").fetchall()
    [(cut,)] = base.execute(
        "SELECT min(id) FROM link WHERE kind = 'core_state' AND id > ? AND id < (SELECT max(id) FROM link"
        " WHERE kind = 'core_state')", (own,)).fetchall()  # fmt: skip
    relink(base, own, cut - 1)  # up to the first superseded link, whose hash was taken on trust once
    assert any(fault.startswith("core_state R1 was altered") for fault in faults(base))


def test_a_second_link_does_not_excuse_a_row_that_is_written_once(base: sqlite3.Connection, kept: str) -> None:
    base.execute("UPDATE audit SET who = 'engineer-one' WHERE id = 1")
    chain.append(base, "audit", 1)
    assert "audit 1 was altered: it is linked twice" in faults(base, kept)


def test_a_hash_that_was_kept_stays_good_while_the_record_goes_on(path: Path, kept: str, decision: Make) -> None:
    with Historian(path) as historian:
        before, _ = historian.chain_head()
        historian.record(decision(9))
        assert historian.chain_faults(kept) == []
        assert historian.chain_since(kept) == historian.chain_head()[0] - before > 0


def test_the_last_hash_is_kept_beside_the_file_and_sent_to_influxdb_by_itself(path: Path, decision: Make) -> None:
    for batch in ("B1", "B1", "B2"):
        made = decision(0)
        made = replace(made, situation=replace(made.situation, batch=batch))
        with Historian(path, outbox=True) as historian:
            historian.record(made)
            historian.record(made)
    lines = anchors.file_of(path).read_text().splitlines()
    assert len(lines) == 3  # one a start and batch, none for the turns between
    hashes = [line.split()[2] for line in lines]
    with closing(sqlite3.connect(path)) as db:
        sent = [line for (line,) in db.execute("SELECT line FROM outbox WHERE line LIKE 'historian%chain_head%'")]
    assert all(f'chain_head="{head}"' in line for head, line in zip(hashes, sent, strict=True))
    assert stat.S_IMODE(anchors.file_of(path).stat().st_mode) == 0o600


def test_a_new_batch_is_anchored_without_a_start(historian: Historian, path: Path, decision: Make) -> None:
    for batch in ("B1", "B1", "B2", "B2"):
        made = decision(0)
        historian.record(replace(made, situation=replace(made.situation, batch=batch)))
    assert [line.split()[-1] for line in anchors.file_of(path).read_text().splitlines()] == ["'B1'", "'B2'"]


def test_what_was_relinked_before_an_anchor_is_found_without_being_told_the_hash(
    path: Path, base: sqlite3.Connection, kept: str
) -> None:
    base.execute("UPDATE audit SET who = 'engineer-one' WHERE id = 1")
    relink(base, 1, 10_000)
    assert faults(base) == []
    base.execute("COMMIT")
    base.execute("BEGIN")
    with Historian.reader(path) as history:
        assert any("no link has the hash" in fault for fault in history.chain_faults())


def old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file of the version before digests, with superseded links; returns its last hash."""
    with monkeypatch.context() as patch, closing(sqlite3.connect(path, isolation_level=None)) as db:
        patch.setattr(schema, "STEPS", schema.STEPS[:8])
        patch.setattr(schema, "VERSION", 8)
        schema.advance(db, 0)
        previous = FIRST
        for number in range(1, 6):
            db.execute("INSERT INTO event (plant, batch, t_us, kind, text) VALUES ('R1', 'B1', 1, 'loop', 'as it was')")
            db.execute("INSERT OR REPLACE INTO core_state VALUES ('R1', ?, x'00')", (number,))
            for kind, key in (("event", str(number)), ("core_state", "R1")):
                previous = first_chain.hashed(previous, kind, key, chain.content_of(db, kind, key))
                db.execute("INSERT INTO link (kind, row, hash) VALUES (?, ?, ?)", (kind, key, previous))
    return previous


def test_the_chain_of_an_older_file_is_taken_over_with_its_hashes(
    path: Path, decision: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = old_file(path, monkeypatch)
    with Historian(path) as historian:
        historian.record(decision(0))
        assert historian.chain_faults(before) == []  # a hash that was kept in the days of the older version
        _, kept = historian.chain_head()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP TRIGGER link_stays")
        db.execute("UPDATE event SET text = 'as I want it' WHERE id = 2")
        assert any(fault.startswith("event 2 was altered") for fault in faults(db, kept))
        # With its digest, and its hash by the old rule up to the superseded link after it: the closing link tells.
        content = chain.content_of(db, "event", "2")
        [(last,)] = db.execute("SELECT hash FROM link WHERE id = 2").fetchall()
        made = (chain.digest_of(content), first_chain.hashed(last, "event", "2", content))
        db.execute("UPDATE link SET digest = ?, hash = ? WHERE id = 3", made)
        assert any("link 11, or one before it, was altered" in fault for fault in faults(db, kept))
        db.execute("UPDATE link SET digest = ? WHERE id = 11", (first_chain.summed(db, 10),))
        relink(db, 11, 10_000)
        assert any(kept[:12] in fault for fault in faults(db, kept))


def test_what_was_altered_before_the_chain_was_taken_over_is_still_found(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_file(path, monkeypatch)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE event SET text = 'as I want it' WHERE id = 5")
    Historian(path).close()
    with closing(sqlite3.connect(path)) as db:
        assert any(fault.startswith("event 5 was altered") for fault in faults(db))
