"""One row of every table is altered, or removed, behind the historian's back: the check names its table."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from controller.checkpoint import checkpoint_of
from controller.edge.audit import AuditEntry
from controller.edge.historian import Cause, Historian, integrity, outbox, schema
from controller.edge.historian.archiving import archive_days
from controller.edge.historian.database import open_writer, transaction
from controller.loop.memory import Memory
from controller.loop.records import Decision
from controller.sessions import STARTED, Session, began
from twin.signals import Assay, Quality, Reading

Make = Callable[..., Decision]
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 1440
MINUTES = [*range(0, 2 * DAY, 20), *range(2 * DAY, 2 * DAY + 90)]  # of scans: two days are over, and an hour


def tables() -> list[str]:
    """Every table of a new file, so that one that is added fails here until it is covered."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        schema.advance(db, 0)
        return [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]


def fill(path: Path, decision: Make) -> None:
    """Rows in every table: archived and live days, gaps that close, are withdrawn and are filled, a full outbox."""
    assay = Assay("biomass", 12.5, "g/L", START - timedelta(hours=4), START, Quality.GOOD)
    values = np.random.default_rng(0).normal(50, 9, (len(MINUTES), 2))
    values[7, 1] = math.nan
    quality = np.where(np.isnan(values), 2, 0)
    with Historian(path, outbox=True, outbox_limit=60) as historian:
        historian.begin(Session(START, "R1", "B1", STARTED, "", None, {"a": 1}, None, {"neurotwin": "1"}))
        for minute in range(10):
            made = decision(minute)
            made = replace(made, snapshot=replace(made.snapshot, assays=(assay,)))
            entry = AuditEntry(made.time, "R1", "B1", "somebody", "mode", "shadow", "advisory", "a test")
            historian.record(made, {"weights": [minute]}, [entry], checkpoint_of(Memory(began())))
            historian.event(made.time, "R1", "B1", "loop", f"turn {minute}")
        stamps = [int(START.timestamp() * 1000) + 60_000 * minute for minute in MINUTES]
        historian.scans("R1", "B1", ["process.ph", "process.do"], stamps, values, quality)
        historian.gap("R1", "B1", START, START + timedelta(hours=1), Cause.LINK_DOWN)
        historian.gap("R1", "B1", START + timedelta(hours=30), None, Cause.PLANT_STOPPED)
        historian.no_gap("R1", "B1", START + timedelta(hours=30))
        historian.gap("R1", "B1", START + timedelta(hours=50), None, Cause.CONTROLLER_DOWN, "killed")
        fetched = Reading(7.0, "pH", START + timedelta(minutes=30, seconds=5), Quality.GOOD)
        assert historian.backfill("R1", "B1", {"ph": [fetched]}, "HistoryRead") == 1
    archive_days(path, raw_days=1)
    with closing(open_writer(path)) as db, transaction(db):
        [first, second] = outbox.waiting(db, 2, 10**6)
        outbox.acknowledge(db, first[0])
        outbox.park(db, second, "field type conflict")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    return SimpleNamespace(folder=tmp_path_factory.mktemp("full"), made=False)


@pytest.fixture
def base(full: SimpleNamespace, decision: Make) -> Iterator[sqlite3.Connection]:
    """A connection of somebody who knows SQL; what it does is rolled back."""
    path = full.folder / "plant.sqlite"
    if not full.made:
        fill(path, decision)
        full.made = True
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN")
        for trigger in ("audit_stays", "audit_is_kept", "link_stays", "link_is_kept"):
            db.execute(f"DROP TRIGGER {trigger}")
        yield db
        db.execute("ROLLBACK")


def faults(db: sqlite3.Connection) -> list[str]:
    [(_, _, file)] = db.execute("PRAGMA database_list").fetchall()
    return list(integrity.faults(db, Path(file)))


