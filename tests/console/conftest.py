"""A bench reactor behind a real gateway: its records are made by hand, so tests know what must be shown."""

from __future__ import annotations

import asyncio
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import uvicorn

from controller.edge.advice import AdviceLog, Followed, Past
from controller.edge.gateway import application, hang_up
from controller.edge.gateway.source import Bucket
from controller.loop import records
from controller.loop.alarms import AlarmRules, Definition
from controller.loop.batch import Recipe
from controller.loop.records import Decision, Intent, Mode, Move, Ruling, Suggestion
from controller.loop.what_if import Considered
from twin.records import Band, Correction, Estimate, Forecast, Innovation, Plan, Population, Step
from twin.signals import Assay, Quality, Reading, Snapshot

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START = datetime(2026, 1, 1, tzinfo=UTC)
NOW_H = 96.25
END_H = 230.0

TABLE = """
dissolved_oxygen % 0 120 measured Dissolved oxygen
ph pH 2 12 measured pH
temperature degC 0 60 measured Temperature
weight kg 0 200 measured Broth weight
oxygen_uptake_rate g/(L.h) 0 60 measured Oxygen uptake rate
carbon_dioxide_evolution_rate mmol/(L.h) 0 5 measured CO2 evolution rate
air_flow L/h 0 20 measured Air flow
agitator_power W 0 100 measured Agitator power
feed_pump % 0 100 measured Sugar pump
base_flow L/h 0 0.2 measured Base flow
acid_flow L/h 0 1e-4 measured Acid flow
feed L/h 0 0.1 manipulated Sugar feed
precursor_feed L/h 0 0.005 manipulated Precursor feed
biomass g/L 0 40 assayed Biomass
product g/L 0 5 assayed Penicillin
substrate g/L 0 20 assayed Glucose
precursor mg/L 0 5000 assayed Precursor (PAA)
viscosity cP 0 200 assayed Viscosity
"""
VARIABLES = [line.split(maxsplit=5) for line in TABLE.strip().splitlines()]
DRAWN = {
    "dissolved_oxygen": "probe", "ph": "probe", "temperature": "probe", "weight": "scale", "air_flow": "sparger",
    "oxygen_uptake_rate": "off_gas", "carbon_dioxide_evolution_rate": "off_gas", "agitator_power": "shaft",
    "base_flow": "titrant", "acid_flow": "titrant", "feed": "inlet", "precursor_feed": "inlet",
}  # fmt: skip
UNITS = {name: unit for name, unit, *_ in VARIABLES}
ON_LINE = [name for name, _, _, _, role, _ in VARIABLES if role != "assayed"]
TRUTH = {  # at t hours
    "dissolved_oxygen": lambda t: 100 - 62 * _s(t, 45, 9) + 3 * math.sin(t),
    "ph": lambda t: 6.5 + 0.012 * math.sin(t * 2.1),
    "temperature": lambda t: 25.0 + 0.06 * math.sin(t * 3.3),
    "weight": lambda t: 100 + 0.055 * t,
    "volume": lambda t: 100 + 0.055 * t,
    "oxygen_uptake_rate": lambda t: 0.1 + 1.4 * _s(t, 45, 8),
    "carbon_dioxide_evolution_rate": lambda t: 0.2 + 1.9 * _s(t, 45, 8),
    "air_flow": lambda t: 8.6 + 0.02 * math.sin(t * 5),
    "feed_pump": lambda t: 42.5,
    "agitator_power": lambda t: 29.9 + 0.3 * math.sin(t * 1.7),
    "base_flow": lambda t: 0.002 + 0.03 * _s(t, 40, 10),
    "acid_flow": lambda t: 3.1e-5,
    "feed": lambda t: 0.0 if t < 40 else 0.042,
    "precursor_feed": lambda t: 0.0 if t < 40 else 0.0021,
    "biomass": lambda t: 0.4 + 15.6 * _s(t, 42, 9) + 0.012 * t,
    "product": lambda t: 1.45 * _s(t, 95, 24),
    "substrate": lambda t: 15 * (1 - _s(t, 36, 5)) + 0.3,
    "precursor": lambda t: 900 + 200 * math.sin(t / 14),
}
STATES = [
    ("biomass", "g/L", "Biomass", 0.35),
    ("product", "g/L", "Penicillin", 0.031),
    ("substrate", "g/L", "Glucose", 0.06),
    ("dissolved_oxygen", "%", "Dissolved oxygen", 1.2),
    ("volume", "L", "Broth volume", 0.2),
    ("precursor", "mg/L", "Precursor (PAA)", 61.0),
]
RATES = {"growth": 0.077, "uptake": -0.021, "production": -0.105, "oxygen": 0.013, "transfer": -0.04}


