"""From a belief to a plan of setpoints until the end of the batch, by optimal control within the envelope.

Uncertainty enters as a margin: each bound is drawn in by the spread that the ensemble forecast shows of the bounded
quantity at that hour, so that a plan which keeps the narrower bound keeps the true one with its 80 % band.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from controller.loop.envelope import Bound, Envelope
from controller.loop.records import Situation
from controller.pharmacoloop.plan_memory import NO_PLAN, PlanMemory
from twin.collocation import Control, Problem
from twin.conditioned import conditioned
from twin.correction import evaluate, slopes
from twin.forecast import Horizon
from twin.integrate import course
from twin.model import Array, Model
from twin.optimise import Optimiser, Optimum, Start, later
from twin.records import Correction, Estimate, Forecast, Latch, Plan, Step

INTERVALS = 40
MARGIN_MOST = 0.4  # of the width between two bounds, that a margin may take from either side (design)
RELEASE_H = 0.25  # how finely the opening of a latch is foreseen (design)
REMEMBERED_H = 12.0  # a plan older than this is no place to begin from, nor to fall back on (design)
STEPS_OF_RANGE = 200  # setpoints are given in steps of this part of their range (design)
DEADBAND = 1 / 40  # of the range: a smaller move is not worth making (design)


@dataclass(frozen=True, slots=True)
class Course:
    """A plan, what its first hour sets, and what it leans on."""

    plan: Plan
    first: Mapping[str, float]  # setpoints now
    source: str  # "" for an optimum, else the sentence why it is not one
    margins: tuple[str, ...]  # sentences: bounds that the plan runs along
    harvest_h: float  # hours from now to the end of the plan


class Planner:
    """Optimal control for one plant. It remembers nothing: the last good plan comes in and goes out."""

    def __init__(
        self,
        model: Model,
        envelope: Envelope,
        recipe: Mapping[str, float],
        latch: Latch | None,
        horizon: Horizon | None = None,
        prices: Mapping[str, float] | None = None,
        sloped: tuple[str, ...] = (),
    ) -> None:
        names = [state.name for state in model.states]
        inputs = [item.name for item in model.inputs]
        self.model, self.latch, self.recipe = model, latch, recipe
        self.limits = tuple(limit for limit in envelope.limits if limit.variable in inputs)
        self.bounds = tuple(bound for bound in envelope.bounds if bound.variable in names)
        self._horizon = horizon or Horizon()
        self.optimiser = Optimiser(
            Problem(
                model=model,
                controls=tuple(Control(x.variable, x.low, x.high, x.max_rate_per_h) for x in self.limits),
                bounded=tuple(bound.variable for bound in self.bounds),
                soft=tuple(bound.variable for bound in self.bounds),
                sloped=sloped,
                intervals=INTERVALS,
                prices=prices or {},
            )
        )

    def course(
        self,
        estimate: Estimate,
        correction: Correction,
        baseline: Forecast,
        situation: Situation,
        present: Mapping[str, float],
        before: PlanMemory = NO_PLAN,
    ) -> tuple[Course, PlanMemory]:
        """The best plan to the end of the batch, or the best there is when none could be found; and what to remember.

        `before` is where the search begins and what is fallen back on; its margins are those of a plan, not of rest.
        """
        last = _last(before, estimate, situation)
        start = self._start(estimate, correction, baseline, situation, present, before, last)
        found = self.optimiser.solve(start, last)
        source = ""
        if found.solved:
            before = replace(before, batch=situation.batch, made_at=estimate.time, optimum=found)
        else:
            source = f"the optimiser found no plan ({found.status}); "
            source += "this is the last good one" if last is not None else "this is the recipe"
            if last is None:
                recipe = [self.recipe.get(x.variable, present[x.variable]) for x in self.limits]
                found = replace(found, controls=np.clip(np.tile(recipe, (INTERVALS, 1)), start.low, start.high))
        return self._told(estimate, situation, present, start, found, source), before

    def _start(
        self,
        estimate: Estimate,
        correction: Correction,
        baseline: Forecast,
        situation: Situation,
        present: Mapping[str, float],
        before: PlanMemory,
        last: Optimum | None,
    ) -> Start:
        believed = conditioned(self.model, estimate, correction)
        span_h = _hours(situation.batch_end - estimate.time)
        release_h = self._release_h(believed, span_h)
        hours = self.optimiser.edges(span_h, release_h)
        in_force = np.array([present[x.variable] for x in self.limits])
        least, most = self._margined(baseline, before.proposed, hours)
        low, high = self._ranges(situation, in_force, hours, release_h)
        factors, steep, expected = self._factors(believed, correction, baseline, hours, last)
        return Start(
            state=np.array(believed.mean),
            held=np.array([estimate.inputs[item.name] for item in self.model.inputs]),
            before=in_force,
            hours=hours,
            low=low,
            high=high,
            least=least,
            most=most,
            factors=factors,
            slopes=steep,
            expected=expected,
            first_step=np.array([x.max_step for x in self.limits]),
        )

    def _release_h(self, believed: Estimate, span_h: float) -> float:
        """Hours until the latch opens if all goes as the mean is believed to; 0 when there is none or it is open."""
        latch = self.latch
        if latch is None or believed.inputs.get(latch.input, 0.0) > 0.0:
            return 0.0
        hours = np.arange(0.0, span_h + RELEASE_H, RELEASE_H)
        row = [believed.inputs[item.name] for item in self.model.inputs]
        row[[item.name for item in self.model.inputs].index(latch.input)] = 0.0
        factors = np.tile(np.exp(believed.log_multipliers), (len(hours), 1))
        states = course(self.model, np.array(believed.mean), hours, np.tile(row, (len(hours), 1)), factors)
        below = np.flatnonzero(states[:, believed.names.index(latch.state)] < latch.below)
        return float(hours[below[0]]) if len(below) else 0.0

    def _ranges(self, situation: Situation, before: Array, hours: Array, release_h: float) -> tuple[Array, Array]:
        """Range of each control in each interval: closed before its release, within reach of what is in force."""
        low = np.tile([x.low for x in self.limits], (len(hours) - 1, 1))
        high = np.tile([x.high for x in self.limits], (len(hours) - 1, 1))
        for i, limit in enumerate(self.limits):
            reach = limit.max_step + limit.max_rate_per_h * hours[:-1]
            low[:, i] = np.minimum(low[:, i], before[i] + reach)
            high[:, i] = np.maximum(high[:, i], before[i] - reach)
            latched = self.latch is not None and self.latch.input == limit.variable
            if latched and release_h > 0.0:
                closed = hours[:-1] < release_h - 1e-9
                low[closed, i] = high[closed, i] = 0.0
            elif situation.phase not in limit.phases and not latched:
                low[:, i] = high[:, i] = before[i]
        return low, high

    def _margined(self, baseline: Forecast, proposed: Forecast | None, hours: Array) -> tuple[Array, Array]:
        """Bounds of each bounded state at the end of each interval, drawn in by the ensemble's spread."""
        least, most = np.empty((len(hours) - 1, len(self.bounds))), np.empty((len(hours) - 1, len(self.bounds)))
        for i, bound in enumerate(self.bounds):
            room = MARGIN_MOST * (bound.high - bound.low)  # infinite when one side is open
            ahead = np.minimum(hours[1:], bound.horizon_h)
            below, above = _spread(baseline, bound, ahead)
            if proposed is not None and bound.horizon_h < np.inf:  # a plan is less certain than holding still
                planned = _spread(proposed, bound, ahead)
                below, above = np.maximum(below, planned[0]), np.maximum(above, planned[1])
            least[:, i] = bound.low + np.minimum(below, room)
            most[:, i] = bound.high - np.minimum(above, room)
        return least, most

    def _factors(
        self, believed: Estimate, correction: Correction, baseline: Forecast, hours: Array, last: Optimum | None
    ) -> tuple[Array, Array | None, Array | None]:
        """The rate multipliers along the course that is expected: as a forecast takes them, from what was learned.

        With them their logarithms' slopes in the problem's sloped states, and those states as they are expected.
        """
        names, own = believed.multiplier_names, np.array(believed.log_multipliers)
        middle = 0.5 * (hours[:-1] + hours[1:])
        bounds = np.array([m.bound for m in self.model.multipliers])
        if not correction.population.states:
            return np.tile(np.exp(np.clip(own, -bounds, bounds)), (len(middle), 1)), None, None
        sloped = self.optimiser.problem.sloped
        rows = [names.index(name) for name in correction.multiplier_names]
        columns = [correction.population.states.index(name) for name in sloped]
        expected = self._expected(baseline, middle, last)
        here = evaluate(correction, dict(zip(believed.names, believed.mean, strict=True)))
        logs, steep = np.empty((len(middle), len(names))), np.zeros((len(middle), len(names), len(sloped)))
        for k, state in enumerate(expected):
            at = dict(zip(believed.names, state, strict=True))
            there = evaluate(correction, at)
            fade = float(np.exp(-middle[k] / self._horizon.fade_h))
            logs[k] = [
                there[name] + (own[i] - here[name]) * fade if name in here else own[i] for i, name in enumerate(names)
            ]
            if sloped:
                steep[k, rows] = slopes(correction, at)[:, columns]
        where = [believed.names.index(name) for name in sloped]
        return np.exp(np.clip(logs, -bounds, bounds)), steep, expected[:, where]

    def _expected(self, baseline: Forecast, hours: Array, last: Optimum | None) -> Array:
        """States at these hours: along the last plan, or without one in the median of the forecast."""
        if last is not None:
            columns = [np.interp(hours, last.hours, column) for column in last.states.T]
        else:
            at = [_hours(time - baseline.made_at) for time in baseline.times]
            columns = [np.interp(hours, at, baseline.bands[state.name].median) for state in self.model.states]
        return np.stack(columns, axis=1)

    def _told(
        self,
        estimate: Estimate,
        situation: Situation,
        present: Mapping[str, float],
        start: Start,
        found: Optimum,
        source: str,
    ) -> Course:
        controls = np.array([self._rounded(row, start, k) for k, row in enumerate(found.controls)])
        rows = [{x.variable: float(v) for x, v in zip(self.limits, row, strict=True)} for row in controls]
        first = dict(rows[0])
        for limit in self.limits:
            small = abs(first[limit.variable] - present[limit.variable]) < DEADBAND * (limit.high - limit.low)
            waits = self.latch is not None and self.latch.input == limit.variable and rows[0][limit.variable] == 0.0
            if small or waits or situation.phase not in limit.phases:
                first[limit.variable] = present[limit.variable]
        released = {name: present[name] for name, value in rows[0].items() if value == 0.0 and present[name] > 0.0}
        steps = [Step(estimate.time, first)]
        for k in range(1, len(rows)):
            row = rows[k] | {name: value for name, value in released.items() if rows[k][name] == 0.0}
            if row != steps[-1].inputs:
                steps.append(Step(estimate.time + timedelta(hours=float(start.hours[k])), row))
        plan = Plan(tuple(steps), situation.batch_end, self.latch)
        return Course(plan, first, source, self._along(start, found), float(start.hours[-1]))

    def _rounded(self, row: Array, start: Start, k: int) -> list[float]:
        values = []
        for i, limit in enumerate(self.limits):
            grain = (limit.high - limit.low) / STEPS_OF_RANGE
            value = limit.low + round((float(row[i]) - limit.low) / grain) * grain
            if k == 0:
                reach = float(start.first_step[i])
                if float(start.high[0, i]) > 0.0 and float(start.before[i]) > 0.0:
                    value = min(max(value, float(start.before[i]) - reach), float(start.before[i]) + reach)
            values.append(round(min(max(value, float(start.low[k, i])), float(start.high[k, i])), 9))
        return values

    def _along(self, start: Start, found: Optimum) -> tuple[str, ...]:
        """The bounds that the plan runs along, with the margin that uncertainty takes."""
        names, sentences = [state.name for state in self.model.states], []
        for i, bound in enumerate(self.bounds):
            column = found.states[1:, names.index(bound.variable)]
            for word, edge, drawn, gap in (
                ("above", bound.low, start.least[:, i], column - start.least[:, i]),
                ("below", bound.high, start.most[:, i], start.most[:, i] - column),
            ):
                k = int(np.argmin(gap))
                if np.isfinite(gap[k]) and gap[k] < 0.01 * max(abs(edge), 1e-9):
                    margin = abs(float(drawn[k]) - edge)
                    sentences.append(
                        f"{bound.variable} is kept {word} {edge:g} {bound.unit} with {margin:.3g} {bound.unit} to spare"
                    )
        return tuple(sentences)


def _last(before: PlanMemory, estimate: Estimate, situation: Situation) -> Optimum | None:
    """The last good plan, seen from now; None when it is of another batch or too old."""
    if before.optimum is None or before.made_at is None or before.batch != situation.batch:
        return None
    age_h = _hours(estimate.time - before.made_at)
    return later(before.optimum, age_h) if 0.0 <= age_h <= REMEMBERED_H else None


def _spread(forecast: Forecast, bound: Bound, ahead: Array) -> tuple[Array, Array]:
    """How far the 80 % band reaches below and above the median, so many hours ahead."""
    at = [_hours(time - forecast.made_at) for time in forecast.times]
    band = forecast.bands[bound.variable]
    below = np.interp(ahead, at, np.subtract(band.median, band.low80))
    return below, np.interp(ahead, at, np.subtract(band.high80, band.median))


def crossing(forecast: Forecast, bound: Bound) -> datetime | None:
    """When the median first leaves the bound."""
    for time, value in zip(forecast.times, forecast.bands[bound.variable].median, strict=True):
        if not bound.low <= value <= bound.high:
            return time
    return None


def _hours(span: timedelta) -> float:
    return span.total_seconds() / 3600.0
