"""node-opcua, an OPC UA stack that is not ours, as server and client processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.edge.opcua.tags import KINDS, WRITTEN, Tag, TagKind, tags_of
from controller.processes import find
from controller.settings import Settings, load

HERE = Path(__file__).parent
TYPES = {
    TagKind.NUMBER: "Double",
    TagKind.INTEGER: "UInt32",
    TagKind.TIME: "DateTime",
    TagKind.FLAG: "Boolean",
    TagKind.TEXT: "String",
}
BLANK: dict[TagKind, Any] = {
    TagKind.INTEGER: 0,
    TagKind.TIME: "2026-01-01T00:00:00Z",
    TagKind.FLAG: False,
    TagKind.TEXT: "B-001",
}


@pytest.fixture(scope="session")
def node() -> str:
    """The node executable, with what package.json asks for."""
    found = shutil.which("node")
    missing = "" if found else "node was not found (apt-get install nodejs npm)"
    if found and not (HERE / "node_modules" / "node-opcua-server").is_dir():
        missing = "node-opcua was not found (npm ci in tests/interop)"
    if missing and os.environ.get("NEUROTWIN_REQUIRE_SERVERS") == "1":
        pytest.fail(missing)
    if missing or found is None:
        pytest.skip(missing)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _described(tag: Tag, settings: Settings) -> dict[str, Any]:
    """A tag as the server shall show it: what the configuration expects, in the middle of its range."""
    kind = KINDS[tag.key]
    described: dict[str, Any] = {"node": tag.node, "type": TYPES[kind], "writable": tag.key in WRITTEN}
    if tag.key == "owner":
        return {**described, "value": "", "moves": False}
    if kind is not TagKind.NUMBER or not tag.unit:
        value = settings.supervisor.lease_s if tag.key == "lease_node" else BLANK.get(kind, 0.0)
        return {**described, "value": value, "moves": False}
    variable = settings.plant_record().variable(tag.owner)
    span = {"unit": tag.unit, "low": variable.low, "high": variable.high}
    moves = tag.key == "node" and not tag.node.startswith("LAB.")
    middle = (variable.low + variable.high) / 2
    in_limits = settings.limits[tag.owner].low if tag.owner in settings.limits else middle
    return {**described, **span, "value": in_limits if tag.key != "node" else middle, "moves": moves}


class NodePlant:
    """A server of node-opcua with the tags of the shipped configuration; it can be killed and started again."""

    def __init__(self, node: str, folder: Path) -> None:
        self._node, self._folder, self.port = node, folder, free_port()
        self._process: subprocess.Popen[str] | None = None
        shipped = load(find("penicillin").configuration)
        tags = [_described(t, shipped) for t in tags_of(shipped) if KINDS[t.key] is not TagKind.METHOD]
        (folder / "tags.json").write_text(json.dumps(tags))

    def start(self) -> None:
        command = [self._node, str(HERE / "server.js"), str(self.port), str(self._folder / "tags.json")]
        with (self._folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                [*command, str(self._folder)], stdout=subprocess.PIPE, stderr=log, text=True, cwd=HERE
            )
        for line in self._process.stdout or ():
            if line.strip() == "ready":
                return
        raise RuntimeError(f"node-opcua did not start: {(self._folder / 'server.log').read_text()[-2000:]}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def settings(self, **connection: Any) -> Settings:
        """The shipped configuration for this server."""
        shipped = load(find("penicillin").configuration)
        known = {"timeout_s": 10.0, "reconnect_max_delay_s": 1.0, "advance_node": None, **connection}
        endpoint = f"opc.tcp://127.0.0.1:{self.port}/neurotwin"
        return replace(shipped, connection=replace(shipped.connection, endpoint=endpoint, **known))


@pytest.fixture(scope="module")
def node_plant(node: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodePlant]:
    plant = NodePlant(node, tmp_path_factory.mktemp("node"))
    plant.start()
    yield plant
    plant.kill()


@pytest.fixture
def simulated_plant(tmp_path: Path) -> Iterator[Callable[..., tuple[str, subprocess.Popen[bytes]]]]:
    """Start the simulated plant in lockstep, at the same endpoint each time; gives endpoint and process."""
    endpoint = f"opc.tcp://127.0.0.1:{free_port()}/neurotwin"
    started: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> tuple[str, subprocess.Popen[bytes]]:
        command = [
            sys.executable,
            "-m",
            "plant_sim.server",
            "--design",
            "controller.processes.penicillin.plant:DESIGN",
            "--endpoint",
            endpoint,
            "--seed",
            "7",
            *options,
        ]
        checkpoint = ["--checkpoint", str(tmp_path / "plant.json")]
        process = subprocess.Popen([*command, *checkpoint], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        started.append(process)
        if process.stdout is None or b"plant ready" not in process.stdout.readline():
            raise RuntimeError("the simulated plant did not start")
        return endpoint, process

    yield start
    for process in started:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
