"""Pupils: NeuroCore and its comparators, taught by the same scans, and the surface that each of them has learned."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.bench.streams import Scan
from controller.bench.trial import Trial
from controller.neurocore import coding, core, rates
from controller.neurocore.comparators import FloatLMS, QuadraticRLS, activities
from controller.neurocore.lessons import Glimpse, Lesson, Teacher
from twin.records import Correction

Floats = NDArray[np.float64]
Law = Callable[[Floats], Floats]  # states of the population to log multipliers of those learned
LEARNERS = ("rls", "rls_present", "lms", "neurocore")


@dataclass(slots=True)
class Pupils:
    """All that learn from one sequence of batches."""

    trial: Trial
    neurocore: core.NeuroCore
    teacher: Teacher
    learner: rates.RateLearner
    rls: QuadraticRLS
    rls_present: QuadraticRLS
    lms: FloatLMS
    surface: Correction | None = None

    def scan(self, seen: Scan) -> None:
        """Let everybody learn from one scan; the comparators when NeuroCore found it fit."""
        insight = self.neurocore.step(seen.snapshot, seen.estimate)
        self.surface = insight.correction
        logs, sds, taught = rates.targets(self.learner, seen.estimate)
        state = tuple(seen.estimate[name] for name in self.trial.coded)
        self.teacher.watch(seen.estimate.time, sds)
        fresh = None
        if insight.learned:
            self.rls_present.teach(Lesson(state, logs, taught))
            fresh = self.teacher.see(Glimpse(seen.estimate.time, state, logs, sds, taught))
        if fresh:
            self.rls.teach(fresh)
        if lesson := fresh or self.teacher.recall():
            self.lms.teach(lesson)

    def laws(self) -> dict[str, Law]:
        """The surface of each learner as it is now."""
        return {
            "rls": self.rls,
            "rls_present": self.rls_present,
            "lms": self.lms,
            "neurocore": NoLaw(len(self.trial.learned_at)) if self.surface is None else SurfaceLaw(self.surface),
        }

    def fork(self) -> Pupils:
        """Another set that knows the same and goes its own way."""
        other = pupils(self.trial)
        other.neurocore.restore(self.neurocore.snapshot())
        other.teacher.from_json(self.teacher.to_json())
        for name in ("rls", "rls_present", "lms", "surface"):
            setattr(other, name, copy.deepcopy(getattr(self, name)))
        return other


def pupils(trial: Trial) -> Pupils:
    """A set that knows nothing yet."""
    process, plant = trial.process, trial.stream.plant
    population = coding.population(process.coded)
    multipliers = [trial.model.multipliers[i] for i in trial.learned_at]
    learner = rates.design(population, multipliers, trial.model, plant.variables)
    return Pupils(
        trial,
        neurocore=core.bioreactor_core("reference", trial.model, process.learned, process.coded, plant=plant),
        teacher=Teacher(learner.walks_sd, learner.bounds),
        learner=learner,
        rls=QuadraticRLS(process.coded, learner.bounds),
        rls_present=QuadraticRLS(process.coded, learner.bounds),
        lms=FloatLMS(population, learner.bounds),
    )


@dataclass(frozen=True, slots=True)
class SurfaceLaw:
    """The log multipliers that NeuroCore's correction gives at each state, (states, multipliers)."""

    surface: Correction

    def __call__(self, states: Floats) -> Floats:
        """As the correction says; it is evaluated for many states at once."""
        weights, bounds = np.array(self.surface.weights), np.array(self.surface.bounds)
        active = activities(self.surface.population, states)
        value: Floats = np.clip(self.surface.scale * active @ weights.T, -bounds, bounds)
        return value


@dataclass(frozen=True, slots=True)
class NoLaw:
    """Nothing learned: zero everywhere."""

    multipliers: int

    def __call__(self, states: Floats) -> Floats:
        """(states, multipliers)."""
        return np.zeros((len(states), self.multipliers))
