"""Connections that say nothing cost the gateway nothing: whoever asks is answered, and files do not run out."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from controller.edge import serve
from controller.edge.gateway import connections, guard

POST = (
    b"POST /api/v1/notes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{"
)


@pytest.fixture
def port(bench: Any) -> Iterator[int]:
    """A gateway as the controller serves it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        number = int(probe.getsockname()[1])
    loop, ready, done = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serving() -> None:
        async with serve.serving(bench, "127.0.0.1", number):
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serving()))
    thread.start()
    assert ready.wait(50)
    yield number
    loop.call_soon_threadsafe(done.set)
    thread.join(60)
    loop.close()


def healthy(port: int) -> bool:
    answer = httpx.get(f"http://127.0.0.1:{port}/api/v1/health", trust_env=False, timeout=20)
    return answer.status_code == 200


def silent(port: int, count: int, said: bytes = b"") -> contextlib.ExitStack:
    stack = contextlib.ExitStack()
    for _ in range(count):
        one = stack.enter_context(socket.create_connection(("127.0.0.1", port), 20))
        if said:
            one.sendall(said)
    return stack


def hung_up(one: socket.socket) -> bool:
    one.settimeout(20)
    with contextlib.suppress(ConnectionError):
        return one.recv(1) == b""
    return True


@pytest.mark.parametrize("said", [b"", b"GET /api/v1/health HTT"])
def test_a_thousand_silent_connections_keep_nobody_out(port: int, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SILENT_S", 300.0)  # so that it is the number that is bounded
    monkeypatch.setattr(connections, "MOST", 20)
    assert healthy(port)
    with socket.create_connection(("127.0.0.1", port), 20) as first, silent(port, 200, said):
        assert healthy(port)
        assert hung_up(first)


def test_who_says_nothing_is_hung_up_on(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SILENT_S", 0.2)
    assert healthy(port)
    with socket.create_connection(("127.0.0.1", port), 20) as one:
        assert hung_up(one)


def test_a_body_that_does_not_come_is_not_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_WITHIN_S", 0.2)
    assert healthy(port)
    with socket.create_connection(("127.0.0.1", port), 20) as one:
        one.settimeout(20)
        one.sendall(POST)
        assert one.recv(20).startswith(b"HTTP/1.1 408")


def test_a_stream_that_was_asked_for_stays_open(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SILENT_S", 0.2)
    monkeypatch.setattr(connections, "MOST", 5)
    with httpx.stream("GET", f"http://127.0.0.1:{port}/api/v1/stream", trust_env=False, timeout=60) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith(":")
        with silent(port, 30):
            time.sleep(0.5)
            assert healthy(port)
            assert any(line == ": alive" for line in lines)
