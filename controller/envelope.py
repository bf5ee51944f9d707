"""What may be done to a plant: limits of what is moved, bounds of what is forecast, and the evidence it needs."""

from __future__ import annotations

from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True)
class Bound:
    """What a forecast variable must stay within: the 80 % band of the proposed plan is held against it."""

    variable: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Envelope:
    """Everything that is allowed; what is not named here is refused."""

    limits: tuple[Limit, ...]
    bounds: tuple[Bound, ...]
    evidence: tuple[str, ...]  # variables that must be good and fresh before anything is written