def _s(t: float, middle: float, width: float) -> float:
    return 1.0 / (1.0 + math.exp(-(t - middle) / width))


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def _forecast(hours: float, gain: float, feed: float) -> Forecast:
    times = [hours + 2.0 * i for i in range(int((END_H - hours) / 2.0) + 1)]

    def band(name: str, sd: float) -> Band:
        lift = 1 + gain if name == "product" else 1.0
        median = [TRUTH[name](hours) + lift * (TRUTH[name](t) - TRUTH[name](hours)) for t in times]
        spread = [sd * (1 + (t - hours) / 25.0) for t in times]
        low, high = ([m + k * 1.28 * s for m, s in zip(median, spread, strict=True)] for k in (-1, 1))
        wide, tall = ([m + k * 1.96 * s for m, s in zip(median, spread, strict=True)] for k in (-1, 1))
        return Band(tuple(median), tuple(low), tuple(high), tuple(wide), tuple(tall))

    bands = {name: band(name, sd) for name, _, _, sd in STATES}
    steps = (Step(at(hours), {"feed": feed, "precursor_feed": 0.0021}), Step(at(160), {"feed": feed * 0.8}))
    plan = Plan(steps, at(END_H))
    return Forecast(at(hours), plan, tuple(map(at, times)), bands, (1.4, 1.5), "penicillin at harvest", "g/L")


def _insight() -> records.Insight:
    population = Population(("biomass",), (0.0,), (40.0,), ((0.5,),), 0.25)
    correction = Correction(("growth",), population, ((1.0,),), 1.0, (0.5,))
    return records.Insight(
        correction, {name: value for name, value in RATES.items() if name != "transfer"},
        novelty=0.11, contributions={"oxygen_uptake_rate": 0.46, "dissolved_oxygen": 0.31, "weight": 0.23},
        stability=0.93, components={"oxygen margin": 0.98, "substrate in band": 0.91, "twin fits": 0.9},
        learned=True, why_not="", backend="lava-fixed",
    )  # fmt: skip


def _suggestion(hours: float) -> Suggestion:
    return Suggestion(
        "S-0017", at(hours - 0.25), at(hours + 3.75), "setpoints",
        moves=(Move("feed", 0.046, "L/h", 0.042),),
        plan=_forecast(hours, 0.06, 0.046).plan,
        reason="Raising the sugar feed from 0.0420 to 0.0460 L/h is predicted to add 0.06 g/L penicillin by harvest; "
        "oxygen stays above 30 % in 95 % of the forecasts.",
        effect=records.Effect("penicillin at harvest", "g/L", 1.444, 1.504, 0.060, 0.021, 0.098),
        bounded_by=("the feed may rise by 0.0040 L/h in one hour",),
    )  # fmt: skip


def decision_at(hours: float, mode: Mode = Mode.ADVISORY) -> Decision:
    """One plausible turn of a penicillin batch, with an open suggestion."""
    time = at(hours)
    readings = {name: Reading(TRUTH[name](hours), UNITS[name], time, Quality.GOOD) for name in ON_LINE}
    names = tuple(name for name, *_ in STATES)
    sds = [sd for *_, sd in STATES] + [0.04] * len(RATES)
    covariance = tuple(tuple(s * s if i == j else 0.0 for j in range(len(sds))) for i, s in enumerate(sds))
    estimate = Estimate(
        time, names, tuple(TRUTH[name](hours) for name in names), tuple(RATES), tuple(RATES.values()), covariance,
        inputs={"feed": 0.042}, innovations={"dissolved_oxygen": Innovation(0.4, 1.1)}, nis=5.2, nis_dof=5,
    )  # fmt: skip
    suggestion = _suggestion(hours)
    narrowing = records.Narrowing("feed", 0.048, 0.046, "rate of change held to 0.0040 L/h")
    setpoints = {"feed": 0.042, "precursor_feed": 0.0021}
    return Decision(
        time, "R1", mode, "A. Keller: commissioning is finished", Snapshot(time, readings),
        records.Situation("PEN-0042", "production", at(END_H), setpoints), estimate, _insight(),
        baseline=_forecast(hours, 0.0, 0.042), proposal=suggestion, proposed=_forecast(hours, 0.06, 0.046),
        verdict=records.Verdict(suggestion.moves, (narrowing,), ()), command=None, open=True,
    )  # fmt: skip


