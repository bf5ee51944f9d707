"""Alarm records from turn to turn: each alarm's state after ISA-18.2, and how busy they keep people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AlarmState(StrEnum):
    """The states of an alarm, after ISA-18.2 and IEC 62682."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"  # the matter stands, and nobody has seen it
    ACKNOWLEDGED = "acknowledged"  # it stands, and somebody has
    RETURNED = "returned"  # it is over before anybody acknowledged it
    LATCHED = "latched"  # over, but it must be acknowledged and reset
    LATCHED_ACKNOWLEDGED = "latched_acknowledged"  # over and acknowledged, but not reset
    SHELVED = "shelved"  # put away by a person for a limited time
    SUPPRESSED = "suppressed"  # by design: of no meaning in this phase, or a consequence of another alarm
    OUT_OF_SERVICE = "out_of_service"  # taken out by a person until put back


class Priority(StrEnum):
    """How soon somebody must respond; diagnostic is for maintenance and asks nothing of an operator."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    DIAGNOSTIC = "diagnostic"


@dataclass(frozen=True, slots=True)
class AlarmRecord:
    """One alarm as it stands."""

    name: str
    state: AlarmState
    since: datetime  # when it came into this state
    active: bool = False  # the matter stands, after its delays
    raised_at: datetime | None = None  # when it was last announced
    text: str = ""  # what the matter is, with the number in it
    value: float | None = None  # what it was last judged by
    value_at: datetime | None = None
    turning_since: datetime | None = None  # its delay runs since then; None: none runs
    until: datetime | None = None  # a shelved alarm comes back then
    by: str = ""  # who acknowledged, shelved or took it out
    reason: str = ""
    announced: tuple[datetime, ...] = ()  # of the last day, the newest last


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """One alarm that changed its state in this turn."""

    name: str
    before: AlarmState
    after: AlarmState
    text: str


@dataclass(frozen=True, slots=True)
class AlarmBook:
    """Every alarm that was ever other than normal, and what changed in this turn."""

    alarms: tuple[AlarmRecord, ...] = ()
    changes: tuple[AlarmChange, ...] = ()

    def find(self, name: str) -> AlarmRecord | None:
        """The record of that alarm; None while it has always been normal."""
        return next((alarm for alarm in self.alarms if alarm.name == name), None)


@dataclass(frozen=True, slots=True)
class AlarmFigures:
    """How busy alarms keep people. A flood is more than a person can answer; a chattering one is worth nothing."""

    last_10_min: int
    peak_10_min: int  # the busiest ten minutes of the last day
    last_day: int
    flood: bool
    chattering: tuple[tuple[str, int], ...]  # alarms announced often within the last hour, the most frequent first
    standing: tuple[str, ...]  # active for longer than a day
