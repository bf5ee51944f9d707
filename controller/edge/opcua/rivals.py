"""Controller arbitration by heartbeat: who sees one that is not its own gives way, unless it was there first.

Nothing but the heartbeat tag is needed, so this works at any plant; one that grants a claim (`claim`) decides better.
A newcomer whose beats are overwritten writes nothing and beats no more, until the other one has been silent for a whole
lease. Who was there first goes on beating, and holds its writes for the scan in which it saw the newcomer. A command
waits until the heartbeat was watched for a scan, and the heartbeat is looked at again just before each write.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

BEATS = 2**15  # the heartbeat wraps here, so that it fits every integer type
SENIOR = 2  # beats that were still ours a scan later, after which a newcomer gives way to us (design)
LOOKS_ON = (
    "another controller is at work at this plant, since the heartbeat goes on without us: this one only looks on; "
    "end the other one first, or leave it the plant"
)
UNWATCHED = "the plant grants no claim, so its heartbeat is watched for a scan, in case another controller is at work"
DISPUTED = "another controller has begun to beat at this plant: nothing is written in this scan"


class Heartbeat:
    """What was beaten, by whom."""

    def __init__(self, lease_s: float) -> None:
        self._lease = timedelta(seconds=lease_s)
        self._last: int | None = None  # the value that the plant should still hold
        self._beaten = False  # was it ours?
        self._begun = False  # have we beaten at all?
        self._kept = 0  # beats of ours that were still there a scan later
        self._foreign: datetime | None = None  # when another one was last seen
        self._gives_way = False
        self._disputed = False
        self._watched = 0  # scans at which the value could be compared with the one before

    @property
    def rival(self) -> str:
        """Why nothing may be written because of another controller, or ""."""
        return LOOKS_ON if self._gives_way else DISPUTED if self._disputed else ""

    @property
    def unwatched(self) -> str:
        """Why it cannot be known yet whether we are alone, or ""."""
        return "" if self._watched else UNWATCHED

    def overtaken(self, held: object) -> str:
        """The plant holds this value just before a write: why nothing may be written, or ""."""
        self._disputed = self._disputed or (self._last is not None and held != self._last)
        return self.rival

    @property
    def gives_way(self) -> bool:
        """Must this controller be silent?"""
        return self._gives_way

    def anew(self) -> None:
        """The link is new: a plant that was restarted may hold an older value, which proves nothing."""
        self._last, self._beaten, self._watched = None, False, 0

    def seen(self, held: object, now: datetime) -> None:
        """The plant holds this value at a scan."""
        self._disputed = False
        if not isinstance(held, int) or isinstance(held, bool):
            return
        self._watched += self._last is not None
        if self._last is not None and held != self._last:
            self._foreign = now
            self._disputed = True
            self._gives_way = self._gives_way or self._kept < SENIOR
        elif self._beaten:
            self._kept += 1
        if self._gives_way and self._foreign is not None and now - self._foreign > self._lease:
            self._gives_way, self._kept = False, 0
        self._last, self._beaten = held, False

    def next(self) -> int:
        """The value to beat now. The first one is a leap, so that two controllers never beat the same."""
        step = 1 if self._begun else 2 + secrets.randbelow(BEATS // 4)
        return ((self._last or 0) + step) % BEATS

    def beaten(self, value: int) -> None:
        """The plant took this beat."""
        self._last, self._beaten, self._begun = value, True, True
