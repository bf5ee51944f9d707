"""The audit trail as JSON lines, a hash chain: each line holds its own SHA-256 and that of the line before it.

A row that was altered, left out, put in or moved is found by `verify`; rows that are missing at the end, and a chain
that was made anew from some row on, are found by comparing with the hash of the last row, which is to be kept
elsewhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from controller.support.hash_chain import FIRST, canonical, digest


def appended(lines: tuple[str, ...], kind: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    """The chain with one more row, such as a clinician's answer or what was observed later."""
    row = {"sequence": len(lines), "kind": kind, **_finite(body), "previous": head(lines)}
    return (*lines, canonical({**row, "hash": digest(row)}))


def head(lines: Sequence[str]) -> str:
    """The hash of the last row: keep it elsewhere, and a chain made anew is found too."""
    return str(json.loads(lines[-1])["hash"]) if lines else FIRST


def verify(lines: Sequence[str], expected_head: str | None = None) -> list[str]:
    """What is wrong with the chain, a sentence for each row at fault; none when it is whole."""
    faults, previous, sequence = [], FIRST, -1
    for number, line in enumerate(lines):
        row = _row(line)
        if row is None:
            faults.append(f"row {number} is no JSON object with a hash")
            previous, sequence = "", sequence + 1
            continue
        told = row.pop("hash")
        if told != digest(row) or line.strip() != canonical({**row, "hash": told}):
            faults.append(f"row {number} was altered: its hash is not that of its content")
        if row.get("previous") != previous or row.get("sequence") != sequence + 1:
            faults.append(f"row {number} does not follow the row before it: one was altered, left out, put in or moved")
        previous = told
        sequence = row["sequence"] if isinstance(row.get("sequence"), int) else sequence + 1
    if expected_head is not None and previous != expected_head:
        faults.append(f"the last row is not the one that was kept: {previous[:12]} instead of {expected_head[:12]}")
    return faults


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("hash"), str) else None


def _finite(value: Any) -> Any:
    """Plain JSON: no NaN, no infinities, times as ISO text."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    return value / timedelta(hours=1) if isinstance(value, timedelta) else value
