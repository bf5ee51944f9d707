"""Economic optimal control on the twin's own equations, to the end of the batch; believed only after a replay.

The plan is found by collocation (see `collocation`) and then run by the Runge-Kutta integrator that knows nothing of
it. A plan whose replay ends elsewhere, or that the solver gave up, is replaced by the last good one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from twin.collocation import DEGREE, TRUST, Problem, Programme, build, points, weights
from twin.integrate import course
from twin.model import Array

REPLAY_TOLERANCE = 0.03  # of the objective: what collocation and replay may differ by (design)
SOLVED = ("Solve_Succeeded", "Solved_To_Acceptable_Level")


@dataclass(frozen=True)
class Start:
    """One question: from this state on, over these hours, what should the controls be?

    `low` and `high` are (intervals, controls); `least` and `most` (intervals, bounded states), infinite where there is
    none; `factors` (intervals, multipliers) are the rate multipliers, 1 for the model's own rates. Where a sloped state
    is not as `expected`, their logarithms change by `slopes` for each unit of it, but by no more than TRUST.
    """

    state: Array
    held: Array  # all inputs of the model; those that are controls are ignored
    before: Array  # the controls in force
    hours: Array  # edges of the intervals, from 0
    low: Array
    high: Array
    least: Array
    most: Array
    factors: Array
    first_step: Array  # how far each control may move at once
    slopes: Array | None = None  # of the factors' logarithms, (intervals, multipliers, sloped states)
    expected: Array | None = None  # the sloped states that the factors belong to, (intervals, sloped states)
    stretch: tuple[float, float] = (1.0, 1.0)  # the horizon may be stretched by a factor between these


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """A plan: control k holds from hours[k] to hours[k + 1]. `states` are those of the replay, at `hours`."""

    hours: Array
    controls: Array  # (intervals, controls)
    states: Array  # (intervals + 1, states)
    objective: float  # of the replay, at the end
    promised: float  # of the collocation
    status: str  # what the solver says
    solved: bool  # and the replay agrees
    iterations: int
    raw: tuple[Array, Array, Array] | None = None  # variables and multipliers, to start the next solution from


class Optimiser:
    """One problem, ready to be asked again and again. It keeps nothing between calls but the compiled programme."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.programme: Programme = build(problem)

    def edges(self, hours: float, release: float = 0.0) -> Array:
        """Edges of the intervals over `hours`; one of them at `release`, when that lies within."""
        n = self.problem.intervals
        if not 0.0 < release < hours:
            return np.linspace(0.0, hours, n + 1)
        first = min(max(1, round(n * release / hours)), n - 1)
        return np.concatenate((np.linspace(0.0, release, first + 1)[:-1], np.linspace(release, hours, n - first + 1)))

    def solve(self, start: Start, last: Optimum | None = None) -> Optimum:
        """The best plan from here; `last` is where the search begins, and what is fallen back on when it fails.

        `solved` is False for a plan that is only a fallback: then its controls are those of `last` at these hours, or
        without one those in force.
        """
        found = self._attempt(start, last) if last is not None and last.raw is not None else None
        if found is None or not found.solved:
            found = self._attempt(start, None)
        if not found.solved:
            found = self._fallback(start, last, found)
        return found

    def replay(self, start: Start, controls: Array, hours: Array, factors: Array | None = None) -> Array:
        """States at `hours` under these controls, by the integrator: (intervals + 1, states)."""
        model = self.problem.model
        inputs = np.tile(start.held, (len(controls), 1))
        names = [item.name for item in model.inputs]
        for i, control in enumerate(self.problem.controls):
            inputs[:, names.index(control.name)] = controls[:, i]
        return course(model, start.state, hours, inputs, start.factors if factors is None else factors)

    def _attempt(self, start: Start, last: Optimum | None) -> Optimum:
        programme, sizes = self.programme, self.programme.sizes
        guess = self._guess(start, last)
        low, high, least, most = self._limits(start)
        given: dict[str, Any] = {"x0": guess, "lbx": low, "ubx": high, "lbg": least, "ubg": most}
        slopes, expected = self._slopes(start)
        given["p"] = np.concatenate(
            (
                *(start.state, start.held, start.before, np.diff(start.hours), start.factors.reshape(-1)),
                *(slopes.transpose(0, 2, 1).reshape(-1), expected.reshape(-1)),
            )
        )
        solver = programme.cold
        if last is not None and last.raw is not None:
            solver = programme.warm
            given |= {"lam_x0": last.raw[1], "lam_g0": last.raw[2]}
        answer, said = solver(**given), solver.stats()
        w = np.array(answer["x"]).ravel()
        ends = sizes.states * sizes.points
        controls = w[ends : ends + sizes.controls * sizes.intervals].reshape(sizes.intervals, -1) * programme.span
        controls = np.clip(controls, start.low, start.high)
        hours = start.hours * w[-1]
        inside = w[:ends].reshape(sizes.points, -1) * programme.scale
        states = self.replay(start, controls, hours, self._acted(start, inside))
        promised = self._worth(inside[-1])
        objective = self._worth(states[-1])
        agrees = abs(objective - promised) <= REPLAY_TOLERANCE * max(abs(promised), 1e-3 * programme.worth)
        return Optimum(
            hours=hours,
            controls=controls,
            states=states,
            objective=objective,
            promised=promised,
            status=str(said["return_status"]),
            solved=bool(said["return_status"] in SOLVED and agrees and np.isfinite(states).all()),
            iterations=int(said["iter_count"]),
            raw=(w, np.array(answer["lam_x"]).ravel(), np.array(answer["lam_g"]).ravel()),
        )

    def _slopes(self, start: Start) -> tuple[Array, Array]:
        """Slopes, and the states at which the factors are as given; zeros where the question has none."""
        sizes = self.programme.sizes
        slopes = np.zeros((sizes.intervals, sizes.multipliers, sizes.sloped))
        expected = np.zeros((sizes.intervals, sizes.sloped))
        return slopes if start.slopes is None else start.slopes, expected if start.expected is None else start.expected

    def _acted(self, start: Start, inside: Array) -> Array:
        """The factors that the programme saw in each interval: their mean over its points."""
        slopes, expected = self._slopes(start)
        names = [state.name for state in self.problem.model.states]
        at = inside[:, [names.index(name) for name in self.problem.sloped]].reshape(len(expected), DEGREE, -1)
        further = np.einsum("kms,kds->kdm", slopes, at - expected[:, None])
        return np.asarray(start.factors * (np.exp(TRUST * np.tanh(further / TRUST)) * weights()[:, None]).sum(axis=1))

    def _fallback(self, start: Start, last: Optimum | None, failed: Optimum) -> Optimum:
        controls = np.tile(start.before, (self.problem.intervals, 1))
        if last is not None:
            controls = _sampled(last, start.hours[:-1])
        controls = np.clip(controls, start.low, start.high)
        states = self.replay(start, controls, start.hours)
        objective = self._worth(states[-1])
        return replace(
            failed, hours=start.hours, controls=controls, states=states, objective=objective, solved=False, raw=None
        )

    def _worth(self, state: Array) -> float:
        return float(self.problem.model.objective(state.tolist()))

    def _guess(self, start: Start, last: Optimum | None) -> Array:
        """The last plan seen from now; without one, a simulated course under the controls in force."""
        sizes, programme = self.programme.sizes, self.programme
        stretch = float(np.clip(1.0, *start.stretch))
        controls = np.tile(start.before, (sizes.intervals, 1)) if last is None else _sampled(last, start.hours[:-1])
        controls = np.clip(controls, start.low, start.high)
        hours = start.hours * stretch
        at = (hours[:-1, None] + np.diff(hours)[:, None] * points()[None]).reshape(-1)
        if last is None:
            known, states = hours, self.replay(start, controls, hours)
        else:
            known, states = last.hours, last.states
        inner = np.stack([np.interp(at, known, column) for column in states.T], axis=1)
        slack = np.zeros(sizes.bounded * sizes.intervals)
        return np.concatenate(
            ((inner / programme.scale).reshape(-1), (controls / programme.span).reshape(-1), slack, [stretch])
        )

    def _limits(self, start: Start) -> tuple[Array, Array, Array, Array]:
        """Bounds of the variables and of the constraints, scaled as the programme is."""
        sizes, programme, problem = self.programme.sizes, self.programme, self.problem
        floor = np.array([0.0 if state.positive else -np.inf for state in problem.model.states])
        states = np.tile(floor, sizes.points)
        slacks = np.tile([np.inf if name in problem.soft else 0.0 for name in problem.bounded], sizes.intervals)
        low = np.concatenate((states, (start.low / programme.span).reshape(-1), 0.0 * np.ones_like(slacks), [0.0]))
        high = np.concatenate((np.full_like(states, np.inf), (start.high / programme.span).reshape(-1), slacks, [0.0]))
        low[-1], high[-1] = start.stretch
        rates = np.array([c.max_rate_per_h for c in problem.controls])
        moves = np.diff(start.hours)[:, None] * rates[None]
        moves = np.vstack((start.first_step[None], moves[:-1])) / programme.span
        opened = np.vstack(
            ((start.before < start.low[0]) | (start.before > start.high[0]), start.high[:-1] < start.low[1:])
        )
        moves[opened] = np.inf  # what a phase of the batch releases may begin anywhere in its range
        names = [state.name for state in problem.model.states]
        scale = programme.scale[[names.index(name) for name in problem.bounded]]
        unbounded = np.full_like(start.least, np.inf)
        kept_low = np.hstack((-unbounded, start.least / scale)).reshape(-1)
        kept_high = np.hstack((start.most / scale, unbounded)).reshape(-1)
        defects = np.zeros(sizes.states * sizes.points)
        return (
            low,
            high,
            np.concatenate((defects, -moves.reshape(-1), kept_low)),
            np.concatenate((defects, moves.reshape(-1), kept_high)),
        )


def _sampled(plan: Optimum, hours: Array) -> Array:
    """The plan's controls at these hours of it."""
    at = np.clip(np.searchsorted(plan.hours, hours + 1e-9, side="right") - 1, 0, len(plan.controls) - 1)
    chosen: Array = plan.controls[at]
    return chosen


def later(plan: Optimum, hours: float) -> Optimum:
    """The same plan seen `hours` later: its edges are counted from then."""
    return replace(plan, hours=plan.hours - hours)
