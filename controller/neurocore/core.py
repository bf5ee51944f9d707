"""NeuroCore: one step a scan from snapshot and estimate to an Insight, and a snapshot of all it has learned."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from controller.loop.records import Insight
from controller.neurocore import coding, novelty, rates
from controller.neurocore.backend import Backend, open_backend
from controller.neurocore.cross import CrossPredictor, Predicting, Scores
from controller.neurocore.design import Coding, Design, Rule
from controller.neurocore.lessons import Glimpse, Lesson, Remembered, Teacher
from twin.correction import evaluate
from twin.model import Model
from twin.records import Correction, Estimate, Population
from twin.signals import Plant, Role, Snapshot, Variable

WEIGHTS_EVERY = 6  # scans: Lava hands out weights one by one (10 ms), so a Correction is up to this many scans old
# Of the past in the smoothed weights that a hindsight surface is made of: every lesson pulls it towards its own
# state, and over 2.5 h (design: best of 0.5, 2.5 and 10 h on seeds 0-499) those pulls cancel.
SURFACE_MEMORY = 0.8
SURFACE_DECIMALS = 2  # of a weight step, since the smoothed weights are kept with every snapshot
CALM_MEMORY = 0.9  # weight of the past in the smoothed stability terms: about ten scans (design)
CALM_WEIGHTS = (0.6, 0.4)  # of calm and consistency (design)
NIS_RATIO_LOST = 8.0  # innovations this much larger than expected: no consistency left (design)
STANDSTILL = "the estimate is that of the last scan"

# Given the snapshot, the estimate and the novelty: the score in [0, 1] and what it is made of.
Stability = Callable[[Snapshot, Estimate, float], tuple[float, Mapping[str, float]]]


@runtime_checkable
class Remembers(Protocol):
    """A stability score that is folded over the scans, and so has a memory of its own to keep."""

    def snapshot(self) -> dict[str, Any]:
        """What is remembered, as plain values."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `snapshot` gave."""
        ...


class SnapshotMismatch(ValueError):
    """A snapshot that belongs to another NeuroCore."""


@dataclass(frozen=True, slots=True)
class Calm:
    """Smoothed novelty, and smoothed ratio of the innovations' squared size to what was expected (1: consistent)."""

    novelty: float = 0.0
    nis_ratio: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """All that a NeuroCore is at one instant, exactly; nobody changes its arrays any more."""

    network: object
    error: rates.Integers
    smoothed: NDArray[np.float64]
    correction: Correction
    lessons: tuple[int, ...]
    scans: int
    time: datetime | None
    novelty: novelty.Novelty
    calm: Calm
    foreseen: Scores
    cross: Predicting | None
    teacher: Remembered | None
    stability: Mapping[str, Any] | None


