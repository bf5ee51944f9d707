"""PharmacoLoop for a bioreactor: try the moves that are allowed now on the ensemble, and propose the best one.

Each candidate holds the manipulated variables constant to the end of the batch; it is compared with holding the
present setpoints on the same ensemble members, so the gain's interval is that of the move alone. Receding: an hour
later the question is asked again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np

from controller.effect import effect_of
from controller.envelope import Bound, Envelope, Limit
from controller.records import Abstention, Effect, Insight, Move, Situation, Suggestion
from twin.correction import Correction
from twin.estimate import Estimate
from twin.forecast import Forecast, Latch, Plan, Step
from twin.signals import Plant

SEARCH_MEMBERS = 16  # enough to rank candidates; the chosen plan is forecast with the full ensemble (design)


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

    def hold(self, estimate: Estimate, situation: Situation) -> Plan:
        """Hold the setpoints in force; a feed that has not started will start as the recipe says."""
        return self._plan(estimate.time, self._present(estimate, situation), situation)

    def propose(
        self, estimate: Estimate, insight: Insight, baseline: Forecast, situation: Situation
    ) -> Suggestion | Abstention:
        """The best allowed move to the end of the batch, or why none is worth making."""
        now = estimate.time
        if now >= situation.batch_end:
            return Abstention(now, "the batch has reached its end")
        present = self._present(estimate, situation)
        movable = [limit for limit in self.envelope.limits if situation.phase in limit.phases]
        if not movable:
            return Abstention(now, f"nothing may be moved in phase {situation.phase or 'unknown'}")
        reference = self.engine.forecast(estimate, insight.correction, baseline.plan, SEARCH_MEMBERS)
        best, best_score = present, 0.0
        for limit in movable:  # one variable after the other: the moves are small, so they hardly interact
            for candidate in _candidates(best, present, limit):
                trial = self.engine.forecast(
                    estimate, insight.correction, self._plan(now, candidate, situation), SEARCH_MEMBERS
                )
                score = self._score(reference, trial)
                if score > best_score:
                    best, best_score = candidate, score
        if best is present:
            return Abstention(now, "no allowed move raises the predicted product while staying within its bounds")
        return self._suggest(estimate, insight, baseline, situation, present, best)

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

    def _score(self, reference: Forecast, trial: Forecast) -> float:
        """Mean gain of the objective; minus infinity when the trial breaks a bound the reference keeps."""
        gain = float(np.mean(np.subtract(trial.objective, reference.objective)))
        broken = any(_breach(trial, b) > _breach(reference, b) + 1e-9 for b in self.envelope.bounds)
        return gain if np.isfinite(gain) and not broken else -np.inf

    def _suggest(
        self,
        estimate: Estimate,
        insight: Insight,
        baseline: Forecast,
        situation: Situation,
        present: Mapping[str, float],
        best: Mapping[str, float],
    ) -> Suggestion | Abstention:
        now = estimate.time
        plan = self._plan(now, best, situation)
        proposed = self.engine.forecast(estimate, insight.correction, plan)
        effect = effect_of(baseline, proposed)
        percent = 100.0 * effect.gain / max(effect.baseline, 1e-9)
        if percent < self.minimum_gain_percent:
            return Abstention(
                now,
                f"the best move found gains {percent:.2f} % {effect.quantity}, less than the"
                f" {self.minimum_gain_percent:g} % that a move must promise",
            )
        if effect.gain_low <= 0.0:
            return Abstention(
                now,
                f"the best move found may lose: {effect.gain_low:+.3g} to {effect.gain_high:+.3g} {effect.unit} (80 %)",
            )
        limits = {limit.variable: limit for limit in self.envelope.limits}
        moves = tuple(
            Move(name, value, limits[name].unit, present[name])
            for name, value in best.items()
            if value != present[name]
        )
        return Suggestion(
            id=f"S{now:%Y%m%dT%H%M%S}",
            made_at=now,
            expires_at=min(now + self.suggestion_valid, situation.batch_end),
            kind="setpoints",
            moves=moves,
            plan=plan,
            reason=self._reason(moves, effect, percent, baseline, proposed),
            effect=effect,
            bounded_by=tuple(
                f"{self._text(move.variable)}: {b}" for move in moves for b in _bounding(move, limits[move.variable])
            ),
        )

    def _reason(
        self, moves: Sequence[Move], effect: Effect, percent: float, baseline: Forecast, proposed: Forecast
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
            f" {effect.gain_high:+.3g} {effect.unit}).{why}"
        )

    def _relief(self, bound: Bound, baseline: Forecast, proposed: Forecast) -> str:
        """Say which bound the present setpoints will break in the median, and when, if the plan puts that off."""
        old, new = _crossing(baseline, bound), _crossing(proposed, bound)
        if old is None or (new is not None and new <= old):
            return ""
        hours = (old - baseline.made_at).total_seconds() / 3600.0
        side = "fall below" if min(baseline.bands[bound.variable].median) < bound.low else "rise above"
        edge = bound.low if side == "fall below" else bound.high
        return f"Unchanged, {self._text(bound.variable)} would {side} {edge:g} {bound.unit} in {hours:.0f} h."

    def _text(self, variable: str) -> str:
        try:
            text = self.plant.variable(variable).text or variable
        except KeyError:
            text = variable
        return text if text[1:2].isupper() else text[:1].lower() + text[1:]  # in the middle of a sentence


def _candidates(best: Mapping[str, float], present: Mapping[str, float], limit: Limit) -> list[dict[str, float]]:
    """Half a step and a full step each way from the present setpoint, within the limits, all else as in `best`."""
    here = present[limit.variable]
    steps = (here + part * limit.max_step for part in (-1.0, -0.5, 0.5, 1.0))
    values = {min(max(value, limit.low), limit.high) for value in steps} - {here}
    return [{**best, limit.variable: value} for value in sorted(values)]


def _breach(forecast: Forecast, bound: Bound) -> float:
    """How far the 80 % band leaves the bound, in the bound's unit."""
    band = forecast.bands[bound.variable]
    return max(0.0, bound.low - min(band.low80), max(band.high80) - bound.high)


def _crossing(forecast: Forecast, bound: Bound) -> datetime | None:
    """When the median first leaves the bound."""
    median = forecast.bands[bound.variable].median
    for time, value in zip(forecast.times, median, strict=True):
        if not bound.low <= value <= bound.high:
            return time
    return None


def _bounding(move: Move, limit: Limit) -> list[str]:
    """What keeps this move from being larger."""
    reasons = []
    if abs(abs(move.value - move.previous) - limit.max_step) < 1e-12:
        reasons.append(f"one step is {limit.max_step:g} {limit.unit}")
    if move.value in (limit.low, limit.high):
        reasons.append(f"range [{limit.low:g}, {limit.high:g}] {limit.unit}")
    return reasons
