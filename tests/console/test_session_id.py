"""The id of a browser's session is new from signing in on: a cookie that somebody knew before is worth nothing."""

from __future__ import annotations

import asyncio
import socket
import threading
from base64 import b64decode
from collections.abc import Iterator
from json import loads
from pathlib import Path
from typing import Any

import pytest

from controller.edge import serve
from controller.edge.users import UserRole, Users
from controller.tables import AccessTable
from hmi.console import people as module
from hmi.console.pages import _inside
from hmi.console.people import People
from tests.console.conftest import started_console


class Door:
    """A line to a gateway where one person may sign in."""

    url, open = "http://127.0.0.1:1", False

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def sign_in(self, name: str, password: str, address: str) -> tuple[str, str, str]:
        return ("token", "operator", "") if password == "right" else ("", "", "name or password is wrong")

    async def sign_out(self, token: str) -> None:
        self.ended.append(token)


@pytest.fixture
def people() -> People:
    door: Any = Door()
    return People([door])


def sign_in(people: People, browser: str, password: str = "right") -> tuple[str, str]:
    return asyncio.run(people.sign_in(browser, "omar", password, "10.0.0.1"))


def test_whoever_planted_the_cookie_is_not_signed_in_with_it(people: People) -> None:
    ticket, objection = sign_in(people, "planted")
    assert not objection and people.at("planted") is None
    renewed = asyncio.run(people.claim(ticket, "planted"))
    assert renewed not in ("", "planted") and people.at("planted") is None
    person = people.at(renewed)
    assert person is not None and person.name == "omar"


def test_a_ticket_is_of_one_browser_for_once_and_for_a_minute(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket, _ = sign_in(people, "his")
    assert asyncio.run(people.claim(ticket, "another")) == ""
    assert asyncio.run(people.claim(ticket, "his")) == ""  # it was shown to somebody else
    ticket, _ = sign_in(people, "his")
    assert asyncio.run(people.claim(ticket, "his"))
    assert asyncio.run(people.claim(ticket, "his")) == ""
    ticket, _ = sign_in(people, "his")
    monkeypatch.setattr(module, "CLAIMED_WITHIN_S", -1.0)
    assert asyncio.run(people.claim(ticket, "his")) == ""


def test_a_wrong_password_gives_no_ticket(people: People) -> None:
    assert sign_in(people, "his", "wrong") == ("", "name or password is wrong")
    assert asyncio.run(people.claim("", "")) == ""


@pytest.mark.parametrize(
    ("asked", "path"),
    [("/reactor/R1/report", "/reactor/R1/report"), ("/", "/"), ("//evil.example", "/"), ("/\\evil.example", "/"),
     ("https://evil.example/x", "/"), ("", "/"), ("javascript:alert(1)", "/")],
)  # fmt: skip
def test_signing_in_leads_to_a_page_of_this_console(asked: str, path: str) -> None:
    assert _inside(asked) == path


@pytest.fixture
def guarded(bench: Any, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A gateway where vera may sign in, as the controller serves it; its URL and her password."""
    users = Users(tmp_path / "users.json")
    password = users.add("vera", UserRole.VIEWER)
    table = AccessTable(users=users.path)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        number = int(probe.getsockname()[1])
    loop, ready, done = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serving() -> None:
        async with serve.serving(bench, "127.0.0.1", number, access=table):
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serving()))
    thread.start()
    assert ready.wait(50)
    yield f"http://127.0.0.1:{number}", password
    loop.call_soon_threadsafe(done.set)
    thread.join(60)
    loop.close()


def test_in_a_browser_the_cookie_from_before_is_worth_nothing_after(guarded: tuple[str, str], browser: Any) -> None:
    with started_console(guarded[0]) as url:
        context = browser.new_context()
        context.set_default_timeout(8000)
        page = context.new_page()
        page.goto(f"{url}/sign-in")
        page.get_by_label("Name").fill("vera")
        [planted] = context.cookies()
        page.get_by_label("Password").fill(guarded[1])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{url}/")
        [renewed] = context.cookies()
        ids = [loads(b64decode(cookie["value"].split(".")[0]))["id"] for cookie in (planted, renewed)]
        assert ids[0] != ids[1]
        assert page.goto(f"{url}/reactor/R1/report").url.endswith("/report")
        context.clear_cookies()
        context.add_cookies([planted])
        assert "/sign-in" in page.goto(f"{url}/reactor/R1/report").url
        context.close()
