"""Population pharmacokinetics: a fit by FOCEI, and one person's parameters by Bayesian MAP from a few drug levels.

The parameters of person i are theta exp(eta_i), eta_i normal with diagonal variance Omega. A level y differs from its
prediction f by a normal error of variance R = additive^2 + (proportional f)^2. What is minimised, summed over persons
at each one's conditional mode eta, is

    sum[(y - f)^2/R + log R] + eta' Omega^-1 eta + log det Omega + log det H
    H = G' R^-1 G + D' D/2 + Omega^-1,  G = df/deta,  D = (dR/deta)/R

(first-order conditional estimation with interaction, Lindstrom & Bates 1990; without the constant n log 2 pi).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]
# Log parameters (..., people, parameters) to predicted levels (..., people, levels).
Predict = Callable[[Array], Array]

_DIFFERENCE = 1e-5  # of a log parameter, for central differences
_MODE_STEPS = 60
_ROUNDING = 1e-11  # of an objective: no reason to halve a step
_MODE_TOLERANCE = 1e-7  # of the step that remains, in log parameters
_HALVINGS = 12
_LOG_SD_BOUNDS = (math.log(1e-3), math.log(5.0))  # of standard deviations between people
_TINY = 1e-30
_ILL = 1e14  # condition of H above which its steps mean nothing
_FINE, _COARSE = 1e-11, 1e-7  # of the objective: where a descent ends that is the last one, or is not
_FAR = 3.5  # of a log parameter from its start: thirtyfold


@dataclass(frozen=True, slots=True)
class Errors:
    """How a measured level scatters about its prediction."""

    additive: float = 0.0  # in the level's unit
    proportional: float = 0.0

    def variance(self, predicted: Array) -> Array:
        """Of a level whose prediction is this."""
        return np.asarray(self.additive**2 + (self.proportional * predicted) ** 2 + _TINY)


@dataclass(frozen=True, slots=True)
class Subject:
    """One person's levels after one oral dose."""

    dose_mg: float
    times_h: tuple[float, ...]
    levels: tuple[float, ...]  # mg/L


@dataclass(frozen=True, slots=True)
class PopulationFit:
    """What a fit found. `objective` is minus twice the log likelihood without its constant."""

    names: tuple[str, ...]
    typical: tuple[float, ...]
    log_sd: tuple[float, ...]  # between people, of the log parameters
    errors: Errors
    objective: float
    etas: tuple[tuple[float, ...], ...]  # each subject's mode
    converged: bool

    def shrinkage(self) -> tuple[float, ...]:
        """How far the modes draw together, by parameter: 0 when the data speak, 1 when the prior does."""
        spread = np.std(np.array(self.etas), axis=0)
        return tuple((1 - spread / np.array(self.log_sd)).tolist())


@dataclass(frozen=True, slots=True)
class Posterior:
    """One person's parameters given the levels: the mode, and the covariance of the log parameters about it."""

    values: tuple[float, ...]
    log_sd: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    shrinkage: tuple[float, ...]  # of the variance: 1 when the levels say nothing of a parameter


def fit(
    subjects: Sequence[Subject],
    start: Sequence[float],
    log_sd: Sequence[float] = (0.5, 0.5, 0.5),
    additive: float = 1.0,
    rounds: int = 2,
) -> PopulationFit:
    """The one-compartment oral model (ka, CL/F, V/F), additive error, by FOCEI from `start`.

    First the spread between people is held, so that a start several times off finds its valley; then all is free.
    Absorption slower than elimination is the same curve with the two exchanged: of the two, the faster absorption
    is taken, as is usual for a drug that is not released slowly. `rounds` of descent: 1 when the start is near.
    """
    data = _Data.of(subjects)
    names = ("ka", "CL/F", "V/F")
    x = np.concatenate([np.log(start), np.log(log_sd), [math.log(additive)]])
    x, _, _ = _descend(data, x, np.array([True] * 3 + [False] * 3 + [True]), 1)
    if x[0] < x[1] - x[2]:  # ka < CL/V
        x[0], x[2] = x[1] - x[2], x[1] - x[0]
    x, value, converged = _descend(data, x, np.full(7, True), rounds)
    typical, spread, errors = _unpacked(x)
    _, etas = _objective(data, x, np.zeros((len(subjects), 3)))
    return PopulationFit(
        names,
        tuple(typical.tolist()),
        tuple(spread.tolist()),
        errors,
        value,
        tuple(map(tuple, etas.tolist())),
        converged,
    )


