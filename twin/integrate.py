"""Explicit Runge-Kutta steps of two kinds, sixteen members at a time.

For a stiff model Runge-Kutta-Chebyshev, whose steps a fast oxygen transfer does not make small: after Sommeijer,
Shampine & Verwer 1998 (J. Comput. Appl. Math. 88:315), second order. With three stages a step may be five times as long
as the fastest mode lasts, where the classical Runge-Kutta of four would allow 2.8. For any other model the pair of
Dormand & Prince 1980 (J. Comput. Appl. Math. 6:19), fifth order: where accuracy limits the step, it takes a quarter.

Members lie side by side in lanes: entry i of member l is a[i * LANES + l]. A flat array with a constant number of
lanes, and a right-hand side without branches or library calls, is what LLVM turns into vector instructions. Every lane
takes steps of its own, so that a member is the same whoever its neighbours are.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba.cpython.unsafe.tuple import tuple_setitem
from numba.np.unsafe.ndarray import to_fixed_tuple

from twin import elementary
from twin.model import Array, Model, parameter_values
from twin.numeric import compiled, inlined, numeric

LANES = 16  # with 8, LLVM 20 unrolls the loop over lanes before it could vectorise it
STAGES = 3  # of a step; of 3 to 8 the most accurate for its cost
LEAST_H = 1e-7  # a member that needs a shorter step has diverged
SAFETY, SHRINK, GROW = 0.8, 0.1, 5.0  # of a step's length to the next: those of the authors' program, GROW halved


def _chebyshev(stages: int) -> tuple[tuple[float, ...], ...]:
    """The factors mu, nu, mu~ and gamma~ of each stage, by the names of Sommeijer et al. 1998, damped by 2/13."""
    w0 = 1.0 + 2.0 / 13.0 / stages**2
    value, slope, bend = [1.0, w0], [0.0, 1.0], [0.0, 0.0]  # of the Chebyshev polynomials at w0
    for j in range(2, stages + 1):
        value.append(2.0 * w0 * value[-1] - value[-2])
        bend.append(4.0 * slope[-1] + 2.0 * w0 * bend[-1] - bend[-2])
        slope.append(2.0 * value[j - 1] + 2.0 * w0 * slope[-1] - slope[-2])
    w1 = slope[-1] / bend[-1]
    b = [bend[max(j, 2)] / slope[max(j, 2)] ** 2 for j in range(stages + 1)]
    mu, nu, forward, back = [0.0, 0.0], [0.0, 0.0], [0.0, b[1] * w1], [0.0, 0.0]
    for j in range(2, stages + 1):
        mu.append(2.0 * b[j] * w0 / b[j - 1])
        nu.append(-b[j] / b[j - 2])
        forward.append(2.0 * b[j] * w1 / b[j - 1])
        back.append(-(1.0 - b[j - 1] * value[j - 1]) * forward[j])
    return tuple(mu), tuple(nu), tuple(forward), tuple(back)


MU, NU, FORWARD, BACK = _chebyshev(STAGES)
# What each slope so far contributes to a stage of Dormand & Prince's, the last of which is the step's end; and each of
# all seven to its error.
PAIR = (
    (1 / 5, 0.0, 0.0, 0.0, 0.0, 0.0),
    (3 / 40, 9 / 40, 0.0, 0.0, 0.0, 0.0),
    (44 / 45, -56 / 15, 32 / 9, 0.0, 0.0, 0.0),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729, 0.0, 0.0),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656, 0.0),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
PAIR_ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
exp: Any = elementary.exp
log: Any = elementary.log

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
held: Any = None
stages: Any = None
error: Any = None
errors: Any = None
chosen: Any = None
WORK = 0
TOLERANCE = ORDER = 0.0


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


def _advance(x: Array, u: Array, p: Array, m: Array, terms: tuple[Array, Array], span_h: float, h: Array) -> None:
    """March every lane in place by `span_h` hours; no state falls below its floor.

    `terms` are the floors, and below which size a state is not measured by itself; both in lanes. `h` holds the step
    that each lane tries, and afterwards the one it would try next.
    """
    floor, size = terms
    slope0, slope, work = np.empty(NX * LANES), np.empty(NX * LANES), np.empty((WORK, NX * LANES))
    y, free = np.empty(NX * LANES), np.empty(NX * LANES)
    left, step, worst = np.full(LANES, span_h), np.empty(LANES), np.empty(LANES)
    derive(x, u, p, m, slope0)
    held(x, floor, slope0, free)
    while np.max(left) > 0.0:
        for lane in range(LANES):
            parts = np.ceil(left[lane] / h[lane] - 1e-9)
            step[lane] = left[lane] / (parts if parts > 1.0 else 1.0)
        stages(x, u, p, m, step, slope0, y, work)
        for i in range(NX * LANES):
            y[i] = floor[i] if y[i] < floor[i] else y[i]  # not-a-number is kept, and seen
        derive(y, u, p, m, slope)
        held(y, floor, slope, free)
        errors(x, y, step, slope0, slope, work, size, free, worst)
        chosen(worst, step, left, h)
        for i in range(NX):
            for lane in range(LANES):
                at = i * LANES + lane
                x[at] = y[at] * worst[lane] if worst[lane] != 0.0 else x[at]
                slope0[at] = slope[at] if worst[lane] != 0.0 else slope0[at]


def _held(x: Array, floor: Array, slope: Array, free: Array) -> None:
    """A state at its floor stays there: what would draw it below is no rate of change, and it is not free."""
    for i in range(NX * LANES):
        free[i] = 0.0 if x[i] <= floor[i] and slope[i] < 0.0 else 1.0
        slope[i] = slope[i] if free[i] > 0.0 else 0.0


def _chebyshev_stages(
    x: Array, u: Array, p: Array, m: Array, step: Array, slope0: Array, y: Array, work: Array
) -> None:
    """Write into y where one step from x leads; slope0 is the rate of change at x."""
    before, slope = work[0], work[1]
    for i in range(NX):
        for lane in range(LANES):
            at = i * LANES + lane
            before[at] = x[at]
            y[at] = x[at] + FORWARD[1] * step[lane] * slope0[at]
    for j in range(2, STAGES + 1):
        derive(y, u, p, m, slope)
        mu, nu, forward, back = MU[j], NU[j], FORWARD[j], BACK[j]
        for i in range(NX):
            for lane in range(LANES):
                at = i * LANES + lane
                after = (1.0 - mu - nu) * x[at] + mu * y[at] + nu * before[at]
                after += step[lane] * (forward * slope[at] + back * slope0[at])
                before[at] = y[at]
                y[at] = after


def _chebyshev_error(x: Array, y: Array, step: Any, slope0: Array, slope: Array, work: Array, at: int) -> Any:
    """The local error of one state of one lane, from the rates of change at both ends."""
    return 0.8 * (x[at] - y[at]) + 0.4 * step * (slope0[at] + slope[at])


def _pair_stages(x: Array, u: Array, p: Array, m: Array, step: Array, slope0: Array, y: Array, work: Array) -> None:
    """Write into y where one step from x leads, and into work the rates of change at the stages between."""
    for j in range(len(PAIR)):
        weights = PAIR[j]
        if j > 0:
            derive(y, u, p, m, work[j - 1])
        share = weights[0]
        for at in range(NX * LANES):
            y[at] = share * slope0[at]
        for k in range(j):
            share, slope = weights[k + 1], work[k]
            for at in range(NX * LANES):
                y[at] += share * slope[at]
        for i in range(NX):
            for lane in range(LANES):
                at = i * LANES + lane
                y[at] = x[at] + step[lane] * y[at]


def _pair_error(x: Array, y: Array, step: Any, slope0: Array, slope: Array, work: Array, at: int) -> Any:
    """The local error of one state of one lane: how far the solution of fourth order lies from that of fifth."""
    inner = PAIR_ERROR[2] * work[1, at] + PAIR_ERROR[3] * work[2, at] + PAIR_ERROR[4] * work[3, at]
    return step * (PAIR_ERROR[0] * slope0[at] + inner + PAIR_ERROR[5] * work[4, at] + PAIR_ERROR[6] * slope[at])


def _errors(
    x: Array, y: Array, step: Array, slope0: Array, slope: Array, work: Array, size: Array, free: Array, worst: Array
) -> None:
    """Write the local error of each lane, the root mean square over its states, as a share of what is tolerated.

    A state that is held at its floor does not err.
    """
    worst[:] = 0.0
    for i in range(NX):
        for lane in range(LANES):
            at = i * LANES + lane
            measure = abs(y[at])
            tolerated = TOLERANCE * (measure if measure > size[at] else size[at])
            share = error(x, y, step[lane], slope0, slope, work, at) / tolerated
            worst[lane] += free[at] * share * share
    for lane in range(LANES):
        worst[lane] = np.sqrt(worst[lane] / NX)


def _chosen(worst: Array, step: Array, left: Array, h: Array) -> None:
    """Take each lane's step or not, and say what is tried next in h.

    `worst` becomes what the step's end is to be multiplied by: 1, 0 when it is not taken, and not-a-number when no
    step is short enough, after which nothing of that lane is left to do.
    """
    for lane in range(LANES):
        share, done = worst[lane], step[lane] <= 0.0
        taken = share <= 1.0 and not done  # not-a-number is not taken
        lost = not share <= 1.0 and step[lane] < LEAST_H
        factor = SAFETY * exp(log(1e-6 if share < 1e-6 else share) / -ORDER)
        factor = factor if factor > SHRINK else SHRINK
        factor = factor if factor < GROW else GROW
        tried = step[lane] * factor
        longest = h[lane] if taken and h[lane] > tried and factor >= 1.0 else tried
        h[lane] = h[lane] if done else longest
        worst[lane] = 1.0 if taken else (np.nan if lost else 0.0)
        left[lane] = 0.0 if lost else (left[lane] - step[lane] if taken else left[lane])


def _runs(
    starts: Array, hours: Array, inputs: Array, p: Array, multipliers: Array, terms: tuple[Array, Array], step_h: float
) -> Array:
    out = np.empty((starts.shape[0], hours.size, NX * LANES))
    for block in range(starts.shape[0]):
        x, h = starts[block].copy(), np.full(LANES, step_h)
        out[block, 0] = x
        for k in range(hours.size - 1):
            leap(x, inputs[k])
            advance(x, inputs[k], p, multipliers[block], terms, hours[k + 1] - hours[k], h)
            out[block, k + 1] = x
    return out


def _course(
    start: Array, hours: Array, inputs: Array, p: Array, factors: Array, terms: tuple[Array, Array], step_h: float
) -> Array:
    out = np.empty((hours.size, NX))
    x, h = start.copy(), np.full(LANES, step_h)
    out[0] = x
    for k in range(hours.size - 1):
        advance(x, inputs[k], p, factors[k], terms, hours[k + 1] - hours[k], h)
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
        "advance": _stepper(model, derive, LANES),
    }


def _stepper(model: Model, derive: Any, lanes: int) -> Any:
    """The kernel that advances so many lanes."""
    sizes = {"NX": len(model.states), "LANES": lanes}
    if model.stiff:
        stages, error, order, work = _chebyshev_stages, _chebyshev_error, 3.0, 2
    else:
        stages, error, order, work = _pair_stages, _pair_error, 5.0, len(PAIR) - 1
    return compiled(
        _advance,
        derive=derive,
        held=compiled(_held, **sizes),
        stages=compiled(stages, derive=derive, **sizes),
        errors=compiled(_errors, error=inlined(error), TOLERANCE=model.tolerance, **sizes),
        chosen=compiled(_chosen, LANES=lanes, ORDER=order),
        WORK=work,
        **sizes,
    )


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
    return compiled(_course, advance=_stepper(model, derive, 1), NX=nx, LANES=1)


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


def terms(model: Model) -> tuple[Array, Array]:
    """What `advance` keeps to: the floors, and the spread of each state's prior, below which it is no measure.

    A state that is known exactly at first is measured by 1 of its unit.
    """
    return floors(model), np.repeat([state.initial_sd or 1.0 for state in model.states], LANES)


def simulate(
    model: Model,
    starts: Array,
    hours: Array,
    inputs: Array,
    multipliers: Array | None = None,
    parameters: Sequence[float] | None = None,
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
        terms(model),
        model.step_h,
    )
    return unpack(out, len(starts))


def course(model: Model, start: Array, hours: Array, inputs: Array, factors: Array) -> Array:
    """States of one run at `hours`, as (hours, states); row k of inputs and factors holds from the k-th hour on.

    The model's jump is not applied: this is for inputs that act all along.
    """
    states: Array = _single(model)(
        np.maximum(np.asarray(start, dtype=np.float64), floors(model)[::LANES]),
        np.ascontiguousarray(hours, dtype=np.float64),
        np.ascontiguousarray(inputs, dtype=np.float64),
        parameter_values(model),
        np.ascontiguousarray(factors, dtype=np.float64),
        (floors(model)[::LANES].copy(), terms(model)[1][::LANES].copy()),
        model.step_h,
    )
    return states


def warm_up(model: Model) -> None:
    """Compile, or load from disk, what `simulate` needs."""
    start = np.array([[state.initial for state in model.states]])
    simulate(model, start, np.array([0.0, model.step_h]), np.array([[i.nominal for i in model.inputs]]))
