"""What a learned correction says of the present estimate, where the filter is known to lag.

A multiplier that the filter takes for a random walk of q per sqrt(h) and knows to s is followed with a lag of s^2/q^2.
Where that is long, what earlier batches taught of this state is better evidence than the estimate. It is taken in as
an observation of the multiplier: through the covariance it also moves the states that were estimated with it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from twin.correction import activities, read_out
from twin.model import Array, Model, Multiplier
from twin.records import Correction, Estimate

LAG_LONG_H = 24.0  # a lag above this is long: two intervals between assays (design)
TRUST_SD = 0.02  # of the logarithm, of what was learned where all units present were taught (design)
SUPPORT_LEAST = 0.5  # share of the present activity that must come from taught units (design)


def conditioned(model: Model, estimate: Estimate, correction: Correction) -> Estimate:
    """The estimate with its lagging multipliers conditioned on the correction; unchanged where nothing was learned."""
    lagging = [m.name for m in model.multipliers if _lags(estimate, m)]
    if not lagging or not correction.population.states:
        return estimate
    active = activities(correction.population, dict(zip(estimate.names, estimate.mean, strict=True)))
    support = supports(correction, active)
    learned = read_out(correction, active)
    values = {name: learned[name] for name in lagging if support.get(name, 0.0) >= SUPPORT_LEAST}
    return observed(estimate, values, {name: TRUST_SD / support[name] for name in values})


def _lags(estimate: Estimate, multiplier: Multiplier) -> bool:
    """Whether the filter follows this multiplier with a long lag."""
    return multiplier.noise_sd > 0.0 and (estimate.sd(multiplier.name) / multiplier.noise_sd) ** 2 > LAG_LONG_H


def supports(correction: Correction, active: Array) -> dict[str, float]:
    """The share of the present activity that comes from units with a weight, by multiplier."""
    total = float(active.sum())
    taught = (np.asarray(correction.weights) != 0.0) @ active
    return {
        name: share / total if total > 0 else 0.0
        for name, share in zip(correction.multiplier_names, taught.tolist(), strict=True)
    }


def observed(estimate: Estimate, values: dict[str, float], sds: dict[str, float]) -> Estimate:
    """The estimate after observing these log multipliers with these standard deviations."""
    if not values:
        return estimate
    n = len(estimate.mean)
    mean = np.array(estimate.mean + estimate.log_multipliers)
    covariance = np.array(estimate.covariance)
    for name, value in values.items():  # one after the other, which needs no equations to be solved
        at = n + estimate.multiplier_names.index(name)
        shared = covariance[at]
        variance = shared[at] + sds[name] ** 2
        mean += shared * ((value - mean[at]) / variance)
        covariance -= np.outer(shared, shared) / variance
    return replace(
        estimate,
        mean=tuple(np.maximum(mean[:n], 0.0).tolist()),
        log_multipliers=tuple(mean[n:].tolist()),
        covariance=tuple(tuple(row) for row in covariance.tolist()),
    )
