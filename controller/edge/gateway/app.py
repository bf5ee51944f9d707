"""Gateway application: REST and server-sent events, documented by OpenAPI, between the loop and its people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse

from controller.edge.gateway import alarm_routes, batch_routes, intents, malformed, sessions
from controller.edge.gateway import what_if_routes as looking
from controller.edge.gateway.access import Access
from controller.edge.gateway.dependencies import TheSource
from controller.edge.gateway.guard import Guard
from controller.edge.gateway.handbook import handbook
from controller.edge.gateway.intents import Docket
from controller.edge.gateway.source import AssayView, EventView, GapView, PlantView, Source, StatusView, TrendView
from controller.edge.gateway.views import DecisionView, ForecastView, Number, View, decision_view, forecast_view
from controller.loop.records import Mode

KEEP_ALIVE_S = 5.0  # wall seconds between comments on a quiet stream, so that a dead peer is noticed (design)
MISSED_SCANS = 3.0  # scan periods without a scan after which the loop counts as degraded (design)


class StateView(View):
    """The controller's status and its latest decision, null before the first scan."""

    status: StatusView
    decision: DecisionView | None


class ForecastsView(View):
    """The future if nothing changes, and the future under the proposal."""

    baseline: ForecastView | None
    proposed: ForecastView | None


class TurnView(View):
    """The small message sent at every turn: fetch the state to know more."""

    time: datetime
    scans: int
    mode: Mode
    open: bool


class HealthView(View):
    """Whether the gateway answers, and what it knows of the loop behind it."""

    status: Literal["ok", "degraded", "starting"]
    link: str
    scans: int
    scan_age_s: Number


router = APIRouter(prefix="/api/v1")


@router.get("/plant", summary="What is controlled")
async def plant(source: TheSource) -> PlantView:
    """Variables with units and spans, limits, batch length: what stays while the controller runs."""
    return PlantView.model_validate(source.plant())


@router.get("/state", summary="The present")
async def state(source: TheSource) -> StateView:
    """The controller's status and its latest decision; `decision` is null before the first scan."""
    decision = source.latest()
    return StateView(status=_status(source), decision=None if decision is None else decision_view(decision))


@router.get("/forecast", summary="The future, with and without the proposal")
async def forecast(
    source: TheSource,
    variable: Annotated[list[str], Query(description="states and outputs; none means all")] = [],  # noqa: B006
) -> ForecastsView:
    """Bands of the baseline and of the proposed plan. Both are null before the first forecast."""
    decision = source.latest()
    if decision is None:
        return ForecastsView(baseline=None, proposed=None)
    return ForecastsView(
        baseline=forecast_view(decision.baseline, variable),
        proposed=forecast_view(decision.proposed, variable),
    )


@router.get("/trend", summary="Decimated history")
async def trend(
    source: TheSource,
    series: Annotated[list[str], Query(min_length=1, max_length=100, description="such as process.ph")],
    start: Annotated[datetime | None, Query(description="process time; default: start of the batch")] = None,
    end: Annotated[datetime | None, Query(description="process time; default: the latest scan")] = None,
    buckets: Annotated[int, Query(ge=1, le=2000)] = 400,
) -> TrendView:
    """By series and bucket: time in ms, minimum, mean, maximum, worst quality. Empty buckets are left out."""
    decision = source.latest()
    if decision is None:
        return TrendView(series={})
    first = _utc(start) or _status(source).batch.start or decision.time - timedelta(days=1)
    last = _utc(end) or decision.time + timedelta(milliseconds=1)
    if last <= first:
        raise HTTPException(422, f"the end {last.isoformat()} is not after the start {first.isoformat()}")
    rows = await source.trend(series, first, last, buckets)
    return TrendView.model_validate({"series": rows})


@router.get("/assays", summary="Laboratory results")
async def assays(source: TheSource) -> list[AssayView]:
    """The results of this batch, each with its sampling time."""
    return [AssayView.model_validate(assay) for assay in await source.assays()]


