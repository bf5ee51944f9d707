"""Archiving: finished days go to the archive, and leave the live file after their time; both while it is written.

A day is finished when the plant has a scan of a later one. It is written to Parquet at once, and stays in the live
file for some days more, where recent scans are quickest to read. Before it leaves, its copy is read again and
compared with its checksum. Scans go an hour at a time, so that the recorder never waits for long.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from controller.edge.historian import archive, chain, scans
from controller.edge.historian import cells as make
from controller.edge.historian.archive import DAY_MS
from controller.edge.historian.cells import Cells
from controller.edge.historian.database import HistorianFault, faults_of, make_private, open_writer, transaction
from controller.edge.historian.rollups import HOUR_MS
from controller.edge.historian.scans import Layout
from controller.support.slug import slug

RAW_DAYS = 14.0  # process days that scans stay in the live file (design)
SLICE_MS = 3 * HOUR_MS  # a row group: what is held in memory at a time, and what a narrow trend has to read

Telling = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Archived:
    """What one round did."""

    files: int
    scans: int
    megabytes: float
    pruned_scans: int


def folder_of(path: Path) -> Path:
    """Where the archive of this historian lies: beside it."""
    return path.with_name(f"{path.stem}-archive")


def archive_days(path: Path, raw_days: float = RAW_DAYS, telling: Telling = lambda _: None) -> Archived:
    """Write every finished day that is not archived, and let go of archived days older than `raw_days`."""
    written: list[tuple[int, int]] = []
    with _alone(path), faults_of(path), contextlib.closing(open_writer(path)) as db:
        with contextlib.closing(archive.ArchiveReader(path.parent)) as kept:
            for layout, plant, batch, day in _due(db):
                told = f"{batch or plant} {np.datetime64(day, 'D')}"
                written.append(_write_day(db, kept, path, layout, (plant, batch), day))
                telling(f"archived {told}: {written[-1][0]} scans, {written[-1][1] / 1e6:.1f} MB")
        pruned = _prune(db, path, raw_days)
    return Archived(len(written), sum(n for n, _ in written), sum(size for _, size in written) / 1e6, pruned)


def damaged(path: Path, db: sqlite3.Connection) -> list[str]:
    """The archived files that are missing or are not what was written, each with what is wrong."""
    found = []
    for name, digest in db.execute("SELECT file, digest FROM archived ORDER BY file").fetchall():
        file = path.parent / name
        if not file.is_file():
            found.append(f"{file} is missing")
        elif _digest(file) != digest:
            found.append(f"{file} is not what was written")
    return found


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Only one process archives a historian at a time."""
    folder = folder_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise HistorianFault(folder, f"cannot be written to ({error.strerror})", "check its permissions") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise HistorianFault(folder, "is being written by another process", "wait until it has ended") from None
    finally:
        os.close(descriptor)


def _due(db: sqlite3.Connection) -> list[tuple[Layout, str, str, int]]:
    """Finished days with scans that no file holds yet."""
    found = []
    for plant, batch in db.execute("SELECT DISTINCT plant, batch FROM layout ORDER BY id").fetchall():
        of_plant = db.execute("SELECT id FROM layout WHERE plant = ?", (plant,)).fetchall()
        last_ms = max(scans.ends(db, layout)[1] or 0 for (layout,) in of_plant)
        for layout in scans.layouts(db, plant, batch):
            live = "SELECT t_ms / ? AS day, count(*) FROM scan WHERE layout = ? GROUP BY 1 HAVING (day + 1) * ? <= ?"
            for day, count in db.execute(live, (DAY_MS, layout.id, DAY_MS, last_ms)).fetchall():
                kept = "SELECT scans FROM archived WHERE layout = ? AND day = ?"
                row = db.execute(kept, (layout.id, day)).fetchone()
                late = day * DAY_MS < layout.pruned_ms  # scans that came after their day had left the live file
                if row is None or late or row[0] != count:
                    found.append((layout, plant, batch, day))
    return found


