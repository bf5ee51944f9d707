"""`neurotwin bench historian`: what 100 tags at a scan a second cost, live, in the archive and on the wire.

The tags are noisy random walks rounded to 0.01, which is what an instrument of four digits reports; numbers of full
precision would take more of the archive and the same of everything else.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from controller.bench.local_server import local_server
from controller.bench.turns import decision
from controller.edge.historian import Historian, outbox
from controller.edge.historian.archiving import archive_days
from controller.edge.historian.database import open_writer, transaction
from controller.edge.historian.lineprotocol import line
from controller.edge.historian.wire import encode, shrink
from controller.edge.influx import Forwarder

TAGS, SCANS_A_DAY, HOUR = 100, 86_400, 3600
START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = [f"process.tag_{i:03d}" for i in range(TAGS)]
TRENDED, BUCKETS = 8, 1000
COMMITS, TURNS, TRENDS = 2000, 200, 11
POINTS, POINTS_A_ROW = 1_000_000, 100

Say = Callable[[str], None]


def historian(say: Say, quick: bool) -> dict[str, Any]:
    """Every figure, of seven days; `quick` takes one hour of them, and its figures mean little."""
    scans = HOUR if quick else 7 * SCANS_A_DAY
    with _folder() as folder:
        path = folder / "bench.sqlite"
        with Historian(path) as opened:
            found: dict[str, Any] = {"tags": TAGS, "scans": scans, "rows": scans * TAGS}
            found |= _bulk(opened, scans, say)
            found |= _commits(opened, scans, say)
            found |= _turns(opened, say)
            found |= _trends(opened, scans, say)
        found["live_mb"] = _megabytes(path)
        found |= _archived(path, say)
        found |= _sent(folder, POINTS // 20 if quick else POINTS, say)
    return found


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="neurotwin-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _walks(scans: int) -> Iterator[npt.NDArray[np.float64]]:
    """An hour of values at a time."""
    chance = np.random.default_rng(0)
    level = chance.uniform(10, 90, TAGS)
    for _ in range(0, scans, HOUR):
        walk = level + np.cumsum(chance.normal(0, 0.01, (HOUR, TAGS)), axis=0)
        level = walk[-1]
        yield np.round(walk + chance.normal(0, 0.03, walk.shape), 2)


def _bulk(historian: Historian, scans: int, say: Say) -> dict[str, Any]:
    """Hours at a time, roll-ups among it."""
    spent_s, good = 0.0, np.zeros((HOUR, TAGS), np.int64)
    for hour, values in enumerate(_walks(scans)):
        times = [_ms(HOUR * hour + i) for i in range(HOUR)]
        began = time.perf_counter()
        historian.scans("R1", "B1", NAMES, times, values, good)
        spent_s += time.perf_counter() - began
        if hour % 24 == 0:
            say(f"stored {hour} of {scans // HOUR} h")
    return {"bulk_samples_per_s": scans * TAGS / spent_s}


def _commits(historian: Historian, scans: int, say: Say) -> dict[str, Any]:
    """One scan a transaction, after all that is there already."""
    say("committing scan by scan")
    chance = np.random.default_rng(1)
    spent_ms = []
    for i in range(COMMITS):
        values = np.round(chance.normal(50, 1, (1, TAGS)), 2)
        began = time.perf_counter()
        historian.scans("R1", "B1", NAMES, [_ms(scans + i)], values, np.zeros((1, TAGS), np.int64))
        spent_ms.append(1000 * (time.perf_counter() - began))
    return {"commit_p50": statistics.median(spent_ms), "commit_p99": float(np.quantile(spent_ms, 0.99))}


def _turns(historian: Historian, say: Say) -> dict[str, Any]:
    """Whole decisions with as many readings: estimate, insight and verdict are recorded with them."""
    say("recording decisions")
    spent_ms, sizes = [], []
    for i in range(TURNS):
        made = decision(START + timedelta(seconds=i), TAGS)
        began = time.perf_counter()
        historian.record(made)
        spent_ms.append(1000 * (time.perf_counter() - began))
        sizes.append(len(shrink(encode(made))))
    return {"record_p50": statistics.median(spent_ms), "decision_bytes_p50": statistics.median(sizes)}


def _trends(historian: Historian, scans: int, say: Say) -> dict[str, Any]:
    """The whole span, a day and an hour, from a reader of its own as the gateway has one."""
    say("reading trends")
    end = START + timedelta(seconds=scans)
    spans = {"trend_ms": scans, "trend_day_ms": min(scans, SCANS_A_DAY), "trend_hour_ms": HOUR}
    with Historian.reader(historian.path) as reader:

        def spent_ms(tags: int, seconds: int) -> float:
            began = time.perf_counter()
            rows = reader.trend("R1", "B1", NAMES[:tags], end - timedelta(seconds=seconds), end, BUCKETS)
            ended = time.perf_counter()
            if min(map(len, rows.values())) < min(seconds, BUCKETS) / 4:
                raise RuntimeError("a trend of the bench is not what it should be")
            return 1000 * (ended - began)

        found = {name: statistics.median(spent_ms(TRENDED, s) for _ in range(TRENDS)) for name, s in spans.items()}
        found["trend_20_tags_ms"] = statistics.median(spent_ms(20, scans) for _ in range(TRENDS))
    return found


def _archived(path: Path, say: Say) -> dict[str, Any]:
    """Finished days in Parquet; then one of them is read back, once all others have left the live file."""
    say("archiving")
    began = time.perf_counter()
    done = archive_days(path, raw_days=1)
    spent_s = time.perf_counter() - began
    found: dict[str, Any] = {"archived_mb": done.megabytes, "archive_samples_per_s": done.scans * TAGS / spent_s}
    if done.pruned_scans:
        with Historian.reader(path) as reader:
            noon = START + timedelta(hours=12)
            spans = [(noon + timedelta(hours=i), noon + timedelta(hours=i + 1)) for i in range(4)]
            spent = []
            for span in spans:
                began = time.perf_counter()
                rows = reader.trend("R1", "B1", NAMES[:TRENDED], *span, BUCKETS)
                spent.append(1000 * (time.perf_counter() - began))
                if len(rows[NAMES[0]]) < BUCKETS / 2:
                    raise RuntimeError("the archive does not hold what was put there")
            found["trend_archived_hour_ms"] = statistics.median(spent)
    return found


def _sent(folder: Path, points: int, say: Say) -> dict[str, Any]:
    """The outbox to a local server; rows of one scan each, as a turn queues them."""
    path = folder / "outbox.sqlite"
    values = np.round(np.random.default_rng(2).normal(50, 1, TAGS), 2).tolist()
    rows = points // POINTS_A_ROW
    with Historian(path, outbox=True), local_server(folder) as server:
        if server is None:
            return {"outbox_points_per_s": None, "outbox_server": "none was found (apt-get install victoria-metrics)"}
        say(f"forwarding {points} points to {server.name}")
        with closing(open_writer(path)) as db, transaction(db):
            fields = {f"tag_{i:03d}": value for i, value in enumerate(values)}
            for i in range(rows):
                outbox.put(db, line("process", "R1", "B1", fields, 10**6 * _ms(i)), 1000 * _ms(i))
        with Forwarder(path, server.url, "", "bench", "") as forwarder:
            began = time.perf_counter()
            while forwarder.status().pending:
                time.sleep(0.01)
            spent_s = time.perf_counter() - began
        return {
            "outbox_points_per_s": points / spent_s,
            "outbox_server": server.name,
            "outbox_stored": server.points(points),
        }


def _megabytes(path: Path) -> float:
    return sum(part.stat().st_size for part in path.parent.glob(path.name + "*")) / 1e6


def _ms(second: int) -> int:
    return int(START.timestamp() * 1000) + 1000 * second
