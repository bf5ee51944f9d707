"""An optimal control problem as one nonlinear programme: direct collocation at Radau points, built once a problem.

Everything that changes from one solution to the next (state, horizon, limits, multipliers) is a parameter or a bound of
the programme, so that it is differentiated and compiled only once.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import casadi
import numpy as np

from twin.integrate import simulate
from twin.model import Array, Model, parameter_values
from twin.symbolic import symbolic

DEGREE = 3  # Radau IIA of fifth order: stiff decay, and its last point is the end of the interval
SLACK_PRICE = 20.0  # of the objective's scale, for a bound exceeded by its own scale all along (design)
TRUST = 0.3  # of the logarithm, that a slope may add to a rate multiplier or take from it (design)
MU_TARGET = (
    1e-5  # of the barrier: costs less than a thousandth, and spares the search of kinks at empty substrate (design)
)


@dataclass(frozen=True, slots=True)
class Control:
    """An input that is optimised, within its range and at most `max_rate_per_h` fast."""

    name: str
    low: float
    high: float
    max_rate_per_h: float


@dataclass(frozen=True)
class Problem:
    """What is optimised: the model's objective at the end, less the price of what is fed and a little for each move."""

    model: Model
    controls: tuple[Control, ...]
    bounded: tuple[str, ...] = ()  # states with a bound
    soft: tuple[str, ...] = ()  # of these, whose bound may be exceeded at a cost far above any gain
    intervals: int = 40
    span_h: float = 230.0  # of a whole batch, for scaling
    prices: Mapping[str, float] = field(default_factory=dict)  # by control, objective's unit per unit fed
    smoothness: float = 1e-3  # of the objective's scale, for a move over the whole range (design)
    wall_s: float = 30.0  # given up after this; long, since what depends on the clock is not repeatable (design)
    sloped: tuple[str, ...] = ()  # states by which the rate multipliers change

    def __post_init__(self) -> None:
        """ValueError names what the model does not have."""
        names = [state.name for state in self.model.states]
        if unknown := [name for name in self.bounded + self.sloped if name not in names]:
            raise ValueError(f"{self.model.name} has no state {unknown[0]!r}; there are {', '.join(names)}")
        inputs = [item.name for item in self.model.inputs]
        if unknown := [c.name for c in self.controls if c.name not in inputs]:
            raise ValueError(f"{self.model.name} has no input {unknown[0]!r}; there are {', '.join(inputs)}")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many of each there are."""

    states: int
    inputs: int
    multipliers: int
    controls: int
    bounded: int
    sloped: int
    intervals: int

    @property
    def points(self) -> int:
        """Collocation points in all."""
        return self.intervals * DEGREE


@dataclass(frozen=True)
class Programme:
    """The programme and its solvers. Variables: states at points, controls, slacks, stretch; all scaled to about 1."""

    problem: Problem
    sizes: Sizes
    scale: Array  # of states
    span: Array  # of controls
    worth: float  # scale of the objective
    cold: Any
    warm: Any


def points() -> Array:
    """The collocation points of one interval, as shares of it."""
    return np.array(casadi.collocation_points(DEGREE, "radau"))


@functools.cache
def _matrix() -> Array:
    """Row j: weights of the values at 0 and the points, which give the derivative at point j on [0, 1]."""
    nodes = np.append(0.0, points())
    matrix = np.zeros((DEGREE, DEGREE + 1))
    for i in range(DEGREE + 1):
        others = np.delete(nodes, i)
        basis = np.poly1d(others, True) / np.prod(nodes[i] - others)
        matrix[:, i] = np.polyder(basis)(nodes[1:])
    return matrix


def weights() -> Array:
    """What each point of an interval counts for in the mean over it."""
    return np.asarray(np.linalg.inv(_matrix()[:, 1:])[-1])


def build(problem: Problem) -> Programme:
    """Write the programme down and make its solvers; this takes about a second."""
    model = problem.model
    sizes = Sizes(
        states=len(model.states),
        inputs=len(model.inputs),
        multipliers=len(model.multipliers),
        controls=len(problem.controls),
        bounded=len(problem.bounded),
        sloped=len(problem.sloped),
        intervals=problem.intervals,
    )
    scale, worth = _scales(problem)
    span = np.array([c.high - c.low for c in problem.controls])
    limits = {"ipopt.max_wall_time": problem.wall_s}
    nlp = _written(problem, sizes, scale, span, worth)
    return Programme(
        problem, sizes, scale, span, worth, _solver("cold", nlp, limits), _solver("warm", nlp, limits | _WARM)
    )


_WARM = {
    "ipopt.warm_start_init_point": "yes",
    "ipopt.warm_start_bound_push": 1e-7,
    "ipopt.warm_start_bound_frac": 1e-7,
    "ipopt.warm_start_slack_bound_push": 1e-7,
    "ipopt.warm_start_mult_bound_push": 1e-7,
    "ipopt.mu_init": 1e-4,
}


def _solver(name: str, nlp: Mapping[str, Any], more: Mapping[str, Any]) -> Any:
    options: dict[str, Any] = {
        "ipopt.print_level": 0,
        "print_time": False,
        "ipopt.sb": "yes",
        "ipopt.tol": 1e-4,
        "ipopt.compl_inf_tol": 1e-3,
        "ipopt.mu_target": MU_TARGET,
        "ipopt.acceptable_tol": 1e-3,
        "ipopt.acceptable_iter": 5,
        "ipopt.max_iter": 250,
        "ipopt.bound_relax_factor": 0.0,
        "expand": True,
        "error_on_fail": False,
    }
    return casadi.nlpsol(name, "ipopt", dict(nlp), options | dict(more))


def _scales(problem: Problem) -> tuple[Array, float]:
    """What the states and the objective amount to: of a batch under the middle of each control's range."""
    model = problem.model
    inputs = {item.name: item.nominal for item in model.inputs}
    inputs |= {c.name: 0.5 * (c.low + c.high) for c in problem.controls}
    hours = np.linspace(0.0, problem.span_h, 121)
    row = [inputs[item.name] for item in model.inputs]
    start = np.array([[state.initial for state in model.states]])
    course = simulate(model, start, hours, np.tile(row, (len(hours), 1)))[0]
    largest = np.maximum(np.abs(course).max(axis=0), 1e-9)
    scale = np.maximum(np.median(np.abs(course), axis=0), 1e-2 * largest)
    last = [float(symbolic(model).objective(x)) for x in course]
    return scale, max(float(np.max(np.abs(last))), 1e-9)


