"""File permissions: what the historian makes is its owner's alone, whatever the umask of who started it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from controller.edge.historian import Historian
from controller.edge.historian.archiving import archive_days
from controller.edge.historian.backup import backup
from controller.loop.records import Decision

HOUR_MS = 3_600_000


@pytest.fixture
def careless() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """Files that others could read, and not only because a folder above lets them in."""
    return [
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and stat.S_IMODE(file.stat().st_mode) & 0o077
    ]


def test_nobody_else_can_read_what_is_recorded_archived_or_copied(
    careless: None, tmp_path: Path, decision: Callable[..., Decision]
) -> None:
    path = tmp_path / "var" / "plant.sqlite"
    with Historian(path) as historian:
        historian.record(decision(0))
        stamps = [HOUR_MS * hour for hour in range(30)]
        historian.scans("R1", "B1", ["process.ph"], stamps, np.ones((30, 1)), np.zeros((30, 1), np.int64))
        archive_days(path)
        assert (path.parent / "plant.sqlite-wal").is_file() and list(path.parent.rglob("*.parquet"))
        backup(path, tmp_path / "copy")
        assert open_to_others(tmp_path) == []
