"""What-if routes, which look deeper and change nothing: plans by hand, past suggestions, surface, parts, report."""

from __future__ import annotations

from dataclasses import astuple
from datetime import datetime
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from controller.edge.advice import Past
from controller.edge.gateway.dependencies import TheSource
from controller.edge.gateway.intents import Moves
from controller.edge.gateway.source import FollowedView, PastView, SystemView
from controller.edge.gateway.views import (
    EffectView,
    ForecastView,
    Number,
    SuggestionView,
    VerdictView,
    View,
    forecast_view,
)
from controller.edge.worker import Busy
from twin.correction import log_multipliers
from twin.correction import surface as learned_surface
from twin.records import Correction, Step

router = APIRouter(prefix="/api/v1")
NO_SCAN: dict[int | str, dict[str, Any]] = {
    409: {"description": "There is nothing to look at yet, or the plan cannot be looked at"}
}
MANY: dict[int | str, dict[str, Any]] = {429: {"description": "Too many ask at a time"}}


class StepIn(BaseModel):
    """From `start` (process time; without it, from now) these setpoints hold."""

    model_config = ConfigDict(extra="forbid")
    start: datetime | None = None
    inputs: Moves


class WhatIfIn(BaseModel):
    """A plan by hand: changes to what the present plan holds."""

    model_config = ConfigDict(extra="forbid")
    steps: Annotated[list[StepIn], Field(min_length=1, max_length=24)]
    variables: Annotated[list[str], Field(max_length=40, description="none means all")] = []


class WhatIfView(View):
    """The present plan and the one by hand, the gain between them, and what safety would say of it now."""

    baseline: ForecastView
    forecast: ForecastView
    effect: EffectView
    verdict: VerdictView
    suggestion: SuggestionView


class SurfaceView(View):
    """What one rate is multiplied by (its logarithm), over two states, all others as estimated now."""

    rate: str
    x: str
    y: str
    xs: list[float]
    ys: list[float]
    values: list[list[Number]]  # a row for each y
    here: tuple[float, float]
    rates: list[str]
    states: list[str]
    bound: float


@router.post("/what-if", summary="The forecast of a plan by hand", responses=NO_SCAN | MANY)
async def what_if(asked: WhatIfIn, source: TheSource) -> WhatIfView:
    """Forecast a plan beside the present one. Nothing is proposed, remembered or written."""
    latest = source.latest()
    if latest is None:
        raise HTTPException(409, "there is no scan yet to look ahead from")
    steps = [Step(_aware(step.start, latest.time), step.inputs) for step in asked.steps]
    try:
        found = await source.what_if(steps)
    except Busy:
        raise HTTPException(429, "others are asking what if; try again in a moment", {"Retry-After": "2"}) from None
    if isinstance(found, str):
        raise HTTPException(409, found)
    baseline, forecast = (forecast_view(f, asked.variables) for f in (found.baseline, found.forecast))
    if baseline is None or forecast is None:
        raise HTTPException(409, "there is no forecast")
    return WhatIfView(
        baseline=baseline,
        forecast=forecast,
        effect=EffectView.model_validate(found.suggestion.effect),
        verdict=VerdictView.model_validate(found.verdict),
        suggestion=SuggestionView.model_validate(found.suggestion),
    )


def _aware(start: datetime | None, now: datetime) -> datetime:
    """A time that was not given, or lies in the past, is now; one without a zone is meant as UTC."""
    if start is None:
        return now
    return max(now, start if start.tzinfo is not None else start.replace(tzinfo=now.tzinfo))


@router.get("/suggestions", summary="What was suggested, and what came of it")
async def suggestions(source: TheSource) -> list[PastView]:
    """The suggestions of this batch, newest first: predicted effect, answer, and what followed by now."""
    return [past_view(past, source) for past in await source.suggestions()]


def past_view(past: Past, source: TheSource) -> PastView:
    """One of them as the wire shows it."""
    came = source.followed(past)
    return PastView(
        suggestion=SuggestionView.model_validate(past.suggestion),
        status=past.status,
        by=past.by,
        given=past.given,
        at=past.at,
        followed=None if came is None else FollowedView.model_validate(came),
    )


@router.get("/surface", summary="The correction that NeuroCore has learned", responses=NO_SCAN)
async def surface(
    source: TheSource,
    rate: Annotated[str, Query(description="none: the first")] = "",
    x: Annotated[str, Query(description="a coded state; none: the first")] = "",
    y: Annotated[str, Query(description="another; none: the second")] = "",
    points: Annotated[int, Query(ge=2, le=60)] = 25,
) -> SurfaceView:
    """The logarithm of a rate's multiplier over the span of two coded states."""
    decision = source.latest()
    if decision is None:
        raise HTTPException(409, "there is no scan yet")
    correction, estimate = decision.insight.correction, decision.estimate
    coded, rates = list(correction.population.states), list(correction.multiplier_names)
    if len(coded) < 2 or not rates:
        raise HTTPException(409, "nothing has been learned over two states yet")
    rate = rate or rates[0]
    x = x or coded[0]
    y = y or next(name for name in coded if name != x)
    for kind, name, known in (("rate", rate, rates), ("state", x, coded), ("state", y, coded)):
        if name not in known:
            raise HTTPException(422, f"there is no {kind} {name!r}; there are: {', '.join(known)}")
    xs, ys = (_span(correction, name, points) for name in (x, y))
    here = {name: float(estimate[name]) for name in coded}
    values = _grid(correction, rates.index(rate), here, (x, y), xs, ys)
    bound = correction.bounds[rates.index(rate)]
    return SurfaceView(
        rate=rate,
        x=x,
        y=y,
        xs=xs,
        ys=ys,
        values=values,
        here=(here[x], here[y]),
        rates=rates,
        states=coded,
        bound=bound,
    )


def _grid(
    correction: Correction, rate: int, here: dict[str, float], axes: tuple[str, str], xs: list[float], ys: list[float]
) -> list[list[float | None]]:
    """The log multiplier at every point, a row for each y; compiled, so that a grid costs milliseconds."""
    coded, rates = list(here), list(correction.multiplier_names)
    learned, out = learned_surface(correction, coded, rates), np.zeros(len(rates))
    at, (column, row) = np.array(list(here.values())), (coded.index(name) for name in axes)
    values: list[list[float | None]] = []
    for b in ys:
        values.append([])
        for a in xs:
            at[column], at[row] = a, b
            log_multipliers(at, *astuple(learned), out)
            values[-1].append(float(out[rate]))
    return values


def _span(correction: Correction, name: str, points: int) -> list[float]:
    index = correction.population.states.index(name)
    return [float(v) for v in np.linspace(correction.population.low[index], correction.population.high[index], points)]


@router.get("/system", summary="How the parts of the system do")
async def system(source: TheSource) -> list[SystemView]:
    """Link, loop, historian, outbox, data without gaps and NeuroCore: a word, a sentence and the figures."""
    return [SystemView.model_validate(part) for part in await source.system()]


@router.get("/report", summary="The report of the batch so far", response_class=HTMLResponse, responses=NO_SCAN)
async def report(source: TheSource) -> HTMLResponse:
    """One page that asks the network for nothing, as `neurotwin report` writes it; it takes some seconds to make."""
    made = await source.report()
    if isinstance(made, str):
        raise HTTPException(409, made)
    return HTMLResponse(made)
