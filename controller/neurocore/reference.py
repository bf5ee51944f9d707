"""The reference simulator: the fixed-point network of `neurocore.lava` in numba, bit for bit, without Lava.

What it has to get right, timestep by timestep (four make a scan: learn, clear, send, read):
- Synapses see a payload p > 0 as the trace x1 = round_half_even(p/2); silent units keep their trace.
- At the end of every timestep x1 decays by exp(-1/65535) and is rounded up with the probability of its fraction. So
  do y1 and y2 (from the error, at `learn`) before they are used. All synapses share ONE random number for x, one for y.
- dw: the weight is shifted to a 16-bit accumulator (<< 7); floor((x1 y1) / 8), then floor((-x1 y2) / 8) are added,
  each time saturated; then it is rounded back by one more shared random number and clipped to [-256, 255].
- The trace generators advance twice a timestep, the weights' one once; the last has a fixed seed (2) in Lava.
- The read-out is floor(sum(w p) / 2^6) with the weights after this scan's learning.
It equals Lava's model of the synapse (`bit_approximate_loihi`); it says nothing of the chip.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

SCAN_STEPS = 4
WEIGHT_LOW, WEIGHT_HIGH = -256, 255  # 8 bits and sign
WEIGHT_EXPONENT = -6
_DECAY = math.exp(-1 / 65535)
_ACCUMULATOR_SHIFT = 7  # 16-bit accumulator, 9-bit weight
_ACCUMULATOR_LOW, _ACCUMULATOR_HIGH = -(2**15) - 1, 2**15 - 1
_CONNECTION_SEED = 2
_CHUNK = 4096  # random numbers drawn at once

Integers = NDArray[np.int64]
F = TypeVar("F", bound=Callable[..., Any])


def _compiled(function: F) -> F:
    return cast(F, njit(cache=True)(function))


@_compiled
def _decayed(trace: int, random: float) -> int:
    value = _DECAY * trace
    whole = math.floor(value)
    return int(whole) + (1 if random < value - whole else 0)


@_compiled
def _saturated(value: int, low: int, high: int) -> int:
    return low if value < low else min(value, high)


@_compiled
def _half_even(payload: int) -> int:
    half = payload >> 1
    return half + (payload & half & 1)


@_compiled
def _learn(weights: Any, x1: Any, error: Any, x_random: float, y_random: float, w_random: float) -> None:
    """One learning phase: the traces decay, the weights follow the error."""
    units = x1.shape[0]
    for i in range(units):
        x1[i] = _decayed(x1[i], x_random)
    for k in range(weights.shape[0]):
        y1 = _decayed(max(error[k], 0), y_random)
        y2 = _decayed(max(-error[k], 0), y_random)
        if y1 == 0 and y2 == 0:
            continue
        for i in range(units):
            total = weights[k, i] << _ACCUMULATOR_SHIFT
            total = _saturated(total + ((x1[i] * y1) >> 3), _ACCUMULATOR_LOW, _ACCUMULATOR_HIGH)
            total = _saturated(total + ((-(x1[i] * y2)) >> 3), _ACCUMULATOR_LOW, _ACCUMULATOR_HIGH)
            whole = total >> _ACCUMULATOR_SHIFT
            fraction = (total - (whole << _ACCUMULATOR_SHIFT)) / 128.0
            whole += 1 if w_random < fraction else 0
            weights[k, i] = _saturated(whole, WEIGHT_LOW, WEIGHT_HIGH)


@_compiled
def _scan(weights: Any, x1: Any, payload: Any, error: Any, x: Any, y: Any, w: Any, out: Any) -> None:
    """Four timesteps; x, y and w hold the random numbers in force at the end of each."""
    silence = np.zeros_like(error)
    _learn(weights, x1, error, x[0], y[0], w[0])
    x1[:] = 0  # every unit sent 1
    _learn(weights, x1, silence, x[1], y[1], w[1])
    for i in range(payload.shape[0]):
        if payload[i] > 0:
            x1[i] = _half_even(payload[i])
    for k in range(weights.shape[0]):
        total = 0
        for i in range(payload.shape[0]):
            total += weights[k, i] * payload[i]
        out[k] = total >> -WEIGHT_EXPONENT
    _learn(weights, x1, silence, x[2], y[2], w[2])
    _learn(weights, x1, silence, x[3], y[3], w[3])


class _Stream:
    """Lava's random numbers for one generator: `per_step` draws a timestep, of which the last is in force."""

    def __init__(self, seed: int, per_step: int) -> None:
        self._generator = np.random.default_rng(seed)
        self._generator.random()  # drawn when Lava constructs the generator
        self._per_scan = per_step * SCAN_STEPS
        self._last = slice(per_step - 1, None, per_step)
        self._drawn = np.empty(0)

    def scan(self) -> NDArray[np.float64]:
        """The numbers in force at the four timesteps of the next scan."""
        if not self._drawn.size:
            self._drawn = self._generator.random(_CHUNK * self._per_scan // SCAN_STEPS)
        now, self._drawn = self._drawn[: self._per_scan], self._drawn[self._per_scan :]
        return now[self._last].copy()


def checked(
    payload: NDArray[np.integer[Any]], error: NDArray[np.integer[Any]], units: int, outputs: int
) -> tuple[Integers, Integers]:
    """Payload and error as every backend wants them; ValueError when their size or range is wrong."""
    if payload.shape != (units,) or error.shape != (outputs,):
        raise ValueError(f"payloads {payload.shape}, errors {error.shape} do not fit {units} units, {outputs} outputs")
    if not (0 <= payload.min() and payload.max() <= 254 and -127 <= error.min() and error.max() <= 127):
        raise ValueError("payloads must be in 0..254 and errors in -127..127")
    return payload.astype(np.int64), error.astype(np.int64)


class ReferenceBackend:
    """The reference simulator as a Backend; microseconds a step, no process."""

    name = "reference"

    def __init__(self, units: int, outputs: int, seed: int) -> None:
        self._weights = np.zeros((outputs, units), dtype=np.int64)
        self._x1 = np.zeros(units, dtype=np.int64)
        self._x, self._y = _Stream(seed, 2), _Stream(seed + 2, 2)
        self._w = _Stream(_CONNECTION_SEED, 1)
        self.step(np.zeros(units, dtype=np.int64), np.zeros(outputs, dtype=np.int64))  # Lava's first run

    def step(self, payload: NDArray[np.integer[Any]], error: NDArray[np.integer[Any]]) -> Integers:
        """Learn from `error` on the previous payload, then send this one; the read-outs."""
        outputs = np.zeros(self._weights.shape[0], dtype=np.int64)
        inputs = checked(payload, error, self._weights.shape[1], self._weights.shape[0])
        _scan(self._weights, self._x1, *inputs, self._x.scan(), self._y.scan(), self._w.scan(), outputs)
        return outputs

    def weights(self) -> Integers:
        """The weights, (outputs, units)."""
        return self._weights.copy()

    def restore(self, weights: NDArray[np.integer[Any]]) -> None:
        """Take these weights and go on; traces and random streams stay as they are."""
        if weights.shape != self._weights.shape:
            raise ValueError(f"weights of shape {weights.shape} do not fit {self._weights.shape}")
        self._weights = np.array(np.clip(weights, WEIGHT_LOW, WEIGHT_HIGH), dtype=np.int64, order="C")

    def close(self) -> None:
        """Nothing to end."""
