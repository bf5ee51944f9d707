"""Alarms: what each is about, when it speaks, what to do then, and who is told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, Strict, model_validator
from pydantic.dataclasses import dataclass

from controller.loop.alarm_records import Priority
from controller.loop.alarms import Definition, Kind
from controller.support.words import instead
from controller.tables.values import (
    STRICT,
    UNITS,
    Flag,
    Name,
    Number,
    Positive,
    Text,
    alike,
    readable,
    require,
)

LIMITED = (Kind.HIGH, Kind.LOW, Kind.RATE, Kind.DEVIATION, Kind.PREDICTED_HIGH, Kind.PREDICTED_LOW)
FAMILIES = {
    Kind.HIGH: ("process", "setpoint", "estimate", "neurocore", "batch"),
    Kind.LOW: ("process", "setpoint", "estimate", "neurocore", "batch"),
    Kind.RATE: ("process", "setpoint", "estimate", "neurocore", "batch"),
    Kind.DEVIATION: ("process", "estimate", "batch"),
    Kind.BAD: ("process",),
    Kind.FROZEN: ("process",),
    Kind.PREDICTED_HIGH: ("forecast",),
    Kind.PREDICTED_LOW: ("forecast",),
    Kind.CONDITION: ("loop", "diagnosis"),
}
NotNegative = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, config=STRICT)
class AlarmTable:
    """[[alarm]]: one alarm with its consequence and the operator's response; times are process time."""

    name: Name
    text: Text
    signal: Annotated[str, Field(pattern=r"^[a-z]+\.[a-z][a-z0-9_]*$")]
    kind: Kind
    priority: Priority
    consequence: Text
    response: Text
    unit: str = ""
    limit: Number | None = None
    deadband: NotNegative = 0.0
    on_delay_s: NotNegative = 0.0
    off_delay_s: NotNegative = 0.0
    within_min: Positive | None = None  # time to respond
    latched: Flag = False
    phases: tuple[Text, ...] = ()  # suppressed by design outside of these phases
    unless: tuple[Name, ...] = ()  # suppressed by design while one of these alarms is active
    of: str = ""  # the signal that a deviation is measured from
    probability: Annotated[float, Strict(), Field(ge=0.5, le=0.975)] = 0.8
    horizon_h: Positive = 12.0

    @model_validator(mode="after")
    def _sound(self) -> AlarmTable:
        family = self.signal.partition(".")[0]
        allowed = FAMILIES[self.kind]
        require(family in allowed, f"kind {self.kind} judges {' or '.join(allowed)}, and signal is {self.signal!r}")
        require((self.limit is not None) == (self.kind in LIMITED), f"kind {self.kind} {self._needs()}")
        require((self.of != "") == (self.kind is Kind.DEVIATION), "of belongs to a deviation, and a deviation needs it")
        require(self.unit in ("", *UNITS), f"unit {self.unit!r} is not known{instead(self.unit, UNITS)}")
        require(self.kind is not Kind.FROZEN or self.on_delay_s > 0, "a frozen signal needs on_delay_s; add it")
        require(self.name not in self.unless, "unless names the alarm itself; remove it")
        return self

    def definition(self) -> Definition:
        """The alarm as it is judged, its times as durations."""
        durations = {
            "on_delay": timedelta(seconds=self.on_delay_s),
            "off_delay": timedelta(seconds=self.off_delay_s),
            "within": None if self.within_min is None else timedelta(minutes=self.within_min),
            "horizon": timedelta(hours=self.horizon_h),
        }
        return Definition(**alike(self, Definition) | durations | {"limit": self.limit or 0.0})

    def _needs(self) -> str:
        return "needs a limit; add it" if self.kind in LIMITED else "takes no limit; remove it"


@dataclass(frozen=True, config=STRICT)
class AlarmsTable:
    """[alarms]: what holds for all of them; `file` holds more [[alarm]] tables beside those of the configuration."""

    file: Path | None = None
    shelve_at_most_h: Positive = 8.0
    flood_per_10_min: Annotated[int, Strict(), Field(ge=1)] = 10
    chattering_per_hour: Annotated[int, Strict(), Field(ge=2)] = 3


@dataclass(frozen=True, config=STRICT)
class NotificationTable:
    """[notification]: who is told of an alarm. The addresses are apprise URLs, one a line; they may hold secrets."""

    url_file: Path
    least_priority: Literal["critical", "high", "medium", "low"] = "high"
    timeout_s: Positive = 10.0  # wall seconds

    @model_validator(mode="after")
    def _readable(self) -> NotificationTable:
        readable("url_file", self.url_file)
        require(bool(self.urls()), f"url_file {str(self.url_file)!r} holds no address; write one apprise URL a line")
        for number, url in enumerate(self.urls(), 1):
            require(bool(urlsplit(url).scheme), f"url_file, address {number}: it has no scheme such as mailto://")
        return self

    def urls(self) -> tuple[str, ...]:
        """The addresses; lines that are empty or begin with # are left out."""
        lines = self.url_file.read_text(encoding="utf-8").splitlines()
        return tuple(line.strip() for line in lines if line.strip() and not line.strip().startswith("#"))
