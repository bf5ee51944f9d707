"""Parameters of a model from historical batches: maximum a posteriori, beside what each batch has for itself.

What all batches share are the parameters, as logarithms of their ratio to the literature's value, with a normal prior.
What a batch has for itself are its start and one factor on each rate (a Model's multipliers), small by their prior;
they are found inside, batch by batch, by Gauss-Newton steps. The lanes of the integrator give their sensitivities in
one run. The outer problem is nonlinear least squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from twin.integrate import LANES, kernels, pack, simulate
from twin.model import Array, Model, parameter_values
from twin.records import Prior

BATCH_SD = 0.06  # of a batch's log multiplier: the 6 % by which rates vary in Goldrick et al. 2015
MISFIT = 0.03  # share of a value that no model of this kind explains, added to the measurement's error (design)
INNER_STEPS = 2  # Gauss-Newton steps on a batch's own start and factors (design)
BOUND_SD = 4.0  # prior SDs that a parameter may go from its literature value (design)
FAR = 1e3  # residual of a run that left the finite numbers
EVALUATIONS = 25  # of the outer problem, each with its Jacobian (design)


@dataclass(frozen=True, slots=True)
class Seen:
    """One measured value of an output of the model, at an hour of the batch."""

    hour: float
    output: str
    value: float


@dataclass(frozen=True, slots=True)
class Record:
    """One historical batch: row k of `inputs` acted from hours[k] to hours[k + 1]."""

    name: str
    hours: tuple[float, ...]
    inputs: tuple[tuple[float, ...], ...]  # (len(hours) - 1, inputs)
    seen: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be fitted to what."""

    model: Model
    records: tuple[Record, ...]
    priors: tuple[Prior, ...]
    held: tuple[tuple[str, float], ...] = ()  # parameters that are not free, by the logarithm of their ratio


@dataclass(frozen=True, slots=True)
class Solution:
    """The best point found from one start; `theta` are logarithms of the ratios to the literature's values."""

    theta: tuple[float, ...]
    cost: float  # half of the sum of squares, prior included
    jacobian: Array  # (residuals, parameters), the priors' rows last
    converged: bool


def parameters(problem: Problem, theta: Sequence[float]) -> Array:
    """The model's whole parameter vector at `theta`."""
    p: Array = parameter_values(problem.model)
    names = [item.name for item in problem.model.parameters]
    free = zip((prior.name for prior in problem.priors), theta, strict=True)
    for name, log_ratio in (*free, *problem.held):
        p[names.index(name)] *= np.exp(log_ratio)
    return p


def residuals(problem: Problem, theta: Sequence[float]) -> Array:
    """Everything in units of its standard deviation: data, what each batch has for itself, and the priors."""
    p = parameters(problem, theta)
    parts = [_batch_residuals(problem.model, record, p) for record in problem.records]
    everything: Array = np.concatenate([*parts, np.asarray(theta) / np.array([prior.sd for prior in problem.priors])])
    return everything


def solve(problem: Problem, start: Sequence[float], evaluations: int = EVALUATIONS) -> Solution:
    """Maximum a posteriori from this start."""
    sd = np.array([prior.sd for prior in problem.priors])

    def misfit(theta: Array) -> Array:
        return residuals(problem, theta.tolist())

    found = least_squares(
        misfit,
        np.clip(np.asarray(start, dtype=np.float64), -0.99 * BOUND_SD * sd, 0.99 * BOUND_SD * sd),
        bounds=(-BOUND_SD * sd, BOUND_SD * sd),
        x_scale=sd,
        diff_step=np.full(len(sd), 1e-3),
        xtol=1e-4,
        ftol=1e-5,
        max_nfev=evaluations,
    )
    return Solution(tuple(found.x.tolist()), float(found.cost), np.asarray(found.jac), bool(found.status > 0))


