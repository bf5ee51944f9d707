"""The gateway's contract, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import replace

import httpx
import pytest

from controller.edge.gateway import app as gateway_module
from controller.edge.gateway import intents as intents_module
from controller.edge.worker import Busy
from controller.loop.records import Abstention, Mode
from twin.records import Correction, Population
from twin.signals import Quality


def accept(**changes):
    return {"kind": "accept", "by": "B. Ito", "suggestion": "S-0017"} | changes


def test_the_state_carries_value_unit_quality_reason_and_age_of_every_reading(bench, client):
    snapshot = bench.decision.snapshot
    frozen = replace(
        snapshot.readings["dissolved_oxygen"],
        quality=Quality.BAD,
        reason="probe frozen",
        time=snapshot.time.replace(minute=0),
    )
    readings = dict(snapshot.readings) | {"dissolved_oxygen": frozen}
    bench.decision = replace(bench.decision, snapshot=replace(snapshot, readings=readings))
    decision = client.get("/state").json()["decision"]
    assert decision["readings"]["dissolved_oxygen"] == {
        "value": frozen.value,
        "unit": "%",
        "quality": "bad",
        "reason": "probe frozen",
        "age_s": 900.0,
    }
    assert decision["readings"]["ph"]["quality"] == "good"
    assert decision["estimates"]["biomass"]["sd"] == pytest.approx(0.35)
    assert decision["log_multipliers"]["transfer"]["value"] == -0.04
    assert decision["batch"] == "PEN-0042"
    assert decision["time"] == "2026-01-05T00:15:00Z"


def test_the_state_says_what_is_proposed_and_what_safety_made_of_it(client):
    decision = client.get("/state").json()["decision"]
    assert decision["open"] is True
    assert decision["proposal"]["type"] == "suggestion"
    assert decision["proposal"]["moves"] == [{"variable": "feed", "unit": "L/h", "previous": 0.042, "value": 0.046}]
    assert decision["proposal"]["effect"]["gain_low"] == 0.021
    assert decision["verdict"]["admitted"] is True
    assert decision["verdict"]["narrowed"][0]["reason"] == "rate of change held to 0.0040 L/h"
    assert decision["command"] is None


def test_an_abstention_carries_its_reason(bench, client):
    now = bench.decision
    bench.decision = replace(now, proposal=Abstention(now.time, "dissolved oxygen is bad"), open=False, verdict=None)
    assert client.get("/state").json()["decision"]["proposal"]["reason"] == "dissolved oxygen is bad"


def test_what_is_not_a_number_is_null_on_the_wire(bench, client):
    insight = replace(bench.decision.insight, novelty=math.nan, components={"oxygen margin": math.inf})
    bench.decision = replace(bench.decision, insight=insight)
    text = client.get("/state").text
    told = json.loads(text, parse_constant=pytest.fail)["decision"]["insight"]
    assert told["novelty"] is None
    assert told["components"] == {"oxygen margin": None}


def test_before_the_first_scan_there_is_a_status_and_no_decision(bench, client):
    bench.decision = None
    told = client.get("/state").json()
    assert (told["decision"], told["status"]["mode"]) == (None, "shadow")
    assert client.get("/forecast").json() == {"baseline": None, "proposed": None}
    assert client.get("/trend", params={"series": "process.ph"}).json() == {"series": {}}
    assert client.get("/health").json()["status"] == "starting"


def test_the_forecast_gives_paired_bands_of_the_variables_asked_for(client):
    told = client.get("/forecast", params={"variable": ["product"]}).json()
    baseline, proposed = told["baseline"], told["proposed"]
    assert list(baseline["bands"]) == list(proposed["bands"]) == ["product"]
    assert len(baseline["times"]) == len(baseline["bands"]["product"]["median"])
    assert proposed["bands"]["product"]["median"][-1] > baseline["bands"]["product"]["median"][-1]
    assert proposed["steps"][0]["inputs"]["feed"] == 0.046
    assert "substrate" in client.get("/forecast").json()["baseline"]["bands"]


def test_a_trend_spans_the_batch_unless_a_window_is_named(client):
    whole = client.get("/trend", params={"series": ["process.ph", "estimate.biomass"], "buckets": 50}).json()["series"]
    assert set(whole) == {"process.ph", "estimate.biomass"}
    start = 1767225600000  # 2026-01-01T00:00:00Z
    assert start < whole["process.ph"][0][0] < start + 3 * 3.6e6
    low, mean, high, quality = whole["process.ph"][0][1:]
    assert low < mean < high
    assert quality == 0
    window = {"start": "2026-01-02T00:00:00Z", "end": "2026-01-02T06:00:00Z", "series": "process.ph", "buckets": 12}
    assert len(client.get("/trend", params=window).json()["series"]["process.ph"]) == 12
    backwards = window | {"end": "2026-01-01T06:00:00Z"}
    assert client.get("/trend", params=backwards).status_code == 422


def test_assays_and_events_are_listed(client):
    assays = client.get("/assays").json()
    assert assays[0]["sampled_at"] == "2026-01-01T04:00:00Z"
    assert assays[0]["quality"] == "good"
    assert client.get("/events", params={"limit": 2}).json()[1]["kind"] == "assay"
    [gap] = client.get("/gaps").json()
    assert (gap["cause"], gap["end"], gap["variable"]) == ("link down", None, "")


def test_an_accepted_suggestion_is_granted_by_the_next_turn(bench, client):
    answer = client.post("/intents", json=accept(reason="agreed at shift change"))
    assert answer.status_code == 200
    assert answer.json()["status"] == "granted"
    (intent,) = bench.intents
    assert (intent.kind, intent.by, intent.suggestion) == ("accept", "B. Ito", "S-0017")
    assert intent.at == bench.decision.time
    command = client.get("/state").json()["decision"]["command"]
    assert (command["authority"], command["valid_until"]) == ("B. Ito", "2026-01-05T01:15:00Z")


def test_a_refused_intent_is_a_conflict_with_its_reason(client):
    answer = client.post("/intents", json=accept(suggestion="S-0001"))
    assert answer.status_code == 409
    assert "nothing is open" in answer.json()["reason"]


def test_a_mode_change_reaches_the_source_with_its_reason(bench, client):
    asked = {"kind": "mode", "by": "A. Keller", "mode": "auto", "reason": "night shift"}
    assert client.post("/intents", json=asked).status_code == 200
    assert (bench.intents[0].mode, bench.intents[0].reason) == (Mode.AUTO, "night shift")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (accept(by="  "), "by"),
        (accept(by="x\ny"), "by"),
        (accept(setpoint=3), "setpoint"),
        ({"kind": "reject", "by": "B. Ito", "suggestion": "S-0017"}, "reason"),
        ({"kind": "reject", "by": "B. Ito", "suggestion": "S-0017", "reason": " "}, "reason"),
        ({"kind": "mode", "by": "B. Ito", "mode": "auto"}, "reason"),
        ({"kind": "mode", "by": "B. Ito", "mode": "full", "reason": "because"}, "mode"),
    ],
)
def test_an_incomplete_or_unknown_intent_is_not_even_asked(bench, client, asked, field):
    answer = client.post("/intents", json=asked)
    assert answer.status_code == 422
    assert field in {error["loc"][-1] for error in answer.json()["detail"]}
    assert bench.intents == []


def test_an_intent_waits_in_the_queue_while_no_turn_is_taken(bench, client, monkeypatch):
    monkeypatch.setattr(intents_module, "ANSWER_WITHIN_S", 0.1)
    bench.silent_turns = True
    answer = client.post("/intents", json=accept())
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    path = f"/intents/{answer.json()['id']}"
    assert client.get(path).json()["status"] == "queued"
    bench.silent_turns = False
    deadline = time.monotonic() + 50
    while client.get(path).json()["status"] == "queued" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert client.get(path).json() == {"id": answer.json()["id"], "status": "granted", "reason": "S-0017 is accepted"}
    assert client.get("/intents/999").status_code == 404


def test_an_intent_that_the_loop_drops_when_it_stops_is_refused_in_words(bench, client, monkeypatch):
    async def dropped(intent):
        raise asyncio.CancelledError

    monkeypatch.setattr(bench, "submit", dropped)
    answer = client.post("/intents", json=accept())
    assert answer.status_code == 409
    assert "stopped" in answer.json()["reason"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::2]:80"])
def test_a_foreign_name_for_this_machine_is_turned_away(client, host):
    assert client.get("/state", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:8420", "127.0.0.1:1", "[::1]:8420"])
def test_loopback_names_are_served(client, host):
    assert client.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_a_page_of_another_origin_cannot_ask_for_anything(bench, client, origin):
    assert client.post("/intents", json=accept(), headers={"Origin": origin}).status_code == 403
    assert bench.intents == []


def test_a_page_of_the_same_origin_can(gateway, client):
    assert client.post("/intents", json=accept(), headers={"Origin": gateway.url}).status_code == 200


def test_only_json_of_a_sensible_size_is_taken(bench, client):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/intents", content=json.dumps(accept()), headers=form).status_code == 415
    assert client.post("/intents", json=accept(reason="x" * 20000)).status_code == 413
    assert bench.intents == []


def test_the_stream_tells_of_each_turn_and_lets_go_when_the_listener_leaves(bench, client):
    with client.stream("GET", "/stream") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.iter_lines()
        assert next(lines).startswith(":")
        deadline = time.monotonic() + 50
        while not bench.listeners and time.monotonic() < deadline:
            time.sleep(0.01)
        bench.notify()
        told = [line for line in (next(lines) for _ in range(3)) if line]
    assert told[0] == "event: turn"
    assert json.loads(told[1].removeprefix("data: ")) == {
        "time": "2026-01-05T00:15:00Z",
        "scans": 1155,
        "mode": "advisory",
        "open": True,
    }
    while bench.listeners and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not bench.listeners


def test_a_quiet_stream_is_kept_open_by_comments(client, monkeypatch):
    monkeypatch.setattr(gateway_module, "KEEP_ALIVE_S", 0.05)
    with client.stream("GET", "/stream") as response:
        lines = response.iter_lines()
        assert [line for line in (next(lines) for _ in range(4)) if line] == [": neurotwin", ": alive"]


def test_an_open_stream_does_not_keep_the_server_from_stopping(bench, gateway, client):
    with client.stream("GET", "/stream") as response:
        lines = response.iter_lines()
        next(lines)
        started = time.monotonic()
        gateway.stop()
        assert list(lines) == [""]
    assert time.monotonic() - started < 20.0
    gateway.start(bench)


def test_health_is_degraded_by_a_lost_link_and_by_missing_scans(bench, client):
    assert client.get("/health").json()["status"] == "ok"
    bench.link = "lost"
    assert client.get("/health").json()["status"] == "degraded"
    bench.link, bench.scanned_at = "connected", bench.decision.time.replace(year=2025)
    assert client.get("/health").json()["status"] == "degraded"


def test_every_route_is_documented_and_the_documentation_loads_nothing_from_elsewhere(gateway, client):
    described = client.get("/openapi.json").json()["paths"]
    assert {path.removeprefix("/api/v1") for path in described} == {
        "/plant", "/state", "/forecast", "/trend", "/assays", "/gaps", "/events", "/stream", "/intents",
        "/intents/{key}", "/health", "/what-if", "/suggestions", "/surface", "/system", "/session",
        "/alarms", "/alarms/{name}/{action}", "/batch", "/batch/{action}", "/samples", "/notes", "/report",
    }  # fmt: skip
    for methods in described.values():
        for route in methods.values():
            assert route["summary"]
            assert route["description"]
    page = httpx.get(f"{gateway.url}/docs", trust_env=False).text
    assert "/api/v1/intents" in page
    assert "http" not in page.replace("/api", "")


def test_a_what_if_gives_both_forecasts_and_asks_nothing_of_the_loop(bench, client):
    told = client.post("/what-if", json={"steps": [{"inputs": {"feed": 0.05}}], "variables": ["product"]})
    assert told.status_code == 200
    found = told.json()
    assert list(found["forecast"]["bands"]) == ["product"]
    ends = [found[which]["bands"]["product"]["median"][-1] for which in ("baseline", "forecast")]
    assert ends[1] > ends[0]
    assert found["suggestion"]["moves"][0]["value"] == 0.05
    assert bench.intents == []


def test_a_what_if_that_cannot_be_looked_at_is_refused_in_words(client):
    told = client.post("/what-if", json={"steps": [{"inputs": {"air": 1.0}}]})
    assert (told.status_code, told.json()["detail"]) == (409, "no setpoint is changed; name at least one")
    assert client.post("/what-if", json={"steps": []}).status_code == 422


def test_more_what_ifs_than_can_be_looked_at_are_told_to_come_back(bench, client, monkeypatch):
    async def busy(steps):
        raise Busy

    monkeypatch.setattr(bench, "what_if", busy)
    told = client.post("/what-if", json={"steps": [{"inputs": {"feed": 0.05}}]})
    assert (told.status_code, told.headers["retry-after"]) == (429, "2")
    assert "try again" in told.json()["detail"]


def test_setpoints_by_hand_reach_the_loop_with_their_reason(bench, client):
    asked = {"kind": "modify", "by": "B. Ito", "suggestion": "S-0017", "moves": {"feed": 0.044}, "reason": "foam"}
    client.post("/intents", json=asked)
    client.post("/intents", json={"kind": "propose", "by": "B. Ito", "moves": {"feed": 0.043}, "reason": "oxygen"})
    assert [(i.kind, dict(i.moves), i.reason) for i in bench.intents] == [
        ("modify", {"feed": 0.044}, "foam"),
        ("propose", {"feed": 0.043}, "oxygen"),
    ]


def test_the_past_of_a_suggestion_says_who_answered_and_what_followed(client):
    assert client.get("/suggestions").json()[0]["status"] == "open"
    client.post("/intents", json=accept(reason="agreed"))
    past = client.get("/suggestions").json()[0]
    assert (past["status"], past["by"], past["given"]) == ("accepted", "B. Ito", "agreed")
    assert past["followed"]["actual"] == 1.08


def test_the_surface_spans_two_states_around_the_present(bench, client):
    assert client.get("/surface").status_code == 409  # one state is coded: there is no surface yet
    insight = bench.decision.insight
    population = Population(("biomass", "product"), (0.0, 0.0), (40.0, 5.0), ((0.4, 0.2), (0.8, 0.6)), 0.25)
    correction = Correction(("growth",), population, ((1.0, -1.0),), 0.1, (0.5,))
    bench.decision = replace(bench.decision, insight=replace(insight, correction=correction))
    told = client.get("/surface", params={"points": 9}).json()
    assert (told["rate"], told["x"], told["y"]) == ("growth", "biomass", "product")
    assert (len(told["xs"]), len(told["values"]), len(told["values"][0])) == (9, 9, 9)
    assert told["here"][0] == pytest.approx(bench.decision.estimate["biomass"])
    assert max(abs(v) for row in told["values"] for v in row) <= 0.5
    assert client.get("/surface", params={"rate": "yield"}).status_code == 422


def test_the_report_is_a_page_or_a_conflict_that_says_why_there_is_none(bench, client, monkeypatch):
    told = client.get("/report")
    assert told.headers["content-type"].startswith("text/html") and "Batch PEN-0042" in told.text

    async def none():
        return "there is no batch yet to report of"

    monkeypatch.setattr(bench, "report", none)
    told = client.get("/report")
    assert (told.status_code, told.json()["detail"]) == (409, "there is no batch yet to report of")
