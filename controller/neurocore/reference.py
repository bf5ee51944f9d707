"""The reference simulator: every fixed-point network of `neurocore.lava` in numba, bit for bit, without Lava.

What it has to get right, timestep by timestep:
- Graded units: a payload p > 0 sets the trace x1 to round_half_even(p/2); silent units keep their trace. Spiking units:
  v gains the bias, a v above 4096 is a spike and becomes 0, and a spike adds 32 to x1 (at most 127) AFTER its decay.
- At the end of every timestep x1 decays by exp(-1/tau) and is rounded up with the probability of its fraction. So do y1
  and y2 (from the error, in the lesson) before they are used; with two factors y1 decays by exp(-1) and a post-synaptic
  spike adds 90. All synapses share ONE random number for x, one for y.
- dw: the weight is shifted to a 16-bit accumulator (<< 7); each product of the rule is floored as it is narrowed,
  floor(x1 y1 / 8) and floor(-x1 y2 / 8), or 2 floor(x1 (y1 - 101) / 8), added and saturated; then the weight is rounded
  back by one more shared random number and clipped to [-256, 255]. Absent synapses are put back to zero.
- The trace generators advance twice a timestep, the weights' one once; the last has a fixed seed (2) in Lava.
- What arrives at a read-out left the units one timestep before, through the weights of that timestep, before its
  learning.
It equals Lava's model of the synapse (`bit_approximate_loihi`); it says nothing of the chip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from controller.neurocore import design as constants
from controller.neurocore.design import WEIGHT_HIGH, WEIGHT_LOW, Design

_ACCUMULATOR_SHIFT = 7  # 16-bit accumulator, 9-bit weight
_FRACTION = (1 << _ACCUMULATOR_SHIFT) - 1
_ACCUMULATOR_LOW, _ACCUMULATOR_HIGH = -(2**15) - 1, 2**15 - 1
_TRACE_HIGH = 127
_CONNECTION_SEED = 2
_CHUNK = 4096  # timesteps whose random numbers are drawn at once
_PAYLOAD_FULL, _ERROR_FULL, _READ_OUT_SHIFT = constants.PAYLOAD_FULL, constants.ERROR_FULL, constants.READ_OUT_SHIFT
# Compiled functions are kept on disk and would not notice that a constant of another module has changed: those that are
# design, not width, are handed to them, in this order.
_THRESHOLD, _X1_IMPULSE, _Y1_IMPULSE, _Y1_OFFSET, _TEACHER_SHIFT, _QUANTUM, _TEACHER_LIMIT = range(7)
_CONSTANTS = np.array(
    [
        constants.LIF_THRESHOLD << 6,
        constants.X1_IMPULSE,
        constants.Y1_IMPULSE,
        constants.Y1_OFFSET,
        constants.TEACHER_SHIFT,
        constants.QUANTUM,
        constants.TEACHER_LIMIT,
    ]
)

Integers = NDArray[np.int64]
F = TypeVar("F", bound=Callable[..., Any])


def _decay(tau: int) -> float:
    """The share of a trace that is left after one timestep, by the same exp as Lava's."""
    return float(np.exp(-1 / np.array([tau]))[0])


def _compiled(function: F) -> F:
    return cast(F, njit(cache=True)(function))


@_compiled
def _decayed(trace: int, decay: float, random: float) -> int:
    value = decay * trace
    whole = int(value)  # the floor, since no trace is negative
    return whole + (1 if random < value - whole else 0)


@_compiled
def _saturated(value: int, low: int, high: int) -> int:
    return low if value < low else min(value, high)


@_compiled
def _accumulated(total: int, term: int) -> int:
    return int(_saturated(total + term, _ACCUMULATOR_LOW, _ACCUMULATOR_HIGH))


@_compiled
def _rounded(total: int, least: int) -> int:
    """The weight that an accumulator becomes: rounded up where its fraction, in 128ths, is above `least`."""
    whole = total >> _ACCUMULATOR_SHIFT
    return int(_saturated(whole + (1 if total & _FRACTION > least else 0), WEIGHT_LOW, WEIGHT_HIGH))


@_compiled
def _half_even(payload: int) -> int:
    half = payload >> 1
    return half + (payload & half & 1)


@_compiled
def _learn_three(weights: Any, own: int, x1: Any, error: Any, y_decay: float, y_random: float, w_random: float) -> None:
    """The weights follow the error."""
    least = int(w_random * 128.0)
    for k in range(weights.shape[0]):
        y1 = _decayed(max(error[k], 0), y_decay, y_random)
        y2 = _decayed(max(-error[k], 0), y_decay, y_random)
        if y1 == 0 and y2 == 0:
            continue
        for i in range(weights.shape[1]):
            if not k * own <= i < (k + 1) * own:
                total = _accumulated(weights[k, i] << _ACCUMULATOR_SHIFT, (int(x1[i]) * y1) >> 3)
                weights[k, i] = _rounded(_accumulated(total, (-(int(x1[i]) * y2)) >> 3), least)


