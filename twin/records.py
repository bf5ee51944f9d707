"""What the twin believes, expects and was taught: plain data, for those who neither estimate nor forecast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from twin.signals import Snapshot


@dataclass(frozen=True, slots=True)
class Population:
    """Gaussian receptive fields over normalised states: feature i is exp(-sum over its states of ((z - c)/w)^2 / 2).

    `states` names what is coded; z = (x - low)/(high - low). Row i of `centres` holds one number a state, NaN where
    the unit does not look at it.
    """

    states: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    centres: tuple[tuple[float, ...], ...]  # (units, states)
    width: float

    def __hash__(self) -> int:
        """Of all but the centres, which are many: a population is looked up several times a scan."""
        return hash((self.states, self.low, self.high, self.width))


@dataclass(frozen=True, slots=True)
class Correction:
    """log multiplier_k(x) = clip(scale * sum_i weights[k][i] * activity_i(x), -bound_k, bound_k)."""

    multiplier_names: tuple[str, ...]
    population: Population
    weights: tuple[tuple[float, ...], ...]  # (multipliers, units)
    scale: float
    bounds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Innovation:
    """How far a reading lay from what was predicted, and the standard deviation that was expected of that."""

    residual: float
    sd: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """The belief at one instant. `covariance` is over `names + multiplier_names`, states in their own units."""

    time: datetime
    names: tuple[str, ...]
    mean: tuple[float, ...]
    multiplier_names: tuple[str, ...]
    log_multipliers: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    inputs: Mapping[str, float]  # the inputs believed to act now
    innovations: Mapping[str, Innovation]  # by output, of the readings used at this instant
    nis: float  # normalised innovation squared
    nis_dof: int  # how many readings it sums; 0: nothing was usable

    def __getitem__(self, name: str) -> float:
        """The mean of the state of that name."""
        return self.mean[self.names.index(name)]

    def sd(self, name: str) -> float:
        """The standard deviation of the state or log multiplier of that name."""
        index = (self.names + self.multiplier_names).index(name)
        return math.sqrt(self.covariance[index][index])


@dataclass(frozen=True, slots=True)
class Track:
    """The estimate now and, for rewinding, the recent past: each entry is an estimate and the snapshot it used."""

    now: Estimate
    past: tuple[tuple[Estimate, Snapshot], ...]


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
class Prior:
    """How far a parameter may be from its literature value: SD of the logarithm."""

    name: str
    sd: float


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
