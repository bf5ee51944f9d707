"""Safety envelope: limits of what is moved, bounds of what is forecast, and the evidence it needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from twin.records import Forecast


@dataclass(frozen=True, slots=True)
class Limit:
    """How far and how fast one manipulated variable may be moved, and in which phases of the batch."""

    variable: str
    unit: str
    low: float
    high: float
    max_step: float  # the largest change of one command
    max_rate_per_h: float  # what successive commands may add up to
    phases: tuple[str, ...]
    allowance: float = math.inf  # what one batch may get in all: the integral over hours
    safe: str = ""  # "low" or "high": the side to which a hold may move it whatever is not known; "": neither

    def safer(self, value: float, than: float) -> bool:
        """Whether this value is as safe as the other, or safer."""
        if self.safe == "low":
            return value <= than
        return value >= than if self.safe == "high" else value == than


@dataclass(frozen=True, slots=True)
class Interlock:
    """`variable` must not be moved this way unless `reading` is good, fresh and within low to high."""

    variable: str
    way: str  # "up", "down" or "any"
    reading: str
    unit: str
    low: float
    high: float
    phases: tuple[str, ...] = ()  # of the plant; none: in every phase


@dataclass(frozen=True, slots=True)
class Bound:
    """What a forecast variable must stay within: the 80 % band of the proposed plan is held against it.

    For `horizon_h` hours only, where that is given: by then there is new evidence, and another plan. Within it such a
    bound is kept for its own sake, even at no gain.
    """

    variable: str
    unit: str
    low: float
    high: float
    horizon_h: float = math.inf


@dataclass(frozen=True, slots=True)
class Envelope:
    """Everything that is allowed; what is not named here is refused."""

    limits: tuple[Limit, ...]
    bounds: tuple[Bound, ...]
    evidence: tuple[str, ...]  # variables that must be good and fresh before anything is written
    interlocks: tuple[Interlock, ...] = ()


def beyond(forecast: Forecast, bound: Bound) -> tuple[list[float], list[float]]:
    """How far the 80 % band is below and above the bound, at each time within its horizon and at the first anyway."""
    band, near_s = forecast.bands[bound.variable], bound.horizon_h * 3600.0
    near = max(1, sum((time - forecast.made_at).total_seconds() <= near_s for time in forecast.times))
    below = [max(0.0, bound.low - value) for value in band.low80[:near]]
    return below, [max(0.0, value - bound.high) for value in band.high80[:near]]
