"""Scan scheduling: when the next turn is due by the plant's time, and whether that time stands still.

Process time comes from the plant. The wall clock only says how old the last scan is.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from controller.edge.opcua import Scan
from controller.tables import ConnectionTable

EARLY = 0.999  # of a scan period: a plant's own clock may round (design)
STALLED_SCANS = 5.0  # scan periods by the wall without a step of process time (design)


class ScanClock:
    """Remembers the last turn; before the first one, a scan is always due."""

    def __init__(self, connection: ConnectionTable) -> None:
        self._connection = connection
        self._scan_s = connection.scan_s
        self._seen: datetime | None = None  # process time of the last scan, as the plant said it
        self._turned: datetime | None = None  # and as the loop believed it
        self.scanned_at: datetime | None = None  # wall time (UTC) of the last scan
        self.period_s: float | None = None  # wall seconds between the last two scans

    @property
    def started(self) -> bool:
        """Has a turn been taken?"""
        return self._turned is not None

    def turned(self, seen: datetime, believed: datetime) -> None:
        """A turn was taken on a scan at this process time."""
        now = datetime.now(UTC)
        if self.scanned_at is not None:
            self.period_s = (now - self.scanned_at).total_seconds()
        self._seen, self._turned, self.scanned_at = seen, believed, now

    def due_at(self) -> datetime | None:
        """The process time of the next turn; None: at once."""
        if self._turned is None or self._connection.lockstep:
            return None
        return self._turned + timedelta(seconds=EARLY * self._scan_s)

    def due(self, time: datetime, asked: bool) -> bool:
        """Is a turn due on a scan at this process time, when somebody has `asked` for something or not?"""
        if self._turned is None:
            return True
        if time == self._seen:
            return False
        age_s = (time - self._turned).total_seconds()
        if age_s < 0:  # its clock went back: each new time is told, until it is believed
            return True
        if asked and age_s > 0:  # who asks is not kept waiting for the next scan
            return True
        return age_s >= EARLY * self._scan_s

    def stalled(self, scan: Scan) -> bool:
        """Does the plant answer while its time stands still?"""
        return scan.stalled_s > STALLED_SCANS * (self.period_s or self._scan_s)
