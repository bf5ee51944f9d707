"""A file of an older version is brought up to date whole or not at all, and loses nothing on the way."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from controller.edge.historian import Historian, HistorianFault, schema
from controller.loop.records import Decision

Make = Callable[..., Decision]


def at_version(path: Path, version: int, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    """An empty file as the steps up to this version made it."""
    db = sqlite3.connect(path, isolation_level=None)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", schema.STEPS[:version])
        patch.setattr(schema, "VERSION", version)
        schema.advance(db, 0)
    return db


def version_of(path: Path) -> list[tuple[int]]:
    db = sqlite3.connect(path)
    found = db.execute("SELECT version FROM schema_version").fetchall()
    db.close()
    return found


@pytest.mark.parametrize("version", range(1, schema.VERSION + 1))
def test_every_older_version_becomes_the_present_one(
    path: Path, decision: Make, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    at_version(path, version, monkeypatch).close()
    if version < schema.VERSION:
        with pytest.raises(HistorianFault, match=r"older version.*neurotwin historian migrate"):
            Historian.reader(path)
    with Historian(path) as historian:
        historian.record(decision(0))
        assert historian.last_decision("R1") is not None
    assert version_of(path) == [(schema.VERSION,)]
    new = path.with_name("new.sqlite")
    Historian(new).close()
    tables = "SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2"
    one, other = sqlite3.connect(path), sqlite3.connect(new)
    assert one.execute(tables).fetchall() == other.execute(tables).fetchall()
    one.close()
    other.close()


def test_a_step_that_fails_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_version(path, 1, monkeypatch).close()

    def breaks(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE half (x)")
        raise sqlite3.OperationalError("trouble")

    steps = (*schema.STEPS[:-1], replace(schema.STEPS[-1], change=breaks))
    with monkeypatch.context() as patch:
        patch.setattr(schema, "STEPS", steps)
        with pytest.raises(HistorianFault, match="trouble"):
            Historian(path)
    assert version_of(path) == [(1,)]
    db = sqlite3.connect(path)
    assert db.execute("SELECT 1 FROM sqlite_master WHERE name = 'half'").fetchall() == []
    db.close()
    Historian(path).close()
