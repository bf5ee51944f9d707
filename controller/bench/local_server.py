"""A real server on this machine to forward to, in a process of the bench's own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

READY_S = 20.0


class LocalServer(NamedTuple):
    """Where it is, and who."""

    name: str
    url: str

    def points(self, expected: int) -> int:
        """How many points it has; what it took just now shows after a while, so it is asked until all are there."""
        deadline = time.monotonic() + READY_S
        while (found := self._points()) < expected and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    def _points(self) -> int:
        _read(f"{self.url}/internal/force_flush")
        asked = urllib.parse.urlencode({"match[]": '{__name__!=""}', "start": 0})
        return sum(len(json.loads(row)["values"]) for row in _read(f"{self.url}/api/v1/export?{asked}").splitlines())


@contextmanager
def local_server(folder: Path) -> Iterator[LocalServer | None]:
    """VictoriaMetrics with its data in this folder; None where it is not installed."""
    binary = shutil.which("victoria-metrics")
    if binary is None:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = [f"-storageDataPath={folder / 'victoria'}", f"-httpListenAddr=127.0.0.1:{port}"]
    options = ["-retentionPeriod=100y", "-dedup.minScrapeInterval=1ms", "-loggerLevel=ERROR"]
    process = subprocess.Popen([binary, *place, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        server = LocalServer("VictoriaMetrics", f"http://127.0.0.1:{port}")
        _await(server.url)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _await(url: str) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            _read(f"{url}/health")
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return bytes(answer.read())
