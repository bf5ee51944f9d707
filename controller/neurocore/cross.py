"""Fast faults: each signal is predicted from the others by plastic synapses, and what was not foreseen is the score.

A normalised signal z (healthy: mean near 0, sd near 1) drives two units, one for its positive and one for its negative
part; one more unit is always on. Output k has no synapse from its own two units (`Design.own`), so its read-out
predicts z_k from the other signals read at the same instant, and the delta rule of the synapses learns it on line. With

    u_k = (z_k - prediction_k) / sd_k,   m_k <- (1 - l) m_k + l u_k,   T = sum m_k^2 / v

(sd_k: running, of healthy residuals; v = l/(2 - l), the variance of m_k when healthy) the score is T over its own
healthy mean. Mean and variance of healthy T fit a gamma distribution, and the chance q of a T at least as large gives
the level 1 - q^a of `neurocore.novelty`: 0.10 is the median of healthy scans and one in a hundred exceeds 0.5.

While the level, or a trace of it that rises within five scans and falls within fifty, is above GATE no weight is
learned, and above HEALTHY not what is healthy either, so that a fault does not soon become the rule. A lasting change
that leaves quiet stretches is learned in the end, over hundreds of scans; `forget` begins anew at once. The first
WARM_UP scans learn without a gate, and report nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

from controller.neurocore.backend import open_backend
from controller.neurocore.design import ERROR_FULL, PAYLOAD_FULL, READ_OUT_SHIFT, Coding, Design, Rule

Z_FULL = 6.0  # sds: what a signal beyond this is taken for (design)
WEIGHT_ONE = 200  # the weight of a slope of 1, so that slopes reach 1.27 (design)
ERROR_GAIN = 80.0  # counts of error per sd: with five signals a lesson closes about 4 % of it (design)
WARM_UP = 300  # scans; with 4 % a lesson the weights have settled (design)
GATE = 0.5  # one healthy scan in a hundred is above it (design)
GATE_RISE, GATE_FALL = 0.2, 0.02  # of the trace of the level: a few quiet scans do not open the gate (design)
HEALTHY = 0.75  # one in ten thousand is above it: T up to here tells what is healthy (design)
SMOOTHING = 0.4  # of residuals: a step counts double within three scans (design)
SD_RATE = 0.01  # of the running sds (design)
MOMENT_RATE = 0.002  # of the running moments of T, which a fault below HEALTHY moves as well (design)
LARGEST_U = 6.0  # one wild reading must not be remembered for long (design)
_COUNTS_PER_SD = WEIGHT_ONE * PAYLOAD_FULL / Z_FULL / 2**READ_OUT_SHIFT
_SMOOTH_VARIANCE = SMOOTHING / (2 - SMOOTHING)
_EXPONENT = math.log(0.5) / math.log(0.01)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scores:
    """What the cross-prediction says of one scan.

    `level` in [0, 1]; `score`, T over its healthy mean; each signal's residual in sds, and its share of T (sum 1).
    """

    level: float = 0.0
    score: float = 0.0
    residuals: Mapping[str, float] = field(default_factory=dict)
    contributions: Mapping[str, float] = field(default_factory=dict)
    learned: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Predicting:
    """All that a CrossPredictor is at one instant, exactly; nobody changes its arrays any more."""

    network: object
    error: NDArray[np.int64]
    variance: Floats
    smooth: Floats
    moments: tuple[float, float]  # of healthy T
    scans: int
    trace: float


class CrossPredictor:
    """Predicts each of these signals from the others, scan by scan."""

    def __init__(
        self,
        signals: Sequence[str],
        backend_name: str = "reference",
        seed: int = 0,
        spikes: Coding = "graded",
        rule: Rule = "three-factor",
    ) -> None:
        if len(signals) < 2:
            raise ValueError(f"a signal is predicted from others; there are only {', '.join(signals) or 'none'}")
        self._signals = tuple(signals)
        self._backend = open_backend(backend_name, design(len(signals), spikes, rule), seed)
        self._forget()

    def _forget(self) -> None:
        count = len(self._signals)
        self._error = np.zeros(count, dtype=np.int64)
        self._variance = np.ones(count)
        self._smooth = np.zeros(count)
        self._t_mean, self._t_square = float(count), float(count * (count + 2))  # of a chi-square
        self._scans = 0
        self._trace = 0.0

    def step(self, values: Mapping[str, float]) -> Scores:
        """Take in the signals that are fit at this scan; one that is absent or not finite counts for nothing."""
        z = np.array([values.get(name, math.nan) for name in self._signals], dtype=np.float64)
        known = np.isfinite(z)
        z = np.where(known, np.clip(z, -Z_FULL, Z_FULL), 0.0)
        prediction = np.asarray(self._backend.step(payload(z), self._error), dtype=np.float64) / _COUNTS_PER_SD
        residual = np.where(known, z - prediction, 0.0)
        self._error = np.zeros_like(self._error)
        if known.sum() < 2:
            return Scores()
        scores = self._judged(residual, known)
        if scores.learned:
            self._learn(residual, known)
        if max(scores.level, self._trace) <= HEALTHY:
            self._note()
        self._scans += 1
        return scores

    def _judged(self, residual: Floats, known: NDArray[np.bool_]) -> Scores:
        u = np.clip(residual / np.sqrt(self._variance), -LARGEST_U, LARGEST_U)
        self._smooth = np.where(known, (1 - SMOOTHING) * self._smooth + SMOOTHING * u, self._smooth)
        terms = np.where(known, self._smooth**2 / _SMOOTH_VARIANCE, 0.0)
        total = float(terms.sum()) * len(known) / float(known.sum())
        warm = self._scans >= WARM_UP
        value = self._level(total) if warm else 0.0
        self._trace += (GATE_RISE if value > self._trace else GATE_FALL) * (value - self._trace)
        names = [name for name, there in zip(self._signals, known, strict=True) if there]
        shares = terms[known] / terms.sum() if terms.any() else np.full(len(names), 1 / len(names))
        return Scores(
            level=value,
            score=total / self._t_mean if warm else 0.0,
            residuals=dict(zip(names, u[known].tolist(), strict=True)),
            contributions=dict(zip(names, shares.tolist(), strict=True)),
            learned=max(value, self._trace) <= GATE,
        )

    def _level(self, total: float) -> float:
        variance = max(self._t_square - self._t_mean**2, 1e-6)
        chance = float(gammaincc(self._t_mean**2 / variance, total * self._t_mean / variance))
        return float(1.0 - chance**_EXPONENT)

    def _learn(self, residual: Floats, known: NDArray[np.bool_]) -> None:
        """Prepare the lesson that the next step teaches, and follow the residuals' size."""
        self._error = np.rint(np.clip(ERROR_GAIN * residual, -ERROR_FULL, ERROR_FULL)).astype(np.int64)
        rate = max(SD_RATE, 1.0 / (1.0 + self._scans))
        usual = np.minimum(residual**2, 9.0 * self._variance) if self._scans else residual**2
        self._variance = np.where(known, (1 - rate) * self._variance + rate * usual, self._variance)
        self._variance = np.maximum(self._variance, 1e-4)

    def _note(self) -> None:
        """Follow the moments of healthy T."""
        total = float((self._smooth**2 / _SMOOTH_VARIANCE).sum())
        rate = max(MOMENT_RATE, 1.0 / (20.0 + self._scans))  # as if twenty scans of a chi-square had been seen before
        self._t_mean = (1 - rate) * self._t_mean + rate * total
        self._t_square = (1 - rate) * self._t_square + rate * total**2

    def forget(self) -> None:
        """Begin anew: after a repair, or when what was reported is the new rule."""
        self._forget()
        self._backend.restore(np.zeros_like(self._backend.weights()))

    def state(self) -> Predicting:
        """All there is, exactly."""
        moments = self._t_mean, self._t_square
        return Predicting(
            self._backend.state(), self._error, self._variance, self._smooth, moments, self._scans, self._trace
        )

    def resume(self, state: Predicting) -> None:
        """Be as `state` says, exactly."""
        self._backend.resume(state.network)
        self._error, self._variance, self._smooth = state.error, state.variance, state.smooth
        (self._t_mean, self._t_square), self._scans, self._trace = state.moments, state.scans, state.trace

    def snapshot(self) -> dict[str, Any]:
        """Everything learned, as plain values; a lesson not yet taught is not part of it."""
        return {
            "signals": list(self._signals),
            "weights": self._backend.weights().tolist(),
            "variance": self._variance.tolist(),
            "smooth": self._smooth.tolist(),
            "t": [self._t_mean, self._t_square],
            "scans": self._scans,
            "trace": self._trace,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `snapshot` gave; ValueError when it speaks of other signals."""
        if tuple(state["signals"]) != self._signals:
            raise ValueError(f"the snapshot is of {state['signals']}, this predictor of {list(self._signals)}")
        self._backend.restore(np.array(state["weights"]))
        self._variance = np.array(state["variance"], dtype=np.float64)
        self._smooth = np.array(state["smooth"], dtype=np.float64)
        self._t_mean, self._t_square = (float(x) for x in state["t"])
        self._scans, self._trace = int(state["scans"]), float(state["trace"])
        self._error = np.zeros_like(self._error)

    def close(self) -> None:
        """Free the backend."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def design(signals: int, coding: Coding = "graded", rule: Rule = "three-factor") -> Design:
    """The network for so many signals: two units each, then one that is always on."""
    return Design(2 * signals + 1, signals, coding, rule, own=2)


def payload(z: Floats) -> NDArray[np.int64]:
    """What the units send: the positive and the negative part of each signal, and one sd of the unit always on."""
    parts = np.stack([np.maximum(z, 0.0), np.maximum(-z, 0.0)], axis=1).ravel()
    return np.rint(np.append(parts, 1.0) * PAYLOAD_FULL / Z_FULL).astype(np.int64)
