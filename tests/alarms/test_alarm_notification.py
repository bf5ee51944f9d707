"""Urgent alarms are told through apprise to a real HTTP server; failures are told without the address."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from controller.edge.notification import NotificationFault, Notifier, notifying
from controller.loop.alarm_records import Priority
from controller.loop.alarms import Definition, Kind
from controller.tables import NotificationTable

SECRET = "hunter2"
HIGH = Definition(
    "plant_lost", "The plant could not be reached", "loop.link", Kind.CONDITION, Priority.HIGH,
    "nobody watches", "look at the reactor",
)  # fmt: skip


@pytest.fixture
def pager() -> Iterator[SimpleNamespace]:
    """A server that takes JSON by POST, or refuses with the status that is set."""
    heard: list[dict[str, Any]] = []
    state = SimpleNamespace(heard=heard, status=200)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(state.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    state.url = f"json://ada:{SECRET}@127.0.0.1:{server.server_address[1]}/alarms"
    yield state
    server.shutdown()
    server.server_close()
    thread.join(50.0)


def table(tmp_path: Path, *urls: str, least: Any = "high") -> NotificationTable:
    file = tmp_path / "urls"
    file.write_text("# who is told\n\n" + "\n".join(urls) + "\n")
    return NotificationTable(file, least, 5.0)


def told(settings: NotificationTable, *messages: Definition, until: Callable[[list[str]], bool]) -> list[str]:
    """Tell these alarms; what failed, once `until` holds."""
    failed: list[str] = []

    async def note(why: str) -> None:
        failed.append(why)

    async def session() -> None:
        async with notifying(settings, "R1", note) as notifier:
            assert notifier is not None
            for definition in messages:
                notifier.tell(definition, "the cable is out", "2026-01-03 12:00 UTC")
            async with asyncio.timeout(20.0):
                while not until(failed):
                    await asyncio.sleep(0.02)

    asyncio.run(session())
    return failed


def test_an_urgent_alarm_is_told_with_what_to_do(pager: SimpleNamespace, tmp_path: Path) -> None:
    failed = told(table(tmp_path, pager.url), HIGH, until=lambda _: bool(pager.heard))
    assert not failed
    message = pager.heard[0]
    assert message["title"] == "[HIGH] R1: The plant could not be reached"
    for part in ("the cable is out", "2026-01-03 12:00 UTC", "nobody watches", "look at the reactor"):
        assert part in message["message"]


def test_what_is_less_urgent_than_asked_for_is_not_told(tmp_path: Path, pager: SimpleNamespace) -> None:
    notifier = Notifier(table(tmp_path, pager.url, least="critical"), "R1")
    assert not notifier.urgent(HIGH)
    told(table(tmp_path, pager.url, least="medium"), HIGH, until=lambda _: len(pager.heard) == 1)


@pytest.mark.parametrize("dead", [True, False])
def test_a_failure_is_told_with_the_line_and_never_with_the_address(
    pager: SimpleNamespace, tmp_path: Path, dead: bool, caplog: Any, capfd: Any
) -> None:
    pager.status = 500
    url = f"json://ada:{SECRET}@127.0.0.1:1/alarms" if dead else pager.url
    failed = told(table(tmp_path, url), HIGH, until=bool)
    assert "was not told to address 1 of urls" in failed[0]
    output = capfd.readouterr()
    assert SECRET not in failed[0] + caplog.text + output.out + output.err


def test_one_dead_address_keeps_the_message_from_no_other(pager: SimpleNamespace, tmp_path: Path) -> None:
    dead = f"json://ada:{SECRET}@127.0.0.1:1/alarms"
    failed = told(table(tmp_path, dead, pager.url), HIGH, until=lambda f: bool(pager.heard and f))
    assert len(failed) == 1


def test_a_line_that_is_no_address_is_refused_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(NotificationFault, match="address 1 is none that apprise understands") as refused:
        Notifier(table(tmp_path, f"nonsense://{SECRET}"), "R1")
    assert SECRET not in str(refused.value)


def test_a_file_without_an_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no address"):
        table(tmp_path)


def test_without_a_table_nobody_is_told() -> None:
    async def session() -> None:
        async with notifying(None, "R1", lambda _: asyncio.sleep(0)) as notifier:
            assert notifier is None

    asyncio.run(session())