def _write_day(
    db: sqlite3.Connection, kept: archive.ArchiveReader, path: Path, layout: Layout, of: tuple[str, str], day: int
) -> tuple[int, int]:
    """One file; returns its scans and bytes."""
    folder = folder_of(path) / slug(of[0]) / slug(of[1])
    file = folder / f"{np.datetime64(day, 'D')}-{layout.id}.parquet"
    unfinished = file.with_suffix(".unfinished")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        make_private(unfinished)
        first_ms, count = _write(unfinished, layout, of, _slices(db, kept, layout, day))
        _durable(unfinished)
        unfinished.replace(file)
        _durable(folder)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise HistorianFault(file, f"cannot be written ({error})", "free space on its disk, or check it") from error
    size = file.stat().st_size
    row = (layout.id, day, first_ms, count, str(file.relative_to(path.parent)), size, _digest(file), time.time())
    with transaction(db):
        db.execute("INSERT OR REPLACE INTO archived VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        chain.append(db, "archived", f"{layout.id}/{day}")
    return count, size


def _slices(db: sqlite3.Connection, kept: archive.ArchiveReader, layout: Layout, day: int) -> Iterator[Cells]:
    """The scans of a day in order: live ones, and those that are in the archive already."""
    every = np.arange(len(layout.names))
    for begin in range(day * DAY_MS, (day + 1) * DAY_MS, SLICE_MS):
        span = (begin, begin + SLICE_MS - 1)
        live = scans.select(db, layout, every, *span)
        both = make.joined([live, kept.select(db, layout, every, *span)]) if begin < layout.pruned_ms else live
        _, one = np.unique(both.t_ms, return_index=True)
        if len(one):
            yield both if len(one) == len(both) else make.rows(both, one)


def _write(file: Path, layout: Layout, of: tuple[str, str], slices: Iterator[Cells]) -> tuple[int, int]:
    """Returns the time of the first scan, and how many there are."""
    import pyarrow as pa
    from pyarrow import parquet

    fields = [pa.field("time_utc", pa.timestamp("ms"))]
    for name in layout.names:
        fields += [pa.field(name, pa.float64()), pa.field(f"{name}.quality", pa.uint8())]
    schema = pa.schema(fields, metadata={"plant": of[0], "batch": of[1], "quality": "0 good, 1 uncertain, 2 bad"})
    first_ms, count = 0, 0
    with parquet.ParquetWriter(file, schema, compression="zstd", compression_level=6) as writer:
        for part in slices:
            columns: list[Any] = [pa.array(part.t_ms, pa.timestamp("ms"))]
            for i in range(len(layout.names)):
                values = np.ascontiguousarray(part.last[:, i])
                columns += [pa.array(values, mask=~np.isfinite(values)), pa.array(part.worst[:, i])]
            writer.write_table(pa.table(columns, schema=schema))
            first_ms = first_ms or int(part.t_ms[0])
            count += len(part)
    return first_ms, count


def _prune(db: sqlite3.Connection, path: Path, raw_days: float) -> int:
    """Let go of scans older than `raw_days` whose copy in the archive is sound; returns how many."""
    newest = max((scans.ends(db, layout)[1] or 0 for (layout,) in db.execute("SELECT id FROM layout")), default=0)
    before = int(newest - raw_days * DAY_MS) // DAY_MS
    gone = 0
    live = "SELECT DISTINCT layout, t_ms / ? FROM scan WHERE t_ms < ? ORDER BY 1, 2"
    for layout, day in db.execute(live, (DAY_MS, before * DAY_MS)).fetchall():
        row = db.execute("SELECT file, digest FROM archived WHERE layout = ? AND day = ?", (layout, day)).fetchone()
        if row is None:
            continue
        file = path.parent / row[0]
        if not file.is_file() or _digest(file) != row[1]:
            raise HistorianFault(file, "is not what was written", "remove it, and archive again: the scans are kept")
        for end in range(day * DAY_MS + HOUR_MS, (day + 1) * DAY_MS + 1, HOUR_MS):
            with transaction(db):
                begin = end - HOUR_MS
                query = "DELETE FROM scan WHERE layout = ? AND t_ms >= ? AND t_ms < ?"
                gone += db.execute(query, (layout, begin, end)).rowcount
                db.execute("UPDATE layout SET pruned_ms = max(pruned_ms, ?) WHERE id = ?", (end, layout))
                chain.append(db, "layout", layout)
    return gone


def _durable(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