class NeuroCore:
    """Learns the rate correction on line, watches how unusual the readings are, and scores the plant's stability.

    One network step a scan: a payload goes out, the read-outs come back, and the error that they make is taught at the
    beginning of the next step, while the synapses still hold the trace of the payload. With a Teacher the payload is
    that of a lesson in hindsight, or of a remembered one; without, that of the present state.

    `learn` is a function of its arguments: what the network, the detectors and the Teacher hold is handed in and out,
    and the object is only the place where it is worked on.
    """

    def __init__(
        self,
        backend: Backend,
        learner: rates.RateLearner,
        population: Population,
        stability: Stability | None = None,
        teacher: Teacher | None = None,
        cross: CrossPredictor | None = None,
    ) -> None:
        self._teacher = teacher
        self._cross = cross
        self._foreseen = Scores()
        self._backend = backend
        self._learner = learner
        self._population = population
        self._stability = stability
        self._novelty = novelty.NOTHING_SEEN
        self._calm = Calm()
        self._scans = 0
        self._time: datetime | None = None
        self._lessons = [0] * len(learner.names)
        self._error: rates.Integers = np.zeros(len(learner.names), dtype=np.int64)
        self._smoothed = np.asarray(backend.weights(), dtype=np.float64)
        self._correction = rates.correction(learner, population, self._smoothed)
        self._began = self._state_now()
        self._held: Learned | None = self._began

    def learn(self, learned: object, snapshot: Snapshot, estimate: Estimate) -> tuple[Insight, object]:
        """One step from what was `learned` by the last scan (None: from the beginning), and what is learned by now.

        TypeError when `learned` is no NeuroCore's; NeuroCoreLost when a worker cannot be put back to that scan.
        """
        wanted = self._began if learned is None else learned
        if not isinstance(wanted, Learned):
            raise TypeError(f"a NeuroCore cannot go on from a {type(wanted).__name__}")
        if wanted is not self._held:
            self._resume(wanted)
        insight = self.step(snapshot, estimate)
        self._held = self._state_now()
        return insight, self._held

    def step(self, snapshot: Snapshot, estimate: Estimate) -> Insight:
        """Take one scan in: learn from it when it is fit for that, and say how the plant differs from the model."""
        self._held = None
        fresh = estimate.time != self._time  # an older one is of a clock that was set back: a past of its own
        if fresh:
            outliers = rates.set_aside(self._learner, snapshot, estimate)
            self._watch(estimate, outliers)
        why_not = STANDSTILL
        if fresh:
            why_not = rates.obstacle(self._learner, snapshot, estimate, self._level)
        present = self._state(estimate)
        logs = self._learn(present, estimate, fresh, fit=not why_not)
        self._time = estimate.time
        self._scans += 1
        if self._scans % WEIGHTS_EVERY == 0:
            self._see_weights()
        stability, components = self._score(snapshot, estimate)
        return Insight(
            correction=self._correction,
            log_multipliers=logs,
            novelty=self._level,
            contributions=self._contributions(),
            stability=stability,
            components=components,
            learned=not why_not,
            why_not=why_not,
            backend=self._backend.name,
        )

    def _see_weights(self) -> None:
        """Renew the surface: of the weights as they are, or with a Teacher of their average over the last hours."""
        memory = SURFACE_MEMORY if self._teacher is not None else 0.0
        smoothed = memory * self._smoothed + (1.0 - memory) * self._backend.weights()
        self._smoothed = np.round(smoothed, SURFACE_DECIMALS)
        self._correction = rates.correction(self._learner, self._population, self._smoothed)

    @property
    def _level(self) -> float:
        """How unusual the present is, by slow and fast detector together."""
        return novelty.combined(self._novelty.level, self._foreseen.level) if self._cross else self._novelty.level

    def _contributions(self) -> dict[str, float]:
        """Each signal's share, as the detector says that is surer."""
        surer = self._foreseen if self._foreseen.level > self._novelty.level else self._novelty
        return dict(surer.contributions)

    def _watch(self, estimate: Estimate, outliers: Sequence[str]) -> None:
        before = self._novelty
        self._novelty = novelty.observe(before, estimate.innovations, outliers)
        if self._cross is not None:
            self._foreseen = self._cross.step(novelty.normalised(before, estimate.innovations, outliers))

    def _state(self, estimate: Estimate) -> tuple[float, ...]:
        return tuple(estimate[name] for name in self._population.states)

    def _learn(self, present: tuple[float, ...], estimate: Estimate, fresh: bool, fit: bool) -> dict[str, float]:
        """One network step; the log multipliers at the present state."""
        targets, sds, taught = rates.targets(self._learner, estimate)
        if self._teacher is None:
            read_out = self._send(present, Lesson(present, targets, taught) if fit else None)
            return rates.log_multipliers(self._learner, read_out)
        lesson = None
        if fresh:
            self._teacher.watch(estimate.time, sds)
            seen = self._teacher.see(Glimpse(estimate.time, present, targets, sds, taught)) if fit else None
            lesson = seen or self._teacher.recall()
        self._send(lesson.state if lesson else present, lesson)
        return evaluate(self._correction, present)

    def _send(self, state: tuple[float, ...], lesson: Lesson | None) -> rates.Integers:
        """Teach the last lesson, send this state, and prepare the lesson on it."""
        active = coding.activity(self._population, state)
        read_out = self._backend.step(coding.payload(active), self._error)
        self._error = np.zeros(len(self._learner.names), dtype=np.int64)
        if lesson is not None:
            squares = float(np.sum(active**2))
            self._error = rates.errors(self._learner, read_out, lesson, squares, self._lessons)
            self._lessons = [n + t for n, t in zip(self._lessons, lesson.taught, strict=True)]
        return read_out

    def _score(self, snapshot: Snapshot, estimate: Estimate) -> tuple[float, Mapping[str, float]]:
        self._calm = calmer(self._calm, self._level, estimate)
        if self._stability is not None:
            return self._stability(snapshot, estimate, self._level)
        return score(self._calm)

    def _state_now(self) -> Learned:
        return Learned(
            network=self._backend.state(),
            error=self._error,
            smoothed=self._smoothed,
            correction=self._correction,
            lessons=tuple(self._lessons),
            scans=self._scans,
            time=self._time,
            novelty=self._novelty,
            calm=self._calm,
            foreseen=self._foreseen,
            cross=self._cross.state() if self._cross else None,
            teacher=self._teacher.state() if self._teacher else None,
            stability=self._stability.snapshot() if isinstance(self._stability, Remembers) else None,
        )

    def _resume(self, state: Learned) -> None:
        """Be as `state` says, exactly."""
        self._backend.resume(state.network)
        self._error, self._smoothed, self._correction = state.error, state.smoothed, state.correction
        self._lessons, self._scans, self._time = list(state.lessons), state.scans, state.time
        self._novelty, self._calm, self._foreseen = state.novelty, state.calm, state.foreseen
        if self._cross is not None and state.cross is not None:
            self._cross.resume(state.cross)
        if self._teacher is not None and state.teacher is not None:
            self._teacher.resume(state.teacher)
        if isinstance(self._stability, Remembers) and state.stability is not None:
            self._stability.restore(state.stability)

    def snapshot(self) -> dict[str, Any]:
        """Everything learned, as plain values; a lesson not yet taught is not part of it."""
        scored: dict[str, Any] = {}
        if isinstance(self._stability, Remembers):
            scored["stability"] = self._stability.snapshot()
        return scored | {
            "learned": list(self._learner.names),
            "population": _fingerprint(self._population),
            "network": _network(self._backend.design),
            "weights": self._backend.weights().tolist(),
            "surface": self._smoothed.tolist(),
            "log_per_count": list(self._learner.log_per_count),
            "lessons": list(self._lessons),
            "scans": self._scans,
            "novelty": novelty.to_json(self._novelty),
            "calm": asdict(self._calm),
            "cross": self._cross.snapshot() if self._cross else None,
            "lessons_kept": self._teacher.to_json() if self._teacher else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `snapshot` gave; SnapshotMismatch when it belongs to another network."""
        expected = {
            "learned": list(self._learner.names),
            "population": _fingerprint(self._population),
            "network": _network(self._backend.design),
        }
        for key, value in expected.items():
            if state.get(key) != value:
                raise SnapshotMismatch(f"the snapshot's {key} is {state.get(key)}, this NeuroCore's is {value}")
        self._restore_weights(state)
        self._lessons = [int(n) for n in state["lessons"]]
        self._scans = int(state["scans"])
        self._novelty = novelty.from_json(state["novelty"])
        self._calm = Calm(**state["calm"])
        self._error = np.zeros(len(self._learner.names), dtype=np.int64)
        if self._cross and (seen := state.get("cross")):
            self._cross.restore(seen)
        if self._teacher and (kept := state.get("lessons_kept")):
            self._teacher.from_json(kept)
        if isinstance(self._stability, Remembers) and "stability" in state:
            self._stability.restore(state["stability"])
        self._began = self._held = self._state_now()

    def _restore_weights(self, state: Mapping[str, Any]) -> None:
        """Weights and surface at the present scale; an older snapshot has no surface, and weights of another scale."""
        scale = state.get("log_per_count")
        self._backend.restore(rates.rescaled(self._learner, np.array(state["weights"]), scale))
        surface = state.get("surface")
        if surface is None or self._teacher is None:
            self._smoothed = np.asarray(self._backend.weights(), dtype=np.float64)
        else:
            self._smoothed = np.round(rates.rescaled(self._learner, np.array(surface), scale), SURFACE_DECIMALS)
        self._correction = rates.correction(self._learner, self._population, self._smoothed)

    def close(self) -> None:
        """Free the backend."""
        self._backend.close()
        if self._cross is not None:
            self._cross.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def calmer(calm: Calm, level: float, estimate: Estimate) -> Calm:
    """The smoothed terms after one scan; a scan without a usable reading says nothing of consistency."""
    ratio = calm.nis_ratio
    if estimate.nis_dof and np.isfinite(estimate.nis):
        bounded = min(estimate.nis / estimate.nis_dof, NIS_RATIO_LOST)
        ratio = CALM_MEMORY * ratio + (1 - CALM_MEMORY) * bounded
    return Calm(CALM_MEMORY * calm.novelty + (1 - CALM_MEMORY) * level, ratio)


def score(calm: Calm) -> tuple[float, Mapping[str, float]]:
    """A bioreactor's stability: 0.6 calm + 0.4 consistency, each in [0, 1].

    calm = 1 - smoothed novelty; consistency = 1 - log(r)/log(8) for the smoothed innovation ratio r of 1 to 8: 1 when
    the innovations are as large as expected or smaller, 0 when their variance is eightfold.
    """
    excess = np.log(max(calm.nis_ratio, 1.0)) / np.log(NIS_RATIO_LOST)
    components = {"calm": 1.0 - calm.novelty, "consistency": float(np.clip(1.0 - excess, 0.0, 1.0))}
    weighted = sum(w * c for w, c in zip(CALM_WEIGHTS, components.values(), strict=True))
    return float(np.clip(weighted, 0.0, 1.0)), components


def neuro_core(
    backend_name: str,
    model: Model,
    learned: Sequence[str],
    ranges: Mapping[str, tuple[float, float]],
    *,
    seed: int = 0,
    variables: Sequence[Variable] = (),
    stability: Stability | None = None,
    spikes: Coding = "graded",
    rule: Rule = "three-factor",
    hindsight: bool = False,
) -> NeuroCore:
    """A NeuroCore for any model: the multipliers to learn, and the states they depend on with their ranges.

    `variables`, when given, add what a reading's quality cannot tell: its age, its span, a sensor at its limit, and
    that the estimate set a reading aside as an outlier. `spikes` and `rule` choose the network's design.
    With `hindsight` the targets are freed of the filter's lag, and old lessons are repeated (see `lessons`).
    """
    multipliers = [m for name in learned for m in model.multipliers if m.name == name]
    if len(multipliers) != len(learned):
        raise ValueError(f"{model.name} has multipliers {[m.name for m in model.multipliers]}, not all of {learned}")
    population = coding.population(ranges, seed)
    learner = rates.design(population, multipliers, model, variables, rates.HINDSIGHT if hindsight else rates.AT_ONCE)
    network = Design(len(population.centres), len(multipliers), spikes, rule)
    backend = open_backend(backend_name, network, seed)
    teacher = Teacher(learner.walks_sd, learner.bounds, seed) if hindsight else None
    # On the reference simulator, bit for bit what Lava gives: a second network on Lava would double the memory.
    online = sorted(v.name for v in variables if v.role is Role.MEASURED and v.name in learner.outputs)
    cross = CrossPredictor(online, "reference", seed) if len(online) > 1 else None
    return NeuroCore(backend, learner, population, stability, teacher, cross)


def bioreactor_core(
    backend_name: str,
    model: Model,
    learned: Sequence[str],
    ranges: Mapping[str, tuple[float, float]],
    seed: int = 0,
    plant: Plant | None = None,
    spikes: Coding = "graded",
    rule: Rule = "three-factor",
    hindsight: bool = True,
) -> NeuroCore:
    """NeuroCore of a fed batch: the `learned` multipliers as functions of the states in `ranges`."""
    variables = plant.variables if plant is not None else ()
    return neuro_core(
        backend_name,
        model,
        learned,
        ranges,
        seed=seed,
        variables=variables,
        spikes=spikes,
        rule=rule,
        hindsight=hindsight,
    )


def _network(design: Design) -> str:
    return f"{design.coding}, {design.rule}"


def _fingerprint(population: Population) -> str:
    return hashlib.sha256(repr(population).encode()).hexdigest()[:16]
