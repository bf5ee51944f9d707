"""Who learns in a campaign: NeuroCore, quadratic RLS taught by the same lessons, or nobody."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from controller.loop.records import Insight
from controller.neurocore import rates
from controller.neurocore.comparators import QuadraticRLS
from controller.neurocore.core import NeuroCore
from controller.neurocore.lessons import Glimpse, Teacher
from twin.correction import none
from twin.model import Array, Model
from twin.records import Correction, Estimate, Population
from twin.signals import Plant, Snapshot

SURFACE_EVERY = 6  # scans, as NeuroCore
LEVELS = (-0.3, 0.5, 1.3)  # of each state's range, where a wide unit is centred (design)
WIDTH = 2.5  # of the range: so wide that their sums are quadratics to within a hundredth (design)
RIDGE = 1e-13  # keeps the weights of so wide units small


class Learner(Protocol):
    """A Core that goes on from batch to batch, and can be sent to another process with what it has learned."""

    def learn(self, learned: object, snapshot: Snapshot, estimate: Estimate) -> tuple[Insight, object]:
        """Take one scan in, as a Core does; a batch that begins goes on from where the last one ended."""
        ...

    def learned(self) -> Any:
        """All that was learned, for `begin`."""
        ...

    def begin(self, state: Any) -> None:
        """Go on from what another one learned."""
        ...


class Nobody:
    """The filter alone: nothing is learned, and nothing is unusual."""

    def __init__(self, model: Model) -> None:
        self._nothing = none([m.name for m in model.multipliers])

    def learn(self, learned: object, snapshot: Snapshot, estimate: Estimate) -> tuple[Insight, object]:
        """No correction."""
        return _insight(self._nothing, {}, False, "nobody learns", "none"), None

    def learned(self) -> Any:
        """Nothing."""
        return None

    def begin(self, state: Any) -> None:
        """There is nothing to go on from."""


class Neuro:
    """NeuroCore, as it is shipped, on the reference backend."""

    def __init__(self, core: NeuroCore) -> None:
        self.core = core
        self._last: object = None

    def learn(self, learned: object, snapshot: Snapshot, estimate: Estimate) -> tuple[Insight, object]:
        """One step of NeuroCore; a new batch goes on from the one before."""
        insight, self._last = self.core.learn(self._last if learned is None else learned, snapshot, estimate)
        return insight, self._last

    def learned(self) -> Any:
        """NeuroCore's snapshot."""
        return self.core.snapshot()

    def begin(self, state: Any) -> None:
        """Restore a snapshot."""
        self.core.restore(state)
        self._last = None


class Quadratic:
    """Quadratic RLS on the same states, taught by the same lessons in hindsight, and used by the twin in the same way.

    Its surface is written as wide Gaussian units, whose sums span the quadratics, so that forecast and optimiser
    evaluate it exactly as they do NeuroCore's.
    """

    def __init__(
        self, model: Model, plant: Plant, learned: tuple[str, ...], ranges: Mapping[str, tuple[float, float]]
    ) -> None:
        multipliers = [m for name in learned for m in model.multipliers if m.name == name]
        self._population, self._project, states = _wide(ranges)
        self._states = states
        self._learner = rates.design(self._population, multipliers, model, plant.variables, rates.HINDSIGHT)
        self._teacher = Teacher(self._learner.walks_sd, self._learner.bounds)
        self._rls = QuadraticRLS(ranges, self._learner.bounds)
        self._surface = none(learned)
        self._scans = 0

    def learn(self, learned: object, snapshot: Snapshot, estimate: Estimate) -> tuple[Insight, object]:
        """Learn from this scan when NeuroCore would, in place: a comparator is never asked about the past."""
        why_not = rates.obstacle(self._learner, snapshot, estimate, 0.0)
        logs, sds, taught = rates.targets(self._learner, estimate)
        state = tuple(estimate[name] for name in self._population.states)
        self._teacher.watch(estimate.time, sds)
        if not why_not and (lesson := self._teacher.see(Glimpse(estimate.time, state, logs, sds, taught))):
            self._rls.teach(lesson)
        self._scans += 1
        if self._scans % SURFACE_EVERY == 0:
            self._write()
        return _insight(self._surface, {}, not why_not, why_not, "quadratic RLS"), None

    def learned(self) -> Any:
        """The coefficients and the teacher's memory."""
        return copy.deepcopy(self._rls), self._teacher.to_json()

    def begin(self, state: Any) -> None:
        """Go on from these."""
        rls, taught = state
        self._rls = copy.deepcopy(rls)
        self._teacher.from_json(taught)
        self._write()

    def _write(self) -> None:
        values = self._rls(self._states)
        weights = (self._project @ values).T
        self._surface = Correction(
            self._learner.names,
            self._population,
            tuple(tuple(row) for row in weights.tolist()),
            1.0,
            self._learner.bounds,
        )


def _wide(ranges: Mapping[str, tuple[float, float]]) -> tuple[Population, Array, Array]:
    """Wide units, the matrix from values at sample states to their weights, and those states."""
    grid = np.stack(np.meshgrid(*[LEVELS] * len(ranges), indexing="ij"), axis=-1).reshape(-1, len(ranges))
    low, high = (np.array(side) for side in zip(*ranges.values(), strict=True))
    z = np.random.default_rng(0).uniform(0.0, 1.0, (1500, len(ranges)))
    activity = np.exp(-0.5 * np.sum(((z[:, None] - grid[None]) / WIDTH) ** 2, axis=2))
    square = activity.T @ activity
    project = np.linalg.solve(square + RIDGE * np.trace(square) * np.eye(len(grid)), activity.T)
    population = Population(
        tuple(ranges), tuple(low.tolist()), tuple(high.tolist()), tuple(tuple(row) for row in grid.tolist()), WIDTH
    )
    return population, project, low + z * (high - low)


def _insight(correction: Correction, logs: Mapping[str, float], learned: bool, why_not: str, name: str) -> Insight:
    return Insight(
        correction=correction,
        log_multipliers=logs,
        novelty=0.0,
        contributions={},
        stability=1.0,
        components={},
        learned=learned,
        why_not=why_not,
        backend=name,
    )
