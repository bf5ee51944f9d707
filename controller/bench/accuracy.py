"""Who forecasts best: NeuroCore and its comparators over successive batches on one reactor, and a change of strain.

Twelve hours ahead every learner runs the same twin from the same estimate, along its own surface. How the estimate and
the surface are joined is a rule of the forecast; two are measured, the same for all learners:
- `fade`: the surface along the way, plus what the estimate says beyond it now, fading with 48 h (twin.forecast).
- `conditioned`: before that, a multiplier that the filter only follows with a long lag is conditioned on the surface
  (twin.conditioned).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from controller.bench import streams
from controller.bench.streams import JUDGED, SCAN_H, Scan
from controller.neurocore import coding, core, rates
from controller.neurocore.comparators import FloatLMS, QuadraticRLS, activities
from controller.neurocore.lessons import Glimpse, Lesson, Teacher
from controller.processes import find, reference
from controller.processes.penicillin.model import MODEL
from controller.processes.penicillin.vessel import Parameters
from twin.conditioned import LAG_LONG_H, TRUST_SD, conditioned, observed
from twin.engine import TwinEngine
from twin.forecast import Horizon
from twin.integrate import simulate
from twin.records import Correction, Estimate

Floats = NDArray[np.float64]
Law = Callable[[Floats], Floats]  # states of the population to log multipliers of PROCESS.learned

AHEAD_H = 12.0
HOLD_H = 1.0  # between two looks at the surface
JUDGED_EVERY_H = 8.0
JUDGED_FROM_H = 60.0  # and from 4 h after the feed began: before, no learner was taught of production
CHANGED_AT = 5  # index of the first batch with the other strain
RULES = ("fade", "conditioned")
LEARNERS = ("rls", "rls_present", "lms", "neurocore")
FORECASTS = ("zero", "persistence", "random_walk", *LEARNERS)
QUANTITIES = ("product", "biomass")
PROCESS = find(reference())
CODED = tuple(PROCESS.coded)
_BOUNDS = np.array([m.bound for m in MODEL.multipliers])
_LEARNED = [[m.name for m in MODEL.multipliers].index(name) for name in PROCESS.learned]
_CODED_AT = [[s.name for s in MODEL.states].index(name) for name in CODED]


@dataclass(slots=True)
class Pupils:
    """All that learn from one sequence of batches."""

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
        state = tuple(seen.estimate[name] for name in CODED)
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
            "neurocore": _no_law if self.surface is None else SurfaceLaw(self.surface),
        }

    def fork(self) -> Pupils:
        """Another set that knows the same and goes its own way."""
        other = pupils()
        other.neurocore.restore(self.neurocore.snapshot())
        other.teacher.from_json(self.teacher.to_json())
        for name in ("rls", "rls_present", "lms", "surface"):
            setattr(other, name, copy.deepcopy(getattr(self, name)))
        return other


def pupils() -> Pupils:
    """A set that knows nothing yet."""
    population = coding.population(PROCESS.coded)
    multipliers = [MODEL.multipliers[i] for i in _LEARNED]
    learner = rates.design(population, multipliers, MODEL, streams.plant().variables)
    return Pupils(
        neurocore=core.bioreactor_core("reference", MODEL, PROCESS.learned, PROCESS.coded, plant=streams.plant()),
        teacher=Teacher(learner.walks_sd, learner.bounds),
        learner=learner,
        rls=QuadraticRLS(PROCESS.coded, learner.bounds),
        rls_present=QuadraticRLS(PROCESS.coded, learner.bounds),
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


def _no_law(states: Floats) -> Floats:
    return np.zeros((len(states), len(_LEARNED)))


@dataclass(slots=True)
class Errors:
    """Squared errors by what was forecast how, and what came true, to normalise them by."""

    squares: dict[tuple[str, ...], list[float]] = field(default_factory=dict)
    truths: dict[str, list[float]] = field(default_factory=dict)

    def add(self, error: float, *key: str) -> None:
        """One error under this key."""
        self.squares.setdefault(key, []).append(error**2)


def reactor_run(
    engine: TwinEngine, seed: int, batches: int, changed: bool, until_h: float = streams.BATCH_H
) -> Iterator[tuple[str, int, list[Errors]]]:
    """Successive batches on one reactor: (arm, batch, errors); arm "same", and "changed" from CHANGED_AT on.

    At last ("forgotten", CHANGED_AT - 1): the old strain's last batch, judged with what is known after the new one.
    """
    vessel = streams.reactor(seed)
    arms: dict[str, tuple[Parameters, Pupils]] = {"same": (vessel, pupils())}
    before: list[Scan] = []
    for b in range(batches):
        if changed and b == CHANGED_AT:
            arms["changed"] = (streams.strain(vessel, seed + 250), arms["same"][1].fork())
        batch_seed = batch_seed_of(seed, b)
        script = streams.script(batch_seed) if b % 2 else streams.RECIPE
        for arm, (strain, learners) in arms.items():
            scans = list(streams.batch(engine, strain, batch_seed, script, until_h))
            yield arm, b, taught_batch(scans, learners)
            if b == CHANGED_AT - 1:
                before = scans
    if changed and "changed" in arms:
        laws = arms["changed"][1].laws()
        yield "forgotten", CHANGED_AT - 1, [judge(before, k, laws) for k in instants(before)]


def batch_seed_of(reactor: int, batch: int) -> int:
    """The seed of a batch: within the half (0-499 or 500-999) that the reactor's seed is in."""
    return 500 * (reactor // 500) + (37 * reactor + batch) % 500


def taught_batch(scans: Sequence[Scan], learners: Pupils) -> list[Errors]:
    """Learn through a batch and forecast on the way; the errors of each forecast."""
    due, errors = set(instants(scans)), []
    for k, seen in enumerate(scans):
        learners.scan(seen)
        if k in due:
            errors.append(judge(scans, k, learners.laws()))
    return errors


def instants(scans: Sequence[Scan]) -> list[int]:
    """The scans at which forecasts are made."""
    every, ahead = round(JUDGED_EVERY_H / SCAN_H), round(AHEAD_H / SCAN_H)
    fed = next((s.hours for s in scans if s.estimate.inputs["feed"] > 0.0), math.inf)
    return [k for k in range(0, len(scans) - ahead, every) if scans[k].hours >= max(JUDGED_FROM_H, fed + 4.0)]


def judge(scans: Sequence[Scan], k: int, laws: Mapping[str, Law]) -> Errors:
    """The errors of every forecast made at scan k, of what is true 12 h later, and of the rates at the next scan."""
    errors, now = Errors(), scans[k]
    later = scans[k + round(AHEAD_H / SCAN_H)]
    cases: list[tuple[str, str, Law]] = [("zero", "", _no_law), ("random_walk", "", _no_law)]
    cases += [(name, rule, laws[name]) for name in LEARNERS for rule in RULES]
    states, logs = _ahead(scans, k, cases)
    for (name, rule, _), state, log in zip(cases, states, logs, strict=True):
        for quantity in QUANTITIES:
            at = [s.name for s in MODEL.states].index(quantity)
            errors.add(float(state[at]) - later.truth[quantity], "ahead", name, rule, quantity)
        for rate in JUDGED:
            error = float(log[[m.name for m in MODEL.multipliers].index(rate)]) - later.truth[rate]
            errors.add(error, "rate_ahead", name, rule, rate)
    for quantity in QUANTITIES:
        errors.add(now.estimate[quantity] - later.truth[quantity], "ahead", "persistence", "", quantity)
    _next(errors, scans[k].estimate, scans[k + 1], laws)
    for name in (*QUANTITIES, *JUDGED):
        errors.truths[name] = [later.truth[name]]
    return errors


def _next(errors: Errors, estimate: Estimate, following: Scan, laws: Mapping[str, Law]) -> None:
    """The rates at the next scan: by surface, and by holding the estimate."""
    state = np.array([[following.estimate[name] for name in CODED]])
    held = dict(zip(estimate.multiplier_names, estimate.log_multipliers, strict=True))
    said = {name: dict(zip(PROCESS.learned, law(state)[0].tolist(), strict=True)) for name, law in laws.items()}
    said |= {"zero": dict.fromkeys(JUDGED, 0.0), "persistence": held, "random_walk": held}
    for name, rates_said in said.items():
        for rate in JUDGED:
            errors.add(rates_said[rate] - following.truth[rate], "next", name, rate)


def _ahead(scans: Sequence[Scan], k: int, cases: Sequence[tuple[str, str, Law]]) -> tuple[Floats, Floats]:
    """States and log multipliers of every case 12 h after scan k, under the feeds that were then given."""
    starts = [_start(scans[k].estimate, rule, law) for _, rule, law in cases]
    x = np.array([e.mean for e in starts])
    held = np.array([e.log_multipliers for e in starts])
    learned_now = _surfaces(cases, x)
    logs = held
    for step in range(round(AHEAD_H / HOLD_H)):
        surfaces = _surfaces(cases, x)
        kept = math.exp(-step * HOLD_H / Horizon().fade_h)
        logs = held.copy()
        for i, (name, _, _) in enumerate(cases):
            if name == "zero":
                logs[i, _LEARNED] = 0.0
            elif name != "random_walk":
                logs[i, _LEARNED] = surfaces[i] + (held[i, _LEARNED] - learned_now[i]) * kept
        logs = np.clip(logs, -_BOUNDS, _BOUNDS)
        planned = scans[k + round(step * HOLD_H / SCAN_H) + 1].estimate.inputs
        acting = {**scans[k].estimate.inputs, **{name: planned[name] for name in ("feed", "precursor_feed")}}
        inputs = np.array([[acting[i.name] for i in MODEL.inputs]])
        x = simulate(MODEL, x, np.array([0.0, HOLD_H]), inputs, np.exp(logs))[:, 1]
    return x, logs


def _surfaces(cases: Sequence[tuple[str, str, Law]], x: Floats) -> Floats:
    values = np.zeros((len(cases), len(_LEARNED)))
    by_law: dict[int, list[int]] = {}
    for i, (_, _, law) in enumerate(cases):
        by_law.setdefault(id(law), []).append(i)
    for rows in by_law.values():
        values[rows] = cases[rows[0]][2](x[np.ix_(rows, _CODED_AT)])
    return values


def _start(estimate: Estimate, rule: str, law: Law) -> Estimate:
    """The estimate that a forecast starts from; lagging multipliers conditioned on the surface where the rule says so.

    NeuroCore's by `twin.conditioned`, as it is shipped; the comparators' alike, but without its test of whether the
    present state was taught, which speaks of units that they do not have.
    """
    if rule != "conditioned":
        return estimate
    if isinstance(law, SurfaceLaw):
        return conditioned(MODEL, estimate, law.surface)
    learned = law(np.array([[estimate[name] for name in CODED]]))[0]
    lags = {i: (estimate.sd(MODEL.multipliers[i].name) / MODEL.multipliers[i].noise_sd) ** 2 for i in _LEARNED}
    values = {MODEL.multipliers[i].name: float(learned[j]) for j, i in enumerate(_LEARNED) if lags[i] > LAG_LONG_H}
    return observed(estimate, values, dict.fromkeys(values, TRUST_SD))
