"""Historian status: what is in it, what it takes, and whether it is sound."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from controller.edge.historian import schema
from controller.edge.historian.database import HistorianFault
from controller.edge.historian.history import History
from controller.edge.historian.times import from_us


@dataclass(frozen=True, slots=True)
class HistorianStatus:
    """What is in a historian."""

    file: str
    schema: int
    batches: int
    decisions: int
    scans: int  # in the live file
    samples: int  # with those of archived days
    first: str  # of the live scans
    last: str
    live_mb: float
    reusable_mb: float  # free inside the file
    archived_days: int  # files
    archived_mb: float
    gaps: int
    open_gaps: int
    outbox_pending: int
    outbox_dropped: int
    dead_letters: int

    def told(self) -> dict[str, Any]:
        """By name, for JSON or a table."""
        return asdict(self)


def standing(path: Path) -> HistorianStatus:
    """Look at a historian, which may be in use."""
    with History(path) as history:
        one = history.one
        low, high = history.span()
        [page] = one("PRAGMA page_size")
        [free] = one("PRAGMA freelist_count")
        days, size = one("SELECT count(*), coalesce(sum(bytes), 0) FROM archived")
        gaps, lasting = one("SELECT count(*), coalesce(sum(end_us IS NULL), 0) FROM gap")
        return HistorianStatus(
            file=str(path),
            schema=schema.VERSION,
            batches=int(one("SELECT count(*) FROM (SELECT DISTINCT plant, batch FROM layout)")[0]),
            decisions=int(one("SELECT count(*) FROM decision")[0]),
            scans=int(one("SELECT count(*) FROM scan")[0]),
            samples=history.samples(),
            first="" if low is None else from_us(1000 * low).isoformat(),
            last="" if high is None else from_us(1000 * high).isoformat(),
            live_mb=sum(part.stat().st_size for part in _parts(path)) / 1e6,
            reusable_mb=page * free / 1e6,
            archived_days=int(days),
            archived_mb=size / 1e6,
            gaps=int(gaps),
            open_gaps=int(lasting),
            outbox_pending=history.outbox_pending() or 0,
            outbox_dropped=int(one("SELECT coalesce(sum(last_id - first_id + 1), 0) FROM dropped")[0]),
            dead_letters=int(one("SELECT count(*) FROM dead_letter")[0]),
        )


def check(path: Path) -> list[str]:
    """Everything that is wrong with a historian and its archive; it reads all of both."""
    found = []
    try:
        with History(path) as history:
            try:
                history.check()
            except HistorianFault as fault:
                found.append(str(fault))
            found += [f"{trouble}; restore a copy" for trouble in history.damaged_archive()]
    except HistorianFault as fault:
        found.append(str(fault))
    return found


def _parts(path: Path) -> list[Path]:
    """The file, and its write-ahead log."""
    return [part for part in (path, path.with_name(path.name + "-wal")) if part.exists()]
