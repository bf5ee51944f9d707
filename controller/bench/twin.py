"""What the twin costs and how far it can be trusted: ensembles, optimal control, filter, estimates and bands."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba.np.unsafe.ndarray import to_fixed_tuple
from scipy.integrate import solve_ivp

from controller.bench import twin_accuracy
from controller.campaign import campaign
from controller.processes import find, reference
from controller.processes.penicillin.model import MODEL
from twin.collocation import Control, Problem
from twin.integrate import simulate
from twin.model import Array, Model, parameter_values
from twin.numeric import compiled, numeric
from twin.optimise import Optimiser, Start, later
from twin.symbolic import symbolic

PARTS = ("ensemble", "mpc", "bindings", "estimation", "closed_loop")
HOURS, MEMBERS = 230.0, 512
LSODA_MEMBERS = 16  # of them are timed with LSODA
TOLERANCE = 1e-6  # of the LSODA that is timed; what it is checked against runs at 1e-10
SEEDS = tuple(range(500, 508))  # batches never used in development

# Free names of the kernel below.
NX = NU = NP = NM = 0
function: Any = None


def _slope(x: Array, u: Array, p: Array, m: Array, out: Array) -> None:
    value = function(to_fixed_tuple(x, NX), to_fixed_tuple(u, NU), to_fixed_tuple(p, NP), to_fixed_tuple(m, NM))
    for i in range(NX):
        out[i] = value[i]


def bench(told: Callable[[str], None], parts: Sequence[str] = PARTS, quick: bool = False) -> dict[str, Any]:
    """The parts asked for; times in milliseconds unless named otherwise."""
    found: dict[str, Any] = {}
    work: dict[str, Callable[[], dict[str, Any]]] = {
        "ensemble": lambda: ensemble(32 if quick else MEMBERS, 2 if quick else LSODA_MEMBERS),
        "mpc": lambda: control(10 if quick else 200),
        "bindings": bindings,
        "estimation": lambda: twin_accuracy.accuracy(SEEDS[: 1 if quick else len(SEEDS)], told),
        "closed_loop": closed_loop,
    }
    for part in parts:
        told(part)
        found |= work[part]()
    return found


def ensemble(members: int, timed: int) -> dict[str, Any]:
    """512 batches of 230 h with hourly output and three jumps of the feed, against LSODA on one core."""
    starts, multipliers, hours, inputs = _batches(members)
    simulate(MODEL, starts[:1], hours[:2], inputs[:2], multipliers[:1])  # compiled before it is timed
    began = time.process_time()  # of one core, whatever else the machine does
    states = simulate(MODEL, starts, hours, inputs, multipliers)
    ours = (time.process_time() - began) / members
    slope = compiled(
        _slope,
        function=numeric(MODEL).rhs,
        NX=len(MODEL.states),
        NU=len(MODEL.inputs),
        NP=len(MODEL.parameters),
        NM=len(MODEL.multipliers),
    )
    _lsoda(slope, starts[0], hours[:2], inputs[:2], multipliers[0], TOLERANCE)
    began = time.process_time()
    for k in range(timed):
        _lsoda(slope, starts[k], hours, inputs, multipliers[k], TOLERANCE)
    theirs = (time.process_time() - began) / timed
    worst = 0.0
    for k in range(timed):
        exact = _lsoda(slope, starts[k], hours, inputs, multipliers[k], 1e-10)
        worst = max(worst, float((np.abs(states[k] - exact) / np.abs(exact).max(axis=0)).max()))
    return {
        "ensemble_speedup_vs_lsoda": theirs / ours,
        "ensemble_max_error": worst,
        "ensemble_ms_per_batch": 1000.0 * ours,
        "lsoda_ms_per_batch": 1000.0 * theirs,
        "ensemble_members": members,
    }


def _batches(members: int) -> tuple[Array, Array, Array, Array]:
    rng = np.random.default_rng(0)
    mean = np.array([state.initial for state in MODEL.states])
    sd = np.array([state.initial_sd for state in MODEL.states])
    starts = np.maximum(mean + sd * rng.standard_normal((members, len(mean))), 0.01 * mean)
    logs = np.array([m.initial_sd for m in MODEL.multipliers]) * rng.standard_normal((members, len(MODEL.multipliers)))
    hours = np.arange(HOURS + 1.0)
    inputs = np.tile([item.nominal for item in MODEL.inputs], (len(hours), 1))
    inputs[:, 1] = 0.001
    for begin, feed in ((40, 0.042), (110, 0.045), (190, 0.037)):
        inputs[begin:, 0] = feed
    return starts, np.exp(logs), hours, inputs


def _lsoda(slope: Any, start: Array, hours: Array, inputs: Array, m: Array, tolerance: float) -> Array:
    """States at `hours`; a new start at each jump of an input, as LSODA needs it."""
    p, out = parameter_values(MODEL), np.empty(len(start))
    jumps = [0, *(np.flatnonzero(np.any(np.diff(inputs[:-1], axis=0) != 0.0, axis=1)) + 1), len(hours) - 1]
    course, x = [start[None]], start

    def rhs(_: float, y: Array, u: Array) -> Array:
        slope(y, u, p, m, out)
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


def control(states: int) -> dict[str, Any]:
    """Optimal control from random states: cold, and an hour later from the last plan."""
    controls = (Control("feed", 0.035, 0.045, 0.002), Control("precursor_feed", 0.0, 0.002, 0.0004))
    bounded = ("dissolved_oxygen", "volume", "precursor")
    optimiser = Optimiser(Problem(MODEL, controls, bounded, bounded))
    rng = np.random.default_rng(7)
    cold, warm, solved, unsafe = [], [], 0, 0
    for _ in range(states):
        start = _question(optimiser, rng)
        began = time.perf_counter()
        found = optimiser.solve(start)
        cold.append(time.perf_counter() - began)
        solved += found.solved
        within = (found.controls >= start.low - 1e-9).all() and (found.controls <= start.high + 1e-9).all()
        unsafe += not (within and np.isfinite(found.states).all())
        if found.solved:
            hour = later(found, 1.0)
            moved = np.array([np.interp(1.0, found.hours, column) for column in found.states.T])
            moved *= 1.0 + 0.01 * rng.standard_normal(len(moved))
            again = _asked(optimiser, moved, start.hours[-1] - 1.0, found.controls[0], start.factors)
            began = time.perf_counter()
            optimiser.solve(again, hour)
            warm.append(time.perf_counter() - began)
    return {
        "mpc_cold_p50": 1000.0 * float(np.median(cold)),
        "mpc_warm_p50": 1000.0 * float(np.median(warm)),
        "mpc_failures": unsafe,
        "mpc_solved": solved,
        "mpc_states": states,
    }


def _question(optimiser: Optimiser, rng: np.random.Generator) -> Start:
    logs = rng.normal(0.0, [0.15, 0.1, 0.15, 0.1, 0.3])
    state = rng.uniform((0.5, 0.0, 0.002, 20.0, 90.0, 150.0), (20.0, 2.0, 5.0, 100.0, 115.0, 2300.0))
    before = rng.uniform((0.035, 0.0), (0.045, 0.002))
    factors = np.tile(np.exp(logs), (optimiser.problem.intervals, 1))
    return _asked(optimiser, state, rng.uniform(4.0, 180.0), before, factors)


def _asked(optimiser: Optimiser, state: Array, hours: float, before: Array, factors: Array) -> Start:
    n = optimiser.problem.intervals
    return Start(
        state=state,
        held=np.array([item.nominal for item in MODEL.inputs]),
        before=before,
        hours=optimiser.edges(hours),
        low=np.tile([0.035, 0.0], (n, 1)),
        high=np.tile([0.045, 0.002], (n, 1)),
        least=np.tile([20.0, -np.inf, 300.0], (n, 1)),
        most=np.tile([np.inf, 120.0, 2000.0], (n, 1)),
        factors=factors,
        first_step=np.array([0.002, 0.0004]),
    )


def bindings(model: Model = MODEL) -> dict[str, Any]:
    """The largest difference between what numba and what CasADi make of the equations, relative."""
    rng, worst = np.random.default_rng(3), 0.0
    p = parameter_values(model)
    for _ in range(200):
        x = np.array([max(s.initial, s.initial_sd) for s in model.states]) * rng.uniform(0.05, 2.0, len(model.states))
        u = np.array([i.nominal + 1e-3 for i in model.inputs]) * rng.uniform(0.2, 2.0, len(model.inputs))
        m = np.exp(rng.normal(0.0, 0.2, len(model.multipliers)))
        for name in ("rhs", "observe"):
            ours = np.array(getattr(numeric(model), name)(tuple(x), tuple(u), tuple(p), tuple(m)))
            theirs = np.array(getattr(symbolic(model), name)(x, u, p, m)).ravel()
            worst = max(worst, float((np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-6)).max()))
    return {"bindings_max_difference": worst}


def closed_loop(seed: int = 7) -> dict[str, Any]:
    """One whole batch in the closed loop with NeuroCore on the reference backend, seconds; compiling not counted."""
    campaign.run(campaign.Task(find(reference()), "recipe", seed))
    campaign.assembled(find(reference()))
    began = time.perf_counter()
    done = campaign.run(campaign.Task(find(reference()), "neuro", seed))
    return {"closed_loop_batch_s": time.perf_counter() - began, "closed_loop_product_g": done.amount}
