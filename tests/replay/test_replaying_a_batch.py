"""A recorded batch is recomputed turn by turn, through a restart and a lost NeuroCore; a changed record is found."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from controller.edge.historian import Historian
from controller.edge.historian.wire import expand, shrink
from controller.review.replay import ReplayFault, replay
from controller.sessions import RELEARNED, STARTED

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def copied(recorded: SimpleNamespace, tmp_path: Path) -> Path:
    path = tmp_path / "historian.sqlite"
    with closing(sqlite3.connect(recorded.path)) as source, closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
    return path


def changed(path: Path, number: int, change: Change) -> None:
    with closing(sqlite3.connect(path)) as base:
        [(body,)] = base.execute("SELECT body FROM decision WHERE id = ?", (number,)).fetchall()
        record = json.loads(expand(body))
        change(record)
        base.execute("UPDATE decision SET body = ? WHERE id = ?", (shrink(json.dumps(record).encode()), number))
        base.commit()


def test_every_decision_of_a_batch_with_a_restart_and_a_lost_neurocore_is_the_same_bit_for_bit(
    recorded: SimpleNamespace,
) -> None:
    with Historian.reader(recorded.path) as history:
        kinds = [session.kind for _, session in history.sessions(recorded.plant)]
        decisions = history.decisions(recorded.plant, recorded.batch)
        found = replay(history, recorded.plant, recorded.batch)
    assert kinds == [STARTED, STARTED, RELEARNED]
    assert any(d.command is not None for d in decisions) and any(d.snapshot.assays for d in decisions)
    assert found.mismatch is None
    assert found.decisions == len(decisions) > 90
    assert found.sessions == 3


def _nudge(record: dict[str, Any]) -> None:
    record["estimate"]["mean"][0] *= 1 + 2**-50


def _forge(record: dict[str, Any]) -> None:
    record["mode"] = "auto" if record["mode"] != "auto" else "advisory"


def _reread(record: dict[str, Any]) -> None:
    record["snapshot"]["readings"]["dissolved_oxygen"]["value"] += 1.0


@pytest.mark.parametrize(
    ("change", "field"),
    [(_nudge, "estimate.mean[0]"), (_forge, "mode"), (_reread, "estimate.mean[0]")],
    ids=["the last bits of an estimate", "a mode", "a reading"],
)
def test_a_changed_record_is_named_with_its_field_and_both_values(copied: Path, change: Change, field: str) -> None:
    changed(copied, 3, change)
    with Historian.reader(copied) as history:
        found = replay(history, "R1", history.batches("R1")[0])
    assert found.mismatch is not None
    assert (found.mismatch.number, found.mismatch.difference.field) == (3, field)
    assert found.mismatch.difference.recorded != found.mismatch.difference.recomputed


def test_an_unknown_batch_and_one_recorded_without_its_beginning_are_refused_in_a_sentence(copied: Path) -> None:
    with Historian.reader(copied) as history, pytest.raises(ReplayFault, match=r"no decision of batch 'B9'.*SIM-011"):
        replay(history, "R1", "B9")
    with closing(sqlite3.connect(copied)) as base:
        base.execute("DELETE FROM session")
        base.commit()
    with Historian.reader(copied) as history, pytest.raises(ReplayFault, match="does not hold what the loop began"):
        replay(history, "R1", "SIM-011")


def test_the_command_tells_the_first_difference_and_ends_with_one(recorded: SimpleNamespace, copied: Path) -> None:
    shutil.copy(recorded.folder / "token", copied.parent / "token")
    config = shutil.copy(recorded.config, copied.parent / "penicillin.toml")
    changed(copied, 2, _nudge)
    command = [sys.executable, "-m", "controller.cli", "replay", recorded.batch, "--config", str(config), "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    report = json.loads(ran.stdout)
    assert ran.returncode == 1
    assert report["identical"] is False
    assert report["first_difference"]["field"] == "estimate.mean[0]"
