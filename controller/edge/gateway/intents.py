"""Intent queue: what people ask of the loop, and what became of it, granted or refused, each with its reason."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import count
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, HTTPException, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from controller.edge.gateway.dependencies import TheSource
from controller.edge.gateway.source import Source
from controller.edge.gateway.views import View
from controller.loop.records import Intent, Mode, Ruling, Unsettled
from controller.support.visible import only_visible

ANSWER_WITHIN_S = 4.0  # wall seconds a request waits for its ruling before it is told "queued" (design)
INTENTS_KEPT = 200  # outcomes that can still be asked for (design)

Visible = AfterValidator(only_visible)
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), Visible]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500), Visible]
Remark = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), Visible]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]  # a number: no text, no true
Moves = Annotated[
    dict[Name, Finite],
    Field(min_length=1, max_length=20, description="setpoints by variable, in their own units"),
]


class Asked(BaseModel):
    """What a person asks; anything not declared here is refused."""

    model_config = ConfigDict(extra="forbid")
    by: Name = Field(description="who asks", examples=["A. Keller"])


class AcceptIn(Asked):
    """Accept the open suggestion; a remark is welcome."""

    kind: Literal["accept"]
    suggestion: Name
    reason: Remark = ""


class RejectIn(Asked):
    """Reject the open suggestion, and say why."""

    kind: Literal["reject"]
    suggestion: Name
    reason: Sentence


class ModeIn(Asked):
    """Change the mode, and say why."""

    kind: Literal["mode"]
    mode: Mode
    reason: Sentence


class ModifyIn(Asked):
    """Take the open suggestion with other setpoints, and say why."""

    kind: Literal["modify"]
    suggestion: Name
    moves: Moves
    reason: Sentence


class ProposeIn(Asked):
    """Stand for setpoints of one's own, and say why; safety judges them like any suggestion."""

    kind: Literal["propose"]
    moves: Moves
    reason: Sentence


IntentIn = Annotated[AcceptIn | ModifyIn | ProposeIn | RejectIn | ModeIn, Body(discriminator="kind")]


class OutcomeView(View):
    """What became of an intent: queued until a turn has judged it."""

    id: str
    status: Literal["granted", "refused", "queued", "unknown"]
    reason: str


class Docket:
    """The intents of this session: each is before the loop, or judged."""

    def __init__(self) -> None:
        self._ids = count(1)
        self._asked: dict[str, asyncio.Task[Ruling]] = {}

    async def ask(self, source: Source, intent: Intent, wait_s: float) -> OutcomeView:
        """Put the intent before the loop; the answer is its ruling, or that it is queued."""
        key = str(next(self._ids))
        task = asyncio.ensure_future(_judged(source, intent))
        self._asked[key] = task
        while len(self._asked) > INTENTS_KEPT:
            self._asked.pop(next(iter(self._asked)))
        await asyncio.wait({task}, timeout=wait_s)
        return self.outcome(key)

    def outcome(self, key: str) -> OutcomeView:
        """What is known of the intent of that id; KeyError when there is none."""
        task = self._asked[key]
        if not task.done():
            return OutcomeView(id=key, status="queued", reason="it is judged in the next turn of the loop")
        if task.cancelled():
            return OutcomeView(id=key, status="refused", reason="the controller stopped before it was judged")
        ruling = task.result()
        if isinstance(ruling, Unsettled):
            return OutcomeView(id=key, status="unknown", reason=ruling.reason)
        return OutcomeView(id=key, status="granted" if ruling.granted else "refused", reason=ruling.reason)


async def _judged(source: Source, intent: Intent) -> Ruling:
    return await source.submit(intent)


def _docket(request: Request) -> Docket:
    docket: Docket = request.app.state.docket
    return docket


TheDocket = Annotated[Docket, Depends(_docket)]
router = APIRouter(prefix="/api/v1")


REPLIES: dict[int | str, dict[str, Any]] = {
    202: {
        "model": OutcomeView,
        "description": "Queued: no turn was taken yet; ask for it by its id. "
        "Or unknown: it was sent to the plant, and may be in force; the events tell what became of it",
    },
    409: {"model": OutcomeView, "description": "Refused, with the reason"},
}


@router.post("/intents", summary="Ask the loop for something", responses=REPLIES)
async def ask(intent: IntentIn, source: TheSource, docket: TheDocket, response: Response) -> OutcomeView:
    """Accept, modify or reject the open suggestion, propose setpoints, or change the mode: judged at the next reading.

    What is to be written is answered when it has been: in force at the plant, refused there and why, or not known yet.
    """
    about: dict[str, Any] = {
        "suggestion": "" if isinstance(intent, ModeIn | ProposeIn) else intent.suggestion,
        "mode": intent.mode if isinstance(intent, ModeIn) else None,
        "moves": intent.moves if isinstance(intent, ModifyIn | ProposeIn) else {},
    }
    return await put(intent.kind, intent.by, intent.reason, source, docket, response, **about)


async def put(
    kind: str, by: str, reason: str, source: Source, docket: Docket, response: Response, **about: Any
) -> OutcomeView:
    """Put an intent before the loop and set the status of the answer; `about` are further fields of the Intent."""
    decision = source.latest()
    at = datetime.now(UTC) if decision is None else decision.time
    outcome = await docket.ask(source, Intent(kind=kind, by=by, at=at, reason=reason, **about), ANSWER_WITHIN_S)
    response.status_code = {"granted": 200, "queued": 202, "unknown": 202, "refused": 409}[outcome.status]
    return outcome


@router.get("/intents/{key}", summary="The outcome of an intent", responses={404: {"description": "Not known"}})
async def intent_outcome(key: str, docket: TheDocket) -> OutcomeView:
    """Granted, refused with the reason, or still queued."""
    try:
        return docket.outcome(key)
    except KeyError:
        raise HTTPException(404, f"there is no intent {key!r} in this session") from None
