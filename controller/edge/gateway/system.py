"""System health: the state of each part, with a word, a sentence and its figures."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from controller.edge.historian.history import History
from controller.edge.runner import Runner

LATE_MS = 1000.0  # a NeuroCore that takes longer for a scan is said to be slow (design)
PENDING_MANY = 10_000  # rows that wait for InfluxDB from which on that is said (design)
RECENT = 200  # scans whose NeuroCore times are looked at (design)

Part = Mapping[str, Any]


def parts_of(runner: Runner, reader: History) -> Sequence[Part]:
    """Link, loop, historian, outbox, gaps and NeuroCore, in this order."""
    batch = runner.scan.batch if runner.scan else ""
    return [
        _link(runner),
        _loop(runner),
        _historian(reader),
        _outbox(reader, runner.settings.influx is not None),
        _gaps(reader, runner.parts.plant.name, batch),
        _neurocore(runner),
    ]


def part(name: str, state: str, text: str, **facts: object) -> Part:
    """One part: state is "ok", "warn" or "bad"; facts are shown as they are."""
    shown = [{"name": key.replace("_", " "), "value": str(value)} for key, value in facts.items()]
    return {"name": name, "state": state, "text": text, "facts": shown}


def _link(runner: Runner) -> Part:
    endpoint = runner.settings.connection.endpoint
    if runner.outage.text:
        return part("Link to the plant", "bad", f"lost: {runner.outage.text}", endpoint=endpoint)
    told = part("Link to the plant", "ok", "connected", endpoint=endpoint, lease_lapses=runner.counts.lapses)
    return told if runner.scan else {**told, "state": "warn", "text": "connecting: no scan yet"}


def _loop(runner: Runner) -> Part:
    counts = runner.counts
    period = "not known yet" if runner.clock.period_s is None else f"{runner.clock.period_s:.2f} s"
    figures = {
        "scans": counts.scans,
        "between_two_scans": period,
        "commands_written": counts.commands_written,
        "commands_refused": counts.commands_refused,
    }
    return part("Loop", "warn" if runner.notice else "ok", runner.notice or "turning", **figures)


def _historian(reader: History) -> Part:
    size = sum(p.stat().st_size for p in (reader.path, reader.path.with_name(reader.path.name + "-wal")) if p.exists())
    return part("Historian", "ok", "recording", file=reader.path, size=f"{size / 1e6:.1f} MB")


def _outbox(reader: History, wanted: bool) -> Part:
    pending = reader.outbox_pending()
    if not wanted or pending is None:
        return part("InfluxDB", "ok", "not configured: nothing is forwarded")
    state = "warn" if pending > PENDING_MANY else "ok"
    return part("InfluxDB", state, f"{pending} rows wait to be forwarded", waiting=pending)


def _gaps(reader: History, plant: str, batch: str) -> Part:
    gaps = list(reader.gaps(plant, batch))
    if not gaps:
        return part("Data", "ok", "no interval without data in this batch")
    latest = gaps[-1]
    return part(
        "Data",
        "warn",
        f"{len(gaps)} intervals without data in this batch",
        latest_from=_told(latest.start),
        until=_told(latest.end),
        cause=latest.cause,
    )


def _told(time: datetime | None) -> str:
    return "now" if time is None else f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _neurocore(runner: Runner) -> Part:
    times = runner.counts.neurocore_ms[-RECENT:]
    if runner.decision is None or not times:
        return part("NeuroCore", "warn", "no scan yet")
    insight = runner.decision.insight
    typical = statistics.median(times)
    learning = "learned at the last scan" if insight.learned else f"not learned: {insight.why_not}"
    return part(
        "NeuroCore",
        "warn" if typical > LATE_MS else "ok",
        learning,
        backend=insight.backend,
        a_scan_takes=f"{typical:.1f} ms (median of {len(times)})",
    )
