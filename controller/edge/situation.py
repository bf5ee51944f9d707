"""Situation: what a scan and the settings say of the plant besides its readings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from types import MappingProxyType

from controller.edge.opcua.scanning import Scan
from controller.loop.records import Intent, Situation
from controller.settings import Settings

NONE: Mapping[str, str] = MappingProxyType({})
UNKNOWN = "batch.unknown"  # the condition that tags about the batch are not good


def situation_of(
    scan: Scan,
    settings: Settings,
    intents: tuple[Intent, ...] = (),
    faults: tuple[str, ...] = (),
    conditions: Mapping[str, str] = NONE,
    unsettled: Collection[str] = (),
) -> Situation:
    """The Situation of this scan; a batch whose start is not known is taken to begin now.

    Of the `unsettled` variables the scan may show still what was in force before the last write: that is not known.
    """
    start = scan.batch_start or scan.snapshot.time
    return Situation(
        batch=scan.batch,
        phase=scan.phase,
        batch_end=start + timedelta(hours=settings.batch.length_h),
        setpoints={name: value for name, value in scan.setpoints.items() if name not in unsettled},
        intents=intents,
        faults=(*faults, *scan.faults),
        local=scan.local,
        conditions={**conditions, **({UNKNOWN: "; ".join(scan.doubts)} if scan.doubts else {})},
        batch_start=scan.batch_start,
    )
