"""Decisions to record, and the real servers that they are forwarded to: each a process of the test's own."""

from __future__ import annotations

import gzip
import json
import math
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from controller.edge.historian import Historian
from controller.loop.records import Abstention, Decision, Effect, Insight, Mode, Move, Situation, Suggestion, Verdict
from twin.records import Band, Correction, Estimate, Forecast, Innovation, Plan, Population, Step
from twin.signals import Quality, Reading, Snapshot

START = datetime(2026, 1, 1, tzinfo=UTC)
MULTIPLIERS = ("growth", "production")


def _forecast(seed: int, points: int = 4, bands: int = 2) -> Forecast:
    chance = random.Random(seed)
    values = [[tuple(chance.gauss(10, 3) for _ in range(points)) for _ in range(5)] for _ in range(bands)]
    times = tuple(START + timedelta(hours=i) for i in range(points))
    plan = Plan((Step(START, {"feed": 0.04}),), times[-1])
    return Forecast(START, plan, times, {f"band_{i}": Band(*v) for i, v in enumerate(values)}, (9.5, 10.5), "mass", "g")


BASELINE, PROPOSED = _forecast(1), _forecast(2)


def _estimate(at: datetime, chance: random.Random) -> Estimate:
    return Estimate(
        time=at,
        names=("biomass", "product"),
        mean=(chance.uniform(1, 30), chance.uniform(0, 20)),
        multiplier_names=MULTIPLIERS,
        log_multipliers=(0.1, -0.2),
        covariance=tuple(tuple(0.25 if i == j else 0.01 for j in range(4)) for i in range(4)),
        inputs={"feed": 0.042},
        innovations={"dissolved_oxygen": Innovation(0.4, 1.2)},
        nis=2.5,
        nis_dof=3,
    )


def _insight() -> Insight:
    population = Population(("biomass", "product"), (0.0, 0.0), (40.0, 30.0), ((0.5, math.nan), (math.nan, 0.5)), 0.2)
    return Insight(
        correction=Correction(MULTIPLIERS, population, ((3.0, -4.0), (0.0, 127.0)), 1 / 4096, (0.7, 0.7)),
        log_multipliers={"growth": 0.05, "production": -0.1},
        novelty=0.125,
        contributions={"dissolved_oxygen": 1.0},
        stability=0.875,
        components={"calm": 0.9},
        learned=True,
        why_not="",
        backend="reference",
    )


def _suggestion() -> Suggestion:
    return Suggestion(
        id="S1",
        made_at=START,
        expires_at=START + timedelta(hours=4),
        kind="setpoints",
        moves=(Move("feed", 0.041, "L/h", 0.04),),
        plan=Plan((Step(START, {"feed": 0.041}),), START + timedelta(hours=100)),
        reason='Raise feed to 0.041 L/h, "slowly", for +8 g (3 to 12 g).',
        effect=Effect("product", "g", 100.0, 108.0, 8.0, 3.0, 12.0),
    )


