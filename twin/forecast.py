"""Ensemble forecasts of the batch under a stated plan, with the learned correction evaluated along the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Step:
    """From `start` on these inputs hold; inputs not named keep what the estimate says acts now."""

    start: datetime
    inputs: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Latch:
    """An input that stays zero until a state first falls below a threshold, as a fed-batch feed does."""

    input: str
    state: str
    below: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done until `end`: steps in time order, the first at or before the estimate's time."""

    steps: tuple[Step, ...]
    end: datetime
    latch: Latch | None = None


@dataclass(frozen=True, slots=True)
class Band:
    """Median and central 80 % and 95 % intervals, one entry a time."""

    median: tuple[float, ...]
    low80: tuple[float, ...]
    high80: tuple[float, ...]
    low95: tuple[float, ...]
    high95: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """The future under a plan: bands for every state and output, and the objective of each ensemble member.

    Members of two forecasts made from the same estimate are paired (common random numbers), so their
    differences are the effect of the plan alone.
    """

    made_at: datetime
    plan: Plan
    times: tuple[datetime, ...]
    bands: Mapping[str, Band]
    objective: tuple[float, ...]  # at plan.end, one entry a member
    objective_name: str
    objective_unit: str
