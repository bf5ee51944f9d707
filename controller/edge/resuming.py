"""What a start finds in the historian: results that were used already, and where the batch was left."""

from __future__ import annotations

from datetime import datetime

from controller.edge.historian import Historian
from controller.edge.opcua import Scan
from controller.loop.records import Decision


def assays_seen(historian: Historian, plant: str) -> dict[str, datetime]:
    """When the samples were drawn whose results were already used, so that a restart does not use them twice."""
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
