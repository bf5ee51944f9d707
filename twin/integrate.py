"""Fixed-step fourth-order Runge-Kutta, sixteen members at a time: indifferent to inputs that change at every scan.

Members lie side by side in lanes: entry i of member l is a[i * LANES + l]. A flat array with a constant number of
lanes, and a right-hand side without branches or library calls, is what LLVM turns into vector instructions.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba.cpython.unsafe.tuple import tuple_setitem
from numba.np.unsafe.ndarray import to_fixed_tuple

from twin.model import Array, Model, compiled, inlined, numeric, parameter_values

LANES = 16  # with 8, LLVM 20 unrolls the loop over lanes before it could vectorise it

# Free names of the kernels below, bound for each model by `kernels`.
N = NX = NP = 0
ZEROS: Any = ()
function: Any = None
objective: Any = None
jump: Any = None
x_at: Any = None
u_at: Any = None
m_at: Any = None
derive: Any = None
advance: Any = None
leap: Any = None


def _pick(a: Array, lane: int) -> Any:
    """The vector of one lane, as a tuple."""
    vector = ZEROS
    for i in range(N):
        vector = tuple_setitem(vector, i, a[i * LANES + lane])
    return vector


def _each(x: Array, u: Array, p: Array, m: Array, out: Array) -> None:
    """Out = function(x, u, p, m) in every lane."""
    constants = to_fixed_tuple(p, NP)
    for lane in range(LANES):
        value = function(x_at(x, lane), u_at(u, lane), constants, m_at(m, lane))
        for i in range(N):
            out[i * LANES + lane] = value[i]


def _leap(x: Array, u: Array) -> None:
    """Apply the model's jump in every lane."""
    for lane in range(LANES):
        value = jump(x_at(x, lane), u_at(u, lane))
        for i in range(NX):
            x[i * LANES + lane] = value[i]


def _worth(x: Array, out: Array) -> None:
    """The objective in every lane."""
    for lane in range(LANES):
        out[lane] = objective(x_at(x, lane))


def _advance(x: Array, u: Array, p: Array, m: Array, floor: Array, h: float, steps: int) -> None:
    """March every lane in place by `steps` steps of h hours; no state falls below its floor."""
    k = np.empty(NX * LANES)
    y = np.empty(NX * LANES)
    total = np.empty(NX * LANES)
    for _ in range(steps):
        derive(x, u, p, m, k)
        for i in range(NX * LANES):
            total[i] = k[i]
            y[i] = x[i] + 0.5 * h * k[i]
        derive(y, u, p, m, k)
        for i in range(NX * LANES):
            total[i] += 2.0 * k[i]
            y[i] = x[i] + 0.5 * h * k[i]
        derive(y, u, p, m, k)
        for i in range(NX * LANES):
            total[i] += 2.0 * k[i]
            y[i] = x[i] + h * k[i]
        derive(y, u, p, m, k)
        for i in range(NX * LANES):
            after = x[i] + h / 6.0 * (total[i] + k[i])
            x[i] = floor[i] if after < floor[i] else after  # not-a-number is kept, and seen


def _runs(
    starts: Array, hours: Array, inputs: Array, p: Array, multipliers: Array, floor: Array, step_h: float
) -> Array:
    out = np.empty((starts.shape[0], hours.size, NX * LANES))
    for block in range(starts.shape[0]):
        x = starts[block].copy()
        out[block, 0] = x
        for k in range(hours.size - 1):
            length = hours[k + 1] - hours[k]
            steps = max(1, int(np.ceil(length / step_h - 1e-9)))
            leap(x, inputs[k])
            advance(x, inputs[k], p, multipliers[block], floor, length / steps, steps)
            out[block, k + 1] = x
    return out


def _course(start: Array, hours: Array, inputs: Array, p: Array, factors: Array, floor: Array, step_h: float) -> Array:
    out = np.empty((hours.size, NX))
    x = start.copy()
    out[0] = x
    for k in range(hours.size - 1):
        length = hours[k + 1] - hours[k]
        steps = max(1, int(np.ceil(length / step_h - 1e-9)))
        advance(x, inputs[k], p, factors[k], floor, length / steps, steps)
        out[k + 1] = x
    return out


