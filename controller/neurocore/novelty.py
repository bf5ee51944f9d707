"""How unusual the present is: a multivariate EWMA (MEWMA) of the filter's normalised innovations.

In a healthy plant an innovation z = residual/sd is a unit normal, independent from scan to scan. Each signal keeps
s <- (1 - l) s + l z with l = 0.2 (Lowry et al. 1992) and the variance v that s then has, v <- (1 - l)^2 v + l^2. Over
the p signals read at this instant T2 = r' C^-1 r with r = s/sqrt(v), where C is the second moment of r in healthy
scans: the identity at first, then as it was seen. (A filter's innovations are neither quite independent of each other
nor quite white; with the C of what is healthy, T2 sees what departs from their usual pattern.) T2 is about chi-square
with p degrees of freedom, and the chance of one at least as large, q, becomes

    novelty = 1 - q^a,  a = ln(1/2)/ln(0.01)

so that the median of healthy scans is 0.10, one in a hundred exceeds 0.5, and a fault tends to 1. Each signal's
contribution is its share of T2. Signals may come and go: only those read now count, and a signal that returns goes on
from where it left off. `combined` joins this level, which sees drift, with that of `neurocore.cross`, which is fast.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from twin.records import Innovation

SMOOTHING = 0.2
LARGEST_Z = 8.0  # one wild reading must not be remembered for tens of scans (design)
OUTLIER_Z = 5.0  # the gate of the filter (design)
HEALTHY = 0.75  # one healthy scan in ten thousand is above it: C is learned up to here (design)
PRIOR_SCANS = 100  # how many scans the identity counts for (design)
MEMORY_SCANS = 3000  # over which C is learned: about ten days of five minutes (design)
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
    moments: Mapping[tuple[str, str], float] = field(default_factory=dict)  # C less the identity, by sorted pair
    scans: int = 0  # that C was learned from


NOTHING_SEEN = Novelty({})


def observe(state: Novelty, innovations: Mapping[str, Innovation], outliers: Sequence[str] = ()) -> Novelty:
    """Take in the innovations of one instant; without a usable one everything stays as it was.

    `outliers` are readings that the filter did not use because they lay too far away: it gives no innovation for
    them, so each counts as OUTLIER_Z on the side on which it has been.
    """
    usable = normalised(state, innovations, outliers)
    before = {name: state.averages.get(name, Average(0.0, 0.0)) for name in usable}
    fresh = {name: _advanced(before[name], z) for name, z in usable.items()}
    if not fresh:
        return state
    names = sorted(fresh)
    r = np.array([fresh[name].mean / math.sqrt(fresh[name].variance) for name in names])
    terms = r * np.linalg.solve(_pattern(state, names), r)
    total = float(terms.sum())
    found = level(total, len(names))
    sizes = np.abs(terms)
    shares = sizes / sizes.sum() if total > 0 else np.full(len(names), 1 / len(names))
    contributions = dict(zip(names, shares.tolist(), strict=True))
    averages = {**state.averages, **fresh}
    if found > HEALTHY:
        return Novelty(averages, found, contributions, state.moments, state.scans)
    return Novelty(averages, found, contributions, _learned(state, names, r), state.scans + 1)


def normalised(state: Novelty, innovations: Mapping[str, Innovation], outliers: Sequence[str] = ()) -> dict[str, float]:
    """The usable innovations in their expected standard deviations; an outlier counts as OUTLIER_Z."""
    usable = {
        name: innovation.residual / innovation.sd
        for name, innovation in innovations.items()
        if math.isfinite(innovation.residual) and math.isfinite(innovation.sd) and innovation.sd > 0
    }
    side = {name: state.averages[name].mean if name in state.averages else 0.0 for name in outliers}
    return usable | {name: math.copysign(OUTLIER_Z, mean) for name, mean in side.items()}


def _pattern(state: Novelty, names: Sequence[str]) -> NDArray[np.float64]:
    """C over these signals."""
    matrix = np.eye(len(names))
    for i, a in enumerate(names):  # sorted, as the pairs are
        for j, b in enumerate(names[i:], start=i):
            matrix[i, j] += state.moments.get((a, b), 0.0)
            matrix[j, i] = matrix[i, j]
    return matrix


def _learned(state: Novelty, names: Sequence[str], r: NDArray[np.float64]) -> dict[tuple[str, str], float]:
    """The moments, to which a healthy scan has added its own."""
    rate = 1.0 / (PRIOR_SCANS + min(state.scans, MEMORY_SCANS))
    moments = dict(state.moments)
    for i, a in enumerate(names):
        for j, b in enumerate(names[i:], start=i):
            before = moments.get((a, b), 0.0)
            moments[a, b] = (1.0 - rate) * before + rate * (float(r[i] * r[j]) - float(i == j))
    return moments


def combined(*levels: float) -> float:
    """One level of several: calibrated as each of them is, when they are independent."""
    least = min((1.0 - value) ** (1.0 / _EXPONENT) for value in levels)
    chance = -math.expm1(len(levels) * math.log1p(-min(least, 1.0 - 1e-12)))  # of so small a chance in any of them
    return float(1.0 - chance**_EXPONENT)


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
        "moments": [[a, b, value] for (a, b), value in state.moments.items()],
        "scans": state.scans,
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
    moments, scans = data.get("moments", []), data.get("scans", 0)
    if not isinstance(moments, Sequence) or not isinstance(scans, int):
        raise ValueError("the novelty of a NeuroCore snapshot is not as it was written")
    return Novelty(
        {name: Average(*pair) for name, pair in averages.items()},
        float(value),
        dict(contributions),
        {(a, b): float(moment) for a, b, moment in moments},
        scans,
    )
