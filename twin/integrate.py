"""Fixed-step fourth-order Runge-Kutta for one run or many: indifferent to inputs that change at every scan."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple

from twin.model import Array, Model, compiled, numeric, parameter_values

# Free names of the kernels below, bound for each model by `kernels`.
rhs: Any = None
jump: Any = None
derive: Any = None
advance: Any = None
NX = NU = NP = NM = 0


def _derive(x: Array, u: Array, p: Array, m: Array, out: Array) -> None:
    dx = rhs(to_fixed_tuple(x, NX), to_fixed_tuple(u, NU), to_fixed_tuple(p, NP), to_fixed_tuple(m, NM))
    for i in range(NX):
        out[i] = dx[i]


def _advance(x: Array, u: Array, p: Array, m: Array, floor: Array, h: float, steps: int, work: Array) -> None:
    """March x in place by `steps` steps of h hours; `work` is (3, NX) of scratch space."""
    k = work[0]
    y = work[1]
    total = work[2]
    for _ in range(steps):
        derive(x, u, p, m, k)
        for i in range(NX):
            total[i] = k[i]
            y[i] = x[i] + 0.5 * h * k[i]
        derive(y, u, p, m, k)
        for i in range(NX):
            total[i] += 2.0 * k[i]
            y[i] = x[i] + 0.5 * h * k[i]
        derive(y, u, p, m, k)
        for i in range(NX):
            total[i] += 2.0 * k[i]
            y[i] = x[i] + h * k[i]
        derive(y, u, p, m, k)
        for i in range(NX):
            x[i] += h / 6.0 * (total[i] + k[i])
            if x[i] < floor[i]:  # written so that not-a-number is kept and seen
                x[i] = floor[i]


def _leap(x: Array, u: Array) -> None:
    after = jump(to_fixed_tuple(x, NX), to_fixed_tuple(u, NU))
    for i in range(NX):
        x[i] = after[i]


def _runs(
    starts: Array, hours: Array, inputs: Array, p: Array, multipliers: Array, floor: Array, step_h: float
) -> Array:
    members = starts.shape[0]
    out = np.empty((members, hours.size, NX))
    work = np.empty((3, NX))
    for member in range(members):
        x = starts[member].copy()
        out[member, 0] = x
        for k in range(hours.size - 1):
            length = hours[k + 1] - hours[k]
            steps = max(1, int(np.ceil(length / step_h - 1e-9)))
            leap(x, inputs[k])
            advance(x, inputs[k], p, multipliers[member], floor, length / steps, steps, work)
            out[member, k + 1] = x
    return out


leap: Any = None


@functools.cache
def kernels(model: Model) -> dict[str, Any]:
    """The compiled steps of a model by free name: derive, advance and leap, for kernels that build on them."""
    bound = numeric(model)
    sizes = sizes_of(model)
    made = {"derive": compiled(_derive, rhs=bound.rhs, **sizes)}
    made["advance"] = compiled(_advance, **made, **sizes)
    made["leap"] = compiled(_leap, jump=bound.jump, **sizes)
    return made | sizes


def sizes_of(model: Model) -> dict[str, int]:
    """The lengths of x, u, p, m and y, as constants that kernels are compiled with."""
    return {
        "NX": len(model.states),
        "NU": len(model.inputs),
        "NP": len(model.parameters),
        "NM": len(model.multipliers),
        "NY": len(model.outputs),
    }


@functools.cache
def _runner(model: Model) -> Any:
    return compiled(_runs, **kernels(model))


def floors(model: Model) -> Array:
    """The least value each state may take."""
    return np.array([0.0 if state.positive else -np.inf for state in model.states])


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
    p = parameter_values(model) if parameters is None else np.asarray(parameters, dtype=np.float64)
    out: Array = _runner(model)(
        np.ascontiguousarray(starts),
        np.ascontiguousarray(hours, dtype=np.float64),
        np.ascontiguousarray(inputs, dtype=np.float64),
        p,
        np.ascontiguousarray(multipliers, dtype=np.float64),
        floors(model),
        model.step_h if step_h is None else step_h,
    )
    return out
