"""Alarm routes: what stands and what to do about it, how busy it is, and acknowledging, shelving, taking out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from controller.edge.gateway.dependencies import TheSource
from controller.edge.gateway.intents import REPLIES, Asked, Finite, Name, OutcomeView, Remark, TheDocket, put
from controller.edge.gateway.views import Number, View
from controller.loop.alarm_records import AlarmBook, AlarmRecord, AlarmState, Priority
from controller.loop.alarms import Definition, figures

Action = Literal["ack", "reset", "shelve", "unshelve", "out_of_service", "in_service"]
router = APIRouter(prefix="/api/v1")


class AlarmView(View):
    """One alarm: what it is about, how it stands, and what to do about it. Times are process times."""

    name: str
    text: str
    signal: str
    kind: str
    unit: str
    limit: Number
    priority: Priority
    consequence: str
    response: str
    within_min: Number = None  # time to respond
    state: AlarmState = AlarmState.NORMAL
    active: bool = False  # the matter stands
    since: datetime | None = None  # in this state
    raised_at: datetime | None = None  # last announced
    message: str = ""  # what the matter is, with the number in it
    value: Number = None
    shelved_until: datetime | None = None
    by: str = ""  # who acknowledged, shelved or took it out
    reason: str = ""
    announced_last_day: int = 0


class FiguresView(View):
    """How busy alarms keep people. More than a person can answer in ten minutes is a flood."""

    last_10_min: int
    peak_10_min: int
    last_day: int
    flood: bool
    chattering: list[tuple[str, int]]
    standing: list[str]


class AlarmsView(View):
    """The alarms, the most urgent first, and the figures of the last day."""

    time: datetime | None
    alarms: list[AlarmView]
    figures: FiguresView | None
    flood_per_10_min: int
    shelve_at_most_h: float


class AlarmIn(Asked):
    """Who does it and why; how many hours to shelve, where that is asked."""

    reason: Remark = ""
    hours: Annotated[Finite | None, Field(gt=0, le=168)] = None


@router.get("/alarms", summary="What is alarming")
async def alarms(source: TheSource, every: Annotated[bool, Query(description="normal ones too")] = False) -> AlarmsView:
    """Alarms that are not normal, with consequence and response, and how busy they keep people."""
    definitions, rules = source.alarms()
    decision = source.latest()
    book = decision.alarms if decision else AlarmBook()
    shown = [_view(d, book.find(d.name)) for d in definitions]
    told = figures(book, rules, decision.time) if decision else None
    return AlarmsView(
        time=decision.time if decision else None,
        alarms=sorted((a for a in shown if every or a.state is not AlarmState.NORMAL), key=_urgency),
        figures=None if told is None else FiguresView.model_validate(told),
        flood_per_10_min=rules.flood_per_10_min,
        shelve_at_most_h=rules.shelve_at_most.total_seconds() / 3600.0,
    )


@router.post("/alarms/{name}/{action}", summary="Answer an alarm", responses=REPLIES)
async def answer(
    name: Name, action: Action, asked: AlarmIn, source: TheSource, docket: TheDocket, response: Response
) -> OutcomeView:
    """Acknowledge, reset a latched one, shelve for some hours, unshelve, take out of service or put back."""
    about = {"alarm": name, "hours": asked.hours}
    return await put(action, asked.by, asked.reason, source, docket, response, **about)


_ORDER = {
    AlarmState.UNACKNOWLEDGED: 0,
    AlarmState.ACKNOWLEDGED: 1,
    AlarmState.LATCHED: 2,
    AlarmState.RETURNED: 3,
    AlarmState.LATCHED_ACKNOWLEDGED: 4,
}


def _urgency(alarm: AlarmView) -> tuple[int, int, float]:
    raised = alarm.raised_at.timestamp() if alarm.raised_at else 0.0
    return _ORDER.get(alarm.state, 5), list(Priority).index(alarm.priority), -raised


def _view(definition: Definition, record: AlarmRecord | None) -> AlarmView:
    minutes = None if definition.within is None else definition.within.total_seconds() / 60.0
    view = AlarmView.model_validate(definition).model_copy(update={"within_min": minutes})
    if record is None:
        return view
    return view.model_copy(
        update={
            "state": record.state,
            "active": record.active,
            "since": record.since,
            "raised_at": record.raised_at,
            "message": record.text,
            "value": record.value,
            "shelved_until": record.until,
            "by": record.by,
            "reason": record.reason,
            "announced_last_day": len(record.announced),
        }
    )
