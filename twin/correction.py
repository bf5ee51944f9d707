"""The correction surface that NeuroCore learns: log rate multipliers as a bounded function of the state."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Population:
    """Gaussian receptive fields over normalised states: feature i is exp(-sum over its states of ((z - c)/w)^2 / 2).

    `states` names what is coded; z = (x - low)/(high - low). Row i of `centres` holds one number a state, NaN where
    the unit does not look at it. `gain` divides the weighted sum, so that integer weights give log multipliers.
    """

    states: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    centres: tuple[tuple[float, ...], ...]  # (units, states)
    width: float


@dataclass(frozen=True, slots=True)
class Correction:
    """log multiplier_k(x) = clip(scale * sum_i weights[k][i] * activity_i(x), -bound_k, bound_k)."""

    multiplier_names: tuple[str, ...]
    population: Population
    weights: tuple[tuple[float, ...], ...]  # (multipliers, units)
    scale: float
    bounds: tuple[float, ...]
