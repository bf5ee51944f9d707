"""How unusual the present is: a multivariate EWMA (MEWMA) of the filter's normalised innovations.

In a healthy plant an innovation z = residual/sd is a unit normal, independent from scan to scan. Each signal keeps
s <- (1 - l) s + l z with l = 0.2 (Lowry et al. 1992) and the variance v that s then has, v <- (1 - l)^2 v + l^2. Over
the p signals read at this instant T2 = sum s^2/v is chi-square with p degrees of freedom, and the chance of a T2 at
least as large, q, becomes

    novelty = 1 - q^a,  a = ln(1/2)/ln(0.01)

so that the median of healthy scans is 0.10, one in a hundred exceeds 0.5, and a fault tends to 1. Each signal's
contribution is its share of T2. Signals may come and go: only those read now count, and a signal that returns goes on
from where it left off. Innovations are taken as uncorrelated across signals, which is what a filter's should be nearly
when readings are noisier than predictions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scipy.special import gammaincc

from twin.estimate import Innovation

SMOOTHING = 0.2
LARGEST_Z = 8.0  # one wild reading must not be remembered for tens of scans (design)
OUTLIER_Z = 5.0  # the gate of the filter (design)
_EXPONENT = math.log(0.5) / math.log(0.01)


@dataclass(frozen=True, slots=True)
class Average:
    """The moving average of one signal's normalised innovation, and its variance when healthy."""

    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Novelty:
    """The moving averages, and what they say: `level` in [0, 1] and each signal's share of it, summing to 1."""

    averages: Mapping[str, Average]
    level: float = 0.0
    contributions: Mapping[str, float] = field(default_factory=dict)


NOTHING_SEEN = Novelty({})


def observe(state: Novelty, innovations: Mapping[str, Innovation], outliers: Sequence[str] = ()) -> Novelty:
    """Take in the innovations of one instant; without a usable one everything stays as it was.

    `outliers` are readings that the filter did not use because they lay too far away: it gives no innovation for
    them, so each counts as OUTLIER_Z on the side on which it has been.
    """
    usable = {
        name: innovation.residual / innovation.sd
        for name, innovation in innovations.items()
        if math.isfinite(innovation.residual) and math.isfinite(innovation.sd) and innovation.sd > 0
    }
    before = {name: state.averages.get(name, Average(0.0, 0.0)) for name in (*usable, *outliers)}
    usable |= {name: math.copysign(OUTLIER_Z, before[name].mean) for name in outliers}
    fresh = {name: _advanced(before[name], z) for name, z in usable.items()}
    if not fresh:
        return state
    terms = {name: average.mean**2 / average.variance for name, average in fresh.items()}
    total = math.fsum(terms.values())
    shares = {name: term / total if total > 0 else 1 / len(terms) for name, term in terms.items()}
    return Novelty({**state.averages, **fresh}, level(total, len(terms)), shares)


def _advanced(average: Average, z: float) -> Average:
    bounded = min(max(z, -LARGEST_Z), LARGEST_Z)
    mean = (1 - SMOOTHING) * average.mean + SMOOTHING * bounded
    return Average(mean, (1 - SMOOTHING) ** 2 * average.variance + SMOOTHING**2)


def level(t_squared: float, signals: int) -> float:
    """1 - q^a, where q is the chance that a chi-square of so many degrees of freedom is at least this large."""
    chance = float(gammaincc(signals / 2, t_squared / 2))
    return float(1.0 - chance**_EXPONENT)


def to_json(state: Novelty) -> dict[str, Any]:
    """The state as plain values."""
    return {
        "averages": {name: [a.mean, a.variance] for name, a in state.averages.items()},
        "level": state.level,
        "contributions": dict(state.contributions),
    }


def from_json(data: Mapping[str, object]) -> Novelty:
    """The state that `to_json` wrote."""
    averages, contributions, value = data["averages"], data["contributions"], data["level"]
    if (
        not isinstance(averages, Mapping)
        or not isinstance(contributions, Mapping)
        or not isinstance(value, float | int)
    ):
        raise ValueError("the novelty of a NeuroCore snapshot is not as it was written")
    return Novelty({name: Average(*pair) for name, pair in averages.items()}, float(value), dict(contributions))
