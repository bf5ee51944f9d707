"""The audit trail says who did what and why, and a row that is altered, removed or put in is found."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from controller.edge.historian import Historian


@pytest.fixture
def copied(recorded: SimpleNamespace, tmp_path: Path) -> Path:
    path = tmp_path / "historian.sqlite"
    with closing(sqlite3.connect(recorded.path)) as source, closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
    return path


def done(path: Path, *statements: str) -> None:
    """As somebody would who has the file and knows SQL."""
    with closing(sqlite3.connect(path)) as base:
        for trigger in ("audit_stays", "audit_is_kept", "link_stays", "link_is_kept"):
            base.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            base.execute(statement)
        base.commit()


def faults(path: Path, head: str | None = None) -> list[str]:
    with Historian.reader(path) as history:
        return history.chain_faults(head)


def test_the_trail_tells_starts_modes_commands_and_what_became_of_them(recorded: SimpleNamespace) -> None:
    with Historian.reader(recorded.path) as history:
        entries = history.audited(recorded.plant, recorded.batch)
    what = [entry.what for entry in entries]
    assert what[:2] == ["started", "mode"] and what.count("started") == 2
    asked = next(e for e in entries if e.what == "mode" and e.new == "auto")
    assert (asked.who, asked.reason.split(";")[0]) == ("command line", "asked at start")
    moved = next(e for e in entries if e.what == "command precursor_feed")
    assert moved.who == "auto" and float(moved.new) > float(moved.old) > 0 and "suggestion S2026" in moved.reason
    assert any(e.what == "write written" and "read back" in e.reason for e in entries)
    assert any(e.who == "loop" and (e.old, e.new) == ("auto", "advisory") for e in entries)


def test_a_recorded_batch_is_as_it_was_recorded(recorded: SimpleNamespace) -> None:
    with Historian.reader(recorded.path) as history:
        links, head = history.chain_head()
        assert history.chain_faults(head) == []
    assert links > 100


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE decision SET t_us = t_us + 1 WHERE id = 7", "decision 7 was altered"),
        ("UPDATE decision SET baseline = NULL WHERE id = 7", "decision 7 was altered"),
        ("DELETE FROM decision WHERE id = 8", "decision 8 was removed"),
        ("UPDATE event SET text = text || '.' WHERE id = 2", "event 2 was altered"),
        ("UPDATE assay SET value = value * 1.0000001 WHERE variable = 'biomass'", 'assay ["R1"'),
        ("UPDATE audit SET who = 'somebody else' WHERE id = 2", "audit 2 was altered"),
        ("UPDATE session SET resumed_from = 3 WHERE id = 2", "session 2 was altered"),
        ("UPDATE link SET hash = hex(randomblob(32)) WHERE id = 20", "altered, or its link or the one before"),
        ("DELETE FROM link WHERE id = 20", "link 20 was removed"),
        ("INSERT INTO event (plant, batch, t_us, kind, text) VALUES ('R1', 'B', 1, 'loop', 'x')", "was put in"),
    ],
)
def test_tampering_with_any_row_is_found(copied: Path, statement: str, fault: str) -> None:
    done(copied, statement)
    assert any(fault in found for found in faults(copied)), faults(copied)


def test_rows_that_are_removed_from_the_end_without_a_trace_show_against_the_last_hash(copied: Path) -> None:
    with Historian(copied) as historian:
        historian.event(datetime(2026, 1, 2, tzinfo=UTC), "R1", "SIM-011", "loop", "the last that happened")
        _, head = historian.chain_head()
    done(copied, *(f"DELETE FROM {table} WHERE id = (SELECT max(id) FROM {table})" for table in ("event", "link")))
    assert [fault.split()[0] for fault in faults(copied)] == ["event", "link"]
    with closing(sqlite3.connect(copied)) as base:
        base.execute("UPDATE sqlite_sequence SET seq = seq - 1 WHERE name IN ('event', 'link')")
        base.commit()
    assert faults(copied) == []
    assert any("rows are missing at the end" in fault for fault in faults(copied, head))


def test_a_forecast_that_was_exchanged_is_named(copied: Path) -> None:
    done(copied, "UPDATE forecast SET body = (SELECT body FROM forecast WHERE id = 2) WHERE id = 1")
    assert faults(copied) == ["forecast 1 was altered, or its link or the one before it was"]


def test_the_trail_and_the_chain_refuse_to_be_changed(copied: Path) -> None:
    with closing(sqlite3.connect(copied)) as base:
        for statement in ("UPDATE audit SET who = ''", "DELETE FROM audit", "UPDATE link SET hash = ''"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                base.execute(statement)


def test_the_command_says_whether_the_record_is_whole(recorded: SimpleNamespace) -> None:
    command = [sys.executable, "-m", "controller.cli", "audit", "verify", "--config", str(recorded.config), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    report = json.loads(ran.stdout)
    assert (ran.returncode, report["faults"], len(report["head"])) == (0, [], 64), ran.stderr
