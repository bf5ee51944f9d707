"""Resuming a batch: what a start finds in the historian, and the session that it begins there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from controller.edge.historian import Historian
from controller.edge.opcua import Scan
from controller.loop.records import Decision
from controller.sessions import Session, configured, versions
from controller.settings import Settings


def assays_seen(historian: Historian, plant: str) -> dict[str, datetime]:
    """When the last sample of each assay of this batch was drawn whose result was recorded."""
    last = historian.last_decision(plant)
    seen: dict[str, datetime] = {}
    for assay in historian.assays(plant, last.situation.batch) if last else ():
        seen[assay.variable] = max(assay.sampled_at, seen.get(assay.variable, assay.sampled_at))
    return seen


def left_at(historian: Historian, plant: str, scan: Scan) -> tuple[Decision | None, int | None]:
    """The last decision of this batch and its number, unless the plant is at an earlier time than that."""
    last, numbers = historian.last_decision(plant, scan.batch), historian.numbers(plant, scan.batch)
    if last is None or numbers is None or last.time > scan.snapshot.time:
        return None, None
    return last, numbers[1]


def beginning(
    settings: Settings, scan: Scan, kind: str, reason: str, number: int | None, state: Mapping[str, Any] | None
) -> Session:
    """The session that begins at this scan, after decision `number`, with what NeuroCore has learned by then."""
    return Session(
        time=scan.snapshot.time,
        plant=settings.plant.name,
        batch=scan.batch,
        kind=kind,
        reason=reason,
        resumed_from=number,
        settings=configured(settings),
        core_state=state,
        versions=versions(),
    )
