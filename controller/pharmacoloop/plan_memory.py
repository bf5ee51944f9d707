"""Plan memory: what an optimal control problem remembers of its last solution, and the same as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from twin.model import Array
from twin.optimise import Optimum
from twin.records import Forecast

Row = tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PlanMemory:
    """The last good optimum, to search from next time and to fall back on, and how uncertain plans are."""

    batch: str = ""
    made_at: datetime | None = None
    optimum: Optimum | None = None
    proposed: Forecast | None = None  # of the last plan that was forecast: its spread makes the next one's margins


NO_PLAN = PlanMemory()


@dataclass(frozen=True, slots=True)
class KeptOptimum:
    """An Optimum without arrays, float for float."""

    hours: Row
    controls: tuple[Row, ...]
    states: tuple[Row, ...]
    objective: float
    promised: float
    status: str
    solved: bool
    iterations: int
    raw: tuple[Row, Row, Row] | None


@dataclass(frozen=True, slots=True)
class KeptPlans:
    """A PlanMemory as plain data, for the record."""

    batch: str
    made_at: datetime | None
    optimum: KeptOptimum | None
    proposed: Forecast | None


def kept(plans: PlanMemory) -> KeptPlans:
    """The memory as plain data; `restored` gives the same again, bit for bit."""
    found = plans.optimum
    optimum = None
    if found is not None:
        raw = None if found.raw is None else (_row(found.raw[0]), _row(found.raw[1]), _row(found.raw[2]))
        optimum = KeptOptimum(
            _row(found.hours),
            _rows(found.controls),
            _rows(found.states),
            found.objective,
            found.promised,
            found.status,
            found.solved,
            found.iterations,
            raw,
        )
    return KeptPlans(plans.batch, plans.made_at, optimum, plans.proposed)


def restored(plain: KeptPlans) -> PlanMemory:
    """The memory that was `kept`."""
    found = plain.optimum
    optimum = None
    if found is not None:
        raw = None if found.raw is None else (np.array(found.raw[0]), np.array(found.raw[1]), np.array(found.raw[2]))
        optimum = Optimum(
            np.array(found.hours),
            np.array(found.controls),
            np.array(found.states),
            found.objective,
            found.promised,
            found.status,
            found.solved,
            found.iterations,
            raw,
        )
    return PlanMemory(plain.batch, plain.made_at, optimum, plain.proposed)


def _row(values: Array) -> Row:
    return tuple(np.asarray(values, dtype=np.float64).ravel().tolist())


def _rows(values: Array) -> tuple[Row, ...]:
    return tuple(tuple(row) for row in np.asarray(values, dtype=np.float64).tolist())
