"""The console's one line to the gateway: it follows the turns and says when nobody answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

import httpx

POLL_S = 2.0  # the state is asked for at least this often: a lost plant takes no turns (design)
GAP_S = 0.25  # and at most this often, however fast a simulated plant runs (design)
ASSAYS_EVERY_S = 2.0  # they take hours to arrive (design)
RETRY_S = 1.0  # between attempts to reach a gateway that is away (design)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway said to something a person asked; `status` may also be "invalid" or "unknown"."""

    status: str
    reason: str
    id: str = ""


class Link:
    """What is known of the controller. Pages read it; only `run` writes it."""

    def __init__(self, gateway_url: str) -> None:
        self.url = gateway_url.rstrip("/")
        self.plant: Json | None = None
        self.status: Json | None = None
        self.decision: Json | None = None
        self.events: list[Json] = []
        self.assays: list[Json] = []
        self.version = 0  # rises with every new answer
        self.away_since: datetime | None = datetime.now().astimezone()
        self._away_from = monotonic()
        self._heard_at = monotonic()
        self._stale = asyncio.Event()
        self._forecasts: tuple[object, Json] = (None, {})
        # A proxy from the environment must not stand between two programs of one machine.
        timeout = httpx.Timeout(5.0, read=10.0)
        self._client = httpx.AsyncClient(base_url=f"{self.url}/api/v1", timeout=timeout, trust_env=False)

    @property
    def away(self) -> tuple[datetime, float] | None:
        """Since when the gateway does not answer and for how many seconds; None while it does."""
        return None if self.away_since is None else (self.away_since, monotonic() - self._away_from)

    @property
    def heard_s(self) -> float:
        """Seconds since the state was last heard."""
        return monotonic() - self._heard_at

    async def run(self) -> None:
        """Keep the line, until cancelled."""
        try:
            while True:
                try:
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(self._keep_fresh())
                        tasks.create_task(self._follow_turns())
                except* (httpx.HTTPError, ValueError):  # ValueError: the answer was no JSON
                    if self.away_since is None:
                        self.away_since, self._away_from = datetime.now().astimezone(), monotonic()
                        self.version += 1
                await asyncio.sleep(RETRY_S)
        finally:
            await self._client.aclose()

    async def _keep_fresh(self) -> None:
        self.plant = await self._get("/plant")
        listed = -ASSAYS_EVERY_S
        while True:
            self._stale.clear()
            state = await self._get("/state")
            self.events = await self._get("/events")
            if monotonic() - listed >= ASSAYS_EVERY_S:
                self.assays, listed = await self._get("/assays"), monotonic()
            self.status, self.decision = state["status"], state["decision"]
            self.away_since, self._heard_at = None, monotonic()
            self.version += 1
            await asyncio.sleep(GAP_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stale.wait(), POLL_S)

    async def _follow_turns(self) -> None:
        async with self._client.stream("GET", "/stream") as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("data:"):
                    self._stale.set()
        raise httpx.RemoteProtocolError("the gateway ended the stream")

    async def _get(self, path: str, **parameters: Any) -> Any:
        response = await self._client.get(path, params=parameters)
        response.raise_for_status()
        return response.json()

    async def trend(self, series: Sequence[str], start: datetime, end: datetime, buckets: int) -> Json:
        """Decimated history by series; empty when the gateway does not answer."""
        asked = {
            "series": list(series),
            "start": start.isoformat(),
            "end": end.isoformat(),
            "buckets": buckets,
        }
        try:
            found: Json = (await self._get("/trend", **asked))["series"]
        except (httpx.HTTPError, ValueError):
            return {}
        return found

    async def forecasts(self) -> Json:
        """The forecasts of the latest decision; they are fetched anew only when they were made anew."""
        decision = self.decision
        if decision is None:
            return {}
        made = (decision["baseline_made_at"], decision["proposed_made_at"])
        if made != self._forecasts[0]:
            try:
                self._forecasts = (made, await self._get("/forecast"))
            except (httpx.HTTPError, ValueError):
                return {}
        return self._forecasts[1]

    async def ask(self, intent: Mapping[str, Any]) -> Answer:
        """Put something before the loop; the answer says in words what became of it."""
        try:
            response = await self._client.post("/intents", json=dict(intent))
            told = response.json()
        except httpx.ConnectError:
            return Answer("unknown", "The controller is not reachable: nothing was asked of it.")
        except (httpx.HTTPError, ValueError):
            return Answer("unknown", "No answer came: look at the events to see whether it was heard.")
        self._stale.set()
        if response.status_code in {200, 202, 409}:
            return Answer(told["status"], told["reason"], told["id"])
        return Answer("invalid", _objection(told))

    async def outcome(self, answer: Answer) -> Answer:
        """What has become of a queued intent by now."""
        try:
            told = await self._get(f"/intents/{answer.id}")
        except (httpx.HTTPError, ValueError):
            return answer
        if told["status"] != "queued":
            self._stale.set()
        return Answer(told["status"], told["reason"], told["id"])


def _objection(told: Json) -> str:
    """The gateway's reason for not even asking the loop."""
    detail = told.get("detail", "the gateway refused it")
    if isinstance(detail, str):
        return detail
    return "; ".join(f"{error['loc'][-1]}: {error['msg']}" for error in detail)