def objective(subjects: Sequence[Subject], found: PopulationFit) -> float:
    """FOCEI's objective of these subjects under the parameters of a fit."""
    data = _Data.of(subjects)
    x = np.concatenate([np.log(found.typical), np.log(found.log_sd), [math.log(found.errors.additive)]])
    return _objective(data, x, np.zeros((len(subjects), 3)))[0]


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


def one_compartment(dose_mg: Array, times_h: Array, log_parameters: Array) -> Array:
    """Levels in mg/L after one oral dose at time 0: (..., people, times) for log ka, log CL/F, log V/F by person."""
    ka, clearance, volume = (np.exp(log_parameters[..., i : i + 1]) for i in range(3))
    k = clearance / volume
    # (e^-kt - e^-ka t)/(ka - k), written so that neither ka = k nor a large difference is an exception.
    gap = np.maximum(np.abs(ka - k) * times_h, 1e-12)
    shape = np.exp(-np.minimum(ka, k) * times_h) * times_h * -np.expm1(-gap) / gap
    return np.asarray(dose_mg / volume * ka * shape)


@dataclass(frozen=True, slots=True)
class _Data:
    """Subjects side by side, shorter records filled up with levels that do not count."""

    dose_mg: Array  # (subjects, 1)
    times_h: Array  # (subjects, levels)
    levels: Array
    counts: Array  # 1 where there is a level

    @classmethod
    def of(cls, subjects: Sequence[Subject]) -> _Data:
        longest = max(len(s.times_h) for s in subjects)
        table = np.zeros((3, len(subjects), longest))
        for i, s in enumerate(subjects):
            table[:, i, : len(s.times_h)] = s.times_h, s.levels, np.ones(len(s.times_h))
        return cls(np.array([[s.dose_mg] for s in subjects]), *table)


def _unpacked(x: Array) -> tuple[Array, Array, Errors]:
    return np.exp(x[:3]), np.exp(x[3:6]), Errors(additive=math.exp(x[6]))


def _objective(data: _Data, x: Array, etas: Array) -> tuple[float, Array]:
    """FOCEI's objective and the modes it was taken at; `etas` is where their search begins."""
    _, spread, errors = _unpacked(x)
    prior = spread**2

    def of(eta: Array) -> Array:
        return one_compartment(data.dose_mg, data.times_h, x[:3] + eta)

    etas, hessian = _modes(of, data.levels, data.counts, prior, errors, etas)
    inner = _inner(of(etas), data.levels, data.counts, prior, errors, etas)
    sign, log_det = np.linalg.slogdet(hessian)
    total = float(np.sum(inner + np.sum(np.log(prior)) + log_det))
    return (total if np.all(sign > 0) and math.isfinite(total) else math.inf), etas


def _descend(data: _Data, x: Array, free: NDArray[np.bool_], rounds: int) -> tuple[Array, float, bool]:
    """Minimise over the free entries; a second round begins afresh, since a numeric gradient can stop the first."""
    etas = np.zeros((len(data.levels), 3))
    low = np.where(np.arange(7) < 3, x - _FAR, _LOG_SD_BOUNDS[0])
    high = np.where(np.arange(7) < 3, x + _FAR, _LOG_SD_BOUNDS[1])

    def value(part: Array) -> float:
        nonlocal etas
        trial = x.copy()
        trial[free] = part
        found, modes = _objective(data, trial, etas)
        if math.isfinite(found):
            etas = modes
        return found if math.isfinite(found) else 1e10

    for _ in range(rounds):
        result = minimize(
            value,
            x[free],
            method="L-BFGS-B",
            bounds=list(zip(low[free], high[free], strict=True)),
            options={"eps": 1e-5, "ftol": _FINE if rounds > 1 else _COARSE, "gtol": 1e-4, "maxiter": 300},
        )
        x = x.copy()
        x[free] = result.x
    return x, float(result.fun), bool(result.success)


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