@_compiled
def _learn_two(
    weights: Any, own: int, x1: Any, y1: Any, spiked: Any, constants: Any,
    y_decay: float, y_random: float, w_random: float,
) -> None:  # fmt: skip
    """The post-synaptic traces decay; synapses of outputs that were made to spike learn."""
    least = int(w_random * 128.0)
    for k in range(weights.shape[0]):
        y1[k] = _decayed(y1[k], y_decay, y_random)
        if not spiked[k]:
            continue
        y1[k] = min(y1[k] + constants[_Y1_IMPULSE], _TRACE_HIGH)
        for i in range(weights.shape[1]):
            if not k * own <= i < (k + 1) * own:
                term = ((int(x1[i]) * (y1[k] - constants[_Y1_OFFSET])) >> 3) << constants[_TEACHER_SHIFT]
                weights[k, i] = _rounded(_accumulated(weights[k, i] << _ACCUMULATOR_SHIFT, term), least)


@_compiled
def _events(owed: Any, error: Any, quantum: int, limit: int) -> Any:
    """What each teacher does with its error: a pair of spikes (1), a single one (-1), nothing (0)."""
    events = np.zeros_like(error)
    for k in range(error.shape[0]):
        owed[k] = _saturated(owed[k] + error[k], -limit, limit)
        events[k] = 1 if owed[k] >= quantum else (-1 if owed[k] <= -quantum else 0)
        owed[k] -= quantum * events[k]
    return events


@_compiled
def _taught(events: Any, step: int) -> Any:
    """Which outputs are made to spike: for a pair at timesteps 0 and 1, for a single one at 1."""
    if step == 0:
        return events > 0
    return (events != 0) & (step == 1)


@_compiled
def _add_weighted(out: Any, weights: Any, sent: Any) -> None:
    for i in range(weights.shape[1]):
        if sent[i]:
            for k in range(weights.shape[0]):
                out[k] += weights[k, i] * sent[i]


@_compiled
def _out_of_range(payload: Any, error: Any) -> bool:
    for p in payload:
        if p < 0 or p > _PAYLOAD_FULL:
            return True
    for e in error:
        if e < -_ERROR_FULL or e > _ERROR_FULL:
            return True
    return False


@_compiled
def _graded_step(weights: Any, x1: Any, payload: Any, step: int, lessons: int, out: Any) -> None:
    """What the population sends at this timestep, and what arrives of it one later."""
    if step == lessons:
        x1[:] = 0  # every unit sent 1
    elif step == lessons + 1:
        for i in range(payload.shape[0]):
            if payload[i] > 0:
                x1[i] = _half_even(payload[i])
        _add_weighted(out, weights, payload)
        out >>= _READ_OUT_SHIFT


@_compiled
def _lif_step(v: Any, bias: Any, threshold: int, spikes: Any) -> None:
    for i in range(v.shape[0]):
        risen = v[i] + bias[i]
        spikes[i] = 1 if risen > threshold else 0
        v[i] = 0 if risen > threshold else risen


@_compiled
def _decay_x1(x1: Any, decay: float, random: float, impulse: float, spikes: Any) -> None:
    """`_decayed` in floats, of all units, and the impulses: a loop that the compiler can vectorise."""
    for i in range(x1.shape[0]):
        value = decay * x1[i]
        whole = np.floor(value)
        rest = whole + (1.0 if random < value - whole else 0.0) + impulse * spikes[i]
        x1[i] = min(rest, 127.0)


@_compiled
def _scan(
    weights: Any, units: Any, outputs: Any, payload: Any, error: Any, randoms: Any, bias: Any, constants: Any,
    x_decay: float, y_decay: float, own: int, lessons: int, out: Any,
) -> bool:  # fmt: skip
    """One scan. units holds x1 and v, outputs y1 and owed; randoms (3, timesteps) those in force for x, y and w.

    `bias`, by payload, is empty for graded units. False, and nothing done, when payload or error is out of range.
    """
    if _out_of_range(payload, error):
        return False
    x1, v, y1 = units[0].astype(np.float64), units[1], outputs[0]
    lif, two, timesteps = bias.shape[0] > 0, lessons == 2, randoms.shape[1]
    spikes = np.zeros_like(payload)
    biases = bias[payload] if lif else payload
    events = _events(outputs[1], error, constants[_QUANTUM], constants[_TEACHER_LIMIT]) if two else error
    out[:] = 0
    for step in range(timesteps):
        x_random, y_random, w_random = randoms[0, step], randoms[1, step], randoms[2, step]
        if lif:
            _lif_step(v, biases, constants[_THRESHOLD], spikes)
            if step < timesteps - 1:
                _add_weighted(out, weights, spikes)
        else:
            _graded_step(weights, x1, payload, step, lessons, out)
        _decay_x1(x1, x_decay, x_random, constants[_X1_IMPULSE], spikes)
        if two:
            _learn_two(weights, own, x1, y1, _taught(events, step), constants, y_decay, y_random, w_random)
        elif step == 0:
            _learn_three(weights, own, x1, error, y_decay, y_random, w_random)
    for i in range(x1.shape[0]):  # to assign a slice takes the compiler two seconds
        units[0, i] = int(x1[i])
    return True


