"""Finished days go to Parquet and come back from there, and a copy made while recording is whole."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pytest
from typer.testing import CliRunner

from controller.commands.historian import historian as command_line
from controller.edge.historian import Bucket, Historian, HistorianFault
from controller.edge.historian.archiving import archive_days
from controller.edge.historian.backup import backup
from controller.edge.historian.nightly import Nightly
from controller.edge.historian.status import check, standing
from controller.loop.records import Decision
from controller.support.user_error import UserError

Make = Callable[..., Decision]
SERIES = ["process.ph", "process.do", "estimate.biomass"]
BEGIN_MS = 1_767_225_600_000 + 5 * 3_600_000  # 5 o'clock
STEP_MS, SCANS = 60_000, 5 * 1440  # five days of a scan a minute
DAY_MS = 86_400_000


def fill(historian: Historian, first: int = 0, count: int = SCANS) -> None:
    chance = np.random.default_rng(first)
    values = chance.normal(50, 9, (count, len(SERIES)))
    values[chance.random(values.shape) < 0.01] = math.nan
    quality = np.where(np.isnan(values), 2, chance.integers(0, 2, values.shape))
    historian.scans("R1", "B/1", SERIES, [BEGIN_MS + STEP_MS * (first + i) for i in range(count)], values, quality)


def at(t_ms: float) -> datetime:
    return datetime.fromtimestamp(t_ms / 1000, UTC)


def everything(historian: Historian) -> list[dict[str, list[Bucket]]]:
    """Trends over all, over a part that is archived, and over one that begins there and ends in the live file."""
    windows = [
        (None, None),
        (at(BEGIN_MS + DAY_MS), at(BEGIN_MS + DAY_MS + 9 * STEP_MS)),
        (at(BEGIN_MS), at(BEGIN_MS + 4 * DAY_MS)),
    ]
    return [
        historian.trend("R1", "B/1", SERIES, *span, buckets=buckets) for span in windows for buckets in (None, 500, 7)
    ]


def test_a_trend_does_not_show_that_its_days_are_archived(historian: Historian) -> None:
    fill(historian)
    before, samples = everything(historian), historian.samples()
    done = archive_days(historian.path, raw_days=2)
    assert (done.files, done.scans) == (5, 19 * 60 + 4 * 1440)
    assert done.pruned_scans == 19 * 60 + 2 * 1440
    assert everything(historian) == before
    assert historian.samples() == samples
    assert archive_days(historian.path, raw_days=2).files == 0
    assert check(historian.path) == []
    found = standing(historian.path)
    assert (found.archived_days, found.scans) == (5, SCANS - done.pruned_scans)


def test_what_comes_late_joins_its_archived_day(historian: Historian) -> None:
    fill(historian)
    archive_days(historian.path, raw_days=1)
    late = np.array([[1.0, 2.0, 3.0]])
    historian.scans("R1", "B/1", SERIES, [BEGIN_MS + 1234], late, np.zeros((1, 3), int))
    window = (at(BEGIN_MS), at(BEGIN_MS + STEP_MS))
    before = historian.trend("R1", "B/1", SERIES, *window)
    assert [row.mean for row in before["process.do"]][1] == 2.0
    assert archive_days(historian.path, raw_days=1).files == 1
    assert historian.trend("R1", "B/1", SERIES, *window) == before
    assert historian._rows("SELECT count(*) FROM scan WHERE t_ms = ?", BEGIN_MS + 1234) == [(0,)]


def test_the_files_can_be_read_by_anybody(historian: Historian) -> None:
    fill(historian)
    archive_days(historian.path)
    pattern = str(historian.path.with_name("plant-archive") / "R1" / "B_1" / "*.parquet")
    query = (
        'SELECT count(*), max("process.ph"), count("process.do") FILTER ("process.do.quality" = 2) FROM read_parquet(?)'
    )
    [(count, high, bad)] = duckdb.execute(query, [pattern]).fetchall()
    rows = historian.trend("R1", "B/1", ["process.ph"])["process.ph"][:count]
    assert count == 19 * 60 + 4 * 1440
    assert high == max(row.mean for row in rows if row.mean is not None)
    assert bad == 0


def test_a_damaged_file_is_found_and_its_scans_are_kept(historian: Historian) -> None:
    fill(historian)
    archive_days(historian.path)
    file = sorted(historian.path.with_name("plant-archive").rglob("*.parquet"))[1]
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(HistorianFault, match="is not what was written"):
        archive_days(historian.path, raw_days=1)
    assert len(historian.trend("R1", "B/1", ["process.ph"])["process.ph"]) == SCANS
    assert [trouble.split()[0] for trouble in check(historian.path)] == [str(file)]
    file.unlink()
    assert "is missing" in check(historian.path)[0]


def test_an_archive_that_cannot_be_written_is_named(historian: Historian) -> None:
    fill(historian)
    historian.path.with_name("plant-archive").write_text("")
    with pytest.raises(HistorianFault, match="plant-archive cannot be written to"):
        archive_days(historian.path)


def test_a_controller_archives_by_itself_and_records_on(historian: Historian) -> None:
    fill(historian)
    with Nightly(historian.path, raw_days=1, first_s=0.0):
        for first in range(SCANS, SCANS + 300):
            fill(historian, first, 1)
    assert standing(historian.path).archived_days == 5
    assert len(historian.trend("R1", "B/1", ["process.ph"])["process.ph"]) == SCANS + 300


def test_a_copy_made_while_recording_is_whole_and_can_be_taken_up(
    historian: Historian, decision: Make, tmp_path: Path
) -> None:
    fill(historian)
    historian.record(decision(0))
    archive_days(historian.path, raw_days=1)
    ended = threading.Event()

    def record() -> None:
        for first in range(SCANS, SCANS + 100_000):
            if ended.is_set():
                return
            fill(historian, first, 1)

    recorder = threading.Thread(target=record)
    recorder.start()
    copy = backup(historian.path, tmp_path / "copies" / "first")
    ended.set()
    recorder.join()
    assert check(copy) == []
    with Historian(copy) as again:
        rows = again.trend("R1", "B/1", ["process.ph"])["process.ph"]
        assert rows == historian.trend("R1", "B/1", ["process.ph"])["process.ph"][: len(rows)]
        assert len(rows) >= SCANS
        assert again.last_decision("R1") is not None
        again.record(decision(1))
    with pytest.raises(HistorianFault, match="exists already"):
        backup(historian.path, tmp_path / "copies" / "first")


def test_the_command_line_tells_archives_checks_and_copies(historian: Historian, tmp_path: Path) -> None:
    fill(historian)

    def run(*arguments: str) -> str:
        ended = CliRunner().invoke(command_line, arguments)
        if isinstance(ended.exception, UserError):
            return str(ended.exception)
        assert ended.exit_code == 0
        return ended.stdout

    file = str(historian.path)
    assert json.loads(run("archive", file, "--days", "1", "--json"))["files"] == 5
    assert json.loads(run("status", file, "--json"))["samples"] == SCANS * len(SERIES)
    assert json.loads(run("check", file, "--json"))["sound"] is True
    made = json.loads(run("backup", file, "--to", str(tmp_path / "copy"), "--json"))
    assert check(Path(made["file"])) == []
    assert "being written by another controller" in run("migrate", file)
    assert "does not exist" in run("status", str(tmp_path / "none.sqlite"))
