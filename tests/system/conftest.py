"""Whole processes on loopback: the simulated plant, the controller and the console, each ended by its own id."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tomli_w
from asyncua import Client, ua

from controller.processes import find

NEUROTWIN = [sys.executable, "-m", "controller.cli"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class House:
    """A folder with a configuration, and the processes that were started from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "penicillin.toml"
        self.historian = folder / "historian.sqlite"
        self.processes: list[subprocess.Popen[str]] = []
        self.content: dict[str, Any] = find("penicillin").content()
        self.endpoint = f"opc.tcp://127.0.0.1:{free_port()}/neurotwin"
        self.content["connection"]["endpoint"] = self.endpoint
        self.content["historian"] = {"path": str(self.historian)}
        self.content["gateway"] = {"host": "127.0.0.1", "port": free_port()}
        self.content["console"] = {"host": "127.0.0.1", "port": free_port()}
        self.content["neurocore"]["backend"] = "reference"
        self.save()

    def save(self) -> None:
        self.config.write_text(tomli_w.dumps(self.content))

    def start(self, *arguments: str, log: str) -> subprocess.Popen[str]:
        out = (self.folder / log).open("a")
        process = subprocess.Popen([*NEUROTWIN, *arguments], stdout=out, stderr=out, text=True, start_new_session=True)
        out.close()
        self.processes.append(process)
        return process

    def plant(self, speed: str = "600") -> subprocess.Popen[str]:
        checkpoint = str(self.folder / "plant.checkpoint")
        options = ("--speed", speed, "--checkpoint", checkpoint, "--seed", "3")
        process = self.start("plant", str(self.config), *options, log="plant.log")
        wait_until(lambda: "plant ready" in self.log("plant.log"), 150, "the plant is ready", self)
        return process

    def log(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def query(self, question: str) -> Any:
        """One number out of the historian; zero while there is none yet."""
        with contextlib.suppress(sqlite3.OperationalError):
            with contextlib.closing(sqlite3.connect(f"file:{self.historian}?mode=ro", uri=True)) as base:
                return base.execute(question).fetchone()[0]
        return 0

    def events(self) -> list[str]:
        with (
            contextlib.suppress(sqlite3.OperationalError),
            contextlib.closing(sqlite3.connect(f"file:{self.historian}?mode=ro", uri=True)) as base,
        ):
            return [str(row[0]) for row in base.execute("SELECT text FROM event ORDER BY rowid")]
        return []

    def close(self) -> None:
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(5)


def wait_until(condition: Callable[[], bool], within_s: float, what: str, house: House | None = None) -> None:
    """Poll until the condition holds."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > within_s:
            logs = (
                ""
                if house is None
                else "\n".join(p.name + ":\n" + p.read_text()[-3000:] for p in house.folder.glob("*.log"))
            )
            raise AssertionError(f"not within {within_s:g} s: {what}\n{logs}")
        time.sleep(0.1)


def read_tags(endpoint: str, *tags: str) -> list[Any]:
    """The values of these tags, by a client that is not ours."""

    async def reading() -> list[Any]:
        async with Client(endpoint, timeout=50) as client:
            index = await client.get_namespace_index("urn:neurotwin:plant")
            nodes = [client.get_node(ua.NodeId(tag, index)) for tag in tags]
            return [value.Value.Value for value in await client.read_attributes(nodes)]

    return asyncio.run(reading())


def descendants(pid: int) -> set[int]:
    """All living processes below this one, from the kernel's table."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found = {pid}
    while True:
        more = {child for child, parent in parents.items() if parent in found} - found
        if not more:
            return found - {pid}
        found |= more


def command_line(pid: int) -> str:
    """What a process was started as; empty when it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def kill(process: subprocess.Popen[str]) -> None:
    """As a power cut would: no process of it gets a chance to say goodbye."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = House(tmp_path)
    yield built
    built.close()


@pytest.fixture
def tools() -> Any:
    return SimpleNamespace(
        wait_until=wait_until,
        read_tags=read_tags,
        kill=kill,
        neurotwin=NEUROTWIN,
        descendants=descendants,
        command_line=command_line,
    )
