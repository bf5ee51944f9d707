"""Subject: what is served and how its time is told; a reactor by hours of its batch, others as they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hmi.console import words


@dataclass(frozen=True, slots=True)
class Subject:
    """The words and the pace of one kind of plant."""

    noun: str
    run: str  # what a batch is called
    elapsed: str
    windows: Mapping[str, str]  # of the trends: hours, and what the button says
    tick_h: float | None = None  # between two lines of the time axis; None: whatever is round
    each: bool = False  # every sample is a point that is seen
    first: tuple[str, ...] = ()  # what is watched when nobody has chosen
    in_days: bool = False
    alarms: bool = True  # whether there can be any
    vessel: bool = True  # whether there is one to be drawn and moved
    parts: Mapping[str, str] = field(default_factory=dict)  # what the parts of stability are called

    def age(self, hours: float) -> str:
        """The elapsed time for the page's head."""
        if not self.in_days:
            return words.clock(hours)
        day, rest = divmod(hours, 24.0)
        return f"day {day + 1:.0f}, {rest:.0f} h"


REACTOR = Subject(
    noun="Reactor",
    run="Batch",
    elapsed="Elapsed fermentation time",
    windows={"batch": "Whole batch", "48": "48 h", "24": "24 h", "8": "8 h", "own": "Zoomed"},
)


def subject(plant: Mapping[str, Any]) -> Subject:
    """What is served: as it describes itself, else a reactor; it says what is watched first."""
    told = REACTOR if plant["subject"] is None else Subject(**plant["subject"])
    return replace(told, first=tuple(plant["first"]))
