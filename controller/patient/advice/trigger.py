"""The trigger that registers a review: the score is low twice, or has fallen within 48 h; at most once a day.

Its thresholds are design choices, set with the published scenario in view.
"""

from __future__ import annotations

from dataclasses import dataclass

LOW_SCORE = 0.50  # two samples below it register a review
LOW_FROM = 2  # counted from this sample on, so that the level has settled
FALL = 0.12  # a loss of this much within the last 48 h registers one too,
FALL_BELOW = 0.60  # when it ends below this
FALL_WINDOW = 9  # samples, the present one included: 48 h
REFRACTORY = 4  # samples: at most one review in 24 h
EPISODE_CLOSES = 0.60


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
