"""The arithmetic of the unscented filter over lanes of sigma points (Julier & Uhlmann 2004; equal weights, no centre).

The belief is over the states and the log multipliers together.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from twin.integrate import LANES, kernels, terms
from twin.model import Array, Model, parameter_values
from twin.numeric import compiled

STAGE_STEPS = 60  # of the model's own, after which the sigma points are renewed (design)


@dataclass(frozen=True, slots=True)
class Unscented:
    """The arithmetic for one model: what a prediction and a correction need, compiled."""

    name: str
    parameters: Array
    noise: Array  # per sqrt(h)
    low: Array  # of states and log multipliers
    high: Array
    terms: tuple[Array, Array]  # that integration keeps to
    stage_h: float  # after which the sigma points are renewed
    predict_kernel: Any
    sight_kernel: Any

    def predict(
        self, mean: Array, covariance: Array, inputs: Array, hours: float, jumps: bool, pull_h: float
    ) -> tuple[Array, Array]:
        """Mean and covariance after `hours` in which nothing is measured; with `jumps` the model's jump comes first."""
        u = np.repeat(inputs, LANES)
        after, spread_after = self.predict_kernel(
            mean,
            covariance,
            u,
            self.parameters,
            self.noise,
            1.0 / pull_h,
            self.low,
            self.high,
            self.terms,
            hours,
            self.stage_h,
            jumps,
        )
        if np.isfinite(after).all() and np.isfinite(spread_after).all():
            return np.minimum(np.maximum(after, self.low), self.high), spread_after
        raise ArithmeticError(f"the model {self.name} does not stay finite over {hours:g} h with inputs {inputs}")

    def sight(self, mean: Array, covariance: Array, inputs: Array) -> tuple[Array, Array]:
        """The sigma points, and what each would show at the outputs."""
        u = np.repeat(inputs, LANES)
        points, sights = self.sight_kernel(mean, covariance, u, self.parameters, self.low, self.high)
        return points, sights

    def correct(
        self, mean: Array, points: Array, sights: Array, residual: Array, noise: Array
    ) -> tuple[Array, Array, Array, float]:
        """Mean and covariance after a measurement of variance `noise`; the innovation's covariance and its NIS.

        The covariance is that of the corrected points, so rounding cannot make it negative.
        """
        shown = sights - np.add.reduce(sights) / len(points)
        deviations = points - mean
        innovation = shown.T @ shown / len(points) + np.diag(noise)
        sides = np.empty((len(noise), len(mean) + 1))
        sides[:, :-1], sides[:, -1] = shown.T @ deviations / len(points), residual
        solved = np.linalg.solve(innovation, sides)
        gain = solved[:, :-1].T
        left = deviations - shown @ gain.T
        covariance = left.T @ left / len(points) + (gain * noise) @ gain.T
        after = np.minimum(np.maximum(mean + gain @ residual, self.low), self.high)
        return after, (covariance + covariance.T) / 2, innovation, float(residual @ solved[:, -1])


@functools.cache
def unscented(model: Model) -> Unscented:
    """The arithmetic for a model; compiled once a process, and kept on disk."""
    made = kernels(model)
    sizes = {name: made[name] for name in ("NX", "NM", "NY")}
    sizes["fill"] = compiled(_fill, **sizes)
    bounds = [m.bound for m in model.multipliers]
    return Unscented(
        name=model.name,
        parameters=parameter_values(model),
        noise=np.array([s.noise_sd for s in model.states] + [m.noise_sd for m in model.multipliers]),
        low=np.array([0.0 if s.positive else -np.inf for s in model.states] + [-b for b in bounds]),
        high=np.array([np.inf for _ in model.states] + bounds),
        terms=terms(model),
        stage_h=STAGE_STEPS * model.step_h,
        predict_kernel=compiled(_predict, leap=made["leap"], advance=made["advance"], **sizes),
        sight_kernel=compiled(_sight, look=made["look"], **sizes),
    )