def starts(problem: Problem, count: int, seed: int = 0) -> list[tuple[float, ...]]:
    """The literature's values, and draws from the prior."""
    rng = np.random.default_rng(seed)
    sd = np.array([prior.sd for prior in problem.priors])
    drawn = [tuple((sd * rng.standard_normal(len(sd))).tolist()) for _ in range(count - 1)]
    return [(0.0,) * len(sd), *drawn]


def predicted(model: Model, record: Record, p: Array) -> Array:
    """What the model says of everything seen in a batch, from the model's own start and without batch factors."""
    start = np.array([[state.initial for state in model.states]])
    said: Array = _outputs(model, record, p, start, np.ones((1, len(model.multipliers))))[0]
    return said


def spread(model: Model, record: Record) -> Array:
    """The standard deviation of each value seen: that of its method, and what no model explains."""
    by_name = {output.name: output for output in model.outputs}
    values = np.array([seen.value for seen in record.seen])
    absolute = np.array([by_name[seen.output].sd_absolute for seen in record.seen])
    relative = np.array([np.hypot(by_name[seen.output].sd_relative, MISFIT) for seen in record.seen])
    sd: Array = np.hypot(absolute, relative * np.abs(values))
    return sd


def _batch_residuals(model: Model, record: Record, p: Array) -> Array:
    """The data's residuals at the batch's best own start and factors, and what these cost."""
    own_sd = np.array([s.initial_sd for s in model.states] + [BATCH_SD] * len(model.multipliers))
    own = np.zeros(len(own_sd))
    sd, values = spread(model, record), np.array([seen.value for seen in record.seen])
    data = np.empty(0)
    step = 0.1 * own_sd
    for _ in range(INNER_STEPS):
        points = own + np.vstack((np.zeros(len(own)), np.diag(step)))
        starts_, multipliers = _members(model, points)
        y = _outputs(model, record, p, starts_, multipliers)
        if not np.isfinite(y).all():
            return np.full(len(values) + len(own), FAR)
        data = (y[0] - values) / sd
        slope = ((y[1:] - y[0]) / step[:, None] / sd).T * own_sd  # of the residuals, per own SD
        matrix = np.vstack((slope, np.eye(len(own))))
        change = np.linalg.lstsq(matrix, -np.concatenate((data, own / own_sd)), rcond=None)[0]
        data = data + slope @ change
        own = np.clip(own + own_sd * change, -3.0 * own_sd, 3.0 * own_sd)
    found: Array = np.concatenate((data, own / own_sd))
    return found


def _members(model: Model, points: Array) -> tuple[Array, Array]:
    """Starts and multipliers of every lane from what the batch has for itself."""
    states = len(model.states)
    initial = np.array([s.initial for s in model.states])
    least = np.array([0.0 if s.positive else -np.inf for s in model.states])
    return np.maximum(initial + points[:, :states], least), np.exp(points[:, states:])


def _outputs(model: Model, record: Record, p: Array, starts_: Array, multipliers: Array) -> Array:
    """The outputs of every member at every value seen, (members, values)."""
    begin = np.asarray(record.hours)
    at = np.array([seen.hour for seen in record.seen])
    hours = np.unique(np.concatenate((begin, at)))
    row = np.clip(np.searchsorted(begin, hours, side="right") - 1, 0, len(record.inputs) - 1)
    inputs = np.asarray(record.inputs)[row]
    states = simulate(model, starts_, hours, inputs[:-1] if len(hours) > 1 else inputs, multipliers, p.tolist())
    look, count = kernels(model)["look"], len(model.outputs)
    index = {output.name: i for i, output in enumerate(model.outputs)}
    m, flat = pack(multipliers)[0], np.empty(count * LANES)
    found = np.empty((len(starts_), len(record.seen)))
    for k in np.unique(np.searchsorted(hours, at)):
        # What is read at an instant was made under the inputs until then.
        u = np.repeat(inputs[max(int(k) - 1, 0)], LANES)
        look(pack(states[:, k])[0], u, p, m, flat)
        values = flat.reshape(count, LANES)[:, : len(starts_)]
        for j in np.flatnonzero(at == hours[k]):
            found[:, j] = values[index[record.seen[j].output]]
    return found