@router.get("/gaps", summary="Intervals without data")
async def gaps(source: TheSource, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> list[GapView]:
    """Each with its cause and with what was fetched for it later: newest first."""
    return [GapView.model_validate(gap) for gap in await source.gaps(limit)]


@router.get("/events", summary="What happened")
async def events(
    source: TheSource,
    limit: Annotated[int, Query(ge=1, le=500)] = 30,
    kind: Annotated[list[str], Query(max_length=20, description="only such of the present batch; none: all")] = [],  # noqa: B006
) -> list[EventView]:
    """Mode changes, phases, answers of operators, commands, refusals, lost links: newest first."""
    return [EventView.model_validate(event) for event in await source.events(limit, kind)]


@router.get("/stream", summary="One event a turn", response_class=StreamingResponse)
async def stream(source: TheSource, request: Request) -> StreamingResponse:
    """Server-sent events named `turn`, whose data is a TurnView; comments keep a quiet line open."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    messages = _messages(source, request.app.state.closing)
    return StreamingResponse(messages, media_type="text/event-stream", headers=headers)


@router.get("/health", summary="Is somebody there")
async def health(source: TheSource) -> HealthView:
    """Degraded when the plant's link is down or scans are overdue; starting before the first scan."""
    status = _status(source)
    overdue = None not in (status.scan_age_s, status.scan_period_s) and _overdue(status)
    word: Literal["ok", "degraded", "starting"] = "ok"
    if source.latest() is None:
        word = "starting"
    elif status.link != "connected" or overdue:
        word = "degraded"
    return HealthView(status=word, link=status.link, scans=status.scans, scan_age_s=status.scan_age_s)


def _overdue(status: StatusView) -> bool:
    return (status.scan_age_s or 0.0) > MISSED_SCANS * max(status.scan_period_s or 0.0, 1.0)


def _status(source: Source) -> StatusView:
    status = StatusView.model_validate(source.status())
    if status.scanned_at is not None:
        status.scan_age_s = max(0.0, (datetime.now(UTC) - status.scanned_at).total_seconds())
    return status


def _utc(time: datetime | None) -> datetime | None:
    """A time without a zone is meant as UTC."""
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time


async def _messages(source: Source, closing: asyncio.Event) -> AsyncIterator[str]:
    """The event stream as text; ends with the source or the server, and closes the former's iterator."""
    turns, closed = source.subscribe(), asyncio.ensure_future(closing.wait())
    pending: asyncio.Future[datetime] | None = None
    yield ": neurotwin\n\n"
    try:
        while not closed.done():
            pending = pending or asyncio.ensure_future(anext(turns))
            either: set[asyncio.Future[Any]] = {pending, closed}
            await asyncio.wait(either, timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
            if not pending.done():
                if not closed.done():
                    yield ": alive\n\n"
                continue
            time, pending = pending.result(), None
            yield f"event: turn\ndata: {_turn(source, time).model_dump_json()}\n\n"
    except StopAsyncIteration:
        return
    finally:
        closed.cancel()
        if pending is not None:
            pending.cancel()
            await asyncio.wait({pending})
        if isinstance(turns, AsyncGenerator):
            await turns.aclose()


def _turn(source: Source, time: datetime) -> TurnView:
    status, decision = _status(source), source.latest()
    return TurnView(time=time, scans=status.scans, mode=status.mode, open=decision is not None and decision.open)


def hang_up(app: FastAPI) -> None:
    """End the open streams; a server that is told to stop waits for them. To be called on its event loop."""
    app.state.closing.set()


def application(source: Source, access: Access | None = None, names: Collection[str] = ()) -> FastAPI:
    """The gateway over a source. Without `access` nobody signs in: then it may be served on loopback only."""
    app = FastAPI(
        title="NeuroTwin gateway",
        version="1",
        summary="The control loop of one plant: what it sees, believes, predicts, proposes and is asked.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # the documentation pages would load scripts from the internet
        redoc_url=None,
    )
    app.state.source = source
    app.state.docket = Docket()
    app.state.access = access
    app.state.closing = asyncio.Event()
    for routes in (router, intents.router, looking.router, sessions.router, alarm_routes.router, batch_routes.router):
        app.include_router(routes)
    app.add_route("/docs", handbook, include_in_schema=False)
    app.add_exception_handler(RequestValidationError, malformed.answer)
    app.add_middleware(Guard, access=access, names=names)
    return app
