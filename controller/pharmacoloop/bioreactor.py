"""PharmacoLoop for a bioreactor: plan to the end of the batch, and propose the plan's first move.

The plan is the optimum on the twin's equations (see `planning`). It is compared with holding the present setpoints on
the same ensemble members, so the gain's interval is that of the plan alone. Receding: an hour later the question is
asked again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import fmean
from typing import Protocol

from controller.loop.envelope import Bound, Envelope, Limit, beyond
from controller.loop.gain import effect_of
from controller.loop.records import Abstention, Effect, Insight, Move, Proposal, Situation, Suggestion
from controller.pharmacoloop.plan_memory import NO_PLAN, PlanMemory
from controller.pharmacoloop.planning import Course, Planner, crossing
from twin.records import Correction, Estimate, Forecast, Latch, Plan, Step
from twin.signals import Plant

AHEAD = 0.05  # of the range: a smaller change is not told beforehand (design)
EASED = 0.5  # of what the band is beyond a bound: a plan that leaves less of it is worth a move without gain (design)
HARVEST_H = 2.0  # a harvest so little before the planned end is not worth advising (design)


class Forecaster(Protocol):
    """What the loop asks of the TwinEngine."""

    def forecast(self, estimate: Estimate, correction: Correction, plan: Plan, members: int = ...) -> Forecast:
        """The ensemble's future under a plan."""
        ...


