"""The patient on the console: the samples played through the same turn, and answers judged by it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import httpx
import pytest

from controller.edge.gateway import application
from controller.loop.records import Intent, Mode, Suggestion
from controller.patient.audit import of_decisions
from controller.patient.console import console_beside, playing, serve_patient
from controller.patient.course import Course, decide
from controller.patient.data.samples import Sample
from controller.patient.display import LEVEL
from controller.patient.parts import neuro_core_of
from controller.patient.pharmacology.pharmacokinetics import Level
from controller.patient.scenario import Scenario
from controller.patient.simulated import samples_of
from controller.patient.snapshots import START
from controller.patient.source import OVER, PatientSource
from controller.patient.trail import verify

Patient = Callable[[str, int], Scenario]
FAST = 6 * 3600.0 / 0.001  # process seconds per second: a sample every millisecond


def _played(
    rows: list[Sample],
    treatment: Any,
    work: Callable[[PatientSource, httpx.AsyncClient], Coroutine[Any, Any, None]],
    levels: tuple[Level, ...] = (),
) -> None:
    """The samples played to their end, then `work` over the gateway's own routes."""

    async def go() -> None:
        async with playing(rows, treatment, FAST, levels=levels, patient_id="patient-0") as (source, over):
            await over
            transport = httpx.ASGITransport(application(source))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/v1") as client:
                await work(source, client)

    asyncio.run(go())


def test_the_console_is_shown_the_same_decisions_as_the_command(patient: Patient) -> None:
    seen = patient("relapse", 0)

    async def work(source: PatientSource, _: httpx.AsyncClient) -> None:
        assert [d.insight.stability for d in source.decisions] == [i.score for i in seen.intervals]
        offered = [d.proposal for d in source.decisions if isinstance(d.proposal, Suggestion)]
        assert [(s.id, s.reason) for s in offered] == [(r.id, r.reason) for r in seen.suggestions]
        assert all(d.command is None for d in source.decisions)

    _played(samples_of("relapse", 0), seen.treatment, work)


def test_wearables_are_shown_and_change_nothing(patient: Patient) -> None:
    seen = patient("relapse", 0)
    worn = [
        replace(s, extras={"heart_rate": 60.0 + k} if k != 3 else {}) for k, s in enumerate(samples_of("relapse", 0))
    ]

    async def work(source: PatientSource, client: httpx.AsyncClient) -> None:
        assert [d.insight.stability for d in source.decisions] == [i.score for i in seen.intervals]
        plant = (await client.get("/plant")).json()
        assert plant["advisory_only"] and "heart_rate" in [v["name"] for v in plant["variables"]]
        rows = (await client.get("/trend", params={"series": "process.heart_rate"})).json()["series"]
        assert [row[2] for row in rows["process.heart_rate"]][:4] == [60.0, 61.0, 62.0, 64.0]

    _played(worn, seen.treatment, work)


def test_trends_have_every_sample_and_are_put_together_when_there_is_no_room(patient: Patient) -> None:
    seen = patient("relapse", 0)

    async def work(source: PatientSource, client: httpx.AsyncClient) -> None:
        asked = {"series": ["neurocore.stability", "estimate.level", "process.mood", "process.nothing"], "buckets": 400}
        rows = (await client.get("/trend", params=asked)).json()["series"]
        assert set(rows) == {"neurocore.stability", "estimate.level", "process.mood"}
        assert [row[2] for row in rows["neurocore.stability"]] == [i.score for i in seen.intervals]
        assert [(row[0] / 1000 - START.timestamp()) / 3600 for row in rows["process.mood"]][:3] == [0.0, 6.0, 12.0]
        assert rows["estimate.level"][36][2] == pytest.approx(seen.intervals[36].concentration_ng_per_ml)
        few = (await client.get("/trend", params=asked | {"buckets": 10})).json()["series"]["process.mood"]
        assert len(few) == 10 and few[0][1] == min(i.mood for i in seen.intervals[:4] if i.mood)

    _played(samples_of("relapse", 0), seen.treatment, work)


def test_missing_samples_are_bad_and_leave_no_value(patient: Patient) -> None:
    rows = [replace(s, mood=None) if k == 2 else s for k, s in enumerate(samples_of("responder", 0)[:4])]

    async def work(source: PatientSource, client: httpx.AsyncClient) -> None:
        mood = (await client.get("/trend", params={"series": "process.mood"})).json()["series"]["process.mood"]
        assert [row[4] for row in mood] == [0, 0, 2, 0] and mood[2][2] is None

    _played(rows, patient("responder", 0).treatment, work)


async def _ask(client: httpx.AsyncClient, **intent: str) -> tuple[int, str]:
    answer = await client.post("/intents", json={"by": "Dr. Ito", **intent})
    return answer.status_code, answer.json()["reason"]


