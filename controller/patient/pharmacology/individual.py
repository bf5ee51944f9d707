"""One person's pharmacokinetic parameters by Bayesian MAP from a few drug levels and the population's spread.

The parameters of a person are theta exp(eta), eta normal with diagonal variance Omega. A level y differs from its
prediction f by a normal error of variance R = additive^2 + (proportional f)^2. What is minimised over eta is

    sum[(y - f)^2/R + log R] + eta' Omega^-1 eta

by damped Gauss-Newton with the curvature of first-order conditional estimation (Lindstrom & Bates 1990):

    H = G' R^-1 G + D' D/2 + Omega^-1,  G = df/deta,  D = (dR/deta)/R
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Log parameters (..., people, parameters) to predicted levels (..., people, levels).
Predict = Callable[[Array], Array]

_DIFFERENCE = 1e-5  # of a log parameter, for central differences
_MODE_STEPS = 60
_ROUNDING = 1e-11  # of an objective: no reason to halve a step
_MODE_TOLERANCE = 1e-7  # of the step that remains, in log parameters
_HALVINGS = 12
_TINY = 1e-30
_ILL = 1e14  # condition of H above which its steps mean nothing


@dataclass(frozen=True, slots=True)
class Errors:
    """How a measured level scatters about its prediction."""

    additive: float = 0.0  # in the level's unit
    proportional: float = 0.0

    def variance(self, predicted: Array) -> Array:
        """Of a level whose prediction is this."""
        return np.asarray(self.additive**2 + (self.proportional * predicted) ** 2 + _TINY)


@dataclass(frozen=True, slots=True)
class Posterior:
    """One person's parameters given the levels: the mode, and the covariance of the log parameters about it."""

    values: tuple[float, ...]
    log_sd: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    shrinkage: tuple[float, ...]  # of the variance: 1 when the levels say nothing of a parameter


def individual(
    predict: Predict, levels: Sequence[float], typical: Sequence[float], log_sd: Sequence[float], errors: Errors
) -> Posterior:
    """The most probable parameters of one person; without levels the population's own.

    A parameter whose `log_sd` is zero is fixed.
    """
    theta, spread = np.log(np.array(typical, dtype=np.float64)), np.array(log_sd, dtype=np.float64)
    free = spread > 0
    count = int(free.sum())
    prior = spread[free] ** 2

    def of(eta: Array) -> Array:
        full = np.zeros((*eta.shape[:-1], len(theta)))
        full[..., free] = eta
        return predict(theta + full)

    covariance = np.zeros((len(theta), len(theta)))
    eta = np.zeros((1, count))
    if count and len(levels):
        y = np.array([levels], dtype=np.float64)
        eta, hessian = _modes(of, y, np.ones_like(y), prior, errors, eta)
        covariance[np.ix_(free, free)] = np.linalg.inv(hessian[0])
    else:
        covariance[np.ix_(free, free)] = np.diag(prior)
    theta[free] += eta[0]
    variance = np.diag(covariance)
    shrinkage = np.where(free, variance / np.maximum(spread**2, _TINY), 1.0)
    return Posterior(
        tuple(np.exp(theta).tolist()),
        tuple(np.sqrt(variance).tolist()),
        tuple(map(tuple, covariance.tolist())),
        tuple(shrinkage.tolist()),
    )


def _modes(of: Predict, y: Array, counts: Array, prior: Array, errors: Errors, etas: Array) -> tuple[Array, Array]:
    """Each person's mode by damped Gauss-Newton, and the matrix H there."""
    value = _inner(of(etas), y, counts, prior, errors, etas)
    cold = np.zeros_like(etas)  # a search never starts worse than from the typical person
    from_cold = _inner(of(cold), y, counts, prior, errors, cold)
    etas = np.where((from_cold < value)[:, None], cold, etas)
    value = np.minimum(value, from_cold)
    for _ in range(_MODE_STEPS):
        slope, hessian = _slope(of, y, counts, prior, errors, etas)
        if not np.isfinite(hessian).all() or np.linalg.cond(hessian).max() > _ILL:
            break  # parameters so far off that no level says anything of them
        step = np.linalg.solve(hessian, slope[:, :, None])[:, :, 0]
        step = step / np.maximum(1.0, np.abs(step).max(axis=1, keepdims=True))
        etas, value, moved = _stepped(of, y, counts, prior, errors, etas, value, step)
        if moved < _MODE_TOLERANCE:
            break
    return etas, _slope(of, y, counts, prior, errors, etas)[1]


def _stepped(
    of: Predict, y: Array, counts: Array, prior: Array, errors: Errors, etas: Array, value: Array, step: Array
) -> tuple[Array, Array, float]:
    """The step down, halved by each person until it helps; and the longest that was taken."""
    share = np.ones((len(etas), 1))
    for _ in range(_HALVINGS):
        trial = etas - share * step
        after = _inner(of(trial), y, counts, prior, errors, trial)
        worse = ~(after <= value + _ROUNDING * np.abs(value))
        if not worse.any():
            break
        share = np.where(worse[:, None], 0.5 * share, share)
    better = ~worse
    taken = np.where(better[:, None], trial, etas)
    return taken, np.where(better, after, value), float(np.abs(taken - etas).max())


def _inner(f: Array, y: Array, counts: Array, prior: Array, errors: Errors, etas: Array) -> Array:
    """Minus twice the log of a person's joint density, without constants."""
    R = errors.variance(f)
    with np.errstate(over="ignore", invalid="ignore"):
        fit = np.sum(counts * ((y - f) ** 2 / R + np.log(R)), axis=1)
        return np.asarray(np.where(np.isfinite(fit), fit, np.inf) + np.sum(etas**2 / prior, axis=1))


def _slope(of: Predict, y: Array, counts: Array, prior: Array, errors: Errors, etas: Array) -> tuple[Array, Array]:
    """Half the gradient of `_inner`, and H."""
    f, n = of(etas), etas.shape[1]
    R = errors.variance(f)
    shifts = _DIFFERENCE * np.eye(n)[:, None, :]
    G = np.moveaxis(of(etas + shifts) - of(etas - shifts), 0, -1) / (2 * _DIFFERENCE)
    D = 2 * errors.proportional**2 * (f / R)[:, :, None] * G
    e = y - f
    half = -(counts * e / R)[:, :, None] * G + 0.5 * (counts * (1 - e**2 / R))[:, :, None] * D
    weighted = (counts / R)[:, :, None] * G
    hessian = np.einsum("iaj,iak->ijk", weighted, G) + 0.5 * np.einsum("iaj,iak->ijk", counts[:, :, None] * D, D)
    return half.sum(axis=1) + etas / prior, hessian + np.diag(1 / prior)
