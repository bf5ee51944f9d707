"""Historian write side: every decision and its numbers in one SQLite file, durable before anything is acted upon.

Forecasts are stored once, however many turns carry them on. One process records; others read through History.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from time import time_ns

from controller.checkpoint import Checkpoint
from controller.edge.audit import AuditEntry
from controller.edge.historian import anchors, archive, backfill, chain, ledger, lineprotocol, linked, outbox, scans
from controller.edge.historian.cells import Floats, Integers
from controller.edge.historian.database import HistorianFault, faults_of, open_writer, transaction
from controller.edge.historian.history import History
from controller.edge.historian.ledger import Cause
from controller.edge.historian.rollups import RollUps
from controller.edge.historian.scans import Layout
from controller.edge.historian.series import SeriesValue, samples
from controller.edge.historian.times import to_us
from controller.edge.historian.wire import encode, shrink
from controller.loop.records import Decision
from controller.sessions import Session
from twin.records import Forecast
from twin.signals import Assay, Reading

OUTBOX_LIMIT = 2_000_000  # rows, about 1 GB: three days at one scan a second (design)
FORECASTS_KNOWN = 8  # the newest; a turn carries two


class Historian(History):
    """The one writer of a historian's file. Its calls block; any one thread may make them at a time, others wait.

    With `outbox`, what is recorded is queued for InfluxDB in the same transaction.
    """

    def __init__(self, path: Path | str, outbox: bool = False, outbox_limit: int = OUTBOX_LIMIT) -> None:
        path = Path(path)
        lock_file = _lock(path)
        with ExitStack() as opened:  # and closed again when the next cannot be opened
            opened.callback(os.close, lock_file)
            self._writing = open_writer(path)
            opened.callback(self._writing.close)
            super().__init__(path)
            opened.pop_all()
        self._lock_file: int | None = lock_file
        self._write_lock = threading.Lock()
        self._queued = outbox
        self._outbox_limit = outbox_limit
        self._layouts: dict[tuple[str, str, tuple[str, ...]], Layout] = {}
        self._rolls = RollUps()
        self._forecasts: list[tuple[Forecast, int]] = []
        self._anchored: anchors.Occasion | None = None

    @staticmethod
    def reader(path: Path | str) -> History:
        """The read side of a historian that somebody else may be writing."""
        return History(path)

    def close(self) -> None:
        """Close the file and let another writer have it."""
        with self._write_lock:
            super().close()
            self._writing.close()
            if self._lock_file is not None:
                os.close(self._lock_file)
                self._lock_file = None

    def record(
        self,
        decision: Decision,
        core_state: Mapping[str, object] | None = None,
        audit: Sequence[AuditEntry] = (),
        checkpoint: Checkpoint | None = None,
    ) -> None:
        """Store one turn with its samples, assays and audit entries: all of it, or nothing and a HistorianFault."""
        numbers = samples(decision)
        rows = list(lineprotocol.lines(decision, numbers)) if self._queued else []
        bare = shrink(encode(replace(decision, baseline=None, proposed=None)))
        plant, batch, t_us = decision.plant, decision.situation.batch, to_us(decision.time)
        state = None if core_state is None else shrink(encode(core_state))
        point = None if checkpoint is None else shrink(encode(checkpoint))
        occasion = anchors.occasion(decision)
        due = occasion != self._anchored
        with self._recording() as db:
            forecasts = [self._forecast(db, forecast) for forecast in (decision.baseline, decision.proposed)]
            number = db.execute(
                "INSERT INTO decision (plant, batch, t_us, baseline, proposed, body) VALUES (?, ?, ?, ?, ?, ?)",
                (plant, batch, t_us, *forecasts, bare),
            ).lastrowid
            chain.append(db, "decision", number or 0)
            if point is not None:
                db.execute("INSERT INTO checkpoint (id, body) VALUES (?, ?)", (number, point))
                chain.append(db, "checkpoint", number or 0)
            _audit(db, audit)
            self._samples(db, plant, batch, t_us // 1000, numbers)
            _assays(db, plant, batch, decision.snapshot.assays)
            if state is not None:
                _core_state(db, plant, t_us, state)
            links, head = chain.end(db)
            if self._queued:
                anchor: lineprotocol.Fields = {"chain_links": links, "chain_head": head} if due else {}
                rows += lineprotocol.line("historian", plant, batch, {**outbox.health(db), **anchor}, 1000 * t_us)
            self._queue(db, rows, t_us)
        if due:
            self._anchor(links, head, batch)
            self._anchored = occasion

    def audit(self, entries: Sequence[AuditEntry]) -> None:
        """Enter into the audit trail what happened between two turns."""
        with self._recording() as db:
            _audit(db, entries)

    def begin(self, session: Session, audit: Sequence[AuditEntry] = ()) -> None:
        """Store what the loop begins with, before its first turn."""
        body = shrink(encode(session))
        with self._recording() as db:
            query = "SELECT coalesce(max(id), 0) FROM decision WHERE plant = ?"
            [after] = db.execute(query, (session.plant,)).fetchone()
            number = db.execute(
                "INSERT INTO session (plant, batch, t_us, after, resumed_from, body) VALUES (?, ?, ?, ?, ?, ?)",
                (session.plant, session.batch, to_us(session.time), after, session.resumed_from, body),
            ).lastrowid
            chain.append(db, "session", number or 0)
            _audit(db, audit)

    def event(self, time: datetime, plant: str, batch: str, kind: str, text: str) -> None:
        """Store something that happened: a link lost or restored, a command written or refused, a change of mode."""
        t_us = to_us(time)
        with self._recording() as db:
            number = db.execute(
                "INSERT INTO event (plant, batch, t_us, kind, text) VALUES (?, ?, ?, ?, ?)",
                (plant, batch, t_us, kind, text),
            ).lastrowid
            chain.append(db, "event", number or 0)
            rows = lineprotocol.event_line(plant, batch, kind, text, t_us, number or 0) if self._queued else ()
            self._queue(db, list(rows), t_us)

    def scans(
        self, plant: str, batch: str, series: Sequence[str], t_ms: Sequence[int], values: Floats, quality: Integers
    ) -> None:
        """Store numbers without a decision, k scans of m series: times in order, values and qualities (k, m).

        NaN stands for a missing value. Nothing of it is queued for InfluxDB.
        """
        bodies = [scans.body_of(row, marks) for row, marks in zip(values.tolist(), quality.tolist(), strict=True)]
        with self._recording() as db:
            self._scans(db, (plant, batch, tuple(series)), list(zip(t_ms, bodies, strict=True)))

    def gap(
        self,
        plant: str,
        batch: str,
        start: datetime,
        end: datetime | None,
        cause: Cause,
        text: str = "",
        variable: str = "",
    ) -> None:
        """Enter an interval without data in the ledger; `end` None: it lasts. Told again, it is brought up to date.

        Entries are known by plant, batch, variable ("" for all of them) and start, so an open one is closed by
        telling it with its end.
        """
        with self._recording() as db:
            until = None if end is None else to_us(end)
            ledger.enter(db, (plant, batch, variable, to_us(start)), until, cause, text)

    def no_gap(self, plant: str, batch: str, start: datetime, variable: str = "") -> None:
        """Take an entry back because nothing was missed after all."""
        with self._recording() as db:
            ledger.withdraw(db, (plant, batch, variable, to_us(start)))

    def backfill(self, plant: str, batch: str, readings: Mapping[str, Sequence[Reading]], how: str) -> int:
        """Store what was fetched after an outage: by variable, its readings at their source times.

        A sample that is stored already stays as it was. New ones go to trends, to InfluxDB and to the count of the
        ledger's entries that they fall into; `how` says where they come from, such as "HistoryRead of opc.tcp://…".
        Returns how many were new. They are never acted upon: the loop has long gone on. A reading without a source
        time raises ValueError.
        """
        with self._recording() as db:
            with closing(archive.ArchiveReader(self.path.parent)) as kept:
                new = backfill.new_samples(db, kept, plant, batch, readings)
            backfill.store(db, plant, batch, new, f"{how} {time_ns()}")
            for name, found in backfill.by_variable(new).items():
                ledger.filled(db, (plant, batch, name), found[0], found[-1], len(found), how)
            for t_us, numbers in new.items() if self._queued else ():
                self._queue(db, [*lineprotocol.reading_lines(plant, batch, numbers, t_us)], t_us)
        return sum(map(len, new.values()))

    def save_core_state(self, plant: str, time: datetime, state: Mapping[str, object]) -> None:
        """Store what NeuroCore has learned, between two turns."""
        body = shrink(encode(state))
        with self._recording() as db:
            _core_state(db, plant, to_us(time), body)

    @contextmanager
    def _recording(self) -> Iterator[sqlite3.Connection]:
        with self._write_lock, faults_of(self.path):
            try:
                with transaction(self._writing):
                    yield self._writing
            except BaseException:
                self._layouts.clear()  # they may hold keys of rows that were rolled back
                self._rolls.forget()
                self._forecasts.clear()
                raise

    def _anchor(self, links: int, head: str, batch: str) -> None:
        with self._write_lock, faults_of(self.path):
            self._writing.execute("PRAGMA wal_checkpoint(PASSIVE)")  # so that no power cut loses what is vouched for
        anchors.keep(self.path, links, head, batch)

    def _queue(self, db: sqlite3.Connection, rows: list[str], t_us: int) -> None:
        if rows:
            outbox.put(db, rows, t_us)
            outbox.bound(db, self._outbox_limit)

    def _samples(
        self, db: sqlite3.Connection, plant: str, batch: str, t_ms: int, numbers: Sequence[SeriesValue]
    ) -> None:
        body = scans.body_of([s.value for s in numbers], [int(s.quality) for s in numbers])
        self._scans(db, (plant, batch, tuple(s.series for s in numbers)), [(t_ms, body)])

    def _scans(
        self, db: sqlite3.Connection, of: tuple[str, str, tuple[str, ...]], rows: list[tuple[int, bytes]]
    ) -> None:
        layout = self._layouts.get(of) or scans.layout_of(db, *of)
        linked.store(db, layout, rows, self._rolls)
        self._layouts[of] = layout._replace(new=False)

    def _forecast(self, db: sqlite3.Connection, forecast: Forecast | None) -> int | None:
        """The key of this forecast, stored when it is new. Turns carry on the same object, after a restart an equal."""
        if forecast is None:
            return None
        for known, key in self._forecasts:
            if known is forecast:
                return key
        body = encode(forecast)
        digest = blake2b(body, digest_size=16).digest()
        made = db.execute("INSERT OR IGNORE INTO forecast (digest, body) VALUES (?, ?)", (digest, shrink(body)))
        key = int(db.execute("SELECT id FROM forecast WHERE digest = ?", (digest,)).fetchone()[0])
        if made.rowcount == 1:
            chain.append(db, "forecast", key)
        self._forecasts = [*self._forecasts[1 - FORECASTS_KNOWN :], (forecast, key)]
        return key


def _audit(db: sqlite3.Connection, entries: Sequence[AuditEntry]) -> None:
    """Add to the audit trail, with the wall time."""
    for e in entries:
        number = db.execute(
            "INSERT INTO audit (plant, batch, t_us, at_s, who, what, old, new, reason)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (e.plant, e.batch, to_us(e.time), time.time(), e.who, e.what, e.old, e.new, e.reason),
        ).lastrowid
        chain.append(db, "audit", number or 0)


def _assays(db: sqlite3.Connection, plant: str, batch: str, assays: tuple[Assay, ...]) -> None:
    """Store results; one that is delivered again is the same row."""
    for a in assays:
        row = (plant, batch, a.variable, *_times(a), _finite(a.value), a.unit, int(a.quality))
        key = json.dumps(row[:5], separators=(",", ":"), ensure_ascii=False)
        if chain.content_of(db, "assay", key) != row:
            db.execute(
                "INSERT OR REPLACE INTO assay (plant, batch, variable, sampled_us, reported_us, value, unit, quality)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            chain.append(db, "assay", key)


def _times(assay: Assay) -> tuple[int, int]:
    return to_us(assay.sampled_at), to_us(assay.reported_at)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _core_state(db: sqlite3.Connection, plant: str, t_us: int, body: bytes) -> None:
    db.execute("INSERT OR REPLACE INTO core_state (plant, t_us, body) VALUES (?, ?, ?)", (plant, t_us, body))
    chain.append_all(db, "core_state", [(plant, (t_us, body))])


def _lock(path: Path) -> int:
    """Take the lock file beside `path`; the operating system lets go of it when this process ends, however it ends."""
    beside = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise HistorianFault(
            path, f"cannot be opened ({error.strerror})", "check its folder and permissions"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise HistorianFault(
            path, f"is being written by another controller (process {holder})", "end that one, or name another file"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor
