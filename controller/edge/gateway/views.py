"""JSON views of a Decision and its forecasts."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from controller.loop.records import Abstention, Decision, Mode, Ruling, Suggestion
from twin.records import Forecast, Step
from twin.signals import Quality, Reading


def _finite(value: Any) -> Any:
    """JSON has no NaN: what is not a number is absent."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _quality_name(value: Any) -> Any:
    return value.name.lower() if isinstance(value, Quality) else value


Number = Annotated[float | None, BeforeValidator(_finite)]
QualityName = Annotated[Literal["good", "uncertain", "bad"], BeforeValidator(_quality_name)]


class View(BaseModel):
    """Something shown; it can be read from the record of the same shape."""

    model_config = ConfigDict(from_attributes=True)


class ReadingView(View):
    """One value with its quality; `age_s` is process time since its source time."""

    value: Number
    unit: str
    quality: QualityName
    reason: str = ""
    age_s: Number = None


class BeliefView(View):
    """An estimated value and its standard deviation."""

    value: Number
    sd: Number


class InsightView(View):
    """What NeuroCore says: novelty, stability, and the logarithm of each rate's correction."""

    novelty: Number
    stability: Number
    contributions: dict[str, Number]
    components: dict[str, Number]
    log_multipliers: dict[str, Number]
    learned: bool
    why_not: str
    backend: str


class MoveView(View):
    """A setpoint from its previous value to the one proposed."""

    variable: str
    unit: str
    previous: Number
    value: Number


class EffectView(View):
    """What the plan is predicted to change by its end, with the central 80 % of the gain."""

    quantity: str
    unit: str
    baseline: Number
    proposed: Number
    gain: Number
    gain_low: Number
    gain_high: Number


class EvidenceView(View):
    """What a suggestion rests on; `verify` is true while a person has still to check it against the source."""

    id: str
    strength: str
    citation: str
    verify: bool = False


class SuggestionView(View):
    """A plan worth doing; `confidence` is the probability that its benefit exceeds the least that counts."""

    type: Literal["suggestion"] = "suggestion"
    id: str
    kind: str
    made_at: datetime
    expires_at: datetime
    reason: str
    moves: list[MoveView]
    effect: EffectView | None
    bounded_by: list[str]
    evidence: list[EvidenceView] = Field(default_factory=list)
    confidence: Number = None
    alternatives: list[str] = Field(default_factory=list)
    disclaimer: str = ""


class AbstentionView(View):
    """Nothing is proposed, and why."""

    type: Literal["abstention"] = "abstention"
    made_at: datetime
    reason: str


class NarrowingView(View):
    """A move that safety held to a limit."""

    variable: str
    asked: Number
    granted: Number
    reason: str


class VerdictView(View):
    """What safety lets through, and each of its objections."""

    admitted: bool
    moves: list[MoveView]
    narrowed: list[NarrowingView]
    refusals: list[str]


class CommandView(View):
    """Setpoints in force until their lease ends."""

    id: str
    moves: list[MoveView]
    issued_at: datetime
    valid_until: datetime
    authority: str


class RulingView(View):
    """What became of something a person asked for; `given` is the reason that person gave."""

    kind: str
    by: str
    at: datetime
    suggestion: str
    mode: Mode | None
    given: str
    granted: bool
    reason: str


class DecisionView(View):
    """One turn of the loop, without covariances, weights and bands."""

    time: datetime
    plant: str
    batch: str
    phase: str
    mode: Mode
    mode_reason: str
    readings: dict[str, ReadingView]
    setpoints: dict[str, Number]
    estimates: dict[str, BeliefView]
    log_multipliers: dict[str, BeliefView]
    nis: Number
    nis_dof: int
    insight: InsightView
    proposal: Annotated[SuggestionView | AbstentionView, Field(discriminator="type")] | None
    open: bool
    verdict: VerdictView | None
    command: CommandView | None
    rulings: list[RulingView]
    notes: list[str]
    faults: list[str]
    baseline_made_at: datetime | None
    proposed_made_at: datetime | None


class BandView(View):
    """Median and central intervals, one entry a time."""

    median: list[Number]
    low80: list[Number]
    high80: list[Number]
    low95: list[Number]
    high95: list[Number]


class StepView(View):
    """From `start` on these inputs hold."""

    start: datetime
    inputs: dict[str, Number]


class ForecastView(View):
    """The future under one plan."""

    made_at: datetime
    end: datetime
    times: list[datetime]
    bands: dict[str, BandView]
    steps: list[StepView]
    objective_name: str
    objective_unit: str


def decision_view(decision: Decision) -> DecisionView:
    """A Decision as the wire shows it."""
    estimate, situation = decision.estimate, decision.situation
    readings = decision.snapshot.readings
    return DecisionView(
        time=decision.time,
        plant=decision.plant,
        batch=situation.batch,
        phase=situation.phase,
        mode=decision.mode,
        mode_reason=decision.mode_reason,
        readings={name: _reading(reading, decision.time) for name, reading in readings.items()},
        setpoints=dict(situation.setpoints),
        estimates={name: BeliefView(value=estimate[name], sd=estimate.sd(name)) for name in estimate.names},
        log_multipliers={
            name: BeliefView(value=value, sd=estimate.sd(name))
            for name, value in zip(estimate.multiplier_names, estimate.log_multipliers, strict=True)
        },
        nis=estimate.nis,
        nis_dof=estimate.nis_dof,
        insight=InsightView.model_validate(decision.insight),
        proposal=_proposal(decision.proposal),
        open=decision.open,
        verdict=None if decision.verdict is None else VerdictView.model_validate(decision.verdict),
        command=None if decision.command is None else CommandView.model_validate(decision.command),
        rulings=[_ruling(ruling) for ruling in decision.rulings],
        notes=list(decision.notes),
        faults=list(situation.faults),
        baseline_made_at=None if decision.baseline is None else decision.baseline.made_at,
        proposed_made_at=None if decision.proposed is None else decision.proposed.made_at,
    )


def forecast_view(forecast: Forecast | None, variables: list[str]) -> ForecastView | None:
    """A Forecast as the wire shows it; no variables named means all of them."""
    if forecast is None:
        return None
    return ForecastView(
        made_at=forecast.made_at,
        end=forecast.plan.end,
        times=list(forecast.times),
        bands={
            name: BandView.model_validate(band)
            for name, band in forecast.bands.items()
            if not variables or name in variables
        },
        steps=[StepView.model_validate(step) for step in _acted(forecast)],
        objective_name=forecast.objective_name,
        objective_unit=forecast.objective_unit,
    )


def _acted(forecast: Forecast) -> list[Step]:
    """The plan's steps as they will act: an input that waits for its latch is zero until the median gets there."""
    latch, steps = forecast.plan.latch, list(forecast.plan.steps)
    if latch is None or latch.state not in forecast.bands:
        return steps
    median = forecast.bands[latch.state].median
    reached = (t for t, value in zip(forecast.times, median, strict=True) if value < latch.below)
    opening = next(reached, forecast.plan.end)
    acted = []
    for step, after in zip(steps, [*(s.start for s in steps[1:]), forecast.plan.end], strict=True):
        if latch.input in step.inputs and step.start < opening:
            acted.append(Step(step.start, {**step.inputs, latch.input: 0.0}))
            step = Step(opening, step.inputs)
        if step.start < after:
            acted.append(step)
    return acted


def _reading(reading: Reading, now: datetime) -> ReadingView:
    view = ReadingView.model_validate(reading)
    view.age_s = None if reading.time is None else (now - reading.time).total_seconds()
    return view


def _proposal(proposal: Suggestion | Abstention | None) -> SuggestionView | AbstentionView | None:
    if proposal is None:
        return None
    if isinstance(proposal, Abstention):
        return AbstentionView.model_validate(proposal)
    return SuggestionView.model_validate(proposal)


def _ruling(ruling: Ruling) -> RulingView:
    asked = ruling.intent
    return RulingView(
        kind=asked.kind,
        by=asked.by,
        at=asked.at,
        suggestion=asked.suggestion,
        mode=asked.mode,
        given=asked.reason,
        granted=ruling.granted,
        reason=ruling.reason,
    )
