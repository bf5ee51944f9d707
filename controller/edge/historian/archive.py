"""The archive: a Parquet file for each finished day and layout, one column a series, read back through DuckDB.

Columns are `time_utc`, and for each series its values (null: none) and `SERIES.quality` (0 good, 1 uncertain, 2
bad). A file is written under another name, flushed to the disk and renamed, so what has the right name is whole.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from controller.edge.historian import cells as make
from controller.edge.historian.cells import Cells, Integers
from controller.edge.historian.scans import Layout

DAY_MS = 86_400_000

ARCHIVED = """
CREATE TABLE archived (layout INTEGER NOT NULL, day INTEGER NOT NULL, first_ms INTEGER NOT NULL,
    scans INTEGER NOT NULL, file TEXT NOT NULL, bytes INTEGER NOT NULL, digest TEXT NOT NULL, archived_s REAL NOT NULL,
    PRIMARY KEY (layout, day)) WITHOUT ROWID;
"""


class ArchiveReader:
    """Reads archived days of the historian in this folder; DuckDB is started when the first is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._duck: Any = None

    def close(self) -> None:
        """Let go of DuckDB."""
        if self._duck is not None:
            self._duck.close()
            self._duck = None

    def select(self, db: sqlite3.Connection, layout: Layout, chosen: Integers, first_ms: int, last_ms: int) -> Cells:
        """The chosen series of the archived scans from first to last, both included."""
        query = "SELECT file FROM archived WHERE layout = ? AND day BETWEEN ? AND ? ORDER BY day"
        rows = db.execute(query, (layout.id, first_ms // DAY_MS, last_ms // DAY_MS)).fetchall()
        files = [str(self._folder / name) for (name,) in rows]
        if not files:
            return make.nothing(len(chosen))
        names = [layout.names[i] for i in chosen]
        table = self._fetched(files, names, first_ms, last_ms)
        values = np.column_stack([np.ma.filled(table[f"v{i}"].astype(float), np.nan) for i in range(len(names))])
        quality = np.column_stack([np.asarray(table[f"q{i}"], np.uint8) for i in range(len(names))])
        return make.of_scans(np.asarray(table["t_ms"], np.int64), values, quality)

    def _fetched(self, files: list[str], names: list[str], first_ms: int, last_ms: int) -> dict[str, Any]:
        import duckdb  # takes 0.1 s, which a plant without an archive need not spend

        if self._duck is None:
            self._duck = duckdb.connect(":memory:")
        wanted = ", ".join(
            f"{_quoted(name)} AS v{i}, {_quoted(name + '.quality')} AS q{i}" for i, name in enumerate(names)
        )
        found: dict[str, Any] = self._duck.execute(
            f"SELECT epoch_ms(time_utc) AS t_ms, {wanted} FROM read_parquet(?)"
            " WHERE time_utc BETWEEN make_timestamp_ms(?) AND make_timestamp_ms(?) ORDER BY time_utc",
            [files, first_ms, last_ms],
        ).fetchnumpy()
        return found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