@dataclass(frozen=True, slots=True)
class BioreactorLoop:
    """Feed and precursor moves for one reactor. `recipe` is what the plant's own recipe sets, once it does."""

    plant: Plant
    engine: Forecaster
    envelope: Envelope
    recipe: Mapping[str, float]
    latch: Latch | None
    suggestion_valid: timedelta
    minimum_gain_percent: float
    planner: Planner

    def hold(self, estimate: Estimate, situation: Situation) -> Plan:
        """Hold the setpoints in force; a feed that has not started will start as the recipe says."""
        return self._plan(estimate.time, self._present(estimate, situation), situation)

    def propose(
        self,
        estimate: Estimate,
        insight: Insight,
        baseline: Forecast,
        situation: Situation,
        remembered: object = None,
    ) -> Proposal:
        """The best allowed move to the end of the batch, or why none is; a PlanMemory comes in and goes out."""
        now, plans = estimate.time, remembered if isinstance(remembered, PlanMemory) else NO_PLAN
        if now >= situation.batch_end:
            return Proposal(Abstention(now, "the batch has reached its end"), None, plans)
        present = self._present(estimate, situation)
        if not any(situation.phase in limit.phases for limit in self.envelope.limits):
            why = f"nothing may be moved in phase {situation.phase or 'unknown'}"
            return Proposal(Abstention(now, why), None, plans)
        course, plans = self.planner.course(estimate, insight.correction, baseline, situation, present, plans)
        if all(course.first[name] == value for name, value in present.items()):
            return Proposal(Abstention(now, self._patience(course, baseline)), None, plans)
        proposed = self.engine.forecast(estimate, insight.correction, course.plan)
        answer = self._suggest(now, baseline, proposed, situation, present, course)
        return Proposal(answer, proposed, replace(plans, proposed=proposed))

    def _present(self, estimate: Estimate, situation: Situation) -> dict[str, float]:
        """The setpoints in force, or for an input still waiting for its latch what the recipe will give it."""
        present = {}
        for limit in self.envelope.limits:
            waiting = self.latch is not None and self.latch.input == limit.variable and self._waiting(estimate)
            known = situation.setpoints.get(limit.variable)
            present[limit.variable] = self.recipe[limit.variable] if waiting or known is None else known
        return present

    def _waiting(self, estimate: Estimate) -> bool:
        return self.latch is not None and estimate.inputs.get(self.latch.input, 0.0) <= 0.0

    def _plan(self, now: datetime, inputs: Mapping[str, float], situation: Situation) -> Plan:
        return Plan((Step(now, dict(inputs)),), situation.batch_end, self.latch)

    def _suggest(
        self,
        now: datetime,
        baseline: Forecast,
        proposed: Forecast,
        situation: Situation,
        present: Mapping[str, float],
        course: Course,
    ) -> Suggestion | Abstention:
        effect = effect_of(baseline, proposed)
        percent = 100.0 * effect.gain / max(effect.baseline, 1e-9)
        eased = [bound for bound in self.envelope.bounds if self._eased(bound, baseline, proposed)]
        if percent < self.minimum_gain_percent and not eased:
            return Abstention(
                now,
                f"the best plan found gains {percent:.2f} % {effect.quantity}, less than the"
                f" {self.minimum_gain_percent:g} % that a move must promise",
            )
        if effect.gain_low <= 0.0 and not eased:
            return Abstention(
                now,
                f"the best plan found may lose: {effect.gain_low:+.3g} to {effect.gain_high:+.3g} {effect.unit} (80 %)",
            )
        limits = {limit.variable: limit for limit in self.envelope.limits}
        moves = tuple(
            Move(name, value, limits[name].unit, present[name])
            for name, value in course.first.items()
            if value != present[name]
        )
        return Suggestion(
            id=f"S{now:%Y%m%dT%H%M%S}",
            made_at=now,
            expires_at=min(now + self.suggestion_valid, situation.batch_end),
            kind="setpoints",
            moves=moves,
            plan=course.plan,
            reason=self._reason(moves, effect, percent, baseline, proposed, course, eased),
            effect=effect,
            bounded_by=(
                *(f"{self._text(m.variable)}: {b}" for m in moves for b in _bounding(m, limits[m.variable])),
                *course.margins,
            ),
        )

    def _reason(
        self,
        moves: Sequence[Move],
        effect: Effect,
        percent: float,
        baseline: Forecast,
        proposed: Forecast,
        course: Course,
        eased: Sequence[Bound],
    ) -> str:
        verbs = ", ".join(
            f"{'raise' if move.value > move.previous else 'lower'} {self._text(move.variable)}"
            f" from {move.previous:.4g} to {move.value:.4g} {move.unit}"
            for move in moves
        )
        why = "".join(
            f" {sentence}" for bound in self.envelope.bounds if (sentence := self._relief(bound, baseline, proposed))
        )
        return (
            f"{verbs[0].upper()}{verbs[1:]}: {effect.quantity} at the end of the batch {effect.baseline:.4g} →"
            f" {effect.proposed:.4g} {effect.unit} ({percent:+.1f} %; 80 % interval {effect.gain_low:+.3g} to"
            f" {effect.gain_high:+.3g} {effect.unit}) if the plan is followed."
            f"{self._purpose(effect, percent, eased)}{why}{self._ahead(course, proposed)}"
            + (f" Note: {course.source}." if course.source else "")
        )

    def _purpose(self, effect: Effect, percent: float, eased: Sequence[Bound]) -> str:
        """Say what a move is for that promises no gain."""
        if percent >= self.minimum_gain_percent and effect.gain_low > 0.0:
            return ""
        names = [self._text(bound.variable) for bound in eased]
        kept = " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
        return f" This is to keep {kept} within bounds, not to gain {effect.quantity}."

    def _patience(self, course: Course, baseline: Forecast) -> str:
        """Why nothing is moved now, and what the plan intends."""
        said = f"the best plan for the {baseline.objective_name} keeps the present setpoints for now"
        return f"{said}{'; ' + course.source if course.source else ''}.{self._ahead(course, baseline)}"

    def _ahead(self, course: Course, forecast: Forecast) -> str:
        """The plan's largest later change of each setpoint, and when to harvest."""
        sentences = []
        for limit in self.envelope.limits:
            name = limit.variable
            here = course.first[name]
            far = max(course.plan.steps, key=lambda step: abs(step.inputs[name] - here))
            if abs(far.inputs[name] - here) >= AHEAD * (limit.high - limit.low):
                hours = (far.start - forecast.made_at).total_seconds() / 3600.0
                sentences.append(f" Planned: {self._text(name)} {far.inputs[name]:.4g} {limit.unit} in {hours:.0f} h.")
        return "".join(sentences) + self._harvest(forecast)

    def _harvest(self, forecast: Forecast) -> str:
        """When to harvest, by the median course of the objective."""
        columns = [forecast.bands[state.name].median for state in self.planner.model.states]
        worth = [float(self.planner.model.objective(row)) for row in zip(*columns, strict=True)]
        best = max(range(len(worth)), key=worth.__getitem__)
        left_h = (forecast.times[-1] - forecast.times[best]).total_seconds() / 3600.0
        lost = 100.0 * (worth[best] - worth[-1]) / max(worth[best], 1e-9)
        if left_h < HARVEST_H or lost < self.minimum_gain_percent:
            return " Harvest at the planned end."
        return (
            f" Harvest {left_h:.0f} h before the planned end: the {forecast.objective_name} is highest then,"
            f" and falls by {lost:.1f} % until the end."
        )

    def _relief(self, bound: Bound, baseline: Forecast, proposed: Forecast) -> str:
        """Say which bound the present setpoints will break in the median, and when, if the plan puts that off."""
        old, new = crossing(baseline, bound), crossing(proposed, bound)
        if old is None or (new is not None and new <= old):
            return ""
        hours = (old - baseline.made_at).total_seconds() / 3600.0
        side = "fall below" if min(baseline.bands[bound.variable].median) < bound.low else "rise above"
        edge = bound.low if side == "fall below" else bound.high
        return f"Unchanged, {self._text(bound.variable)} would {side} {edge:g} {bound.unit} in {hours:.0f} h."

    def _eased(self, bound: Bound, baseline: Forecast, proposed: Forecast) -> bool:
        """Whether the band of the present setpoints leaves the bound within its horizon, and the plan's by far less."""
        if bound.horizon_h == math.inf:
            return False
        unchanged, planned = (sum(map(fmean, beyond(forecast, bound))) for forecast in (baseline, proposed))
        return planned < EASED * unchanged

    def _text(self, variable: str) -> str:
        try:
            text = self.plant.variable(variable).text or variable
        except KeyError:
            text = variable
        return text if text[1:2].isupper() else text[:1].lower() + text[1:]  # in the middle of a sentence


def _bounding(move: Move, limit: Limit) -> list[str]:
    """What keeps this move from being larger."""
    reasons = []
    if abs(abs(move.value - move.previous) - limit.max_step) < 1e-12:
        reasons.append(f"one step is {limit.max_step:g} {limit.unit}")
    if move.value in (limit.low, limit.high):
        reasons.append(f"range [{limit.low:g}, {limit.high:g}] {limit.unit}")
    return reasons
