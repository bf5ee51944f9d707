"""What NeuroCore has to beat: recursive least squares over quadratic features, and float LMS over its own features.

Both take the same lessons as NeuroCore and answer the same question: the log multipliers at a state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from controller.neurocore import rates
from controller.neurocore.lessons import Lesson
from twin.records import Population

Floats = NDArray[np.float64]

FORGETTING = 0.99999  # of RLS, a lesson; best of 0.999, 0.9999 and 0.99999 on seeds 0-499
PRIOR_VARIANCE = 10.0  # of RLS' coefficients (design)
OUTSIDE = 0.2  # of the range beyond either end: there the quadratic is held (design)


class QuadraticRLS:
    """Each log multiplier a quadratic function of the states, by recursive least squares."""

    def __init__(
        self, ranges: Mapping[str, tuple[float, float]], bounds: Sequence[float], forgetting: float = FORGETTING
    ) -> None:
        low, high = (np.array(side) for side in zip(*ranges.values(), strict=True))
        self._low, self._span = low, high - low
        self._bounds = np.array(bounds)
        self._forgetting = forgetting
        size = self._features(low[None]).shape[1]
        self._coefficients = np.zeros((len(bounds), size))
        self._covariances = np.stack([PRIOR_VARIANCE * np.eye(size)] * len(bounds))

    def teach(self, lesson: Lesson) -> None:
        """Take in one lesson."""
        z = self._features(np.array(lesson.state)[None])[0]
        for k, (target, taught) in enumerate(zip(lesson.targets, lesson.taught, strict=True)):
            if taught:
                seen = self._covariances[k] @ z
                gain = seen / (self._forgetting + z @ seen)
                self._coefficients[k] += gain * (target - self._coefficients[k] @ z)
                self._covariances[k] = (self._covariances[k] - np.outer(gain, seen)) / self._forgetting

    def __call__(self, states: Floats) -> Floats:
        """The log multipliers at each state, (states, multipliers), within bounds."""
        value: Floats = np.clip(self._features(states) @ self._coefficients.T, -self._bounds, self._bounds)
        return value

    def _features(self, states: Floats) -> Floats:
        z = 2.0 * np.clip((states - self._low) / self._span, -OUTSIDE, 1.0 + OUTSIDE) - 1.0
        n = z.shape[1]
        products = [z[:, i] * z[:, j] for i in range(n) for j in range(i, n)]
        return np.stack([np.ones(len(z)), *z.T, *products], axis=1)


class FloatLMS:
    """NeuroCore's own rule and units in floating point: what the integers of the network cost."""

    def __init__(self, population: Population, bounds: Sequence[float]) -> None:
        self._population = population
        self._bounds = np.array(bounds)
        self._weights = np.zeros((len(bounds), len(population.centres)))
        self._lessons = [0] * len(bounds)

    def teach(self, lesson: Lesson) -> None:
        """Take in one lesson."""
        active = activities(self._population, np.array(lesson.state)[None])[0]
        squares = max(float(np.sum(active**2)), 1.0)
        for k, (target, taught) in enumerate(zip(lesson.targets, lesson.taught, strict=True)):
            if taught:
                rate = rates.HINDSIGHT.share(self._lessons[k])
                self._weights[k] += rate * (target - self._weights[k] @ active) / squares * active
                self._lessons[k] += 1

    def __call__(self, states: Floats) -> Floats:
        """The log multipliers at each state, (states, multipliers), within bounds."""
        value: Floats = np.clip(activities(self._population, states) @ self._weights.T, -self._bounds, self._bounds)
        return value


def activities(population: Population, states: Floats) -> Floats:
    """The activity of each unit at each state, (states, units)."""
    low, high = np.array(population.low), np.array(population.high)
    z = (states - low) / (high - low)
    distance = (z[:, None, :] - np.array(population.centres)[None]) / population.width
    result: Floats = np.exp(-0.5 * np.nansum(distance**2, axis=2))
    return result
