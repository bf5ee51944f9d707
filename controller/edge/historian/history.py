"""Historian read side: decisions, trends, assays and events, while it is being written or long after."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from controller.checkpoint import Checkpoint
from controller.edge.audit import AuditEntry
from controller.edge.historian import anchors, archive, archiving, chain, integrity, outbox, scans, trends
from controller.edge.historian.database import DAMAGE_MEND, HistorianFault
from controller.edge.historian.ledger import GAPS, Gap, gap_of
from controller.edge.historian.read_file import ReadFile
from controller.edge.historian.times import from_us, to_ms, to_us
from controller.edge.historian.trends import Bucket
from controller.edge.historian.wire import decode, decode_as, decode_snapshot, expand
from controller.loop.records import Decision
from controller.sessions import Session
from twin.records import Forecast
from twin.signals import Assay, Quality, Snapshot

T = TypeVar("T")

PAGE = 200  # decisions read at once


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, in process time."""

    time: datetime
    plant: str
    batch: str
    kind: str
    text: str


class History(ReadFile):
    """The historian's read side: what is asked of its file and of its archive."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self._archive = archive.ArchiveReader(self.path.parent)

    def close(self) -> None:
        """Close the file, and let go of the archive."""
        super().close()
        self._archive.close()

    def last_decision(self, plant: str, batch: str | None = None) -> Decision | None:
        """The decision that was recorded last, of this batch or of any."""
        newest = "SELECT max(id) FROM decision WHERE plant = ? AND batch = coalesce(?, batch)"
        rows = self._rows(f"{_DECISIONS} WHERE id = ({newest})", plant, batch)
        return self._whole(rows)[0] if rows else None

    def decisions(self, plant: str, batch: str, since: datetime | None = None) -> list[Decision]:
        """The decisions of a batch from `since` on, in the order in which they were recorded."""
        return self._whole(self._rows(f"{_DECISIONS} {_OF_BATCH}", plant, batch, _since(since)))

    def scan_times(self, plant: str, batch: str, since: datetime | None = None) -> list[datetime]:
        """When the scans of a batch from `since` on were taken (process time), in the order of recording."""
        rows = self._rows(f"SELECT t_us FROM decision {_OF_BATCH}", plant, batch, _since(since))
        return [from_us(t_us) for (t_us,) in rows]

    def snapshots(self, plant: str, batch: str, since: datetime | None = None) -> list[Snapshot]:
        """What was read in a batch from `since` on, in the order in which it was recorded."""
        rows = self._rows(f"SELECT body FROM decision {_OF_BATCH}", plant, batch, _since(since))
        return [self._decoded(decode_snapshot, body) for (body,) in rows]

    def numbered(
        self, plant: str, first: int = 1, last: int | None = None, batch: str | None = None
    ) -> Iterator[tuple[int, Decision]]:
        """The decisions from number `first` to `last` with their numbers, a page at a time, of this batch or of any."""
        while True:
            rows = self._rows(
                "SELECT id, body, baseline, proposed FROM decision WHERE id BETWEEN ? AND ? AND plant = ?"
                " AND batch = coalesce(?, batch) ORDER BY id LIMIT ?",
                first, 2**62 if last is None else last, plant, batch, PAGE,
            )  # fmt: skip
            yield from zip((row[0] for row in rows), self._whole([row[1:] for row in rows]), strict=True)
            if len(rows) < PAGE:
                return
            first = rows[-1][0] + 1

    def numbers(self, plant: str, batch: str | None = None) -> tuple[int, int] | None:
        """The numbers of the first and the last decision, of this batch or of any; None when there is none."""
        query = "SELECT min(id), max(id) FROM decision WHERE plant = ? AND batch = coalesce(?, batch)"
        [(first, last)] = self._rows(query, plant, batch)
        return None if first is None else (first, last)

    def number_at(self, plant: str, batch: str, at: datetime) -> int | None:
        """The number of the batch's last decision at or before this process time; None when there is none."""
        rows = self._rows(
            "SELECT id FROM decision WHERE plant = ? AND batch = ? AND t_us <= ? ORDER BY t_us DESC, id DESC LIMIT 1",
            plant, batch, to_us(at),
        )  # fmt: skip
        return rows[0][0] if rows else None

    def sessions(self, plant: str) -> list[tuple[int, Session]]:
        """What the loop began with, each time it was started, and the number of the decision before; oldest first."""
        rows = self._rows("SELECT after, body FROM session WHERE plant = ? ORDER BY id", plant)
        return [(after, self._decoded(_session, body)) for after, body in rows]

    def checkpoint(self, plant: str, before: int, after: int) -> tuple[int, Checkpoint] | None:
        """The newest checkpoint of a decision numbered above `after` and below `before`, with its number."""
        rows = self._rows(
            "SELECT checkpoint.id, checkpoint.body FROM checkpoint JOIN decision ON decision.id = checkpoint.id"
            " WHERE plant = ? AND checkpoint.id > ? AND checkpoint.id < ? ORDER BY checkpoint.id DESC LIMIT 1",
            plant, after, before,
        )  # fmt: skip
        return (rows[0][0], self._decoded(_checkpoint, rows[0][1])) if rows else None

    def audited(self, plant: str, batch: str | None = None, limit: int = 1000) -> list[AuditEntry]:
        """The audit trail's newest entries, at most `limit`, oldest first."""
        rows = self._rows(
            "SELECT t_us, plant, batch, who, what, old, new, reason FROM audit WHERE plant = ?"
            " AND batch = coalesce(?, batch) ORDER BY id DESC LIMIT ?",
            plant, batch, limit,
        )  # fmt: skip
        return [AuditEntry(from_us(t_us), *rest) for t_us, *rest in reversed(rows)]

    def chain_head(self) -> tuple[int, str]:
        """How many rows the hash chain vouches for, and its last hash."""
        with self.snapshot() as db:
            return chain.end(db)

    def chain_since(self, head: str) -> int:
        """How many rows were linked after the link of this hash; 0 too when there is none, which is a fault."""
        query = "SELECT count(*) FROM link WHERE id > (SELECT id FROM link WHERE hash = ?)"
        return int(self.one(query, head)[0])

    def chain_faults(self, head: str | None = None) -> list[str]:
        """What is not as it was recorded, a sentence for each row; `head` is a last hash as it was kept elsewhere.

        The anchors beside the file are looked at as well.
        """
        kept = [*anchors.kept(self.path), *([] if head is None else [head])]  # read before, so that none is newer
        with self.snapshot() as db:
            return list(integrity.faults(db, self.path, kept))

    def _decoded(self, decoder: Callable[[bytes], T], body: bytes) -> T:
        try:
            return decoder(expand(body))
        except (zlib.error, ValueError) as error:  # pydantic's and json's are ValueErrors
            raise HistorianFault(self.path, f"holds a record that cannot be read ({error})", DAMAGE_MEND) from error

    def _whole(self, rows: list[Any]) -> list[Decision]:
        """Decisions with their forecasts put back; turns that share a forecast share the object again."""
        forecasts: dict[int, Forecast] = {}
        found = []
        for body, baseline, proposed in rows:
            for key in (baseline, proposed):
                if key is not None and key not in forecasts:
                    [(stored,)] = self._rows("SELECT body FROM forecast WHERE id = ?", key)
                    forecasts[key] = self._decoded(_forecast, stored)
            decision = self._decoded(decode, body)
            found.append(replace(decision, baseline=forecasts.get(baseline), proposed=forecasts.get(proposed)))
        return found

    def core_state(self, plant: str) -> Mapping[str, Any] | None:
        """What NeuroCore had learned when it was last stored, as JSON values."""
        rows = self._rows("SELECT body FROM core_state WHERE plant = ?", plant)
        if not rows:
            return None
        return self._decoded(_state, rows[0][0])

    def events(
        self,
        plant: str | None = None,
        batch: str | None = None,
        since: datetime | None = None,
        limit: int = 1000,
        kinds: Sequence[str] = (),
    ) -> list[Event]:
        """The newest events, at most `limit`, oldest first; with `kinds` only such."""
        of_kind = f" AND kind IN ({', '.join('?' * len(kinds))})" if kinds else ""
        rows = self._rows(
            "SELECT t_us, plant, batch, kind, text FROM event WHERE plant = coalesce(?, plant)"
            f" AND batch = coalesce(?, batch) AND t_us >= ?{of_kind} ORDER BY id DESC LIMIT ?",
            plant, batch, _since(since), *kinds, limit,
        )  # fmt: skip
        return [Event(from_us(t_us), *rest) for t_us, *rest in reversed(rows)]

    def assays(self, plant: str, batch: str) -> list[Assay]:
        """The laboratory results of a batch, by sampling time."""
        rows = self._rows(
            "SELECT variable, value, unit, sampled_us, reported_us, quality FROM assay"
            " WHERE plant = ? AND batch = ? ORDER BY sampled_us, variable, reported_us",
            plant, batch,
        )  # fmt: skip
        return [
            Assay(name, math.nan if value is None else value, unit, from_us(drawn), from_us(told), Quality(quality))
            for name, value, unit, drawn, told, quality in rows
        ]

    def gaps(
        self, plant: str | None = None, batch: str | None = None, since: datetime | None = None, limit: int = 1000
    ) -> list[Gap]:
        """The ledger's newest entries that reach beyond `since`, at most `limit`, oldest first."""
        rows = self._rows(GAPS, plant, batch, _FAR, _since(since), limit)
        return [gap_of(row) for row in reversed(rows)]

    def batches(self, plant: str) -> list[str]:
        """The batches of this plant, oldest first."""
        rows = self._rows("SELECT batch FROM decision WHERE plant = ? GROUP BY batch ORDER BY min(id)", plant)
        return [batch for (batch,) in rows]

    def trend(
        self,
        plant: str,
        batch: str,
        series: list[str],
        start: datetime | None = None,
        end: datetime | None = None,
        buckets: int | None = None,
    ) -> dict[str, list[Bucket]]:
        """By series, at most about `buckets` groups of samples between `start` and `end`; None: every sample.

        Wide buckets come from the roll-ups, and days that have gone to the archive from there; the longest span is
        as quick as a short one. Gaps stay gaps: a missing value is None, and where a series with buckets was silent
        for longer than trends.GAP_STEPS usual steps there is one Bucket without values. An unknown series is empty.
        """
        if buckets is not None and buckets < 1:
            raise ValueError(f"a trend needs at least one bucket, not {buckets}")
        first, last = (None if time is None else to_ms(time) for time in (start, end))
        with self.snapshot() as db:
            return trends.trend(db, self._archive, (plant, batch), series, (first, last), buckets)

    def counts(self) -> int:
        """How many rows are stored: decisions, samples (archived ones among them), assays and events."""
        records = sum(int(self.one(f"SELECT count(*) FROM {table}")[0]) for table in ("decision", "assay", "event"))
        return records + self.samples()

    def samples(self) -> int:
        """How many samples are stored, live or archived."""
        live = "SELECT coalesce(sum(size), 0) FROM scan JOIN layout ON layout.id = scan.layout"
        away = (
            "SELECT coalesce(sum(size * scans), 0) FROM archived JOIN layout ON layout.id = archived.layout"
            " WHERE pruned_ms >= (day + 1) * 86400000"
        )
        return int(self.one(live)[0]) + int(self.one(away)[0])

    def span(self) -> tuple[int | None, int | None]:
        """The times of the first and last live scan, in milliseconds since 1970."""
        with self.snapshot() as db:
            found = [scans.ends(db, layout) for (layout,) in db.execute("SELECT id FROM layout").fetchall()]
        lows, highs = [low for low, _ in found if low is not None], [high for _, high in found if high is not None]
        return min(lows, default=None), max(highs, default=None)

    def damaged_archive(self) -> list[str]:
        """The archived files that are missing or changed; reads them all."""
        with self.snapshot() as db:
            return archiving.damaged(self.path, db)

    def outbox_pending(self) -> int | None:
        """How many rows wait for InfluxDB; None when nothing was ever queued for it."""
        with self.snapshot() as db:
            if not db.execute("SELECT 1 FROM sqlite_sequence WHERE name = 'outbox'").fetchone():
                return None
            return outbox.pending(db)


_FAR = 2**62  # microseconds: before and after every time
_DECISIONS = "SELECT body, baseline, proposed FROM decision"
_OF_BATCH = "WHERE plant = ? AND batch = ? AND t_us >= ? ORDER BY id"


def _since(time: datetime | None) -> int:
    return -_FAR if time is None else to_us(time)


def _forecast(data: bytes) -> Forecast:
    return decode_as(Forecast, data)


def _session(data: bytes) -> Session:
    return decode_as(Session, data)


def _checkpoint(data: bytes) -> Checkpoint:
    return decode_as(Checkpoint, data)


def _state(data: bytes) -> Mapping[str, Any]:
    state: Mapping[str, Any] = json.loads(data)
    return state