def where(db: sqlite3.Connection, table: str, at: str) -> str:
    """A condition that only the first, the middle or the last row of the table fulfils."""
    columns = db.execute(f"PRAGMA table_info({table})").fetchall()
    key = [column[1] for column in columns if column[5]] or ["rowid"]
    rows = db.execute(f"SELECT {', '.join(key)} FROM {table} ORDER BY {', '.join(key)}").fetchall()
    assert rows, f"no row of {table} is in the file of this test"
    row = rows[{"first": 0, "middle": len(rows) // 2, "last": -1}[at]]
    return " AND ".join(f"{name} = {value!r}" for name, value in zip(key, row, strict=True))


def other(value: Any) -> Any:
    """The least change that there is."""
    if value is None:
        return 1
    if isinstance(value, int):
        return value + 10**6  # so that no other row has this key
    if isinstance(value, float):
        return math.nextafter(value, math.inf)
    return value[:-1] + bytes([value[-1] ^ 1]) if isinstance(value, bytes) else value + "x"


def test_a_file_with_all_of_it_is_as_it_was_recorded(base: sqlite3.Connection) -> None:
    assert faults(base) == []
    [(pruned, minutes)] = base.execute(
        "SELECT (SELECT max(pruned_ms) FROM layout), (SELECT count(*) FROM roll WHERE level_ms = 60000)"
    ).fetchall()
    assert pruned > 0 and minutes > 20


@pytest.mark.parametrize("table", tables())
def test_a_value_that_was_altered_is_found_and_its_table_named(base: sqlite3.Connection, table: str) -> None:
    for at in ("first", "middle", "last"):
        one = where(base, table, at)
        if table == "sqlite_sequence" and base.execute(f"SELECT name FROM {table} WHERE {one}").fetchone() == ("gap",):
            continue  # gaps are withdrawn, so this counter may be ahead of them
        for _, column, *_ in base.execute(f"PRAGMA table_info({table})").fetchall():
            base.execute("SAVEPOINT one")
            [(value,)] = base.execute(f"SELECT {column} FROM {table} WHERE {one}").fetchall()
            base.execute(f"UPDATE {table} SET {column} = ? WHERE {one}", (other(value),))
            found = faults(base)
            assert any(table in fault for fault in found), f"{at} row, {column}: {found}"
            base.execute("ROLLBACK TO one")
            base.execute("RELEASE one")


@pytest.mark.parametrize("table", tables())
def test_a_row_that_was_removed_is_found_and_its_table_named(base: sqlite3.Connection, table: str) -> None:
    if table == "ack":
        pytest.skip("without an acknowledgement rows are sent again, as after a crash: nothing is lost or doubled")
    base.execute(f"DELETE FROM {table} WHERE {where(base, table, 'last')}")
    found = faults(base)
    assert any(table in fault for fault in found), found


def test_rows_that_were_put_in_or_exchanged_are_found(base: sqlite3.Connection) -> None:
    base.execute("INSERT INTO scan SELECT layout, t_ms + 1, body FROM scan ORDER BY t_ms DESC LIMIT 1")
    assert any("scan" in fault and "was put in" in fault for fault in faults(base))
    base.execute("DELETE FROM scan WHERE t_ms % 1000 = 1")
    [(layout, one), (_, two)] = base.execute("SELECT layout, t_ms FROM scan ORDER BY t_ms DESC LIMIT 2").fetchall()
    swap = "UPDATE scan SET t_ms = ? WHERE (layout, t_ms) = (?, ?)"
    for old, new in ((one, -1), (two, one), (-1, two)):
        base.execute(swap, (new, layout, old))
    assert [f for f in faults(base) if f.startswith(f"scan {layout}/{one} ")]


def test_an_archived_file_that_was_altered_is_named(full: SimpleNamespace, base: sqlite3.Connection) -> None:
    [file, *_] = sorted(full.folder.rglob("*.parquet"))
    kept = shutil.copy(file, full.folder / "kept")
    with file.open("r+b") as content:
        content.seek(200)
        byte = content.read(1)
        content.seek(200)
        content.write(bytes([byte[0] ^ 1]))
    assert any(str(file) in fault for fault in faults(base))
    shutil.move(kept, file)
    assert faults(base) == []


def test_a_file_of_the_version_before_is_linked_as_it_is_found(
    tmp_path: Path, decision: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plant.sqlite"
    with monkeypatch.context() as patch, closing(sqlite3.connect(path, isolation_level=None)) as db:
        patch.setattr(schema, "STEPS", schema.STEPS[:6])
        patch.setattr(schema, "VERSION", 6)
        schema.advance(db, 0)
        names = json.dumps(["process.ph"])
        db.execute("INSERT INTO layout VALUES (1, 'R1', 'B1', x'00', 1, ?, 0)", (names,))
        stamps = [int(START.timestamp() * 1000) + 60_000 * minute for minute in range(30)]
        body = np.array([7.0]).tobytes()
        db.executemany("INSERT INTO scan VALUES (1, ?, ?)", [(t_ms, body) for t_ms in stamps])
        gap = "INSERT INTO gap (plant, batch, variable, start_us, cause, text) VALUES (?, ?, '', 0, 'link down', '')"
        db.execute(gap, ("R1", "B1"))
        db.execute("INSERT INTO outbox (t_ms, queued_s, line) VALUES (1, 2.0, 'process ph=7')")
        db.execute("INSERT INTO ack VALUES (1, 3.0)")
    with Historian(path) as historian:
        historian.record(decision(0))
        # Its minutes were rolled up by the version before; here they are made by the first scan that follows.
        historian.scans("R1", "B1", ["process.do"], [stamps[-1]], np.array([[1.0]]), np.zeros((1, 1), np.int64))
    with closing(sqlite3.connect(path)) as db:
        assert [f for f in faults(db) if not f.startswith("roll 1/")] == []
        db.execute("UPDATE scan SET body = ? WHERE t_ms = ?", (np.array([7.5]).tobytes(), stamps[3]))
        db.execute("UPDATE gap SET cause = 'sensor bad'")
        found = faults(db)
    assert any(f.startswith(f"scan 1/{stamps[3]} was altered") for f in found)
    assert any(f.startswith("gap 1 was altered") for f in found)
