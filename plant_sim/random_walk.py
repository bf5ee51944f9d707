"""First-order autoregressive walks about nothing, one a channel: what wanders within a batch.

Step and time constant are those of Goldrick et al. 2015 (J. Biotechnol. 193:70-82).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

STEP_H = 0.2  # h between two kicks; Goldrick 2015
KEEP = 0.995  # y(k) = 0.995 y(k-1) + 0.005 s N(0, 1), a time constant of 39.9 h; Goldrick 2015
KICK = math.sqrt(1.0 - KEEP**2)  # of a walk whose stationary SD is 1
DRAW_LIMIT = 3.0  # SDs of what a batch is drawn to differ by; design: one beyond this would be stopped at inoculation


class Walk:
    """The present value of every channel; without a generator it stays at nothing."""

    def __init__(self, rng: np.random.Generator | None, kicks: Sequence[float]) -> None:
        """Start at rest; `kicks` are the SDs of one step, by channel."""
        self._rng = rng
        self._kicks = np.array(kicks)
        self.values = np.zeros(len(kicks))
        self.steps = 0

    def until(self, hours: float) -> bool:
        """Walk on to this hour of the batch; True when anything moved."""
        due = math.floor(hours / STEP_H + 1e-9)
        moved = self._rng is not None and due > self.steps
        while self._rng is not None and self.steps < due:
            self.values = KEEP * self.values + self._kicks * self._rng.standard_normal(len(self.values))
            self.steps += 1
        return moved

    def memory(self) -> dict[str, Any]:
        """Everything a restart needs."""
        rng = self._rng.bit_generator.state if self._rng is not None else None
        return {"values": self.values.tolist(), "steps": self.steps, "rng": rng}

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on from a memory."""
        self.values, self.steps = np.array(memory["values"]), memory["steps"]
        if self._rng is not None:
            self._rng.bit_generator.state = memory["rng"]
