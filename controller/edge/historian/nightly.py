"""Nightly archiving: a thread that archives finished days while the controller runs."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from controller.edge.historian.archiving import RAW_DAYS, archive_days
from controller.edge.historian.database import HistorianFault

log = structlog.get_logger()
FIRST_S, EVERY_S = 60.0, 3600.0  # soon after a start, then each hour; a round without a finished day costs little


class Nightly:
    """Archives in the background; a fault is logged, and tried again in the next round. Nothing is let go before."""

    def __init__(
        self, path: Path, raw_days: float = RAW_DAYS, first_s: float = FIRST_S, every_s: float = EVERY_S
    ) -> None:
        self._path, self._raw_days = path, raw_days
        self._first_s, self._every_s = first_s, every_s
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)
        self.fault = ""  # of the last round

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self, timeout_s: float = 30.0) -> None:
        """End, after the round that runs: a file is whole or not there, so no harm is done when that takes too long."""
        self._ending.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        pause_s = self._first_s
        while not self._ending.wait(pause_s):
            pause_s = self._every_s
            try:
                done = archive_days(self._path, self._raw_days)
            except HistorianFault as fault:
                self.fault = str(fault)
                log.error("the archive was not written", reason=self.fault)
                continue
            self.fault = ""
            if done.files or done.pruned_scans:
                log.info("archived", days=done.files, scans=done.scans, pruned=done.pruned_scans)
