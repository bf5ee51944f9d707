"""Anchors of the hash chain: its last hash, put by itself where a change of the historian's file does not reach.

A line goes to a text file beside the historian, and a field to InfluxDB: at each start, once a day, and whenever a
batch begins or ends. The file is only ever appended to. Who may write it could change it too: copy it to where they
cannot, and the copy vouches for all that was recorded up to its last line.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import structlog

from controller.loop.records import Decision

log = structlog.get_logger()
Occasion = tuple[str, str, str]  # the day, the batch, its state


def file_of(path: Path) -> Path:
    """Where the anchors of this historian lie: beside it."""
    return path.with_name(f"{path.stem}-anchors.txt")


def occasion(decision: Decision) -> Occasion:
    """What a new anchor is due for when it changes."""
    state = "" if decision.batch is None else str(decision.batch.state)
    return f"{datetime.now(UTC):%Y-%m-%d}", decision.situation.batch, state


def keep(path: Path, links: int, head: str, batch: str) -> None:
    """Append the last hash; that it cannot be written is told, and costs no turn."""
    line = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {links} {head} {batch!r}\n"
    try:
        descriptor = os.open(file_of(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        log.error("the last hash of the chain was not kept", file=str(file_of(path)), reason=error.strerror)


def kept(path: Path) -> list[str]:
    """The hashes that were kept, oldest first."""
    file = file_of(path)
    lines = file.read_text(errors="replace").splitlines() if file.is_file() else ()
    return [words[2] for words in map(str.split, lines) if len(words) > 2]
