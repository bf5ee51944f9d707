"""Trial: one process on whose simulated reactors learners are taught and judged, with its model and what is learned."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from controller.processes import Process
from controller.processes.study import Stream
from controller.settings import load
from twin.model import Model
from twin.signals import Role


@dataclass(frozen=True, eq=False)
class Trial:
    """What is learned of one process, and where it stands among the model's states and multipliers."""

    process: Process
    model: Model
    stream: Stream
    length_h: float  # of a batch

    @cached_property
    def coded(self) -> tuple[str, ...]:
        """The states on which the learned multipliers depend."""
        return tuple(self.process.coded)

    @cached_property
    def coded_at(self) -> list[int]:
        """Which of the model's states those are."""
        return [self.state_at(name) for name in self.coded]

    @cached_property
    def learned_at(self) -> list[int]:
        """Which of the model's multipliers are learned."""
        return [self.multiplier_at(name) for name in self.process.learned]

    @cached_property
    def bounds(self) -> NDArray[np.float64]:
        """How far each log multiplier may go, (multipliers,)."""
        return np.array([m.bound for m in self.model.multipliers])

    @cached_property
    def moved(self) -> tuple[str, ...]:
        """The inputs that a script may move."""
        return tuple(v.name for v in self.stream.plant.variables if v.role is Role.MANIPULATED)

    def state_at(self, name: str) -> int:
        """Which of the model's states this is."""
        return [s.name for s in self.model.states].index(name)

    def multiplier_at(self, name: str) -> int:
        """Which of the model's multipliers this is."""
        return [m.name for m in self.model.multipliers].index(name)


def trial_of(process: Process) -> Trial:
    """The trial on this process; UserError where its folder holds no study."""
    stream = process.study().stream
    return Trial(process, process.model(), stream, load(process.configuration).batch.length_h)
