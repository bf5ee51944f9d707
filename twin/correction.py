"""The correction surface that NeuroCore learns: log rate multipliers as a bounded function of the state."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numba
import numpy as np

from twin import elementary
from twin.model import Array
from twin.records import Correction, Population


@dataclass(frozen=True, slots=True)
class Surface:
    """A correction as arrays for compiled code, over a model's states and all of its multipliers."""

    where: Array  # index of each coded state among the model's
    low: Array
    high: Array
    centres: Array  # (units, coded states)
    width: float
    weights: Array  # (multipliers, units), scaled; zero for a multiplier that is not learned
    bounds: Array


def none(multiplier_names: Sequence[str]) -> Correction:
    """The correction that says nothing: every log multiplier is zero everywhere."""
    names = tuple(multiplier_names)
    empty = Population(states=(), low=(), high=(), centres=(), width=1.0)
    return Correction(names, empty, tuple(() for _ in names), 1.0, tuple(0.0 for _ in names))


@functools.lru_cache(maxsize=8)
def fields(population: Population) -> tuple[Array, Array, Array]:
    """Low and high (states) and the centres (units, states), NaN where a unit does not look. Not to be written."""
    shape = (len(population.centres), len(population.states))
    centres = np.array(population.centres, dtype=np.float64).reshape(shape)
    return np.array(population.low, dtype=np.float64), np.array(population.high, dtype=np.float64), centres


def activities(population: Population, x: Mapping[str, float] | Sequence[float]) -> Array:
    """The activity of every unit at a state, in (0, 1]; a vector is in the order of `population.states`."""
    if isinstance(x, Mapping):
        x = [x[name] for name in population.states]
    low, high, centres = fields(population)
    with np.errstate(over="ignore"):  # far away is simply silent
        z = (np.asarray(x, dtype=np.float64) - low) / (high - low)
        distance = np.where(np.isnan(centres), 0.0, (z - centres) / population.width)
        activity: Array = np.exp(-0.5 * np.sum(distance**2, axis=1))
    return activity


def evaluate(correction: Correction, x: Mapping[str, float] | Sequence[float]) -> dict[str, float]:
    """The log multipliers at a state; finite and within their bounds for any finite state."""
    return read_out(correction, activities(correction.population, x))


def read_out(correction: Correction, active: Array) -> dict[str, float]:
    """The log multipliers where the units are this active."""
    shape = (len(correction.multiplier_names), len(correction.population.centres))
    weights = np.asarray(correction.weights, dtype=np.float64).reshape(shape)
    bounds = np.asarray(correction.bounds)
    value = np.clip(correction.scale * (weights @ active), -bounds, bounds)
    return {name: float(v) for name, v in zip(correction.multiplier_names, value, strict=True)}


def slopes(correction: Correction, x: Mapping[str, float] | Sequence[float]) -> Array:
    """How the log multipliers change with the coded states, (multipliers, coded states); none where one is clipped."""
    population = correction.population
    if isinstance(x, Mapping):
        x = [x[name] for name in population.states]
    low, high, centres = fields(population)
    z = (np.asarray(x, dtype=np.float64) - low) / (high - low)
    away = np.where(np.isnan(centres), 0.0, (z - centres) / population.width)
    active = activities(population, x)
    weights = correction.scale * np.asarray(correction.weights, dtype=np.float64)
    free = np.abs(weights @ active) < np.asarray(correction.bounds)
    steep: Array = (weights * active) @ (-away / (population.width * (high - low)))
    return np.where(free[:, None], steep, 0.0)


def surface(correction: Correction, states: Sequence[str], multipliers: Sequence[str]) -> Surface:
    """The correction over these states and multipliers, ready for `log_multipliers`."""
    population = correction.population
    weights = np.zeros((len(multipliers), len(population.centres)))
    bounds = np.zeros(len(multipliers))
    for name, row, bound in zip(correction.multiplier_names, correction.weights, correction.bounds, strict=True):
        weights[list(multipliers).index(name)] = row
        bounds[list(multipliers).index(name)] = bound
    return Surface(
        np.array([list(states).index(name) for name in population.states], dtype=np.int64),
        *fields(population),
        population.width,
        correction.scale * weights,
        bounds,
    )


def _log_multipliers(
    x: Array,
    where: Array,
    low: Array,
    high: Array,
    centres: Array,
    width: float,
    weights: Array,
    bounds: Array,
    out: Array,
) -> None:
    """Out = the log multipliers at the states x; between them the fields of a Surface.

    x and out hold as many lanes as out has room for: entry i of lane l is at [i * lanes + l]. A unit whose weights are
    all zero is passed over.
    """
    multipliers = weights.shape[0]
    lanes = out.size // multipliers if multipliers else 0
    out[:] = 0.0
    z = np.empty(where.size * lanes)
    for k in range(where.size):
        for lane in range(lanes):
            z[k * lanes + lane] = (x[where[k] * lanes + lane] - low[k]) / (high[k] - low[k])
    active = np.empty(lanes)
    for unit in range(centres.shape[0]):
        taught = False
        for j in range(multipliers):  # np.any would take longer than all the rest
            taught = taught or weights[j, unit] != 0.0
        if not taught:
            continue
        active[:] = 0.0
        for k in range(where.size):
            centre = centres[unit, k]
            if not np.isnan(centre):
                for lane in range(lanes):
                    away = (z[k * lanes + lane] - centre) / width
                    active[lane] += away * away
        for lane in range(lanes):
            active[lane] = elementary.exp(-0.5 * active[lane])
        for j in range(multipliers):
            for lane in range(lanes):
                out[j * lanes + lane] += weights[j, unit] * active[lane]
    for j in range(multipliers):
        for lane in range(lanes):
            at = j * lanes + lane
            out[at] = min(max(out[at], -bounds[j]), bounds[j])


log_multipliers = numba.njit(_log_multipliers, cache=True, error_model="numpy")
