"""Optimal control from random states: how long a plan takes, cold and an hour later from the last one."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from controller.bench.drill import drill_of
from controller.processes import Process
from controller.processes.study import Drill
from controller.settings import Settings, load
from twin.collocation import Control, Problem
from twin.model import Array
from twin.optimise import Optimiser, Start, later


def control(process: Process, states: int) -> dict[str, Any]:
    """So many questions; `mpc_failures` counts answers outside the limits or not finite."""
    settings = load(process.configuration)
    questions = Questions(process, settings, drill_of(process))
    cold, warm, solved, unsafe = [], [], 0, 0
    for _ in range(states):
        start = questions.drawn()
        began = time.perf_counter()
        found = questions.optimiser.solve(start)
        cold.append(time.perf_counter() - began)
        solved += found.solved
        within = (found.controls >= start.low - 1e-9).all() and (found.controls <= start.high + 1e-9).all()
        unsafe += not (within and np.isfinite(found.states).all())
        if found.solved:
            hour = later(found, 1.0)
            moved = np.array([np.interp(1.0, found.hours, column) for column in found.states.T])
            again = questions.an_hour_later(start, moved, found.controls[0])
            began = time.perf_counter()
            questions.optimiser.solve(again, hour)
            warm.append(time.perf_counter() - began)
    return {
        "mpc_cold_p50": 1000.0 * float(np.median(cold)),
        "mpc_warm_p50": 1000.0 * float(np.median(warm)) if warm else None,
        "mpc_failures": unsafe,
        "mpc_solved": solved,
        "mpc_states": states,
    }


class Questions:
    """Random questions to one plant's optimiser, within the limits that its configuration sets."""

    def __init__(self, process: Process, settings: Settings, drill: Drill) -> None:
        self._model, self._drill, self._limits = process.model(), drill, settings.limits
        controls = tuple(Control(name, t.low, t.high, t.max_rate_per_h) for name, t in settings.limits.items())
        bounded = tuple(drill.bounds)
        problem = Problem(self._model, controls, bounded, bounded, span_h=settings.batch.length_h)
        self.optimiser = Optimiser(problem)
        self._rng = np.random.default_rng(7)

    def drawn(self) -> Start:
        """One from anywhere that the drill knows."""
        rng, spans = self._rng, [self._drill.states[state.name] for state in self._model.states]
        logs = rng.normal(0.0, self._drill.logs_sd)
        state = rng.uniform(*np.transpose(spans))
        before = rng.uniform([t.low for t in self._limits.values()], [t.high for t in self._limits.values()])
        factors = np.tile(np.exp(logs), (self.optimiser.problem.intervals, 1))
        return self._asked(state, rng.uniform(*self._drill.hours), before, factors)

    def an_hour_later(self, start: Start, state: Array, before: Array) -> Start:
        """The same question once an hour has passed, a per cent off what was foreseen."""
        state = state * (1.0 + 0.01 * self._rng.standard_normal(len(state)))
        return self._asked(state, start.hours[-1] - 1.0, before, start.factors)

    def _asked(self, state: Array, hours: float, before: Array, factors: Array) -> Start:
        n, limits = self.optimiser.problem.intervals, self._limits.values()
        return Start(
            state=state,
            held=np.array([item.nominal for item in self._model.inputs]),
            before=before,
            hours=self.optimiser.edges(hours),
            low=np.tile([t.low for t in limits], (n, 1)),
            high=np.tile([t.high for t in limits], (n, 1)),
            least=np.tile([low for low, _ in self._drill.bounds.values()], (n, 1)),
            most=np.tile([high for _, high in self._drill.bounds.values()], (n, 1)),
            factors=factors,
            first_step=np.array([t.max_step for t in limits]),
        )
