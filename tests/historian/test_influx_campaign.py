"""Kills without warning, of the controller's side and of the server, in any order: points in are points out, once."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controller.edge.historian import Historian, outbox
from controller.edge.historian.series import samples
from controller.edge.historian.wire import encode
from controller.edge.influx import Forwarder
from controller.loop.records import Decision

if TYPE_CHECKING:
    from conftest import Influx, Victoria  # type: ignore[import-not-found]

Make = Callable[..., Decision]
ROOT = Path(__file__).parents[2]

RECORD_AND_FORWARD = """
import sys, time
import structlog
from dataclasses import replace
from datetime import timedelta
from controller.edge.historian import Historian
from controller.edge.historian.wire import decode
from controller.edge.influx import Forwarder
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
path, url, pause_s = sys.argv[1], sys.argv[2], float(sys.argv[3])
made = decode(sys.stdin.buffer.read())
with Historian(path, outbox=True) as historian, Forwarder(path, url, "", "bio", ""):
    number = len(historian.decisions("R1", "B1"))
    while True:
        at = made.time + timedelta(seconds=number)
        readings = {name: replace(r, value=number + i) for i, (name, r) in enumerate(made.snapshot.readings.items())}
        snapshot = replace(made.snapshot, time=at, readings=readings)
        historian.record(replace(made, time=at, snapshot=snapshot))
        number += 1
        print(number, flush=True)
        time.sleep(pause_s)
"""

# What is told of a turn beside its trends; `test_line_protocol` is about that.
BESIDE = (
    "suggestion_", "alarm_", "historian_", "neurocore_contribution_", "neurocore_spikes", "neurocore_units",
    "neurocore_weight",
)  # fmt: skip


class Controller:
    """What a controller does with its historian and its forwarder, in a process that can be killed."""

    def __init__(self, path: Path, url: str, template: Decision, pause_s: float = 0.01) -> None:
        self._command = [sys.executable, "-c", RECORD_AND_FORWARD, str(path), url, str(pause_s)]
        self._template = encode(template)
        self._process: subprocess.Popen[bytes] | None = None
        self.acknowledged = 0  # turns that it said it had recorded

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT
        )
        assert self._process.stdin is not None
        self._process.stdin.write(self._template)
        self._process.stdin.close()
        self.reach(self.acknowledged + 1)

    def reach(self, number: int) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while self.acknowledged < number:
            line = self._process.stdout.readline()
            assert line, "it ended by itself"
            self.acknowledged = int(line)

    def kill(self) -> None:
        if self._process is None:
            return
        assert self._process.stdout is not None
        self._process.send_signal(signal.SIGKILL)
        told = self._process.stdout.readlines()
        self._process.stdout.close()
        self._process.wait(30)
        self._process = None
        self.acknowledged = max([self.acknowledged, *(int(line) for line in told if line.endswith(b"\n"))])


@contextlib.contextmanager
def controller(path: Path, url: str, template: Decision, pause_s: float = 0.01) -> Iterator[Controller]:
    running = Controller(path, url, template, pause_s)
    running.start()
    try:
        yield running
    finally:
        running.kill()


def campaign(running: Controller, server: Victoria | Influx, kills: int, seed: int) -> Counter[str]:
    """Kill one or the other at random moments, and start it again after a random while."""
    chance, done = random.Random(seed), Counter[str]()
    for i in range(kills):
        time.sleep(chance.uniform(0.0, 1.0))
        who = "controller" if i % 2 else "server"
        done[who] += 1
        if who == "controller":
            running.kill()
            running.start()
        else:
            server.end(signal.SIGKILL)
            running.reach(running.acknowledged + chance.randrange(1, 40))  # it records on without its server
            server.start()
    return done


def drained(path: Path, url: str) -> list[Decision]:
    """Send what is left; every turn that was committed."""
    with Historian(path) as historian, Forwarder(path, url, "", "bio", ""):
        deadline = time.monotonic() + 60
        while historian.outbox_pending():
            assert time.monotonic() < deadline, "the outbox was not emptied within 60 s"
            time.sleep(0.05)
        historian.check()
        return historian.decisions("R1", "B1")


def in_victoria(server: Victoria, made: list[Decision]) -> None:
    """Every number of every turn is there, once, and nothing else."""
    expected = Counter(f"{s.measurement}_{s.field}" for d in made for s in samples(d) if s.value is not None)
    expected += Counter(f"quality_{name}" for d in made for name in d.snapshot.readings)
    points, deadline = {}, time.monotonic() + 15  # what it took just now shows after a while
    while len(points) < expected.total() and time.monotonic() < deadline:
        points = {key: values for key, values in server.points().items() if not key[0].startswith(BESIDE)}
    assert {key: values for key, values in points.items() if len(values) != 1} == {}
    assert Counter(name for name, _ in points) == expected
    for d in made:
        at = int(d.time.timestamp() * 1000)
        assert points["process_variable_0", at] == [d.snapshot.readings["variable_0"].value]


def in_influx(server: Influx, made: list[Decision]) -> None:
    rows = server.select("SELECT variable_0, variable_2 FROM process")
    assert [row["variable_0"] for row in rows] == [d.snapshot.readings["variable_0"].value for d in made]
    for measurement in ("process", "quality", "setpoint", "estimate", "neurocore", "suggestion"):
        assert len(server.select(f"SELECT * FROM {measurement}")) == len(made)


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=[pytest.mark.benchmark, pytest.mark.timeout(1800)])])
def test_kills_of_both_sides_cost_victoriametrics_no_point(
    path: Path, victoria: Victoria, decision: Make, kills: int
) -> None:
    with controller(path, victoria.url, decision(0)) as running:
        assert campaign(running, victoria, kills, seed=1)["server"] == kills / 2
    made = drained(path, victoria.url)
    assert len(made) in (running.acknowledged, running.acknowledged + 1)
    in_victoria(victoria, made)


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=[pytest.mark.benchmark, pytest.mark.timeout(1800)])])
def test_kills_of_both_sides_cost_influxdb_no_point(path: Path, influx: Influx, decision: Make, kills: int) -> None:
    with controller(path, influx.url, decision(0)) as running:
        campaign(running, influx, kills, seed=2)
    made = drained(path, influx.url)
    assert len(made) in (running.acknowledged, running.acknowledged + 1)
    in_influx(influx, made)


def test_ten_minutes_of_outage_at_a_scan_a_second_cost_no_point(path: Path, victoria: Victoria, decision: Make) -> None:
    with controller(path, victoria.url, decision(0), pause_s=0.0) as running:
        running.reach(50)
        victoria.end(signal.SIGKILL)
        running.reach(running.acknowledged + 600)
        with Historian.reader(path) as reader:
            assert (reader.outbox_pending() or 0) >= 600 * 5
        running.kill()
        victoria.start()
    made = drained(path, victoria.url)
    assert len(made) >= 650
    in_victoria(victoria, made)
    with Historian.reader(path) as reader, reader.snapshot() as db:
        assert outbox.position(db) == db.execute("SELECT max(id) FROM outbox").fetchone()[0]
