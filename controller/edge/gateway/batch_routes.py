"""Batch routes: its ISA-88 state and recipe, what people ask of it, and samples, results and notes by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, Field

from controller.edge.gateway.dependencies import TheSource
from controller.edge.gateway.intents import REPLIES, Asked, Finite, Name, OutcomeView, Remark, Sentence, TheDocket, put
from controller.edge.gateway.views import Number, View
from controller.loop.batch import MOVES, Recipe, phase_hours, volume_l
from controller.loop.batch_records import BatchState, Sample
from controller.loop.records import BATCH_KINDS, Decision
from twin.signals import Assay

Action = Literal["start", "hold", "restart", "stop", "abort", "reset"]
router = APIRouter(prefix="/api/v1")


class PhaseView(View):
    """One phase of the recipe, in order; `state` says where the batch is."""

    name: str
    text: str
    state: Literal["done", "now", "to come"]
    ends_when: list[str]  # the next phase begins as soon as one of these holds
    setpoints: dict[str, float]
    limits: dict[str, tuple[float, float]]


class BatchRecordView(View):
    """The batch as it stands; times are process times, volumes in litres, `fed` the integral of each feed."""

    id: str
    state: BatchState
    since: datetime
    reason: str
    allowed: list[Action]  # what may be asked of it now
    phase: str
    phase_h: Number = None
    plant_phase: str
    started_at: datetime | None
    batch_h: Number = None
    length_h: Number = None
    phases: list[PhaseView]
    hold: dict[str, float]  # where setpoints rest while the batch is held
    fed: dict[str, Number]
    sampled_l: float
    initial_l: Number
    booked_l: Number  # what was there and was fed, less what was sampled
    estimated_l: Number  # what the twin believes


class AskedOfBatch(Asked):
    """Who asks, and why."""

    reason: Sentence


class MeasuredIn(View):
    """One result of a sample, in the unit of its variable."""

    variable: Name
    value: Finite
    unit: Name


class SampleIn(Asked):
    """A sample: when it was drawn, how much was taken, and what was measured of it so far."""

    drawn_at: AwareDatetime
    volume_ml: Annotated[Finite, Field(ge=0, le=10_000)] = 0.0
    results: Annotated[list[MeasuredIn], Field(default_factory=list, max_length=20)]
    remark: Remark = ""


class AssayIn(Asked):
    """A result that comes later, of a sample whose volume is booked already."""

    variable: Name
    value: Finite
    unit: Name
    sampled_at: AwareDatetime
    remark: Remark = ""


class NoteIn(Asked):
    """Words for the record."""

    text: Sentence


@router.get("/batch", summary="The batch and its recipe")
async def batch(source: TheSource) -> BatchRecordView | None:
    """State, phase and book of the batch; null before the first scan, and for a plant without batches."""
    decision, recipe = source.latest(), source.recipe()
    if decision is None or decision.batch is None or recipe is None:
        return None
    return _view(decision, recipe, source.plant().get("batch_length_h"))


@router.post("/batch/{action}", summary="Ask something of the batch", responses=REPLIES)
async def ask(
    action: Action, asked: AskedOfBatch, source: TheSource, docket: TheDocket, response: Response
) -> OutcomeView:
    """Start, hold, restart, stop or abort it; reset makes one that is over ready for the next."""
    kind = "reset_batch" if action == "reset" else action
    return await put(kind, asked.by, asked.reason, source, docket, response)


@router.post("/samples", summary="Enter a sample", responses=REPLIES)
async def sample(asked: SampleIn, source: TheSource, docket: TheDocket, response: Response) -> OutcomeView:
    """Its volume leaves the book; its results speak of the time it was drawn, and the estimate is corrected there."""
    results = tuple(_assay(r.variable, r.value, r.unit, asked.drawn_at, source) for r in asked.results)
    entry = Sample(asked.drawn_at, asked.volume_ml / 1000.0, results)
    return await put("sample", asked.by, asked.remark, source, docket, response, sample=entry)


@router.post("/assays", summary="Enter a result", responses=REPLIES)
async def assay(asked: AssayIn, source: TheSource, docket: TheDocket, response: Response) -> OutcomeView:
    """A laboratory result with the time its sample was drawn; the estimate is corrected there and brought forward."""
    result = _assay(asked.variable, asked.value, asked.unit, asked.sampled_at, source)
    entry = Sample(asked.sampled_at, 0.0, (result,))
    return await put("sample", asked.by, asked.remark, source, docket, response, sample=entry)


@router.post("/notes", summary="Write a note", responses=REPLIES)
async def note(asked: NoteIn, source: TheSource, docket: TheDocket, response: Response) -> OutcomeView:
    """Words for the record, at the present process time."""
    return await put("note", asked.by, asked.text, source, docket, response)


def _assay(variable: str, value: float, unit: str, drawn_at: datetime, source: TheSource) -> Assay:
    decision = source.latest()
    return Assay(variable, value, unit, drawn_at, datetime.now(UTC) if decision is None else decision.time)


def _view(decision: Decision, recipe: Recipe, length_h: float | None) -> BatchRecordView:
    record = decision.batch
    if record is None:
        raise ValueError("the decision has no batch")
    names = [p.name for p in recipe.phases]
    at = names.index(record.phase) if record.phase in names else None
    over = record.state is BatchState.COMPLETE
    ages = phase_hours(record, decision.time)
    estimate = decision.estimate
    return BatchRecordView(
        id=record.id,
        state=record.state,
        since=record.since,
        reason=record.reason,
        allowed=[_action(kind) for kind in BATCH_KINDS if (record.state, kind) in MOVES],
        phase=record.phase,
        phase_h=ages.get("phase_h"),
        plant_phase=decision.situation.phase,
        started_at=record.started_at,
        batch_h=ages.get("batch_h"),
        length_h=length_h,
        phases=[
            PhaseView(
                name=phase.name,
                text=phase.text,
                state="now" if k == at else "done" if over or (at is not None and k < at) else "to come",
                ends_when=[str(condition) for condition in phase.ends_when],
                setpoints=dict(phase.setpoints),
                limits={r.variable: (r.low, r.high) for r in phase.limits},
            )
            for k, phase in enumerate(recipe.phases)
        ],
        hold=dict(recipe.hold),
        fed=dict(record.fed),
        sampled_l=record.sampled_l,
        initial_l=record.initial_l,
        booked_l=volume_l(record),
        estimated_l=estimate[recipe.volume] if recipe.volume in estimate.names else None,
    )


def _action(kind: str) -> Action:
    word = kind.removesuffix("_batch")
    return next(action for action in get_args(Action) if action == word)