class Bench:
    """A Source whose decisions are made by hand; intents are judged in the turn that follows them."""

    def __init__(self) -> None:
        self.decision: Decision | None = decision_at(NOW_H)
        self.link = "connected"
        self.link_text = ""
        self.notice = ""
        self.advisory_only = False
        self.silent_turns = False  # True: intents wait, because no turn is taken
        self.intents: list[Intent] = []
        self.scanned_at: datetime | None = None
        self.log = AdviceLog()
        self.listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Queue[datetime]]] = set()
        self.happened: list[dict[str, Any]] = [
            {"time": at(96.0), "kind": "suggestion", "text": "S-0017: sugar feed 0.0420 to 0.0460 L/h"},
            {"time": at(92.1), "kind": "assay", "text": "biomass 15.9 g/L, sampled at 88.0 h"},
            {"time": at(61.0), "kind": "quality", "text": "dissolved oxygen is good again"},
            {"time": at(60.0), "kind": "quality", "text": "dissolved oxygen bad: probe frozen", "severity": "warning"},
            {"time": at(44.0), "kind": "link", "text": "the plant is back"},
            {"time": at(40.0), "kind": "link", "text": "plant lost: connection refused", "severity": "alarm"},
            {"time": at(2.0), "kind": "mode", "text": "A. Keller: advisory, commissioning is finished"},
        ]

    def plant(self) -> Mapping[str, Any]:
        return {
            "name": "R1",
            "model": "penicillin",
            "text": "Penicillin pilot reactor",
            "advisory_only": self.advisory_only,
            "first": ["product", "biomass", "dissolved_oxygen", "feed"],
            "variables": [
                dict(zip(("name", "unit", "low", "high", "role", "text"), row, strict=False))
                | {"output": "feed_pump" if row[0] == "feed" else "", "drawn": DRAWN.get(row[0], "")}
                for row in VARIABLES
            ],
            "states": [{"name": name, "unit": unit, "text": text} for name, unit, text, _ in STATES],
            "limits": {
                "feed": {"low": 0.0, "high": 0.08, "rate_per_h": 0.004},
                "precursor_feed": {"low": 0.0, "high": 0.004, "rate_per_h": 0.0005},
            },
            "batch_length_h": END_H,
            "novelty_max": 0.8,
        }

    def latest(self) -> Decision | None:
        return self.decision

    def status(self) -> Mapping[str, Any]:
        command = self.decision.command if self.decision else None
        remote = {move.variable: move.value for move in command.moves} if command else {}
        local = {"feed": 0.042, "precursor_feed": 0.0021}
        setpoints = {
            name: {
                "local": value,
                "remote": remote.get(name),
                "active": remote.get(name, value),
                "owner": "supervisor" if name in remote else "recipe",
                "valid_until": command.valid_until if command and name in remote else None,
            }
            for name, value in local.items()
        }
        return {
            "link": self.link,
            "link_text": self.link_text,
            "mode": self.decision.mode if self.decision else Mode.SHADOW,
            "mode_reason": self.decision.mode_reason if self.decision else "started",
            "scans": 1155,
            "scan_period_s": 5.0,
            "scanned_at": self.scanned_at or datetime.now(UTC),
            "commands_written": 3,
            "notice": self.notice,
            "batch": {"id": "PEN-0042", "start": START, "phase": "production"},
            "setpoints": setpoints,
        }

    async def trend(
        self, series: list[str], start: datetime, end: datetime, buckets: int
    ) -> Mapping[str, Sequence[Bucket]]:
        first, last = ((time - START).total_seconds() / 3600 for time in (start, end))
        width = (last - first) / buckets
        hours = [first + (i + 0.5) * width for i in range(buckets)]
        rows = {name: self._series(name, [t for t in hours if 0 <= t <= NOW_H], width) for name in series}
        return {name: found for name, found in rows.items() if found}

    def _series(self, series: str, hours: list[float], width: float) -> list[Bucket]:
        kind, _, name = series.partition(".")
        spread = {sd_name: sd for sd_name, _, _, sd in STATES}
        rows: list[Bucket] = []
        for t in hours:
            quality = 0
            if kind == "process" and name in ON_LINE:
                value = TRUTH[name](t)
                if 40 < t < 44:  # the link was lost: a hole
                    continue
                quality = 2 if name == "dissolved_oxygen" and 60 <= t <= 61.5 else 0
            elif kind == "setpoint" and name in {"feed", "precursor_feed"}:
                value = TRUTH[name](t)
            elif kind == "estimate" and name in spread:
                value = TRUTH[name](t) + spread[name] * 0.2 * math.sin(t / 3)
            elif kind == "estimate" and name.removesuffix("_sd") in spread:
                value = spread[name.removesuffix("_sd")] * (1.5 - 0.5 * _s(t, 30, 10))
            elif series == "neurocore.novelty":
                value = 0.1 + 0.75 * math.exp(-(((t - 60.5) / 1.5) ** 2))
            elif series == "neurocore.stability":
                value = 0.95 - 0.3 * math.exp(-(((t - 42) / 4) ** 2))
            else:
                return []
            noise = abs(value) * 0.004
            rows.append((int(at(t).timestamp() * 1000), value - noise, value, value + noise, quality))
        return rows

    async def gaps(self, limit: int) -> Sequence[Mapping[str, Any]]:
        start = self.latest().time if self.latest() else datetime.now(UTC)
        return ({"start": start, "cause": "link down", "text": "no answer"},)[:limit]

    async def assays(self) -> Sequence[Assay]:
        return [
            Assay(name, TRUTH[name](h) * (1 + 0.03 * math.sin(h * 7)), UNITS[name], at(h), at(h + 4))
            for h in range(4, 92, 12)
            for name in ("biomass", "product", "substrate", "precursor")
        ]

    def alarms(self) -> tuple[Sequence[Definition], AlarmRules]:
        return (), AlarmRules()

    def recipe(self) -> Recipe | None:
        return None

    async def events(self, limit: int, kinds: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        return [event for event in self.happened if not kinds or event["kind"] in kinds][:limit]

    async def what_if(self, steps: Sequence[Step]) -> Considered | str:
        now = self.decision
        assert now is not None
        value = steps[0].inputs.get("feed")
        if value is None:
            return "no setpoint is changed; name at least one"
        with_it = _forecast(NOW_H, (value - 0.042) * 15, value)
        asked = replace(_suggestion(NOW_H), id="H1", moves=(Move("feed", value, "L/h", 0.042),))
        refusals = () if value <= 0.08 else ("feed would leave 0 to 0.08 L/h",)
        return Considered(asked, _forecast(NOW_H, 0.0, 0.042), with_it, records.Verdict(asked.moves, (), refusals))

    async def suggestions(self) -> Sequence[Past]:
        assert self.decision is not None
        self.log.follow(self.decision)
        return self.log.past()

    def followed(self, past: Past) -> Followed | None:
        return Followed(at(NOW_H), 1.0, 1.1, 1.08)

    async def system(self) -> Sequence[Mapping[str, Any]]:
        facts = [{"name": "scans", "value": "1155"}]
        return [
            {"name": "Link to the plant", "state": "ok" if self.link == "connected" else "bad", "text": self.link},
            {"name": "Historian", "state": "ok", "text": "recording", "facts": facts},
            {"name": "Data", "state": "warn", "text": "1 interval without data in this batch"},
        ]

    async def report(self) -> bytes | str:
        return b"<!doctype html><title>Batch PEN-0042</title><h1>Batch PEN-0042</h1>"

    async def submit(self, intent: Intent) -> Ruling:
        self.intents.append(intent)
        while self.silent_turns:
            await asyncio.sleep(0.05)
        return self._judge(intent)

    def _judge(self, intent: Intent) -> Ruling:
        assert self.decision is not None
        now, ruling = (
            self.decision,
            Ruling(intent, False, "nothing is open: the suggestion has expired or was answered"),
        )
        if intent.kind == "mode" and intent.mode is not None:
            ruling = Ruling(intent, True, f"the mode is {intent.mode.value}")
            now = replace(now, mode=intent.mode, mode_reason=f"{intent.by}: {intent.reason}")
        elif now.open and isinstance(now.proposal, Suggestion) and intent.suggestion == now.proposal.id:
            now = self._answered(now, now.proposal, intent)
            ruling = Ruling(intent, True, f"{intent.suggestion} is {intent.kind}ed")
        self.decision = replace(now, rulings=(ruling,))
        told = f"{intent.by}: {ruling.reason}" + (f" ({intent.reason})" if intent.reason else "")
        self.happened.insert(0, {"time": now.time, "kind": intent.kind, "text": told})
        self.notify()
        return ruling

    @staticmethod
    def _answered(now: Decision, suggestion: Suggestion, intent: Intent) -> Decision:
        if intent.kind == "reject":
            refused = records.Abstention(now.time, f"{intent.by} rejected {suggestion.id}: {intent.reason}")
            return replace(now, proposal=refused, proposed=None, open=False)
        lease = now.time + timedelta(hours=1)
        return replace(
            now, open=False, command=records.Command(suggestion.id, suggestion.moves, now.time, lease, intent.by)
        )

    def notify(self) -> None:
        """Tell every listener that a turn was taken; may be called from any thread."""
        assert self.decision is not None
        for loop, queue in list(self.listeners):
            loop.call_soon_threadsafe(queue.put_nowait, self.decision.time)

    async def subscribe(self) -> AsyncIterator[datetime]:
        listener = (asyncio.get_running_loop(), asyncio.Queue[datetime]())
        self.listeners.add(listener)
        try:
            while True:
                yield await listener[1].get()
        finally:
            self.listeners.discard(listener)


class Served:
    """A gateway on a loopback port of its own, in a thread with its own event loop."""

    def __init__(self, bench: Bench, port: int = 0) -> None:
        self.port = port
        self.start(bench)
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, bench: Bench) -> None:
        """Serve that bench, at the same port as before when there was one."""
        self.app = application(bench)
        listening = socket.create_server(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(self.app, log_level="warning", ws="none", lifespan="off")
        self._server = uvicorn.Server(config)
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listening, started)), daemon=True)
        self._thread.start()
        assert started.wait(100)

    async def _serve(self, listening: socket.socket, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        started.set()
        await self._server.serve(sockets=[listening])

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(hang_up, self.app)
        self._server.should_exit = True
        self._thread.join(80)
        assert not self._thread.is_alive(), "the gateway did not stop"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    server = Served(Bench())
    yield server
    server.stop()


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def gateway(served: Served, bench: Bench) -> Served:
    """The gateway over this test's own bench; whoever listens to the last one listens to this one now."""
    bench.listeners = served.app.state.source.listeners
    served.app.state.source = bench
    return served


@pytest.fixture(scope="module")
def console_url(served: Served) -> Iterator[str]:
    with started_console(served.url) as url:
        yield url


@contextmanager
def started_console(gateway_url: str) -> Iterator[str]:
    """A console as people start it, in a process of its own; the URL it says it is ready at."""
    command = [sys.executable, "-m", "hmi.console", "--gateway", gateway_url, "--port", "0"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        ready = re.fullmatch(r"console ready (http://\S+)\n", process.stdout.readline())
        assert ready, "the console did not say that it is ready"
        yield ready[1]
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(100) == 0
        process.stdout.close()


@pytest.fixture(scope="module")
def browser():
    if not os.path.exists(CHROMIUM):
        reason = f"{CHROMIUM} is not there, so no page can be opened"
        if os.environ.get("NEUROTWIN_REQUIRE_SERVERS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def client(gateway):
    with httpx.Client(base_url=f"{gateway.url}/api/v1", trust_env=False, timeout=100) as client:
        yield client
