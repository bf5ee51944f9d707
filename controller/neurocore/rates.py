"""The rate learner: the filter's log multipliers are the target, and the read-outs are taught to follow them.

A read-out counts r = floor(sum(w p) / 64); the log multiplier it means is `log_per_count` r. Since dw = x1 e / 1024,
with trace x1 = 127 f and payload p = 254 f of a unit with activity f, an error e moves the read-out at this state by

    e (127 / 1024) (254 / 64) sum(f^2)

counts. The error that is sent back is chosen to close a share of what is missing, the learner's pace: a normalised
rule, whose norm is known where the payload is made. `design` picks `log_per_count` of each output so that weights at
the pace's `reach` of their range, over the whole box, give as much as the multiplier can be expected to do. Too narrow
a scale costs more than a coarse one: overlapping units share what is to be said so unevenly that at a reach of 0.6 one
in ten weights of the rate that varies most ended at its limit, and a weight at its limit learns nothing more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.neurocore.coding import PAYLOAD_FULL, overlap
from controller.neurocore.lessons import Lesson
from twin import evidence
from twin.model import Model, Multiplier
from twin.records import Correction, Estimate, Population
from twin.signals import Role, Snapshot, Variable

Integers = NDArray[np.integer[Any]]

ERROR_FULL = 127
WEIGHT_FULL = 255
READ_OUT_DIVISOR = 64  # the weight exponent of the synapses, -6
COUNTS_PER_ERROR = (ERROR_FULL / 1024) * (PAYLOAD_FULL / READ_OUT_DIVISOR)  # times the summed squared activity
WALKS, BATCH_H = 5.0, 230.0  # standard deviations of the filter's random walk over a batch (design)


@dataclass(frozen=True, slots=True)
class Pace:
    """How much of the missing part one lesson closes, and in how coarse steps (design)."""

    rate: float  # at first
    settled: float  # of that: it never falls below, so that a drifting plant is still followed
    halved_after: float  # lessons
    reach: float  # share of the weights' range that should do to say the largest log multiplier expected

    def share(self, lessons: int) -> float:
        """The share that is closed after so many lessons."""
        return self.rate * max(self.settled, 1.0 / (1.0 + lessons / self.halved_after))


AT_ONCE = Pace(0.15, 0.25, 200.0, 0.6)  # lessons on the present state, each nearly a repetition of the last
# Fresh and remembered lessons in turns. At first a lesson closes all that is missing: a first batch is over before
# small shares have added up; a quarter is left in the end. Rate: of 0.5, 0.8, 1 and 1.4 on three reactors, where 1.4
# did 1 % better than 1 but overshoots. Against 0.5, 1 did 2 % better in the first two batches of four other reactors,
# and no better over ten batches of a fifth. Reach: best of 0.1 to 0.6 at a rate of 0.5. All of seeds 0-499.
HINDSIGHT = Pace(1.0, 0.25, 2000.0, 0.2)
REACH_BEFORE = 0.6  # of every snapshot that does not tell the scale of its weights
SQUARES_LEAST = 0.1  # of their mean over the coded box: where fewer units speak, no unit is moved more than here
SD_SHARE = 0.8  # of the prior's sd: a target less certain than this is still mostly prior (design)
NOVELTY_MAX = 0.95  # chance of 2e-9 when healthy: more likely a fault than a lesson (design)


@dataclass(frozen=True, slots=True)
class RateLearner:
    """What is learned, within which bounds, and when not."""

    names: tuple[str, ...]  # of multipliers
    bounds: tuple[float, ...]  # |log multiplier|
    sd_max: tuple[float, ...]  # of the target
    walks_sd: tuple[float, ...]  # what the filter believes each log multiplier to walk, per sqrt(h)
    log_per_count: tuple[float, ...]
    squares_least: float
    pace: Pace
    outputs: frozenset[str]  # readings that the filter compares with the model,
    inputs: frozenset[str]  # and those that drive it; all those present must be fit to learn from
    variables: Mapping[str, Variable] = field(default_factory=dict)  # their spans and largest ages, where known
    novelty_max: float = NOVELTY_MAX


def design(
    population: Population,
    multipliers: Sequence[Multiplier],
    model: Model,
    variables: Sequence[Variable] = (),
    pace: Pace = AT_ONCE,
) -> RateLearner:
    """A learner of these multipliers of the model, whose scales fit the population."""
    total, squares = overlap(population)
    counts_full = PAYLOAD_FULL * WEIGHT_FULL * total / READ_OUT_DIVISOR
    walked = [m.initial_sd + WALKS * m.noise_sd * math.sqrt(BATCH_H) for m in multipliers]
    largest = [min(m.bound, w) for m, w in zip(multipliers, walked, strict=True)]
    return RateLearner(
        names=tuple(m.name for m in multipliers),
        bounds=tuple(m.bound for m in multipliers),
        sd_max=tuple(SD_SHARE * m.initial_sd for m in multipliers),
        walks_sd=tuple(m.noise_sd for m in multipliers),
        log_per_count=tuple(x / (pace.reach * counts_full) for x in largest),
        squares_least=SQUARES_LEAST * squares,
        pace=pace,
        outputs=frozenset(o.name for o in model.outputs),
        inputs=frozenset(i.name for i in model.inputs),
        variables={v.name: v for v in variables},
    )


def rescaled(learner: RateLearner, weights: NDArray[Any], log_per_count: Sequence[float] | None) -> NDArray[Any]:
    """Weights that were learned at another scale, as they say the same at this learner's; None: at REACH_BEFORE."""
    if log_per_count is None:
        log_per_count = [unit * learner.pace.reach / REACH_BEFORE for unit in learner.log_per_count]
    ratios = np.array(log_per_count) / np.array(learner.log_per_count)
    same: NDArray[np.float64] = weights * ratios[:, None]
    return same


