"""A whole controller at a simulated plant is killed, and so is its InfluxDB: all that was recorded arrives, once."""

from __future__ import annotations

import contextlib
import json
import math
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w

from controller.edge.historian import Historian
from controller.edge.influx import Forwarder
from controller.processes import find

if TYPE_CHECKING:
    from conftest import Influx, Victoria  # type: ignore[import-not-found]

NEUROTWIN = [sys.executable, "-m", "controller.cli"]
SPEED = 600  # process seconds per second: two scans
OUTAGE_S = 600.0  # of the wall, in the full form
LONG = [pytest.mark.benchmark, pytest.mark.timeout(3600)]
MEASUREMENTS = ("process", "setpoint", "estimate", "neurocore")
Stored = dict[tuple[str, int], list[float]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Site:
    """The simulated plant, and the controller that is killed."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.path = folder, folder / "historian.sqlite"
        self.config = folder / "penicillin.toml"
        content: dict[str, Any] = find("penicillin").content()
        content["connection"]["endpoint"] = f"opc.tcp://127.0.0.1:{free_port()}/neurotwin"
        content["historian"] = {"path": str(self.path)}
        content["gateway"] = {"host": "127.0.0.1", "port": free_port()}
        content["neurocore"]["backend"] = "reference"
        content["influx"] = {"url": url, "org": "", "bucket": "bio", "token_file": "token"}
        (folder / "token").write_text("any\n")
        self.config.write_text(tomli_w.dumps(content))
        self.controller: subprocess.Popen[bytes] | None = None
        self.plant = self._start("plant", str(self.config), "--speed", str(SPEED), "--seed", "3")
        self.until(lambda: b"plant ready" in (folder / "plant.log").read_bytes(), "the plant is ready")

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen([*NEUROTWIN, *arguments], stdout=log, stderr=log)

    def until(self, condition: Callable[[], bool], what: str, within_s: float = 180.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            logs = "\n".join(log.read_text()[-1500:] for log in self.folder.glob("*.log"))
            assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}\n{logs}"
            time.sleep(0.05)

    def run(self) -> None:
        self.controller = self._start("run", str(self.config), "--mode", "auto", "--wait", "120")

    def turns(self) -> int:
        """How many the controller has recorded, as another process sees it."""
        with contextlib.suppress(sqlite3.OperationalError):
            with contextlib.closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)) as db:
                return int(db.execute("SELECT count(*) FROM decision").fetchone()[0])
        return 0

    def go_on(self, turns: int) -> None:
        """Until it has recorded so many more."""
        enough = self.turns() + turns
        self.until(lambda: self.turns() >= enough, f"{turns} turns are recorded")

    def end(self, number: signal.Signals) -> None:
        if self.controller is not None:
            self.controller.send_signal(number)
            self.controller.wait(60)
            self.controller = None

    def close(self) -> None:
        self.end(signal.SIGKILL)
        self.plant.kill()
        self.plant.wait(30)


@contextlib.contextmanager
def site(folder: Path, url: str) -> Iterator[Site]:
    opened = Site(folder, url)
    try:
        yield opened
    finally:
        opened.close()


def campaign(at: Site, server: Victoria | Influx, kills: int, seed: int, outage_s: float) -> int:
    """Kill the one and the other in turn at random moments, its start among them; returns how often it was started."""
    chance = random.Random(seed)
    at.run()
    at.go_on(5)
    for i in range(kills):
        time.sleep(chance.uniform(0.0, 4.0))
        if i % 2:
            server.end(signal.SIGKILL)
            at.go_on(chance.randrange(2, 15))  # it records on without its server
            server.start()
        else:
            at.end(signal.SIGKILL)
            at.run()
            if chance.random() < 0.7:  # else the next kill of either may come while it starts
                at.go_on(chance.randrange(1, 10))
    at.go_on(2)
    server.end(signal.SIGKILL)
    begun, before = time.monotonic(), at.turns()
    while time.monotonic() - begun < outage_s:
        at.go_on(1)
    server.start()
    return at.turns() - before


def drained(at: Site) -> None:
    """End the controller as an operator would, and send what is left."""
    at.go_on(3)
    at.end(signal.SIGTERM)
    with Historian(at.path) as historian, Forwarder(at.path, *target(at)):
        deadline = time.monotonic() + 120
        while historian.outbox_pending():
            assert time.monotonic() < deadline, "the outbox was not emptied within 120 s"
            time.sleep(0.05)


def target(at: Site) -> tuple[str, str, str, str]:
    to = tomllib.loads(at.config.read_text())["influx"]
    return to["url"], to["org"], to["bucket"], "any"


def recorded(path: Path) -> dict[tuple[str, int], float]:
    """Every number that the historian holds, by series and time: of turns, and of what was fetched after an outage."""
    found: dict[tuple[str, int], float] = {}
    with Historian.reader(path) as history:
        with history.snapshot() as db:
            layouts = db.execute("SELECT plant, batch, names FROM layout").fetchall()
        for plant, batch, names in layouts:
            for series, buckets in history.trend(plant, batch, json.loads(names)).items():
                found |= {(series, b.t_ms): b.mean for b in buckets if b.mean is not None}
    return found


def arrived(server: Victoria | Influx, wanted: set[str]) -> Stored:
    """The same of the server; other points than these series' are told of turns and of no trend."""
    if hasattr(server, "points"):
        names = {name.replace(".", "_", 1): name for name in wanted}
        return {(names[name], t_ms): values for (name, t_ms), values in server.points().items() if name in names}
    found: Stored = {}
    for measurement in MEASUREMENTS:
        for row in server.select(f"SELECT * FROM {measurement}"):
            for field, value in row.items():
                if value is not None and f"{measurement}.{field}" in wanted:
                    found.setdefault((f"{measurement}.{field}", row["time"] // 10**6), []).append(value)
    return found


def compare(path: Path, server: Victoria | Influx) -> int:
    expected = recorded(path)
    series = {name for name, _ in expected}
    found, deadline = arrived(server, series), time.monotonic() + 20
    while found.keys() != expected.keys() and time.monotonic() < deadline:  # what it took just now shows after a while
        time.sleep(0.5)
        found = arrived(server, series)
    assert sorted(expected.keys() - found.keys())[:5] == []
    assert sorted(found.keys() - expected.keys())[:5] == []
    assert [key for key, values in found.items() if len(values) != 1] == []
    largest = {name: max(abs(v) for (of, _), v in expected.items() if of == name) for name in series}
    # VictoriaMetrics keeps the digits that the largest value of a block has.
    differ = [
        k for k, v in expected.items() if not math.isclose(found[k][0], v, rel_tol=1e-12, abs_tol=1e-12 * largest[k[0]])
    ]
    assert differ == []
    return len(expected)


@pytest.mark.parametrize(
    ("kills", "outage_s"), [(2, 3.0), pytest.param(20, OUTAGE_S, marks=LONG)], ids=["short", "twenty, and ten minutes"]
)
def test_what_a_killed_controller_recorded_is_in_victoriametrics_once(
    tmp_path: Path, victoria: Victoria, kills: int, outage_s: float
) -> None:
    with site(tmp_path, victoria.url) as at:
        missed = campaign(at, victoria, kills, seed=3, outage_s=outage_s)
        drained(at)
    whole(at, kills, missed)
    assert compare(at.path, victoria) > 1000


@pytest.mark.parametrize(("kills", "outage_s"), [pytest.param(20, 30.0, marks=LONG)])
def test_what_a_killed_controller_recorded_is_in_influxdb_once(
    tmp_path: Path, influx: Influx, kills: int, outage_s: float
) -> None:
    with site(tmp_path, influx.url) as at:
        missed = campaign(at, influx, kills, seed=4, outage_s=outage_s)
        drained(at)
    whole(at, kills, missed)
    assert compare(at.path, influx) > 1000


def whole(at: Site, kills: int, missed: int) -> None:
    """The record is sound and unbroken, and the outage and the kills were what they should be."""
    with Historian.reader(at.path) as history:
        history.check()
        assert history.chain_faults() == []
        starts = len(history.sessions("R1"))
        assert not history.outbox_pending()
    assert missed >= 3
    assert starts >= 1 + kills // 4  # those that were killed while they started have left no trace
