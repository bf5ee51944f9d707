"""The watch over a patient: score, trigger and what a review must know, folded over the samples.

NeuroCore's stability slot for a patient. Red flags and data quality are of the raw readings of the last 48 h.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

from controller.patient.advice.stability import CHANNELS, PLAUSIBLE, Level, Stability, advance
from controller.patient.advice.trigger import Trigger, step_trigger
from twin.records import Estimate
from twin.signals import Snapshot

QUALITY_WINDOW = 4  # samples
LOW_MOOD = 2.0  # at or below it twice in a row: a red flag
SHORT_SLEEP_H = 4.0  # below it three times in a row while mood rises: another
DOSE_WINDOW = 8  # samples: 48 h, in which a missed dose shows


@dataclass(frozen=True, slots=True)
class Window:
    """The newest readings as they came, None where one was unusable, and sleep levels for their trend."""

    readings: tuple[Mapping[str, float | None], ...] = ()
    sleep_levels: tuple[float, ...] = ()


CALM, QUIET = Stability(), Trigger()  # before the first sample


@dataclass(frozen=True, slots=True)
class Watch:
    """Everything remembered of a patient between two samples."""

    stability: Stability = CALM
    trigger: Trigger = QUIET
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
