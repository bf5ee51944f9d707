"""The rate learner: the filter's log multipliers are the target, and the read-outs are taught to follow them.

A read-out counts r = floor(sum(w p) / 64); the log multiplier it means is `log_per_count` r. The error that is sent
back is round(127 clip((target - read-out) gain / error_scale, -1, 1)). Since dw = x1 e / 1024, with trace x1 = 127 f
and payload p = 254 f of a unit with activity f, one lesson closes the share

    127 * log_per_count / error_scale * (127 * 254 / 65536) * sum(f^2)

of the error. `design` picks `log_per_count` so that weights at REACH of their range give the largest bound, and
`error_scale` so that this share is RATE on average over the coded box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.neurocore.coding import PAYLOAD_FULL, overlap
from twin import evidence
from twin.correction import Correction, Population
from twin.estimate import Estimate
from twin.model import Model, Multiplier
from twin.signals import Role, Snapshot, Variable

Integers = NDArray[np.integer[Any]]

ERROR_FULL = 127
WEIGHT_FULL = 255
READ_OUT_DIVISOR = 64  # the weight exponent of the synapses, -6
REACH = 0.6  # design
RATE = 0.15  # design
SETTLED = 0.25  # of RATE: it never falls below, so that a drifting plant is still followed (design)
HALVED_AFTER = 200  # lessons (design)
SD_SHARE = 0.8  # of the prior's sd: a target less certain than this is still mostly prior (design)
NOVELTY_MAX = 0.95  # chance of 2e-9 when healthy: more likely a fault than a lesson (design)


@dataclass(frozen=True, slots=True)
class RateLearner:
    """What is learned, within which bounds, and when not."""

    names: tuple[str, ...]  # of multipliers
    bounds: tuple[float, ...]  # |log multiplier|
    sd_max: tuple[float, ...]  # of the target
    log_per_count: float
    error_scale: float  # an error of this size, in log units, is sent as 127
    outputs: frozenset[str]  # readings that the filter compares with the model,
    inputs: frozenset[str]  # and those that drive it; all those present must be fit to learn from
    variables: Mapping[str, Variable] = field(default_factory=dict)  # their spans and largest ages, where known
    novelty_max: float = NOVELTY_MAX


def design(
    population: Population,
    multipliers: Sequence[Multiplier],
    model: Model,
    variables: Sequence[Variable] = (),
) -> RateLearner:
    """A learner of these multipliers of the model, whose scales fit the population."""
    total, squares = overlap(population)
    counts_full = PAYLOAD_FULL * WEIGHT_FULL * total / READ_OUT_DIVISOR
    log_per_count = max(m.bound for m in multipliers) / (REACH * counts_full)
    counts_per_error = (ERROR_FULL / 1024) * (PAYLOAD_FULL / READ_OUT_DIVISOR) * squares
    return RateLearner(
        names=tuple(m.name for m in multipliers),
        bounds=tuple(m.bound for m in multipliers),
        sd_max=tuple(SD_SHARE * m.initial_sd for m in multipliers),
        log_per_count=log_per_count,
        error_scale=ERROR_FULL * counts_per_error * log_per_count / RATE,
        outputs=frozenset(o.name for o in model.outputs),
        inputs=frozenset(i.name for i in model.inputs),
        variables={v.name: v for v in variables},
    )


def log_multipliers(learner: RateLearner, read_out: Integers) -> dict[str, float]:
    """What the read-outs mean, within bounds."""
    pairs = zip(learner.names, read_out, learner.bounds, strict=True)
    return {name: float(np.clip(learner.log_per_count * float(r), -b, b)) for name, r, b in pairs}


def correction(learner: RateLearner, population: Population, weights: Integers) -> Correction:
    """The surface that these weights span: at any state, what the network itself would read out there."""
    scale = learner.log_per_count * PAYLOAD_FULL / READ_OUT_DIVISOR
    rows = tuple(tuple(float(w) for w in row) for row in weights)
    return Correction(learner.names, population, rows, scale, learner.bounds)


def errors(
    learner: RateLearner, read_out: Integers, estimate: Estimate, lessons: Sequence[int]
) -> tuple[Integers, tuple[bool, ...]]:
    """The error of each output, -127..127, and which were certain enough to be taught; zero for the others.

    `lessons` counts how often each output was taught before: the rate settles with it.
    """
    taught = tuple(_certain(learner, estimate, k) for k in range(len(learner.names)))
    targets = dict(zip(estimate.multiplier_names, estimate.log_multipliers, strict=True))
    result = np.zeros(len(learner.names), dtype=np.int64)
    for k, name in enumerate(learner.names):
        if taught[k]:
            target = float(np.clip(targets[name], -learner.bounds[k], learner.bounds[k]))
            missing = target - learner.log_per_count * float(read_out[k])
            share = float(np.clip(gain(lessons[k]) * missing / learner.error_scale, -1.0, 1.0))
            result[k] = round(ERROR_FULL * share)
    return result, taught


def gain(lessons: int) -> float:
    """The share of the full rate after so many lessons."""
    return max(SETTLED, 1.0 / (1.0 + lessons / HALVED_AFTER))


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