def test_answers_are_judged_at_once_by_the_same_turn_and_audited(patient: Patient) -> None:
    seen = patient("responder", 0)
    rows = samples_of("responder", 0)[: seen.suggestions[0].index + 1]  # the last sample opens a suggestion
    name = seen.suggestions[0].id

    async def work(source: PatientSource, client: httpx.AsyncClient) -> None:
        before = (await client.get("/state")).json()["decision"]
        assert before["open"] and before["proposal"]["id"] == name and before["proposal"]["reason"]
        assert await _ask(client, kind="accept", suggestion="none") == (
            409,
            "suggestion none is no longer the current one",
        )
        assert await _ask(client, kind="accept", suggestion=name) == (200, "noted; nothing is ever written")
        assert await _ask(client, kind="accept", suggestion=name) == (409, f"suggestion {name} is not open any more")
        after = (await client.get("/state")).json()["decision"]
        assert not after["open"] and after["command"] is None
        for same in ("insight", "estimates", "readings"):  # nothing was learned from a sample twice
            assert after[same] == before[same]
        events = (await client.get("/events")).json()
        assert [e["kind"] for e in events][:3] == ["accept", "accept", "accept"]
        lines = of_decisions(source.decisions, seen.treatment, "patient-0")
        kinds = [json.loads(line)["kind"] for line in lines]
        assert kinds == ["opened", "suggestion", "answer", "answer", "answer"] and verify(lines) == []

    _played(rows, seen.treatment, work)


def test_a_rejected_suggestion_is_not_asked_again_and_modes_are_judged(patient: Patient) -> None:
    seen = patient("responder", 0)
    rows = samples_of("responder", 0)[: seen.suggestions[0].index + 1]

    async def work(source: PatientSource, client: httpx.AsyncClient) -> None:
        refused = await _ask(client, kind="mode", mode="auto", reason="let it")
        assert refused == (409, "auto is refused: this plant is advisory only")
        assert (await _ask(client, kind="mode", mode="shadow", reason="a pause"))[0] == 200
        assert not (await client.get("/state")).json()["decision"]["open"]
        assert (await _ask(client, kind="mode", mode="advisory", reason="go on"))[0] == 200
        state = (await client.get("/state")).json()
        assert state["status"]["mode"] == "advisory" and state["decision"]["open"]
        name = state["decision"]["proposal"]["id"]
        assert (await _ask(client, kind="reject", suggestion=name, reason="seen already"))[
            1
        ] == "rejected; nothing is written"
        assert not (await client.get("/state")).json()["decision"]["open"]

    _played(rows, seen.treatment, work)


def test_a_measured_level_makes_the_pharmacokinetics_ones_own_as_in_the_command(patient: Patient) -> None:
    seen = patient("responder", 0)
    rows, levels = samples_of("responder", 0)[:20], (Level(60.0, 35.0),)

    async def work(source: PatientSource, client: httpx.AsyncClient) -> None:
        alike = decide(rows, seen.treatment, "reference", levels)
        assert [d.insight.stability for d in source.decisions] == [d.insight.stability for d in alike]
        assert [d.estimate["central"] for d in source.decisions] == [d.estimate["central"] for d in alike]
        (assay,) = (await client.get("/assays")).json()
        assert (assay["variable"], assay["value"]) == (LEVEL.name, 35.0)

    _played(rows, seen.treatment, work, levels)


def test_the_end_of_a_recording_is_told_and_nothing_is_overdue(patient: Patient) -> None:
    async def work(source: PatientSource, client: httpx.AsyncClient) -> None:
        health, status = (await client.get("/health")).json(), (await client.get("/state")).json()["status"]
        assert health["status"] == "ok" and status["notice"] == OVER and status["scan_age_s"] is None
        assert status["batch"]["id"] == "escitalopram, 10 mg every 24 h" and status["scans"] == 3

    _played(samples_of("responder", 0)[:3], patient("responder", 0).treatment, work)


def test_nothing_can_be_judged_before_the_first_sample(patient: Patient) -> None:
    treatment = patient("responder", 0).treatment
    with neuro_core_of("reference", treatment.pk) as core:
        course = Course(samples_of("responder", 0), treatment, core)
        source = PatientSource(course, "p", "")
        ruling = asyncio.run(source.submit(Intent("mode", "Dr. Ito", START, mode=Mode.OFF)))
        assert not ruling.granted and ruling.reason == "there is no sample yet"
        with pytest.raises(RuntimeError):
            course.judge(Intent("mode", "Dr. Ito", START, mode=Mode.OFF))


def test_the_gateway_is_served_and_streams_each_turn(patient: Patient, unused_port: int) -> None:
    async def go() -> None:
        rows, ready = samples_of("responder", 0)[:12], asyncio.Event()
        work = serve_patient(
            rows,
            patient("responder", 0).treatment,
            port=unused_port,
            speed=6 * 3600 / 0.05,
            ready=lambda _: ready.set(),
        )
        serving = asyncio.create_task(work)
        await ready.wait()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{unused_port}/api/v1", trust_env=False) as client:
            for _ in range(100):
                try:
                    await client.get("/health")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.05)
            async with client.stream("GET", "/stream") as stream:
                turns = 0
                async for line in stream.aiter_lines():
                    turns += line.startswith("data:")
                    if turns == 2:
                        break
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        assert turns == 2

    asyncio.run(asyncio.wait_for(go(), 60))


def test_the_console_beside_it_ends_with_the_block(unused_port: int) -> None:
    with console_beside("http://127.0.0.1:9", port=unused_port) as child:
        assert child.poll() is None
    assert child.returncode is not None