def log_multipliers(learner: RateLearner, read_out: Integers) -> dict[str, float]:
    """What the read-outs mean, within bounds."""
    outputs = zip(learner.names, read_out, learner.log_per_count, learner.bounds, strict=True)
    return {name: min(max(unit * float(r), -b), b) for name, r, unit, b in outputs}


def correction(learner: RateLearner, population: Population, weights: NDArray[Any]) -> Correction:
    """The surface that these weights span: at any state, what a network with them would read out there."""
    coarsest = max(learner.log_per_count)
    scale = coarsest * PAYLOAD_FULL / READ_OUT_DIVISOR
    units = [unit / coarsest for unit in learner.log_per_count]
    rows = tuple(tuple((unit * row).tolist()) for unit, row in zip(units, np.asarray(weights), strict=True))
    return Correction(learner.names, population, rows, scale, learner.bounds)


def errors(
    learner: RateLearner, read_out: Integers, lesson: Lesson, squares: float, lessons: Sequence[int]
) -> Integers:
    """The error of each output, -127..127; zero for those that the lesson does not teach.

    `squares` is the summed squared activity of the units at the lesson's state. `lessons` counts how often each
    output was taught before: the rate settles with it.
    """
    counts_per_error = COUNTS_PER_ERROR * max(squares, learner.squares_least)
    result = np.zeros(len(learner.names), dtype=np.int64)
    for k, taught in enumerate(lesson.taught):
        if taught:
            target = min(max(lesson.targets[k], -learner.bounds[k]), learner.bounds[k])
            missing = target / learner.log_per_count[k] - float(read_out[k])
            wanted = learner.pace.share(lessons[k]) * missing / counts_per_error
            result[k] = round(min(max(wanted, -ERROR_FULL), ERROR_FULL))
    return result


def targets(learner: RateLearner, estimate: Estimate) -> tuple[tuple[float, ...], tuple[float, ...], tuple[bool, ...]]:
    """Of the learned multipliers: the estimated logarithms, their standard deviations, and which are certain enough."""
    logs = dict(zip(estimate.multiplier_names, estimate.log_multipliers, strict=True))
    return (
        tuple(logs[name] for name in learner.names),
        tuple(estimate.sd(name) for name in learner.names),
        tuple(_certain(learner, estimate, k) for k in range(len(learner.names))),
    )


def obstacle(learner: RateLearner, snapshot: Snapshot, estimate: Estimate, novelty: float) -> str:
    """The sentence why nothing may be learned at this scan, or ""."""
    if estimate.nis_dof == 0:
        return "no reading could be used for the estimate"
    for name in snapshot.readings:
        if name in learner.outputs | learner.inputs and (fault := _fault(learner, name, snapshot)):
            return fault
    if outliers := set_aside(learner, snapshot, estimate):
        return f"{', '.join(outliers)} was set aside by the estimate as an outlier"
    if novelty > learner.novelty_max:
        return f"the readings are unusual: novelty {novelty:.3f} above {learner.novelty_max:g}"
    if not any(_certain(learner, estimate, k) for k in range(len(learner.names))):
        sds = ", ".join(f"{name} {estimate.sd(name):.2g}" for name in learner.names)
        return f"the targets are not certain enough yet: standard deviations {sds}"
    return ""


def set_aside(learner: RateLearner, snapshot: Snapshot, estimate: Estimate) -> tuple[str, ...]:
    """Outputs with a reading that is fit, which the estimate did not use all the same; needs known variables."""
    return tuple(
        name
        for name in snapshot.readings
        if name in learner.outputs
        and name in learner.variables
        and learner.variables[name].role is Role.MEASURED
        and name not in estimate.innovations
        and not _fault(learner, name, snapshot)
    )


def _certain(learner: RateLearner, estimate: Estimate, k: int) -> bool:
    value = dict(zip(estimate.multiplier_names, estimate.log_multipliers, strict=True))[learner.names[k]]
    return bool(np.isfinite(value)) and estimate.sd(learner.names[k]) < learner.sd_max[k]


def _fault(learner: RateLearner, name: str, snapshot: Snapshot) -> str:
    """Why this reading is not fit to learn from, or ""."""
    reading, variable = snapshot.readings[name], learner.variables.get(name)
    if variable is not None and (fault := evidence.why_not(variable, snapshot)):
        return fault
    if not reading.usable or reading.value is None:
        return f"{name} is {reading.quality.name.lower()}" + (f": {reading.reason}" if reading.reason else "")
    # A pump may well run at its limit; a sensor at its limit says nothing.
    if variable is not None and variable.role is Role.MEASURED and reading.value >= variable.high:
        return f"{name} is saturated: it reads {reading.value:g} of at most {variable.high:g} {variable.unit}"
    return ""
