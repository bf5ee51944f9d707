"""Forwarding status: who answers there, how far the outbox is, and what never got there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from urllib3.exceptions import HTTPError

from controller.edge.historian import outbox
from controller.edge.historian.history import History
from controller.edge.historian.times import from_us
from controller.edge.influx.sender import Wire

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Dropped:
    """Rows that a full outbox had to drop, in process time."""

    start: str
    end: str
    rows: int
    reason: str


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """How the forwarding of one historian stands."""

    server: str  # "" when nobody answers
    trouble: str
    position: int  # the newest acknowledged row
    newest: int  # the newest row that was queued
    pending: int
    lag_s: float | None  # wall seconds that the oldest waiting row waits
    dead_letters: int
    last_refusal: str
    dropped: list[Dropped]


def standing(path: Path, url: str, org: str, token: str) -> OutboxStatus:
    """Look at the outbox, which may be in use, and ask the server who it is."""
    server, trouble = _server(url, org, token)
    with History(path) as history:
        with history.snapshot() as db:
            position, pending, lag_s = outbox.position(db), outbox.pending(db), outbox.oldest_age_s(db)
            (newest,) = db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
            (dead,) = db.execute("SELECT count(*) FROM dead_letter").fetchone()
            refused = db.execute("SELECT answer FROM dead_letter ORDER BY id DESC LIMIT 1").fetchone()
            rows = db.execute(
                "SELECT first_ms, last_ms, last_id - first_id + 1, reason FROM dropped ORDER BY 1"
            ).fetchall()
    return OutboxStatus(
        server=server,
        trouble=trouble,
        position=position,
        newest=int(newest),
        pending=pending,
        lag_s=lag_s,
        dead_letters=int(dead),
        last_refusal=refused[0] if refused else "",
        dropped=[Dropped(_told(first), _told(last), count, reason) for first, last, count, reason in rows],
    )


def _server(url: str, org: str, token: str) -> tuple[str, str]:
    wire = Wire(url, org, token, TIMEOUT_S)
    try:
        found = wire.server()
    except (HTTPError, OSError) as error:
        return "", f"{wire.address} does not answer: {wire.safe(error)}"
    finally:
        wire.close()
    return f"{found.kind} {found.version}".strip(), ""


def _told(t_ms: int) -> str:
    return from_us(1000 * t_ms).isoformat()
