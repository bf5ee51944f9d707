"""Ensembles of batches, integrated side by side, against LSODA on one core."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple
from scipy.integrate import solve_ivp

from controller.bench.drill import drill_of, inputs_of
from controller.processes import Process
from controller.settings import load
from twin.integrate import simulate
from twin.model import Array, Model, parameter_values
from twin.numeric import compiled, numeric

TOLERANCE = 1e-6  # of the LSODA that is timed; what it is checked against runs at 1e-10

# Free names of the kernel below.
NX = NU = NP = NM = 0
function: Any = None


def _slope(x: Array, u: Array, p: Array, m: Array, out: Array) -> None:
    value = function(to_fixed_tuple(x, NX), to_fixed_tuple(u, NU), to_fixed_tuple(p, NP), to_fixed_tuple(m, NM))
    for i in range(NX):
        out[i] = value[i]


def ensemble(process: Process, members: int, timed: int) -> dict[str, Any]:
    """So many whole batches with hourly output and the jumps of the drill; LSODA takes the first few of them."""
    model = process.model()
    inputs = inputs_of(model, drill_of(process).course, load(process.configuration).batch.length_h)
    starts, multipliers = _members(model, members)
    hours = np.arange(len(inputs) + 0.0)
    simulate(model, starts[:1], hours[:2], inputs[:2], multipliers[:1])  # compiled before it is timed
    began = time.process_time()  # of one core, whatever else the machine does
    states = simulate(model, starts, hours, inputs, multipliers)
    ours = (time.process_time() - began) / members
    lsoda = Lsoda(model)
    lsoda.course(starts[0], hours[:2], inputs[:2], multipliers[0], TOLERANCE)
    began = time.process_time()
    for k in range(timed):
        lsoda.course(starts[k], hours, inputs, multipliers[k], TOLERANCE)
    theirs = (time.process_time() - began) / timed
    worst = 0.0
    for k in range(timed):
        exact = lsoda.course(starts[k], hours, inputs, multipliers[k], 1e-10)
        scale = np.maximum(np.abs(exact).max(axis=0), 1e-12)  # of a state that is never there, any
        worst = max(worst, float((np.abs(states[k] - exact) / scale).max()))
    return {
        "ensemble_speedup_vs_lsoda": theirs / ours,
        "ensemble_max_error": worst,
        "ensemble_ms_per_batch": 1000.0 * ours,
        "lsoda_ms_per_batch": 1000.0 * theirs,
        "ensemble_members": members,
    }


def _members(model: Model, members: int) -> tuple[Array, Array]:
    """States at inoculation, (members, states), and multipliers, (members, multipliers)."""
    rng = np.random.default_rng(0)
    mean = np.array([state.initial for state in model.states])
    sd = np.array([state.initial_sd for state in model.states])
    starts = np.maximum(mean + sd * rng.standard_normal((members, len(mean))), 0.01 * mean)
    logs = np.array([m.initial_sd for m in model.multipliers]) * rng.standard_normal((members, len(model.multipliers)))
    return starts, np.exp(logs)


class Lsoda:
    """SciPy's LSODA on the compiled equations of one model."""

    def __init__(self, model: Model) -> None:
        self._p = parameter_values(model)
        self._slope = compiled(
            _slope,
            function=numeric(model).rhs,
            NX=len(model.states),
            NU=len(model.inputs),
            NP=len(model.parameters),
            NM=len(model.multipliers),
        )

    def course(self, start: Array, hours: Array, inputs: Array, m: Array, tolerance: float) -> Array:
        """States at `hours`; a new start at each jump of an input, as LSODA needs it."""
        out = np.empty(len(start))
        jumps = [0, *(np.flatnonzero(np.any(np.diff(inputs[:-1], axis=0) != 0.0, axis=1)) + 1), len(hours) - 1]
        course, x = [start[None]], start

        def rhs(_: float, y: Array, u: Array) -> Array:
            self._slope(y, u, self._p, m, out)
            return out.copy()

        for a, b in itertools.pairwise(jumps):
            span = hours[a : b + 1]
            scale = tolerance * np.maximum(np.abs(start), 1e-3)
            found = solve_ivp(
                rhs, (span[0], span[-1]), x, "LSODA", span, args=(inputs[a],), rtol=tolerance, atol=scale, max_step=5.0
            )
            course.append(found.y.T[1:])
            x = found.y[:, -1]
        return np.concatenate(course)
