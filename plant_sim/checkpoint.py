"""Checkpoint by which a batch survives its process: the whole plant in one JSON file, replaced in one piece."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

VERSION = 2  # 2: faults, foam and remote setpoints of the local loops


def save(path: Path, memory: Mapping[str, Any]) -> None:
    """Replace the checkpoint; a kill at any moment leaves the old one or the new one.

    Not forced to disk: the page cache survives the death of a process, and a simulator need not survive a power cut.
    """
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps({"version": VERSION, **memory}), encoding="utf-8")
    os.replace(fresh, path)


def load(path: Path) -> dict[str, Any] | None:
    """The memory in a checkpoint, None when there is no file; ValueError says what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        memory = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} is not a checkpoint: {error}") from error
    version = memory.get("version") if isinstance(memory, dict) else None
    if version != VERSION:
        raise ValueError(f"{path} is a checkpoint of version {version}, this plant reads version {VERSION}")
    return {name: value for name, value in memory.items() if name != "version"}


class TruthLog:
    """What really was in the vessel, one CSV row for each published instant; only a judge reads it."""

    def __init__(self, path: Path, hours: float) -> None:
        """Open for a batch at this hour; later rows tell of a past that a restart undid, and go."""
        kept = []
        if hours > 0.0 and path.exists():
            header, *rows = path.read_text(encoding="utf-8").splitlines()
            kept = [header, *(row for row in rows if float(row.split(",")[1]) < hours - 1e-9)]
        self._file: TextIO = path.open("w", encoding="utf-8", newline="")
        self._file.writelines(line + "\n" for line in kept)
        self._headed = bool(kept)
        self._rows = csv.writer(self._file, lineterminator="\n")

    def write(self, time: str, hours: float, truth: Mapping[str, float]) -> None:
        """Add one row, readable at once."""
        if not self._headed:
            self._rows.writerow(["time", "hours", *truth])
            self._headed = True
        self._rows.writerow([time, f"{hours:.6f}", *(f"{value:.8g}" for value in truth.values())])
        self._file.flush()

    def __enter__(self) -> TruthLog:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        """Close the file."""
        self._file.close()
