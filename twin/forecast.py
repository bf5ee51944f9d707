"""Ensemble forecasts of the batch under a stated plan, with the learned correction evaluated along the way."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.correction import log_multipliers as correct
from twin.correction import surface
from twin.integrate import LANES, kernels, pack, terms
from twin.model import Array, Model, parameter_values
from twin.numeric import compiled
from twin.records import Band, Correction, Estimate, Forecast, Plan

Flags = NDArray[np.bool_]
QUANTILES = (0.025, 0.1, 0.5, 0.9, 0.975)  # of a Band
# After t hours a random walk of q per sqrt(h) has moved what it drives by sqrt(t^3/3) q, a member that drifts as
# q sqrt(t) by 2/3 sqrt(t^3) q. By this factor the drift is smaller that moves it as far as the walk.
RAMP = 3.0**0.5 / 2.0


@dataclass(frozen=True, slots=True)
class Horizon:
    """How the future is imagined; all design."""

    fade_h: float = 48.0  # in this time, what the estimate says beyond the learned correction falls to 1/e
    points: int = 60  # at most so many output times
    hold_steps: int = 24  # of the model's own, between two looks at the correction and at the latch
    seed: int = 20260101  # of the common random numbers


def forecast(
    model: Model,
    estimate: Estimate,
    correction: Correction,
    plan: Plan,
    members: int = 32,
    outlook: Horizon | None = None,
) -> Forecast:
    """The future under a plan. Member 0 starts from the mean, the others from draws of the covariance.

    The log multipliers are c(x(t)) + (theta - c(x))_now exp(-t/fade), c being the correction; one of which the
    correction says nothing keeps its value. To this comes what each member was drawn to differ by, and the random
    walk that the filter believes in, one draw a member, growing until it would have faded too.
    """
    outlook = outlook or Horizon()
    course = _course(model, estimate, plan, outlook)
    seen, worth = _run(model, estimate, correction, plan, members, outlook, course)
    names = [state.name for state in model.states] + [output.name for output in model.outputs]
    bands: dict[str, Band] = {}
    for name, band in zip(names, _bands(seen), strict=True):
        bands.setdefault(name, band)
    times = tuple(estimate.time + timedelta(hours=h) for h in course.saved_h.tolist())
    objective = tuple(worth.tolist())
    return Forecast(estimate.time, plan, times, bands, objective, model.objective_name, model.objective_unit)


def objectives(
    model: Model,
    estimate: Estimate,
    correction: Correction,
    plan: Plan,
    members: int = 16,
    outlook: Horizon | None = None,
) -> tuple[float, ...]:
    """The objective of each member at the plan's end: the same numbers that `forecast` gives, without the bands."""
    outlook = outlook or Horizon()
    course = _course(model, estimate, plan, outlook)
    return tuple(_run(model, estimate, correction, plan, members, outlook, course)[1].tolist())


@dataclass(frozen=True, slots=True)
class _Course:
    """The plan as arrays: stretches between hours[k] and hours[k + 1], each with its inputs."""

    hours: Array
    inputs: Array  # (stretches, inputs)
    begins: Flags  # whether a step of the plan begins with the stretch, so that the model jumps
    saves: Flags  # whether the state at hours[k] is an output
    saved_h: Array


def _course(model: Model, estimate: Estimate, plan: Plan, outlook: Horizon) -> _Course:
    end_h = max(0.0, (plan.end - estimate.time).total_seconds() / 3600)
    saved = _grid(end_h, outlook.points)
    starts = [(step.start - estimate.time).total_seconds() / 3600 for step in plan.steps]
    begins = {0.0} | {h for h in starts if 0.0 < h < end_h}
    outputs = set(saved.tolist())
    hours = sorted(outputs | begins)  # np.unique takes longer for so few than the whole forecast's arithmetic
    names = [item.name for item in model.inputs]
    rows = [[{**estimate.inputs, **given}[name] for name in names] for given in ({}, *(s.inputs for s in plan.steps))]
    begun = np.searchsorted(starts, hours[: max(1, len(hours) - 1)], side="right")
    inputs = np.array(rows, dtype=np.float64)[begun]
    starting = np.array([hour in begins for hour in hours[:-1]], dtype=np.bool_)
    return _Course(np.array(hours), inputs, starting, np.array([hour in outputs for hour in hours]), saved)


