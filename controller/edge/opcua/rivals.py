"""Controller arbitration by heartbeat: who sees one that is not its own gives way, unless it was there first.

Nothing but the heartbeat tag is needed, so this works at any plant; one that grants a claim (`claim`) decides better.
A newcomer whose beats are overwritten writes nothing and beats no more, until the other one has been silent for a whole
lease. Who was there first goes on beating, and holds its writes for the scan in which it saw the newcomer. A command
waits until the heartbeat was watched for a scan, and the heartbeat is looked at again just before each write.

A gateway may show a beat late. So any of our last beats, and what stood there before them, is nobody else's.
"""

from __future__ import annotations

import secrets
from collections import deque
from datetime import datetime, timedelta

BEATS = 2**15  # the heartbeat wraps here, so that it fits every integer type
KNOWN = 64  # values of the heartbeat that are remembered as nobody else's (design)
SENIOR = 2  # beats that were still ours a scan later, after which a newcomer gives way to us (design)
LOOKS_ON = (
    "another controller is at work at this plant, since the heartbeat goes on without us: this one only looks on; "
    "end the other one first, or leave it the plant"
)
UNWATCHED = "the plant grants no claim, so its heartbeat is watched for a scan, in case another controller is at work"
UNREADABLE = "the heartbeat cannot be read, so it is not known whether another controller is at work"
DISPUTED = "another controller has begun to beat at this plant: nothing is written in this scan"


class Heartbeat:
    """What was beaten, by whom."""

    def __init__(self, lease_s: float) -> None:
        self._lease = timedelta(seconds=lease_s)
        self._known: deque[int] = deque(maxlen=KNOWN)  # what we beat, and what stood there before
        self._found: int | None = None  # the first value on this link
        self._last: int | None = None  # the newest value
        self._beaten = False  # have we beaten since the last scan?
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
        if not _is_beat(held):
            return UNREADABLE
        self._disputed = self._disputed or (self._found is not None and held not in self._known)
        return self.rival

    @property
    def gives_way(self) -> bool:
        """Must this controller be silent?"""
        return self._gives_way

    def anew(self) -> None:
        """The link is new: a plant that was restarted may hold an older value, which proves nothing."""
        self._found, self._beaten, self._watched, self._kept = None, False, 0, 0

    def seen(self, held: object, now: datetime) -> None:
        """The plant holds this value at a scan."""
        self._disputed = False
        if not isinstance(held, int) or not _is_beat(held):
            return
        self._watched += self._found is not None
        if held not in self._known:
            if self._found is not None:
                self._foreign, self._disputed = now, True
                self._gives_way = self._gives_way or self._kept < SENIOR
            self._known.append(held)
            self._last = held
        elif self._beaten and held != self._found:
            self._kept += 1
        if self._found is None:
            self._found = held
        if self._gives_way and self._foreign is not None and now - self._foreign > self._lease:
            self._gives_way, self._kept = False, 0
        self._beaten = False

    def next(self) -> int:
        """The value to beat now. The first one is a leap, so that two controllers never beat the same."""
        step = 1 if self._begun else 2 + secrets.randbelow(BEATS // 4)
        return ((self._last or 0) + step) % BEATS

    def beaten(self, value: int) -> None:
        """The plant took this beat."""
        self._last, self._beaten, self._begun = value, True, True
        self._known.append(value)


def _is_beat(held: object) -> bool:
    return isinstance(held, int) and not isinstance(held, bool)
