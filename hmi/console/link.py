"""Gateway client: the console's one line to a gateway follows the turns and says when nobody answers."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx

POLL_S = 2.0  # the state is asked for at least this often: a lost plant takes no turns (design)
GAP_S = 0.25  # and at most this often, however fast a simulated plant runs (design)
ASSAYS_EVERY_S = 2.0  # they take hours to arrive (design)
KEPT = 64  # answers that are remembered for a moment (design)
RETRY_S = 1.0  # between attempts to reach a gateway that is away (design)
REPORT_S = 310.0  # a report is made by a process of its own, which takes its time (design)

Json = dict[str, Any]
FORGOTTEN = "The controller was started anew and knows nothing of it: look at the events to see whether it was done."


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where a gateway is, the token by which the console may look, and the certificate it shows, if its own."""

    url: str
    token: str = ""
    certificate: Path | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway said to something a person asked; `status` may also be "invalid", "unknown" or "forgotten"."""

    status: str
    reason: str
    id: str = ""


class Link:
    """What is known of the controller. Pages read it; only `run` writes it."""

    def __init__(self, gateway: Gateway) -> None:
        if urlsplit(gateway.url).scheme not in {"http", "https"} or not urlsplit(gateway.url).hostname:
            raise ValueError(f"gateway {gateway.url!r} is no web address; write it as 'http://127.0.0.1:8420'")
        self.url = gateway.url.rstrip("/")
        self.open: bool | None = None  # whether everybody may act there; None while that is not known
        self.plant: Json | None = None
        self.status: Json | None = None
        self.decision: Json | None = None
        self.events: list[Json] = []
        self.alarms: Json = {}
        self.assays: list[Json] = []
        self.version = 0  # rises with every new answer
        self.away_since: datetime | None = datetime.now().astimezone()
        self._away_from = monotonic()
        self._heard_at = monotonic()
        self._stale = asyncio.Event()
        self._forecasts: tuple[object, Json] = (None, {})
        self._kept: dict[tuple[object, ...], tuple[float, asyncio.Task[Any]]] = {}
        # A proxy from the environment must not stand between two programs of one machine.
        timeout = httpx.Timeout(5.0, read=10.0)
        self._client = httpx.AsyncClient(
            base_url=f"{self.url}/api/v1",
            timeout=timeout,
            trust_env=False,
            verify=_trusting(gateway.certificate),
            headers={"Authorization": f"Bearer {gateway.token}"} if gateway.token else None,
        )

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
        self.open = (await self._get("/session"))["kind"] == "open"
        self.plant = await self._get("/plant")
        listed = -ASSAYS_EVERY_S
        while True:
            self._stale.clear()
            state = await self._get("/state")
            self.events, self.alarms = await self._get("/events"), await self._get("/alarms")
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
            found: Json = (await self.kept("/trend", 1.0, **asked))["series"]
        except (httpx.HTTPError, ValueError):
            return {}
        return found

    async def kept(self, path: str, for_s: float, **parameters: Any) -> Any:
        """What the gateway says there, asked anew at most every `for_s` seconds, however many pages want it.

        httpx.HTTPError or ValueError when it cannot be had.
        """
        key = (path, *((name, str(value)) for name, value in parameters.items()))
        known = self._kept.get(key)
        if known is None or monotonic() - known[0] > for_s or _failed(known[1]):
            while len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            known = (monotonic(), asyncio.ensure_future(self._get(path, **parameters)))
            self._kept[key] = known
        return await asyncio.shield(known[1])

    async def look(self, path: str, for_s: float = 1.0, **parameters: Any) -> Any:
        """The same for a display: None when it cannot be had."""
        try:
            return await self.kept(path, for_s, **parameters)
        except (httpx.HTTPError, ValueError):
            return None

    async def sign_in(self, name: str, password: str, address: str) -> tuple[str, str, str]:
        """Token and role of this person, whose browser is at that address, or "", "" and the reason why not."""
        asked, headers = {"name": name, "password": password}, {"X-Browser-Address": address}
        try:
            response = await self._client.post("/session", json=asked, headers=headers)
            told = response.json()
        except (httpx.HTTPError, ValueError):
            return "", "", "The controller is not reachable."
        if response.status_code == 200:
            return told["token"], told["role"], ""
        return "", "", _objection(told)

    async def sign_out(self, token: str) -> None:
        """End a person's session."""
        with contextlib.suppress(httpx.HTTPError):
            await self._client.delete("/session", headers=_as(token))

    async def still(self, token: str) -> bool:
        """Whether a person's session goes on; a gateway that is away ends none."""
        try:
            return (await self._client.get("/session", headers=_as(token))).status_code != 401
        except httpx.HTTPError:
            return True

    async def send(self, method: str, path: str, body: Mapping[str, Any] | None, token: str) -> tuple[int, Any]:
        """Ask for something in a person's name: the status and what was said; 0 when nobody answered."""
        try:
            response = await self._client.request(method, path, json=body, headers=_as(token))
            told = response.json() if response.content else {}
        except (httpx.HTTPError, ValueError):
            return 0, {"detail": "The controller did not answer."}
        self._kept = {key: value for key, value in self._kept.items() if key[0] == "/trend"}
        self._stale.set()
        return response.status_code, told

    async def report(self) -> tuple[int, str]:
        """200 and the page that reports of the batch so far, or another status and why there is none."""
        try:
            response = await self._client.get("/report", timeout=REPORT_S)
            return response.status_code, response.text if response.is_success else _objection(response.json())
        except (httpx.HTTPError, ValueError):
            return 502, "The controller did not answer."

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

    async def ask(self, asked: Mapping[str, Any], token: str = "", path: str = "/intents") -> Answer:
        """Put something before the loop; the answer says in words what became of it."""
        try:
            response = await self._client.post(path, json=dict(asked), headers=_as(token))
            told = response.json()
        except httpx.ConnectError:
            return Answer("unknown", "The controller is not reachable: nothing was asked of it.")
        except (httpx.HTTPError, ValueError):
            return Answer("unknown", "No answer came: look at the events to see whether it was heard.")
        self._stale.set()
        self._kept.clear()
        if response.status_code in {200, 202, 409}:
            return Answer(told["status"], told["reason"], told["id"])
        return Answer("invalid", _objection(told))

    async def outcome(self, answer: Answer) -> Answer:
        """What has become of a queued intent by now."""
        try:
            told = await self._get(f"/intents/{answer.id}")
        except httpx.HTTPStatusError as fault:
            return Answer("forgotten", FORGOTTEN) if fault.response.status_code == 404 else answer
        except (httpx.HTTPError, ValueError):
            return answer
        if told["status"] != "queued":
            self._stale.set()
        return Answer(told["status"], told["reason"], told["id"])


def objection(told: Any) -> str:
    """The gateway's reason for a refusal, in words."""
    return _objection(told) if isinstance(told, dict) else "The gateway refused it."


def _as(token: str) -> dict[str, str] | None:
    return {"Authorization": f"Bearer {token}"} if token else None


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _trusting(certificate: Path | None) -> ssl.SSLContext | bool:
    """Trust exactly this certificate, whatever name it was made out to; without one, whom the system trusts."""
    if certificate is None:
        return True
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False  # the certificate itself is the proof
    return context


def _objection(told: Json) -> str:
    """The gateway's reason for not even asking the loop."""
    detail = told.get("detail", "the gateway refused it")
    if isinstance(detail, str):
        return detail
    return "; ".join(f"{error['loc'][-1]}: {error['msg']}" for error in detail)
