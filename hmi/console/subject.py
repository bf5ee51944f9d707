"""What is served and how its time is told: a reactor by hours of its batch, a patient by days of a course."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    first=("product", "biomass", "dissolved_oxygen", "feed"),
)
PATIENT = Subject(
    noun="Patient",
    run="Course",
    elapsed="Elapsed time",
    windows={"batch": "Whole course", "168": "7 days", "72": "3 days", "own": "Zoomed"},
    tick_h=24.0,
    each=True,
    first=("neurocore.stability", "stress", "sleep", "mood", "level"),
    in_days=True,
    alarms=False,  # what is urgent is a suggestion
    parts={
        "D": "Distance from a calm day",
        "V": "Swing",
        "N": "Novelty",
        "A": "Early activation",
        "low": "Two samples below 0.50",
        "fall": "Fall of the score",
        "red_flag_mood": "Red flag: mood",
        "red_flag_activation": "Red flag: activation",
        "good_samples": "Complete of the last 4",
        "sleep_fall_h": "Sleep lost in 24 h, h",
        "dose_mg_48h": "Taken in 48 h, mg",
    },
)


def subject(plant: Mapping[str, Any]) -> Subject:
    """What kind of plant this is."""
    return PATIENT if plant["model"] == "patient" else REACTOR