# Free names of the kernels below, bound for each model by `_kernels`.
NX = NM = NY = 0
leap: Any = None
advance: Any = None
look: Any = None


def _spread(mean: Array, covariance: Array) -> Array:
    """The 2 n sigma points of weight 1/(2 n) at sqrt(n) standard deviations; a pivot lost to rounding becomes zero."""
    n = mean.size
    root = np.zeros((n, n))
    points = np.empty((2 * n, n))
    for j in range(n):
        pivot = covariance[j, j]
        for k in range(j):
            pivot -= root[j, k] ** 2
        root[j, j] = np.sqrt(pivot) if pivot > 1e-14 * covariance[j, j] else 0.0
        for i in range(j + 1, n):
            rest = 0.5 * (covariance[i, j] + covariance[j, i])
            for k in range(j):
                rest -= root[i, k] * root[j, k]
            root[i, j] = rest / root[j, j] if root[j, j] > 0.0 else 0.0
    for j in range(n):
        for i in range(n):
            points[j, i] = mean[i] + np.sqrt(n) * root[i, j]
            points[n + j, i] = mean[i] - np.sqrt(n) * root[i, j]
    return points


spread: Any = numba.njit(_spread, cache=True)


def _fill(points: Array, block: int, low: Array, high: Array, x: Array, m: Array) -> None:
    """One block of sigma points into lanes: states within their limits, multipliers as factors."""
    for lane in range(LANES):
        row = min(block * LANES + lane, points.shape[0] - 1)
        for i in range(NX):
            x[i * LANES + lane] = max(points[row, i], low[i])
        for i in range(NM):
            m[i * LANES + lane] = np.exp(min(max(points[row, NX + i], low[NX + i]), high[NX + i]))


fill: Any = None


def _predict(
    mean: Array,
    covariance: Array,
    u: Array,
    p: Array,
    noise: Array,
    pull_per_h: float,
    low: Array,
    high: Array,
    terms: tuple[Array, Array],
    hours: float,
    stage_h: float,
    jumps: bool,
) -> tuple[Array, Array]:
    """Mean and covariance after `hours`, in stages of at most `stage_h` between which the sigma points are renewed."""
    n = mean.size
    x = np.empty(NX * LANES)
    m = np.empty(NM * LANES)
    stages = int(np.ceil(hours / stage_h - 1e-9))
    for stage in range(stages):
        length = hours / stages
        points = spread(mean, covariance)
        for block in range((2 * n + LANES - 1) // LANES):
            fill(points, block, low, high, x, m)
            if jumps and stage == 0:
                leap(x, u)
            advance(x, u, p, m, terms, length, np.full(LANES, length))
            for lane in range(min(LANES, 2 * n - block * LANES)):
                for i in range(NX):
                    points[block * LANES + lane, i] = x[i * LANES + lane]
                for i in range(NX, n):
                    points[block * LANES + lane, i] *= np.exp(-length * pull_per_h)
        mean = np.zeros(n)  # whole arrays at once would take the compiler a second each
        for row in range(2 * n):
            for i in range(n):
                mean[i] += points[row, i] / (2 * n)
        for row in range(2 * n):
            for i in range(n):
                points[row, i] -= mean[i]
        covariance = points.T @ points
        for i in range(n):
            for j in range(n):
                covariance[i, j] /= 2 * n
            covariance[i, i] += noise[i] ** 2 * length
    return mean, covariance


def _sight(mean: Array, covariance: Array, u: Array, p: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """The sigma points, and what each would show."""
    n = mean.size
    x = np.empty(NX * LANES)
    m = np.empty(NM * LANES)
    y = np.empty(NY * LANES)
    points = spread(mean, covariance)
    sights = np.empty((2 * n, NY))
    for block in range((2 * n + LANES - 1) // LANES):
        fill(points, block, low, high, x, m)
        look(x, u, p, m, y)
        for lane in range(min(LANES, 2 * n - block * LANES)):
            for i in range(NY):
                sights[block * LANES + lane, i] = y[i * LANES + lane]
    return points, sights