@functools.cache
def kernels(model: Model) -> dict[str, Any]:
    """The model's kernels over lanes by free name, for the kernels that build on them: derive, look, worth, ..."""
    bound = numeric(model)
    nx, nu, np_, nm, ny = (
        len(v) for v in (model.states, model.inputs, model.parameters, model.multipliers, model.outputs)
    )
    at: dict[str, Any] = {
        name: inlined(_pick, N=n, ZEROS=(0.0,) * n) for name, n in (("x_at", nx), ("u_at", nu), ("m_at", nm))
    }
    derive = compiled(_each, function=bound.rhs, N=nx, NP=np_, **at)
    return {
        "NX": nx,
        "NU": nu,
        "NM": nm,
        "NY": ny,
        "derive": derive,
        "look": compiled(_each, function=bound.observe, N=ny, NP=np_, **at),
        "leap": compiled(_leap, jump=bound.jump, NX=nx, **at),
        "worth": compiled(_worth, objective=bound.objective, **at),
        "advance": compiled(_advance, derive=derive, NX=nx),
    }


@functools.cache
def _runner(model: Model) -> Any:
    made = kernels(model)
    return compiled(_runs, advance=made["advance"], leap=made["leap"], NX=made["NX"])


@functools.cache
def _single(model: Model) -> Any:
    """The runner of one member, in one lane: its latency is a fifth of a full block's."""
    bound = numeric(model)
    nx, nu, np_, nm = (len(v) for v in (model.states, model.inputs, model.parameters, model.multipliers))
    at: dict[str, Any] = {
        name: inlined(_pick, N=n, ZEROS=(0.0,) * n, LANES=1) for name, n in (("x_at", nx), ("u_at", nu), ("m_at", nm))
    }
    derive = compiled(_each, function=bound.rhs, N=nx, NP=np_, LANES=1, **at)
    return compiled(_course, advance=compiled(_advance, derive=derive, NX=nx, LANES=1), NX=nx)


def pack(members: Array) -> Array:
    """(members, n) to (blocks, n * LANES); the last block is filled up with copies of the last member."""
    count, n = members.shape
    blocks = -(-count // LANES)
    full = members[np.minimum(np.arange(blocks * LANES), count - 1)]
    return np.ascontiguousarray(full.reshape(blocks, LANES, n).transpose(0, 2, 1).reshape(blocks, n * LANES))


def unpack(blocks: Array, count: int) -> Array:
    """(blocks, ..., n * LANES) to (members, ..., n)."""
    *shape, width = blocks.shape
    lanes = np.moveaxis(blocks.reshape(*shape, width // LANES, LANES), -1, 1)
    return lanes.reshape(shape[0] * LANES, *shape[1:], width // LANES)[:count]


def floors(model: Model) -> Array:
    """The least value each state may take, in every lane."""
    return np.repeat([0.0 if state.positive else -np.inf for state in model.states], LANES)


def simulate(
    model: Model,
    starts: Array,
    hours: Array,
    inputs: Array,
    multipliers: Array | None = None,
    parameters: Sequence[float] | None = None,
    step_h: float | None = None,
) -> Array:
    """States of every member at `hours`, as (members, hours, states).

    `starts` is (members, states); row k of `inputs` holds from hours[k] to hours[k + 1]; `multipliers` are factors
    (members, multipliers), 1 when not given.
    """
    starts = np.atleast_2d(np.asarray(starts, dtype=np.float64))
    if multipliers is None:
        multipliers = np.ones((len(starts), len(model.multipliers)))
    out: Array = _runner(model)(
        pack(starts),
        np.ascontiguousarray(hours, dtype=np.float64),
        np.repeat(np.asarray(inputs, dtype=np.float64), LANES, axis=1),
        parameter_values(model) if parameters is None else np.asarray(parameters, dtype=np.float64),
        pack(np.asarray(multipliers, dtype=np.float64)),
        floors(model),
        model.step_h if step_h is None else step_h,
    )
    return unpack(out, len(starts))


def course(
    model: Model, start: Array, hours: Array, inputs: Array, factors: Array, step_h: float | None = None
) -> Array:
    """States of one run at `hours`, as (hours, states); row k of inputs and factors holds from the k-th hour on.

    The model's jump is not applied: this is for inputs that act all along.
    """
    states: Array = _single(model)(
        np.maximum(np.asarray(start, dtype=np.float64), floors(model)[::LANES]),
        np.ascontiguousarray(hours, dtype=np.float64),
        np.ascontiguousarray(inputs, dtype=np.float64),
        parameter_values(model),
        np.ascontiguousarray(factors, dtype=np.float64),
        floors(model)[::LANES].copy(),
        model.step_h if step_h is None else step_h,
    )
    return states


def warm_up(model: Model) -> None:
    """Compile, or load from disk, what `simulate` needs."""
    start = np.array([[state.initial for state in model.states]])
    simulate(model, start, np.array([0.0, model.step_h]), np.array([[i.nominal for i in model.inputs]]))
