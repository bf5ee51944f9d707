"""Gap ledger keeping: at each scan it is entered since when there were no data, of what, and why.

Everything is called where the historian may be written, and speaks of process time. An outage is entered when it
begins, and taken back when it turns out that no scan was missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from controller.edge.historian import Cause, Historian
from controller.edge.outage_backfill import MISSED_SCANS
from controller.loop.records import Decision
from twin.signals import Quality, Reading

RESTARTED = "; then the controller was started again"


class Absences:
    """The ledger of one plant, from scan to scan."""

    def __init__(self, historian: Historian, plant: str, scan_s: float) -> None:
        self._historian, self._plant, self._scan_s = historian, plant, scan_s
        self._batch = ""
        self._before: datetime | None = None  # the last scan
        self._cause: tuple[Cause, str] | None = None
        self._entered: datetime | None = None  # the start of the outage that is open
        self._bad: dict[str, datetime] = {}  # since when, by variable

    def resumed(self, batch: str, last: datetime) -> None:
        """The controller was away since the last scan of this batch, or the plant before it."""
        self._batch, self._before = batch, last
        self._cause = (Cause.CONTROLLER_DOWN, "no controller was running")
        for gap in self._historian.gaps(self._plant, batch):
            if gap.end is None and gap.variable:
                self._bad[gap.variable] = gap.start
            elif gap.end is None:
                self._entered, self._before = gap.start, gap.start
                self._cause = (gap.cause, gap.text + RESTARTED)

    def lost(self, why: str) -> None:
        """The plant is out of reach."""
        if self._before is None or self._entered is not None:
            return
        self._cause, self._entered = (Cause.LINK_DOWN, why), self._before
        self._historian.gap(self._plant, self._batch, self._before, None, *self._cause)

    def stalled(self, why: str) -> None:
        """The plant answers, but its time stands still."""
        if self._cause is None:
            self._cause = (Cause.PLANT_STOPPED, why)

    def seen(self, decision: Decision) -> None:
        """A scan is in: close what it ends, and enter what it shows to have been missed."""
        now = decision.time
        if self._before is not None:
            self._close(self._before, now)
        self._sensors(decision.situation.batch, now, decision.snapshot.readings)
        self._batch, self._before = decision.situation.batch, now
        self._cause, self._entered = None, None

    def _close(self, before: datetime, now: datetime) -> None:
        missed = (now - before).total_seconds() > MISSED_SCANS * self._scan_s
        if missed:
            cause, text = self._cause or (Cause.CONTROLLER_LATE, "the controller did not come round to a scan")
            self._historian.gap(self._plant, self._batch, before, now, cause, text)
        elif self._entered is not None:
            self._historian.no_gap(self._plant, self._batch, self._entered)

    def _sensors(self, batch: str, now: datetime, readings: Mapping[str, Reading]) -> None:
        for name, start in list(self._bad.items()):
            reading = readings.get(name)
            if batch != self._batch or (reading is not None and reading.quality is not Quality.BAD):
                self._historian.gap(self._plant, self._batch, start, now, Cause.SENSOR_BAD, variable=name)
                del self._bad[name]
        for name, reading in readings.items():
            if reading.quality is Quality.BAD and name not in self._bad:
                self._bad[name] = now
                self._historian.gap(self._plant, batch, now, None, Cause.SENSOR_BAD, reading.reason, name)
