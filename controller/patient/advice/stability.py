"""The patient's stability score in [0, 1], the trigger that registers a review, and what a review must know.

The score asks four things of stress, sleep and mood: how far from target they are (D), how much they swing (V), how
unexpected they are (N) and how adverse the newest step was (A). No clock and no calendar enters it: only the samples
up to now. Weights, scales and thresholds are design choices, set with the published scenario in view.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

from twin.records import Estimate
from twin.signals import Snapshot

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

LOW_SCORE = 0.50  # two samples below it register a review
LOW_FROM = 2  # counted from this sample on, so that the level has settled
FALL = 0.12  # a loss of this much within the last 48 h registers one too,
FALL_BELOW = 0.60  # when it ends below this
FALL_WINDOW = 9  # samples, the present one included: 48 h
REFRACTORY = 4  # samples: at most one review in 24 h
EPISODE_CLOSES = 0.60

PLAUSIBLE = {"stress": (1.0, 10.0), "sleep": (0.0, 24.0), "mood": (1.0, 10.0)}
QUALITY_WINDOW = 4  # samples
LOW_MOOD = 2.0  # at or below it twice in a row: a red flag
SHORT_SLEEP_H = 4.0  # below it three times in a row while mood rises: another
DOSE_WINDOW = 8  # samples: 48 h, in which a missed dose shows


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


@dataclass(frozen=True, slots=True)
class Trigger:
    """Recent scores and the last firing; `episode` is open from a firing until the score has recovered."""

    samples: int = 0
    recent: tuple[float, ...] = ()
    since_last: int = REFRACTORY
    episode: bool = False


@dataclass(frozen=True, slots=True)
class Firing:
    """A review is registered, and by which rule."""

    rule: str  # "low" or "fall"
    size: float  # how far below the threshold, or how much was lost


@dataclass(frozen=True, slots=True)
class Window:
    """The newest readings as they came, None where one was unusable, and sleep levels for their trend."""

    readings: tuple[Mapping[str, float | None], ...] = ()
    sleep_levels: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """Everything remembered of a patient between two samples."""

    stability: Stability = Stability()
    trigger: Trigger = Trigger()
    window: Window = Window()


class StabilityWatch:
    """NeuroCore's stability slot for a patient: folds `observe` over the samples."""

    def __init__(self) -> None:
        self._watch = Watch()

    def __call__(self, snapshot: Snapshot, estimate: Estimate, novelty: float) -> tuple[float, Mapping[str, float]]:
        """The score and its components after this snapshot."""
        readings = {name: r.value if r.usable else None for name, r in snapshot.readings.items()}
        self._watch, value, components = observe(self._watch, readings, novelty)
        return value, components

    def snapshot(self) -> dict[str, Any]:
        """All that is remembered, as plain values."""
        return asdict(self._watch)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `snapshot` gave, or from the same after JSON."""
        stability, trigger, window = state["stability"], state["trigger"], state["window"]
        first, second, third = (None if level is None else Level(**level) for level in stability["levels"])
        self._watch = Watch(
            Stability(stability["samples"], (first, second, third), stability["surprise"], stability["score"]),
            Trigger(trigger["samples"], tuple(trigger["recent"]), trigger["since_last"], trigger["episode"]),
            Window(tuple(dict(r) for r in window["readings"]), tuple(window["sleep_levels"])),
        )


def observe(
    watch: Watch, readings: Mapping[str, float | None], novelty: float | None = None
) -> tuple[Watch, float, Mapping[str, float]]:
    """Take one sample in: the score, its components D, V, N, A, and what a review needs to know besides.

    `low` and `fall` say which rule fired now (`fall` by how much), `red_flag_mood` and `red_flag_activation` are 1
    when raised; `good_samples` counts the last four, `sleep_fall_h` is the loss of sleep within 24 h, `dose_mg_48h`
    what was swallowed.
    """
    plausible = {c: _plausible(c, readings.get(c)) for c in CHANNELS}
    stability, score = advance(watch.stability, plausible, novelty)
    if score is None:
        trigger, firing = replace(watch.trigger, since_last=watch.trigger.since_last + 1), None
    else:
        trigger, firing = step_trigger(watch.trigger, score.value)
    window = _widened(watch.window, {**plausible, "dose_mg": readings.get("dose_mg")}, stability)
    components = {
        **(score.components if score else dict.fromkeys("DVNA", 0.0)),
        "low": float(firing is not None and firing.rule == "low"),
        "fall": firing.size if firing is not None and firing.rule == "fall" else 0.0,
        **_findings(window),
    }
    return Watch(stability, trigger, window), stability.score, components


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


def step_trigger(state: Trigger, score: float) -> tuple[Trigger, Firing | None]:
    """Take one score in; a firing says that a review is due."""
    recent = (*state.recent, score)[-FALL_WINDOW:]
    since = state.since_last + 1
    firing = _firing(state.samples, recent) if since >= REFRACTORY else None
    episode = firing is not None or (state.episode and score < EPISODE_CLOSES)
    return Trigger(state.samples + 1, recent, 0 if firing else since, episode), firing


def _firing(k: int, recent: tuple[float, ...]) -> Firing | None:
    now, high = recent[-1], max(recent)
    if k > LOW_FROM and now < LOW_SCORE and recent[-2] < LOW_SCORE:
        return Firing("low", LOW_SCORE - now)
    if k >= LOW_FROM and high - now > FALL and now < FALL_BELOW:
        return Firing("fall", high - now)
    return None


def _plausible(channel: str, value: float | None) -> float | None:
    low, high = PLAUSIBLE[channel]
    return value if value is not None and low <= value <= high else None


def _widened(window: Window, reading: Mapping[str, float | None], stability: Stability) -> Window:
    sleep = stability.levels[1]
    levels = window.sleep_levels if sleep is None else (*window.sleep_levels, sleep.mean)
    return Window((*window.readings, reading)[-DOSE_WINDOW:], levels[-QUALITY_WINDOW - 1 :])


def _findings(window: Window) -> dict[str, float]:
    """Red flags, data quality, trend of sleep and doses taken, from the raw window."""
    newest = window.readings[-QUALITY_WINDOW:]
    moods = [r["mood"] for r in newest if r["mood"] is not None]
    nights = [r["sleep"] for r in newest if r["sleep"] is not None][-3:]
    low_mood = len(moods) >= 2 and all(m <= LOW_MOOD for m in moods[-2:])
    rising = len(moods) >= 3 and all(b > a for a, b in pairwise(moods[-3:]))
    short = len(nights) == 3 and all(h < SHORT_SLEEP_H for h in nights)
    levels = window.sleep_levels
    return {
        "red_flag_mood": float(low_mood),
        "red_flag_activation": float(short and rising),
        "good_samples": float(sum(all(r[c] is not None for c in CHANNELS) for r in newest)),
        "sleep_fall_h": levels[0] - levels[-1] if levels else 0.0,
        "dose_mg_48h": math.fsum(r["dose_mg"] or 0.0 for r in window.readings),
    }


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
