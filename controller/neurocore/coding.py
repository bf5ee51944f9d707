"""From the state to spikes: Gaussian receptive fields of single states and of random conjunctions of up to three."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from twin.correction import fields
from twin.records import Population

PER_STATE = 10  # receptive fields along each state (design)
CONJUNCTIONS = 104  # units that look at two or three states at once (design)
WIDTH = 0.15  # of a field, in units of the state's range; neighbours, 1/9 apart, overlap (design)
LARGEST_CONJUNCTION = 3
PAYLOAD_FULL = 254  # of a unit at the centre of its field: its trace, half of that, fills 7 bits

Floats = NDArray[np.float64]


def population(
    ranges: Mapping[str, tuple[float, float]],
    seed: int = 0,
    per_state: int = PER_STATE,
    conjunctions: int = CONJUNCTIONS,
    width: float = WIDTH,
) -> Population:
    """Receptive fields over these states; `ranges` gives the interval that each is coded in."""
    low, high = zip(*ranges.values(), strict=True)
    if not all(a < b for a, b in ranges.values()):
        raise ValueError(f"a range must rise from low to high: {dict(ranges)}")
    singles = _singles(len(ranges), per_state)
    several = _conjunctions(len(ranges), conjunctions if len(ranges) > 1 else 0, np.random.default_rng(seed))
    return Population(tuple(ranges), low, high, tuple(singles + several), width)


def _singles(states: int, per_state: int) -> list[tuple[float, ...]]:
    return [
        tuple(float(centre) if j == state else np.nan for j in range(states))
        for state in range(states)
        for centre in np.linspace(0.0, 1.0, per_state)
    ]


def _conjunctions(states: int, count: int, generator: np.random.Generator) -> list[tuple[float, ...]]:
    rows = []
    for _ in range(count):
        size = int(generator.integers(2, min(LARGEST_CONJUNCTION, states) + 1))
        seen = generator.choice(states, size, replace=False)
        centres = generator.random(states)
        rows.append(tuple(float(centres[j]) if j in seen else np.nan for j in range(states)))
    return rows


@functools.lru_cache(maxsize=8)
def _arrays(population: Population) -> tuple[Floats, Floats, Floats, Floats]:
    """Low, span, centres without NaN, and 1/width where the unit looks at the state, else zero."""
    low, high, centres = fields(population)
    sharpness = np.where(np.isnan(centres), 0.0, 1.0 / population.width)
    return low, high - low, np.nan_to_num(centres), sharpness


def activity(population: Population, x: Sequence[float]) -> Floats:
    """Each unit's activity in [0, 1] at the state x, in the order of `population.states`; zero where x is not finite.

    The formula is that of `Correction`: exp(-sum over the unit's states of ((z - c)/w)^2 / 2).
    """
    low, span, centres, sharpness = _arrays(population)
    state = np.asarray(x, dtype=np.float64)
    if not np.isfinite(state).all():
        return np.zeros(len(centres))
    distance = ((state - low) / span - centres) * sharpness
    result: Floats = np.exp(-0.5 * np.sum(distance**2, axis=1))
    return result


def payload(active: Floats) -> NDArray[np.int64]:
    """What each unit sends: 254 at full activity, nothing (0) when it is barely active."""
    return np.rint(PAYLOAD_FULL * active).astype(np.int64)


@functools.lru_cache(maxsize=8)
def overlap(population: Population, points: int = 2000) -> tuple[float, float]:
    """The mean over the coded box of the units' summed activity, and of their summed squared activity."""
    generator = np.random.default_rng(0)
    low, high = np.array(population.low), np.array(population.high)
    rows = [activity(population, x) for x in low + (high - low) * generator.random((points, len(low)))]
    return float(np.mean([np.sum(row) for row in rows])), float(np.mean([np.sum(row**2) for row in rows]))
