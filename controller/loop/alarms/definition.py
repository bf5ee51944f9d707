"""Alarm definition: the matter it watches, how soon it speaks, and what a person is to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from controller.loop.alarm_records import Priority
from twin.records import Forecast
from twin.signals import Reading

NONE = timedelta(0)


class Kind(StrEnum):
    """How an alarm judges its signal."""

    HIGH = "high"  # above the limit
    LOW = "low"
    RATE = "rate"  # changes faster than the limit, either way, per hour
    DEVIATION = "deviation"  # further than the limit from the signal named in `of`
    BAD = "bad"  # a reading that is absent, stale or not good
    FROZEN = "frozen"  # a reading that says the same for as long as the on delay
    PREDICTED_HIGH = "predicted_high"  # the forecast will be above the limit
    PREDICTED_LOW = "predicted_low"
    CONDITION = "condition"  # a sentence that the loop, its edge or a diagnosis says


@dataclass(frozen=True, slots=True)
class Definition:
    """One alarm, rationalised: with its consequence, what to do, and how long there is to do it."""

    name: str
    text: str  # for people, such as "Dissolved oxygen low"
    signal: (
        str  # process.X, setpoint.X, estimate.X, neurocore.X, forecast.X, or the name of a condition such as loop.link
    )
    kind: Kind
    priority: Priority
    consequence: str
    response: str
    unit: str = ""
    limit: float = 0.0
    deadband: float = 0.0  # how far inside the limit the value must come back
    on_delay: timedelta = NONE
    off_delay: timedelta = NONE
    within: timedelta | None = None  # time to respond
    latched: bool = False  # stays until it is acknowledged and reset
    phases: tuple[str, ...] = ()  # suppressed by design outside of these; none: announced in every phase
    unless: tuple[str, ...] = ()  # suppressed by design while one of these alarms is active
    of: str = ""  # the signal that a deviation is measured from
    probability: float = 0.8  # that a forecast must reach
    horizon: timedelta = timedelta(hours=12)  # how far ahead a forecast is looked at


@dataclass(frozen=True, slots=True)
class AlarmRules:
    """What holds for all alarms alike."""

    shelve_at_most: timedelta = timedelta(hours=8)
    flood_per_10_min: int = 10  # more are a flood, after ISA-18.2
    chattering_per_hour: int = 3  # announced so often, an alarm is chattering (design)


@dataclass(frozen=True, slots=True)
class Sight:
    """All that alarms are judged by, at one instant."""

    time: datetime
    phases: tuple[str, ...]  # of the recipe and of the plant
    readings: Mapping[str, Reading]
    numbers: Mapping[str, float] = field(default_factory=dict)  # by signal, such as estimate.biomass
    conditions: Mapping[str, str] = field(default_factory=dict)  # those that hold, by name, each a sentence
    forecast: Forecast | None = None
    max_age_s: Mapping[str, float] = field(default_factory=dict)  # of readings