def _written(problem: Problem, sizes: Sizes, scale: Array, span: Array, worth: float) -> dict[str, Any]:
    """The programme in CasADi's symbols."""
    n = sizes.intervals
    x = casadi.SX.sym("x", sizes.states, sizes.points)
    v = casadi.SX.sym("v", sizes.controls, n)
    slack = casadi.SX.sym("slack", sizes.bounded, n)
    stretch = casadi.SX.sym("stretch")
    start = casadi.SX.sym("start", sizes.states)
    held = casadi.SX.sym("held", sizes.inputs)
    before = casadi.SX.sym("before", sizes.controls)
    lengths = casadi.SX.sym("lengths", n)
    factors = casadi.SX.sym("factors", sizes.multipliers, n)
    slopes = [casadi.SX.sym("slopes", sizes.multipliers, sizes.sloped) for _ in range(n)]
    expected = casadi.SX.sym("expected", sizes.sloped, n)
    changing = (factors, *slopes, expected)  # from one interval to the next
    parameters = casadi.vertcat(start, held, before, lengths, *map(casadi.vec, changing))
    names = [state.name for state in problem.model.states]
    sloped = [names.index(name) for name in problem.sloped]
    controls = casadi.diag(casadi.DM(span)) @ v
    defects, moves, kept = [], [], []
    cost = casadi.SX(0)
    rhs, p = symbolic(problem.model).rhs, parameter_values(problem.model)
    at = start / scale
    for k in range(n):
        u = _acting(problem, held, controls[:, k])
        inside = x[:, k * DEGREE : (k + 1) * DEGREE]
        values = casadi.horzcat(at, inside)
        for j in range(DEGREE):
            x_j, m = inside[:, j] * scale, factors[:, k]
            if sloped:
                m = m * casadi.exp(TRUST * casadi.tanh(slopes[k] @ (x_j[sloped] - expected[:, k]) / TRUST))
            slope = rhs(x_j, u, p, m) / scale
            defects.append(values @ casadi.DM(_matrix()[j]) - stretch * lengths[k] * slope)
        at = inside[:, DEGREE - 1]
        last = before / span if k == 0 else v[:, k - 1]
        moves.append(v[:, k] - last)
        kept.append(_bounded(problem, at, slack[:, k]))
        cost += problem.smoothness * casadi.sumsqr(v[:, k] - last)
        cost += SLACK_PRICE * casadi.sum1(slack[:, k]) / n
        fed = casadi.vertcat(
            *(problem.prices.get(c.name, 0.0) * controls[i, k] for i, c in enumerate(problem.controls))
        )
        cost += stretch * lengths[k] * casadi.sum1(fed) / worth
    cost -= symbolic(problem.model).objective(at * scale) / worth
    variables = casadi.vertcat(casadi.vec(x), casadi.vec(v), casadi.vec(slack), stretch)
    constraints = casadi.vertcat(*defects, *moves, *kept)
    return {"x": variables, "p": parameters, "f": cost, "g": constraints}


def _acting(problem: Problem, held: Any, controls: Any) -> Any:
    """All inputs: those that are optimised, and the others as they are held."""
    names = [c.name for c in problem.controls]
    return casadi.vertcat(
        *(
            controls[names.index(item.name)] if item.name in names else held[i]
            for i, item in enumerate(problem.model.inputs)
        )
    )


def _bounded(problem: Problem, at: Any, slack: Any) -> Any:
    """Each bounded state with its slack taken off, and put on: to be below the upper and above the lower bound."""
    names = [state.name for state in problem.model.states]
    rows: Sequence[Any] = [at[names.index(name)] for name in problem.bounded]
    if not rows:
        return casadi.SX(0, 1)
    column = casadi.vertcat(*rows)
    return casadi.vertcat(column - slack, column + slack)
