"""The loop: its pace, the limits of what it may do, the gates before it acts by itself, and NeuroCore."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, Strict, model_validator
from pydantic.dataclasses import dataclass

from controller.loop.envelope import Limit
from controller.support.words import instead
from controller.tables.values import (
    STRICT,
    UNITS,
    Number,
    Positive,
    Text,
    Whole,
    alike,
    require,
)


@dataclass(frozen=True, config=STRICT)
class LoopTable:
    """[loop]: how often is planned, and how long words and commands hold (process seconds)."""

    plan_every_s: Positive = 3600.0
    suggestion_valid_s: Positive = 14400.0
    command_valid_s: Positive = 1800.0  # the lease that a command carries
    minimum_gain_percent: Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)] = 0.5
    horizon: Literal["batch end"] = "batch end"


@dataclass(frozen=True, config=STRICT)
class LimitTable:
    """[limits.NAME]: how far and how fast one manipulated variable may be moved, and in which phases."""

    low: Number
    high: Number
    max_step: Positive  # the largest change of one planning
    max_rate_per_h: Positive
    phases: Annotated[tuple[Text, ...], Field(min_length=1)]
    allowance: Positive | None = None  # what one batch may get in all: litres for a feed in L/h
    safe: Literal["low", "high", ""] = ""  # the side to which a hold may move it whatever is not known

    @model_validator(mode="after")
    def _ordered(self) -> LimitTable:
        require(self.low < self.high, f"low {self.low:g} is not below high {self.high:g}; mend the limits")
        return self

    def limit(self, variable: str, unit: str) -> Limit:
        """The limit as safety holds it; without an allowance a batch may get as much as it takes."""
        allowance = math.inf if self.allowance is None else self.allowance
        return Limit(variable, unit, **alike(self, Limit) | {"allowance": allowance})


@dataclass(frozen=True, config=STRICT)
class InterlockTable:
    """[[interlock]]: `variable` must not be moved this way unless `reading` is good, fresh and within low to high."""

    variable: Text
    way: Literal["up", "down", "any"]
    reading: Text
    low: Number = -math.inf
    high: Number = math.inf
    phases: tuple[Text, ...] = ()  # of the plant; none: in every phase

    @model_validator(mode="after")
    def _bounded(self) -> InterlockTable:
        require(math.isfinite(self.low) or math.isfinite(self.high), "neither low nor high is given; add one")
        require(self.low < self.high, f"low {self.low:g} is not below high {self.high:g}; mend the interlock")
        return self


@dataclass(frozen=True, config=STRICT)
class EnvelopeTable:
    """[envelope.NAME]: what a forecast of this quantity must stay within."""

    unit: Text
    low: Number = -math.inf
    high: Number = math.inf
    horizon_h: Positive = math.inf  # how far ahead the band is held against the bound

    @model_validator(mode="after")
    def _bounded(self) -> EnvelopeTable:
        require(self.unit in UNITS, f"unit {self.unit!r} is not known{instead(self.unit, UNITS)}")
        require(math.isfinite(self.low) or math.isfinite(self.high), "neither low nor high is given; add one")
        require(self.low < self.high, f"low {self.low:g} is not below high {self.high:g}; mend the envelope")
        return self


@dataclass(frozen=True, config=STRICT)
class GatesTable:
    """[gates]: what must hold before the controller acts by itself."""

    evidence: tuple[Text, ...] = ()  # variables that must be good and fresh
    novelty_max: Annotated[float, Strict(), Field(gt=0, le=1)] = 0.8
    nis_ratio_max: Positive = 5.0  # innovation squared over its degrees of freedom; 1 when twin and plant agree
    patience: Annotated[int, Strict(), Field(ge=1)] = 3  # scans in a row that a gate may fail


@dataclass(frozen=True, config=STRICT)
class NeuroCoreTable:
    """[neurocore]: which implementation learns, and its seed."""

    backend: Literal["lava-fixed", "lava-float", "reference", "loihi2"] = "lava-fixed"
    seed: Whole = 0