class _Randoms:
    """Lava's random numbers, a scan at a time: of each timestep's draws the last is in force."""

    def __init__(self, seed: int, timesteps: int) -> None:
        self._seeds = (seed, seed + 2, _CONNECTION_SEED)
        self._timesteps = timesteps
        self._scans = -(-_CHUNK // timesteps)  # of one chunk
        self._chunk, self._drawn = -1, np.empty((0, 3, timesteps))

    def of(self, scan: int) -> NDArray[np.float64]:
        """The numbers in force at the timesteps of this scan, counted from 0: for x, y and the weights."""
        chunk, at = divmod(scan, self._scans)
        if chunk != self._chunk:
            self._chunk, self._drawn = chunk, self._draw(chunk)
        numbers: NDArray[np.float64] = self._drawn[at]
        return numbers

    def _draw(self, chunk: int) -> NDArray[np.float64]:
        kinds = []
        for seed, per_step in zip(self._seeds, (2, 2, 1), strict=True):
            size = self._scans * self._timesteps * per_step
            source = np.random.PCG64(seed)
            source.advance(1 + chunk * size)  # one is drawn when Lava constructs the generator
            numbers = np.random.Generator(source).random(size)
            kinds.append(numbers[per_step - 1 :: per_step].reshape(self._scans, self._timesteps))
        return np.ascontiguousarray(np.stack(kinds, axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class NetworkState:
    """All that a reference network is at one instant: arrays that nobody changes any more."""

    weights: Integers  # (outputs, units)
    units: Integers  # x1 and v, (2, units)
    outputs: Integers  # y1 and owed, (2, outputs)
    scans: int  # how many have been run: where the random streams stand


class ReferenceBackend:
    """The reference simulator as a Backend; microseconds a step, no process."""

    name = "reference"

    def __init__(self, design: Design, seed: int) -> None:
        self.design = design
        self._weights = np.zeros((design.outputs, design.units), dtype=np.int64)
        self._units = np.zeros((2, design.units), dtype=np.int64)
        self._outputs = np.zeros((2, design.outputs), dtype=np.int64)
        self._randoms, self._scans = _Randoms(seed, design.timesteps), 0
        bias = np.array(design.drive(np.arange(_PAYLOAD_FULL + 1)) if design.coding == "lif" else [], np.int64)
        decays = _decay(design.x1_tau), _decay(constants.Y1_TAU if design.teaches_by_spikes else constants.NO_DECAY)
        self._fixed: tuple[Any, ...] = (bias, _CONSTANTS, *decays, design.own, design.lessons)
        self._gain, self._shift = design.read_out_gain
        self.step(np.zeros(design.units, dtype=np.int64), np.zeros(design.outputs, dtype=np.int64))  # Lava's first run

    def step(self, payload: NDArray[Any], error: NDArray[Any]) -> Integers:
        """Learn from `error` on the previous payload, then send this one; the read-outs."""
        if payload.shape != self._units.shape[1:] or error.shape != self._outputs.shape[1:]:
            self.design.checked(payload, error)  # raises
        out = np.empty(len(error), dtype=np.int64)
        state = self._weights, self._units, self._outputs
        inputs = payload.astype(np.int64, copy=False), error.astype(np.int64, copy=False)
        if not _scan(*state, *inputs, self._randoms.of(self._scans), *self._fixed, out):  # type: ignore[call-arg]
            self.design.checked(payload, error)  # raises
        self._scans += 1
        return (out * self._gain) >> self._shift if self._shift else out

    def weights(self) -> Integers:
        """The weights, (outputs, units)."""
        return self._weights.copy()

    def traces(self) -> dict[str, NDArray[Any]]:
        """The rest of the state."""
        found = {"x1": self._units[0].copy()}
        if self.design.teaches_by_spikes:
            found |= {"y1": self._outputs[0].copy(), "owed": self._outputs[1].copy()}
        if self.design.coding == "lif":
            found["v"] = self._units[1].copy()
        return found

    def restore(self, weights: NDArray[Any]) -> None:
        """Take these weights and go on; traces and random streams stay as they are."""
        self._weights = np.ascontiguousarray(self.design.fitting(weights), dtype=np.int64)

    def state(self) -> NetworkState:
        """All there is, exactly."""
        return NetworkState(self._weights.copy(), self._units.copy(), self._outputs.copy(), self._scans)

    def resume(self, state: object) -> None:
        """Be as `state` says, exactly; TypeError when it is no reference network's."""
        if not isinstance(state, NetworkState):
            raise TypeError(f"a reference network cannot go on from a {type(state).__name__}")
        self._weights, self._units = state.weights.copy(), state.units.copy()
        self._outputs, self._scans = state.outputs.copy(), state.scans

    def close(self) -> None:
        """Nothing to end."""