def _decision(minute: int = 0, plant: str = "R1", batch: str = "B1", readings: int = 3, **changes: object) -> Decision:
    """One turn; what is random in it depends on the minute alone."""
    at, chance = START + timedelta(minutes=minute), random.Random(minute)
    values = {f"variable_{i}": Reading(chance.gauss(50, 9), "%", at, Quality.GOOD) for i in range(readings)}
    whole = Decision(
        time=at,
        plant=plant,
        mode=Mode.ADVISORY,
        mode_reason="started",
        snapshot=Snapshot(at, values),
        situation=Situation(batch, "growth", START + timedelta(hours=230), {"feed": 0.042}),
        estimate=_estimate(at, chance),
        insight=_insight(),
        baseline=BASELINE,
        proposal=_suggestion(),
        proposed=PROPOSED,
        verdict=Verdict((), (), ("nothing is to be done",)),
        command=None,
        open=True,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


@pytest.fixture
def start() -> datetime:
    return START


@pytest.fixture
def decision() -> Callable[..., Decision]:
    return _decision


@pytest.fixture
def forecast() -> Callable[..., Forecast]:
    return _forecast


@pytest.fixture
def abstention() -> Abstention:
    return Abstention(START, "nothing better was found")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plant.sqlite"


@pytest.fixture
def historian(path: Path) -> Iterator[Historian]:
    with Historian(path) as opened:
        yield opened


@pytest.fixture
def queueing(path: Path) -> Iterator[Historian]:
    with Historian(path, outbox=True) as opened:
        yield opened


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Wait until something holds, and fail when it does not within 200 s."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 200
        while not condition():
            assert time.monotonic() < deadline, "it did not happen within 200 s"
            time.sleep(0.02)

    return wait


def _binary(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None and os.environ.get("NEUROTWIN_REQUIRE_SERVERS") == "1":
        pytest.fail(f"{name} is required here and was not found: apt-get install {package}")
    if found is None:
        pytest.skip(f"{name} was not found (apt-get install {package})")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""
    except OSError:
        return 0, ""


class Server:
    """A server process that can be ended in every way, and started again on what it had stored."""

    def __init__(self, command: list[str], url: str, ready: str) -> None:
        self.url = url
        self._command, self._ready = command, ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 300
        while _get(self.url + self._ready)[0] not in (200, 204, 401):
            assert self._process.poll() is None, f"{self._command[0]} ended by itself"
            assert time.monotonic() < deadline, f"{self._command[0]} did not answer within 300 s"
            time.sleep(0.05)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def discard(self) -> None:
        self.end(signal.SIGKILL)  # also a stopped process heeds this


class Victoria(Server):
    """VictoriaMetrics: takes the client's writes as InfluxDB 2 does, and keeps numbers only."""

    def __init__(self, folder: Path, *options: str) -> None:
        port = _free_port()
        command = [
            _binary("victoria-metrics", "victoria-metrics"),
            f"-storageDataPath={folder}",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-retentionPeriod=10y",
            "-dedup.minScrapeInterval=1ms",
            "-loggerLevel=ERROR",
            *options,
        ]
        super().__init__(command, f"http://127.0.0.1:{port}", "/health")

    def points(self) -> dict[tuple[str, int], list[float]]:
        """Everything stored, by series name and time in ms; a list longer than one is a point stored twice."""
        _get(f"{self.url}/internal/force_flush")
        everything = urllib.parse.urlencode({"match[]": '{__name__!=""}', "start": 0})
        status, body = _get(f"{self.url}/api/v1/export?{everything}")
        assert status == 200
        found: dict[tuple[str, int], list[float]] = defaultdict(list)
        for row in map(json.loads, body.splitlines()):
            for t_ms, value in zip(row["timestamps"], row["values"], strict=True):
                found[row["metric"]["__name__"], t_ms].append(value)
        return dict(found)


@pytest.fixture
def victoria(tmp_path: Path) -> Iterator[Victoria]:
    server = Victoria(tmp_path / "victoria")
    server.start()
    yield server
    server.discard()


@pytest.fixture
def guarded_victoria(tmp_path: Path) -> Iterator[Victoria]:
    """One that wants a user and a password, which the token is not."""
    server = Victoria(tmp_path / "victoria", "-httpAuth.username=somebody", "-httpAuth.password=else")
    server.start()
    yield server
    server.discard()


INFLUXD = """
reporting-disabled = true
bind-address = "127.0.0.1:{internal}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[logging]
  level = "error"
"""


class Influx(Server):
    """InfluxDB 1.6: speaks InfluxQL and judges each row, but has no version 2 interface."""

    def __init__(self, folder: Path) -> None:
        port, config = _free_port(), folder / "influxd.conf"
        folder.mkdir()
        config.write_text(INFLUXD.format(folder=folder, port=port, internal=_free_port()))
        binary = _binary("influxd", "influxdb")
        super().__init__([binary, "-config", str(config)], f"http://127.0.0.1:{port}", "/ping")

    def start(self) -> None:
        super().start()
        self.post("/query", "q=CREATE DATABASE bio")

    def post(self, place: str, body: str) -> tuple[int, str]:
        kind = {"Content-Type": "application/x-www-form-urlencoded" if place == "/query" else "text/plain"}
        request = urllib.request.Request(self.url + place, body.encode(), kind)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def select(self, query: str) -> list[dict[str, object]]:
        """The rows of one InfluxQL query, times in ns."""
        arguments = urllib.parse.urlencode({"db": "bio", "epoch": "ns", "q": query})
        [result] = json.loads(_get(f"{self.url}/query?{arguments}")[1])["results"]
        [series] = result.get("series", [{"columns": [], "values": []}])
        return [dict(zip(series["columns"], row, strict=True)) for row in series["values"]]


@pytest.fixture
def influx(tmp_path: Path) -> Iterator[Influx]:
    server = Influx(tmp_path / "influx")
    server.start()
    yield server
    server.discard()


class Front:
    """InfluxDB 2's write address before an InfluxDB 1.6, with its judgement of every row; and moods, if asked for."""

    def __init__(self, behind: Influx) -> None:
        self.moods: list[int] = []  # statuses to answer before anything is passed on
        self.keeps_alive = True
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                body = (gzip.decompress(sent) if self.headers["Content-Encoding"] == "gzip" else sent).decode()
                asked = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                place = f"/write?db={asked['bucket'][0]}&precision={asked['precision'][0]}"
                status, text = (front.moods.pop(0), "in a mood") if front.moods else behind.post(place, body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                if not front.keeps_alive:
                    self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def front(influx: Influx) -> Iterator[Front]:
    opened = Front(influx)
    yield opened
    opened.close()
