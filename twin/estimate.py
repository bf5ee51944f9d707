"""The unscented filter: states and log rate multipliers; a late assay rewinds and replays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from twin.signals import Snapshot


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
        return float(self.covariance[index][index]) ** 0.5


@dataclass(frozen=True, slots=True)
class Track:
    """The estimate now and, for rewinding, the recent past: each entry is an estimate and the snapshot it used."""

    now: Estimate
    past: tuple[tuple[Estimate, Snapshot], ...]
