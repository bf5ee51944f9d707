"""Alarms and batches over REST: what a console shows, and what it asks of a loop that turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from controller.edge.gateway import application
from controller.loop.alarm_records import AlarmBook, Priority
from controller.loop.alarms import AlarmRules, Definition, Kind, Sight, watch
from controller.loop.batch import Condition, Phase, Recipe, advance
from controller.loop.batch_records import BatchRecord
from controller.loop.records import ALARM_KINDS, BATCH_KINDS, Decision, Intent, Ruling
from twin.signals import Plant

LOW = Definition(
    "oxygen_low", "Dissolved oxygen low", "process.dissolved_oxygen", Kind.LOW, Priority.HIGH, "it starves", "add air",
    unit="%", limit=70.0, within=timedelta(minutes=15),
)  # fmt: skip
RECIPE = Recipe((Phase("growth", "Growth", (Condition("batch_h", ">=", 60.0),)),), {"precursor_feed": 0.0002}, "volume")


class Source:
    """A source whose every intent is judged at once by the real book of alarms and the real batch."""

    def __init__(self, world: Any) -> None:
        self.world, self.book = world, AlarmBook()
        self.batch: BatchRecord | None = None
        self.asked: list[Intent] = []
        self._turn(())

    def _turn(self, intents: tuple[Intent, ...]) -> tuple[Ruling, ...]:
        world = self.world
        sight = Sight(world.now, ("production",), world.snapshot.readings)
        self.book, first = watch(self.book, (LOW,), AlarmRules(), sight, intents)
        situation = replace(world.situation, intents=intents, batch_start=world.now - timedelta(hours=50))
        seen = {"estimate.volume": 100.0}
        self.batch, second, _ = advance(self.batch, RECIPE, situation, world.snapshot, seen, world.plant)
        return (*first, *second)

    async def submit(self, intent: Intent) -> Ruling:
        self.asked.append(intent)
        rulings = self._turn((intent,))
        known = intent.kind in (*ALARM_KINDS, *BATCH_KINDS)
        return rulings[0] if known else Ruling(intent, True, "noted")

    def latest(self) -> Decision:
        w = self.world
        return Decision(
            w.now, "R1", w.mode.ADVISORY, "", w.snapshot, w.situation, w.estimate, w.insight, None, None, None, None,
            None, False, batch=self.batch, alarms=self.book,
        )  # fmt: skip

    def alarms(self) -> tuple[tuple[Definition, ...], AlarmRules]:
        return (LOW,), AlarmRules()

    def recipe(self) -> Recipe:
        return RECIPE

    def plant(self) -> dict[str, Any]:
        plant: Plant = self.world.plant
        return {"name": plant.name, "batch_length_h": 230.0}

    async def subscribe(self) -> AsyncIterator[datetime]:
        yield self.world.now


@pytest.fixture
def source(world: SimpleNamespace) -> Source:
    return Source(world)


class Client:
    """Requests to the gateway itself, without a socket."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def _ask(self, method: str, path: str, body: Any) -> httpx.Response:
        wire = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=wire, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, json=body)

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self._ask("GET", path, None))

    def post(self, path: str, json: Any) -> httpx.Response:
        return asyncio.run(self._ask("POST", path, json))


@pytest.fixture
def client(source: Any) -> Client:
    return Client(application(source))


def test_an_alarm_is_listed_with_what_to_do_and_acknowledged(client: Client) -> None:
    listed = client.get("/api/v1/alarms").json()
    [alarm] = listed["alarms"]
    assert (alarm["state"], alarm["message"]) == ("unacknowledged", "Dissolved oxygen low: 60 % is below 70 %")
    assert (alarm["consequence"], alarm["response"], alarm["within_min"]) == ("it starves", "add air", 15.0)
    assert listed["figures"]["last_10_min"] == 1
    answer = client.post("/api/v1/alarms/oxygen_low/ack", json={"by": "ada"})
    assert (answer.status_code, answer.json()["status"]) == (200, "granted")
    assert client.get("/api/v1/alarms").json()["alarms"][0]["state"] == "acknowledged"


def test_an_alarm_is_shelved_for_the_hours_that_are_allowed(client: Client) -> None:
    assert client.post("/api/v1/alarms/oxygen_low/shelve", json={"by": "ada", "hours": 99}).status_code == 409
    assert client.post("/api/v1/alarms/oxygen_low/shelve", json={"by": "ada", "hours": -1}).status_code == 422
    assert client.post("/api/v1/alarms/oxygen_low/shelve", json={"by": "ada", "hours": 2}).status_code == 200
    assert client.get("/api/v1/alarms").json()["alarms"][0]["shelved_until"] == "2026-01-03T14:00:00Z"
    assert client.post("/api/v1/alarms/oxygen_low/unshelve", json={"by": "ada"}).status_code == 200
    assert client.post("/api/v1/alarms/nonsense/ack", json={"by": "ada"}).status_code == 409
    assert client.post("/api/v1/alarms/oxygen_low/explode", json={"by": "ada"}).status_code == 422


def test_the_batch_is_shown_and_held_and_says_what_may_be_asked(client: Client) -> None:
    batch = client.get("/api/v1/batch").json()
    assert (batch["state"], batch["phase"], batch["batch_h"]) == ("running", "growth", 50.0)
    assert batch["allowed"] == ["hold", "stop", "abort"]
    assert batch["phases"][0]["state"] == "now"
    assert (batch["booked_l"], batch["hold"]) == (100.0, {"precursor_feed": 0.0002})
    assert client.post("/api/v1/batch/hold", json={"by": "ada", "reason": "foam"}).status_code == 200
    assert client.get("/api/v1/batch").json()["reason"] == "hold by ada: foam"
    refused = client.post("/api/v1/batch/start", json={"by": "ada", "reason": "go on"})
    assert (refused.status_code, refused.json()["reason"]) == (409, "the batch is holding: there is nothing to start")
    assert client.post("/api/v1/batch/hold", json={"by": "ada"}).status_code == 422


def test_samples_results_and_notes_reach_the_loop_with_their_times(client: Client, source: Source) -> None:
    drawn = "2026-01-03T08:00:00+01:00"
    sample = {"by": "ada", "drawn_at": drawn, "volume_ml": 20, "results": [
        {"variable": "product", "value": 1.2, "unit": "g/L"}]}  # fmt: skip
    assert client.post("/api/v1/samples", json=sample).status_code == 200
    taken = source.asked[-1].sample
    assert taken is not None
    assert (taken.volume_l, taken.assays[0].sampled_at.isoformat()) == (0.02, drawn)
    result = {"by": "ada", "variable": "product", "value": 1.3, "unit": "g/L", "sampled_at": drawn}
    assert client.post("/api/v1/assays", json=result).status_code == 200
    assert client.post("/api/v1/notes", json={"by": "ada", "text": "foam at the rim"}).status_code == 200
    assert source.asked[-1].reason == "foam at the rim"
    assert client.post("/api/v1/assays", json={**result, "sampled_at": "2026-01-03T08:00:00"}).status_code == 422
