"""Read-only file of the historian: any number of processes may hold one, and any thread may ask it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from controller.edge.historian.database import DAMAGE_MEND, HistorianFault, faults_of, open_reader


class ReadFile:
    """One connection that cannot write; whatever goes wrong with it is a HistorianFault."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._reading = open_reader(self.path)
        self._read_lock = threading.Lock()

    def close(self) -> None:
        """Close the file."""
        with self._read_lock:
            self._reading.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._read_lock, faults_of(self.path):
            return self._reading.execute(query, values).fetchall()

    def one(self, query: str, *values: object) -> Any:
        """The first row of a query."""
        return self._rows(query, *values)[0]

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """One state of the file for several questions."""
        with self._read_lock, faults_of(self.path):
            self._reading.execute("BEGIN")
            try:
                yield self._reading
            finally:
                self._reading.execute("COMMIT")

    def check(self) -> None:
        """Read the whole file and raise HistorianFault when any of it is damaged; takes seconds a gigabyte."""
        [(verdict,)] = self._rows("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise HistorianFault(self.path, f"is damaged ({verdict})", DAMAGE_MEND)