@functools.lru_cache(maxsize=8)
def _grid(end_h: float, points: int) -> Array:
    """The output times in hours from now. Not to be written."""
    grid = np.linspace(0.0, end_h, points) if end_h > 0.0 else np.zeros(1)
    grid.flags.writeable = False
    return grid


def _draws(model: Model, estimate: Estimate, members: int, outlook: Horizon) -> tuple[Array, Array]:
    """Starting points (members, states + multipliers), and how each member's multipliers drift per sqrt(h).

    Member k is the same whatever the number of members. Draws come in pairs of opposite sign, so that the members
    scatter about the mean and not about a chance offset.
    """
    n, nm = len(estimate.mean) + len(estimate.log_multipliers), len(estimate.log_multipliers)
    normal = _normals(members, n + nm, outlook.seed)
    covariance = np.array(estimate.covariance)
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    value, vector = np.linalg.eigh(covariance / np.outer(scale, scale))
    # The symmetric root: eigenvectors alone turn at random where eigenvalues are equal, and the members with them.
    root = scale[:, None] * (vector * np.sqrt(np.maximum(value, 0.0)) @ vector.T)
    start = np.array(estimate.mean + estimate.log_multipliers) + normal[:, :n] @ root.T
    return start, RAMP * normal[:, n:] * np.array([m.noise_sd for m in model.multipliers])


