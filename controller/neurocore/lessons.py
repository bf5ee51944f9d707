"""What is taught, and when: lessons in hindsight, and old lessons between the fresh ones.

A filter that takes a multiplier for a random walk of q per sqrt(h) and knows it to s follows a change with a lag of
tau = s^2/q^2, the time constant of its steady state. So an estimate theta says of a state visited h ago

    target = theta(t - h) + tau (theta(t) - theta(t - 2h)) / 2h,    h = 12 h (design)

which is the estimate as it was, with its lag taken out. In the scans that bring no fresh lesson a remembered one is
taught again, drawn at random from all batches: consecutive states are alike, and a gradient rule that only ever sees
the present forgets the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

HALF_WINDOW = timedelta(hours=12)  # one interval between assays of the plants served (design)
GLIMPSE_EVERY = timedelta(minutes=15)
KEEP_EVERY = 8  # of the fresh lessons one is remembered: every 2 h
KEPT = 1000  # lessons: about ten batches of 230 h
LAG_MAX_H = 60.0  # a longer lag is not known well enough to be taken out (design)
FRESH_START = 1.3  # a belief this many times less certain than a scan ago has begun anew (design)


@dataclass(frozen=True, slots=True)
class Lesson:
    """At this state the log multipliers are these; only those marked are certain enough to be taught."""

    state: tuple[float, ...]
    targets: tuple[float, ...]
    taught: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What was believed at one instant that was fit to learn from."""

    time: datetime
    state: tuple[float, ...]
    logs: tuple[float, ...]
    sds: tuple[float, ...]
    taught: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Remembered:
    """All that a Teacher remembers at one instant, exactly."""

    recent: tuple[Glimpse, ...]
    sds: tuple[float, ...]
    kept: tuple[Lesson, ...]
    fresh: int
    random: Mapping[str, Any]  # the generator's state


class Teacher:
    """Remembers one day of the present batch and some lessons of all batches."""

    def __init__(self, walks_sd: Sequence[float], bounds: Sequence[float], seed: int = 0) -> None:
        """`walks_sd`: what the filter believes each log multiplier to walk, per sqrt(h)."""
        self._variance = np.array(walks_sd) ** 2
        self._bounds = np.array(bounds)
        self._rng = np.random.default_rng([seed, 17])
        self._recent: list[Glimpse] = []
        self._sds: tuple[float, ...] = ()
        self._kept: list[Lesson] = []
        self._fresh = 0

    @property
    def kept(self) -> Sequence[Lesson]:
        """The remembered lessons."""
        return tuple(self._kept)

    def watch(self, time: datetime, sds: Sequence[float]) -> None:
        """Notice that another batch has begun: then the recent past is of no use."""
        began = any(now > FRESH_START * before for now, before in zip(sds, self._sds, strict=False))
        if began or (self._recent and time <= self._recent[-1].time):
            self._recent = []
        self._sds = tuple(sds)

    def see(self, glimpse: Glimpse) -> Lesson | None:
        """Take in what is believed now; a fresh lesson on the state of half a window ago when there is one."""
        if self._recent and glimpse.time - self._recent[-1].time < GLIMPSE_EVERY:
            return None
        self._recent.append(glimpse)
        oldest = glimpse.time - 2 * HALF_WINDOW - GLIMPSE_EVERY
        self._recent = [g for g in self._recent if g.time >= oldest]
        middle, first = (self._near(glimpse.time - k * HALF_WINDOW) for k in (1, 2))
        if middle is None or first is None or not any(middle.taught):
            return None
        lesson = self._lesson(first, middle, glimpse)
        self._fresh += 1
        if self._fresh % KEEP_EVERY == 0:
            self._keep(lesson)
        return lesson

    def recall(self) -> Lesson | None:
        """A remembered lesson, or None while there is none."""
        return self._kept[int(self._rng.integers(len(self._kept)))] if self._kept else None

    def _near(self, time: datetime) -> Glimpse | None:
        found = min(self._recent, key=lambda g: abs(g.time - time))
        return found if abs(found.time - time) <= GLIMPSE_EVERY / 2 else None

    def _lesson(self, first: Glimpse, middle: Glimpse, last: Glimpse) -> Lesson:
        lag_h = np.minimum(np.array(middle.sds) ** 2 / self._variance, LAG_MAX_H)
        slope = (np.array(last.logs) - np.array(first.logs)) / ((last.time - first.time).total_seconds() / 3600)
        target = np.clip(np.array(middle.logs) + lag_h * slope, -self._bounds, self._bounds)
        return Lesson(middle.state, tuple(target.tolist()), middle.taught)

    def _keep(self, lesson: Lesson) -> None:
        if len(self._kept) < KEPT:
            self._kept.append(lesson)
        else:
            self._kept[int(self._rng.integers(KEPT))] = lesson

    def state(self) -> Remembered:
        """All that is remembered, exactly."""
        return Remembered(tuple(self._recent), self._sds, tuple(self._kept), self._fresh, self._rng.bit_generator.state)

    def resume(self, state: Remembered) -> None:
        """Remember what `state` gave, and nothing else."""
        self._recent, self._sds, self._kept = list(state.recent), state.sds, list(state.kept)
        self._fresh = state.fresh
        self._rng.bit_generator.state = dict(state.random)

    def to_json(self) -> dict[str, Any]:
        """What is remembered, as plain values of five digits: it is kept with every snapshot."""
        return {
            "kept": [[_short(x.state), _short(x.targets), [int(b) for b in x.taught]] for x in self._kept],
            "recent": [
                [g.time.isoformat(), _short(g.state), _short(g.logs), _short(g.sds), [int(b) for b in g.taught]]
                for g in self._recent
            ],
            "sds": _short(self._sds),
        }

    def from_json(self, data: Mapping[str, Any]) -> None:
        """Remember what `to_json` gave."""
        self._kept = [Lesson(tuple(x), tuple(y), tuple(map(bool, z))) for x, y, z in data["kept"]]
        self._recent = [
            Glimpse(datetime.fromisoformat(t), tuple(x), tuple(y), tuple(s), tuple(map(bool, z)))
            for t, x, y, s, z in data["recent"]
        ]
        self._sds = tuple(data["sds"])


def _short(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.5g}") for value in values]
