"""Twelve hours ahead: every learner runs the same twin from the same estimate, along its own surface.

How the estimate and the surface are joined is a rule of the forecast; two are measured, the same for all learners:
- `fade`: the surface along the way, plus what the estimate says beyond it now, fading with 48 h (twin.forecast).
- `conditioned`: before that, a multiplier that the filter only follows with a long lag is conditioned on the surface
  (twin.conditioned).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from controller.bench.pupils import Floats, Law, SurfaceLaw
from controller.bench.streams import SCAN_H, Scan
from controller.bench.trial import Trial
from twin.conditioned import LAG_LONG_H, TRUST_SD, conditioned, observed
from twin.forecast import Horizon
from twin.integrate import simulate
from twin.records import Estimate

AHEAD_H = 12.0
HOLD_H = 1.0  # between two looks at the surface
RULES = ("fade", "conditioned")


class Case(NamedTuple):
    """One forecast: whose, by which rule, along which surface."""

    name: str
    rule: str
    law: Law


def ahead(trial: Trial, scans: Sequence[Scan], k: int, cases: Sequence[Case]) -> tuple[Floats, Floats]:
    """States and log multipliers of every case 12 h after scan k, under the moves that were then made."""
    starts = [_start(trial, scans[k].estimate, case) for case in cases]
    x = np.array([e.mean for e in starts])
    held = np.array([e.log_multipliers for e in starts])
    learned, now = trial.learned_at, _surfaces(trial, cases, x)
    logs = held
    for step in range(round(AHEAD_H / HOLD_H)):
        surfaces = _surfaces(trial, cases, x)
        kept = math.exp(-step * HOLD_H / Horizon().fade_h)
        logs = held.copy()
        for i, case in enumerate(cases):
            if case.name == "zero":
                logs[i, learned] = 0.0
            elif case.name != "random_walk":
                logs[i, learned] = surfaces[i] + (held[i, learned] - now[i]) * kept
        logs = np.clip(logs, -trial.bounds, trial.bounds)
        inputs = _inputs(trial, scans[k].estimate, scans[k + round(step * HOLD_H / SCAN_H) + 1].estimate)
        x = simulate(trial.model, x, np.array([0.0, HOLD_H]), inputs, np.exp(logs))[:, 1]
    return x, logs


def _inputs(trial: Trial, now: Estimate, planned: Estimate) -> Floats:
    acting = {**now.inputs, **{name: planned.inputs[name] for name in trial.moved}}
    return np.array([[acting[i.name] for i in trial.model.inputs]])


def _surfaces(trial: Trial, cases: Sequence[Case], x: Floats) -> Floats:
    values = np.zeros((len(cases), len(trial.learned_at)))
    by_law: dict[int, list[int]] = {}
    for i, case in enumerate(cases):
        by_law.setdefault(id(case.law), []).append(i)
    for rows in by_law.values():
        values[rows] = cases[rows[0]].law(x[np.ix_(rows, trial.coded_at)])
    return values


def _start(trial: Trial, estimate: Estimate, case: Case) -> Estimate:
    """The estimate that a forecast starts from; lagging multipliers conditioned on the surface where the rule says so.

    NeuroCore's by `twin.conditioned`, as it is shipped; the comparators' alike, but without its test of whether the
    present state was taught, which speaks of units that they do not have.
    """
    if case.rule != "conditioned":
        return estimate
    if isinstance(case.law, SurfaceLaw):
        return conditioned(trial.model, estimate, case.law.surface)
    multipliers = trial.model.multipliers
    learned = case.law(np.array([[estimate[name] for name in trial.coded]]))[0]
    lags = {i: (estimate.sd(multipliers[i].name) / multipliers[i].noise_sd) ** 2 for i in trial.learned_at}
    values = {multipliers[i].name: float(learned[j]) for j, i in enumerate(trial.learned_at) if lags[i] > LAG_LONG_H}
    return observed(estimate, values, dict.fromkeys(values, TRUST_SD))