@functools.lru_cache(maxsize=8)
def _normals(members: int, size: int, seed: int) -> Array:
    """The common random numbers, (members, size): a row of zeros, then pairs of opposite sign. Not to be written."""
    half = np.random.default_rng(seed).standard_normal((members // 2 + 1, size))
    normal = np.zeros((members, size))
    normal[1::2] = half[: len(normal[1::2])]
    normal[2::2] = -half[: len(normal[2::2])]
    normal.flags.writeable = False
    return normal


def _run(
    model: Model,
    estimate: Estimate,
    correction: Correction,
    plan: Plan,
    members: int,
    outlook: Horizon,
    course: _Course,
) -> tuple[Array, Array]:
    """States and outputs (times, states + outputs, members), and the objective at the end (members)."""
    made = _ensemble_of(model)
    nx, names = len(model.states), [m.name for m in model.multipliers]
    start, drift = _draws(model, estimate, members, outlook)
    start[:, :nx] = np.maximum(start[:, :nx], made.terms[0][::LANES])
    own = start[:, nx:] - np.array(estimate.log_multipliers)
    said = surface(correction, [s.name for s in model.states], names)
    field = tuple(getattr(said, part.name) for part in fields(said))
    learned = np.empty(len(names))
    correct(np.array(estimate.mean), *field, learned)
    beyond = np.array(estimate.log_multipliers) - learned
    # How fast each multiplier falls back to the correction, and at the end how fast any would.
    fade = np.array([float(name in correction.multiplier_names) for name in names] + [1.0]) / outlook.fade_h
    members_ = pack(start[:, :nx]), pack(own), pack(drift)
    stretches = (course.hours, course.inputs, course.begins, course.saves)
    latch = _latch(model, estimate, plan)
    motion = (made.parameters, made.terms, outlook.hold_steps * model.step_h)
    seen, worth = made.kernel(members_, beyond, fade, made.bound, stretches, latch, field, motion)
    seen, worth = seen[..., :members], worth[:members]
    if np.isfinite(seen).all() and np.isfinite(worth).all():
        return seen, worth
    raise ArithmeticError(f"the model {model.name} does not stay finite until {plan.end} under this plan")


def _latch(model: Model, estimate: Estimate, plan: Plan) -> tuple[int, int, float, bool]:
    """Input, state, threshold, and whether it is open; an input that already flows was released before."""
    latch = plan.latch
    if latch is None:
        return 0, 0, 0.0, True
    planned = max((step.inputs.get(latch.input, 0.0) for step in plan.steps), default=0.0)
    flows = estimate.inputs[latch.input] > 0.05 * planned  # design: less is a flow meter's noise about zero
    at_input = [i.name for i in model.inputs].index(latch.input)
    at_state = [s.name for s in model.states].index(latch.state)
    return at_input, at_state, float(latch.below), flows


def _bands(values: Array) -> list[Band]:
    """Of (times, quantities, members), one band a quantity: quantiles between the members as np.quantile takes them."""
    last = values.shape[-1] - 1
    at = np.array(QUANTILES) * last
    below = at.astype(np.int64)
    ordered = np.sort(values)  # np.quantile takes five times as long for so few members
    low, high = ordered[..., below], ordered[..., np.minimum(below + 1, last)]
    quantiles = (low + (at - below) * (high - low)).transpose(1, 2, 0).tolist()
    return [
        Band(tuple(median), tuple(low80), tuple(high80), tuple(low95), tuple(high95))
        for low95, low80, median, high80, high95 in quantiles
    ]


# Free names of the kernels below, bound for each model by `_kernel`.
NX = NU = NM = NY = 0
leap: Any = None
advance: Any = None
look: Any = None
worth: Any = None
factors: Any = None
admit: Any = None


def _factors(
    x: Array, hour: float, own: Array, drift: Array, beyond: Array, fade: Array, bound: Array, field: Any, m: Array
) -> None:
    """Write the multipliers of every lane at this hour, as factors, into m."""
    learned = np.empty(NM * LANES)
    correct(x, *field, learned)
    for i in range(NM):
        kept = beyond[i] * np.exp(-hour * fade[i])
        for lane in range(LANES):
            at = i * LANES + lane
            t = learned[at] + kept + own[at] + drift[at] * np.sqrt(hour if fade[NM] * hour < 1.0 else 1.0 / fade[NM])
            m[at] = np.exp(min(max(t, -bound[i]), bound[i]))


def _admit(latch: Any, closed: Any, x: Array, wanted: Array, u: Array) -> None:
    """Write the inputs of every lane into u: as wanted, but none through a latch that is still closed."""
    latch_input, latch_state, below, _ = latch
    for i in range(NU):
        u[i * LANES : (i + 1) * LANES] = wanted[i]
    for lane in range(LANES):
        closed[lane] = closed[lane] and x[latch_state * LANES + lane] >= below
        if closed[lane]:
            u[latch_input * LANES + lane] = 0.0


def _ensemble(
    members: Any, beyond: Array, fade: Array, bound: Array, course: Any, latch: Any, field: Any, motion: Any
) -> tuple[Array, Array]:
    """States and outputs (times, states + outputs, lanes of all blocks), and the objective at the end (lanes)."""
    starts, owns, drifts = members
    hours, inputs, begins, saves = course
    p, terms, hold_h = motion
    blocks, points = starts.shape[0], int(saves.sum())
    seen = np.empty((points, NX + NY, blocks * LANES))
    objective = np.empty(blocks * LANES)
    u, m, y = np.empty(NU * LANES), np.empty(NM * LANES), np.empty(NY * LANES)
    for block in range(blocks):
        x, h = starts[block].copy(), np.full(LANES, hold_h)
        closed = np.full(LANES, not latch[3])
        point = 0
        for k in range(hours.size):
            last = k == hours.size - 1
            wanted = inputs[k - 1 if last and k > 0 else k]  # at the end, what was done last
            length = 0.0 if last else hours[k + 1] - hours[k]
            holds = max(1, int(np.ceil(length / hold_h - 1e-9)))
            for hold in range(holds):
                hour = hours[k] + hold * length / holds
                admit(latch, closed, x, wanted, u)
                factors(x, hour, owns[block], drifts[block], beyond, fade, bound, field, m)
                if hold == 0 and saves[k]:
                    look(x, u, p, m, y)
                    for i in range(NX + NY):
                        for lane in range(LANES):
                            shown = x[i * LANES + lane] if i < NX else y[(i - NX) * LANES + lane]
                            seen[point, i, block * LANES + lane] = shown
                    point += 1
                if hold == 0 and not last and begins[k]:
                    leap(x, u)
                if not last:
                    advance(x, u, p, m, terms, length / holds, h)
        worth(x, objective[block * LANES : (block + 1) * LANES])
    return seen, objective


@dataclass(frozen=True, slots=True)
class _Ensemble:
    """The ensemble of one model: its kernel, and what that is always given."""

    kernel: Any
    parameters: Array
    terms: tuple[Array, Array]  # that integration keeps to
    bound: Array  # |log multiplier| never exceeds this


@functools.cache
def _ensemble_of(model: Model) -> _Ensemble:
    made = kernels(model)
    sizes = {name: made[name] for name in ("NX", "NU", "NM", "NY")}
    used = {name: made[name] for name in ("leap", "advance", "look", "worth")}
    used |= {"factors": compiled(_factors, correct=correct, **sizes), "admit": compiled(_admit, **sizes)}
    kernel = compiled(_ensemble, **used, **sizes)
    return _Ensemble(kernel, parameter_values(model), terms(model), np.array([m.bound for m in model.multipliers]))
