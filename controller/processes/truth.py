"""A simulated vessel as an optimiser may see it: its own equations, a batch's constants, this hour's disturbance."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plant_sim.random_walk import KEEP, STEP_H
from twin.model import Array, Model

FADE_H = -STEP_H / math.log(KEEP)  # of the disturbances within a batch


@dataclass(frozen=True, slots=True)
class Truth:
    """One vessel's equations; both functions take what a batch's culture remembers.

    The states are named as the batch's truth names them; one that it does not name is the hour of the batch.
    """

    controls: tuple[str, ...]  # what the oracle moves
    bounded: tuple[str, ...]  # the bounds of the envelope that it keeps
    model: Callable[[Mapping[str, Any]], Model]
    factors: Callable[[Mapping[str, Any]], Array]  # the model's rate multipliers as they are now
