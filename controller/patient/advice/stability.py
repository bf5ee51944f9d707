"""The patient's stability score in [0, 1], from stress, sleep and mood.

The score asks four things of stress, sleep and mood: how far from target they are (D), how much they swing (V), how
unexpected they are (N) and how adverse the newest step was (A). No clock and no calendar enters it: only the samples
up to now. Weights and scales are design choices, set with the published scenario in view.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

CHANNELS = ("stress", "sleep", "mood")
SAMPLING = timedelta(hours=6)

_WEIGHTS = (0.35, 0.25, 0.40)
_TARGETS = (4.0, 7.0, 7.0)  # stress at most, sleep (h) and mood at least
_SPANS = (4.0, 3.0, 3.0)  # distance from target that counts as all of it
_ADVERSE_SPANS = (2.0, 1.5, 1.0)
_BETTER = (-1.0, 1.0, 1.0)  # the direction of improvement
_SWING_REFERENCE = (1.0, 1.0, 0.35)  # RMSSD that halves the swing term
_WALK_VARIANCE = (0.35**2, 0.25**2, 0.10**2)  # of the level, per sample
_NOISE_VARIANCE = (1.0**2, 0.9**2, 0.12**2)  # of a reading, before the patient's own is learned

PLAUSIBLE = {"stress": (1.0, 10.0), "sleep": (0.0, 24.0), "mood": (1.0, 10.0)}


@dataclass(frozen=True, slots=True)
class Level:
    """A local-level filter of one channel, with the noise it has learned."""

    mean: float
    variance: float
    noise_variance: float
    squared_step: float  # smoothed, of successive differences
    last: float  # newest reading


@dataclass(frozen=True, slots=True)
class Stability:
    """The score so far: all that the next sample needs."""

    samples: int = 0
    levels: tuple[Level | None, Level | None, Level | None] = (None, None, None)
    surprise: float = 0.5  # smoothed percentile of the innovation
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Score:
    """The score at one sample and its components, each in [0, 1] with 0 for calm."""

    value: float
    components: Mapping[str, float]


def advance(
    state: Stability, reading: Mapping[str, float | None], novelty: float | None = None
) -> tuple[Stability, Score | None]:
    """Take one sample in, leaving out channels that are missing; no score until all three were seen once.

    A sample with no channel at all says nothing of the patient, so it has no score either. `novelty`,
    a percentile in [0, 1], takes the place of the filter's own surprise in the N term.
    """
    values = tuple(_finite(reading.get(channel)) for channel in CHANNELS)
    stepped = [_step(level, y, j) for j, (level, y) in enumerate(zip(state.levels, values, strict=True))]
    levels = (stepped[0][0], stepped[1][0], stepped[2][0])
    surprise = _surprise(state.surprise, [nis for _, _, nis in stepped if nis is not None])
    known = tuple(level for level in levels if level is not None)
    if len(known) < len(CHANNELS) or all(y is None for y in values):
        return Stability(state.samples, levels, surprise, state.score), None
    components = {
        "D": _distance(known),
        "V": _swing(known),
        "N": max(0.0, 2.0 * ((surprise if novelty is None else novelty) - 0.5)),
        "A": _adverse([e for _, e, _ in stepped]),
    }
    distance, swing, surprising, adverse = components.values()
    raw = (1 - distance) * (1 - 0.5 * swing) * (1 - 0.25 * surprising) * (1 - 0.4 * adverse)
    value = raw if state.samples == 0 else 0.5 * state.score + 0.5 * raw  # half-life: one sample, 6 h
    return Stability(state.samples + 1, levels, surprise, value), Score(value, components)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _step(level: Level | None, y: float | None, j: int) -> tuple[Level | None, float, float | None]:
    """The channel's next level, its innovation, and the innovation squared over its variance."""
    r0 = _NOISE_VARIANCE[j]
    if level is None:
        return (None if y is None else Level(y, r0, r0, 2 * r0, y)), 0.0, None
    predicted = level.variance + _WALK_VARIANCE[j]
    if y is None:
        return Level(level.mean, predicted, level.noise_variance, level.squared_step, level.last), 0.0, None
    spread = predicted + level.noise_variance
    e = y - level.mean
    gain = predicted / spread
    learned = 0.9 * level.noise_variance + 0.1 * max(e * e - predicted, 0.0)
    stepped = Level(
        mean=level.mean + gain * e,
        variance=(1 - gain) * predicted,
        noise_variance=max(learned, 0.25 * r0),
        squared_step=0.8 * level.squared_step + 0.2 * (y - level.last) ** 2,
        last=y,
    )
    return stepped, e, e * e / spread


def _surprise(before: float, terms: list[float]) -> float:
    return 0.75 * before + 0.25 * _chi_squared_cdf(math.fsum(terms), len(terms)) if terms else before


def _chi_squared_cdf(x: float, degrees: int) -> float:
    """The closed forms for one, two and three degrees of freedom."""
    half = 0.5 * x
    if degrees == 2:
        return 1.0 - math.exp(-half)
    one = math.erf(math.sqrt(half))
    return one if degrees == 1 else one - math.sqrt(4.0 * half / math.pi) * math.exp(-half)


def _clip(x: float) -> float:
    return min(max(x, 0.0), 1.0)


def _distance(levels: tuple[Level, ...]) -> float:
    """D: how far the levels are from target."""
    return math.fsum(
        w * _clip(-better * (level.mean - target) / span)
        for w, better, level, target, span in zip(_WEIGHTS, _BETTER, levels, _TARGETS, _SPANS, strict=True)
    )


def _swing(levels: tuple[Level, ...]) -> float:
    """V: how much successive samples differ."""
    swings = [math.sqrt(level.squared_step) for level in levels]
    return math.fsum(
        w * swing / (swing + reference) for w, swing, reference in zip(_WEIGHTS, swings, _SWING_REFERENCE, strict=True)
    )


def _adverse(innovations: list[float]) -> float:
    """A: how far the newest sample went the wrong way."""
    return math.fsum(
        w * _clip(-better * e / span)
        for w, better, e, span in zip(_WEIGHTS, _BETTER, innovations, _ADVERSE_SPANS, strict=True)
    )
