"""Pages of the console: overview, signing in, and for each reactor its displays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

from nicegui import app, ui
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from hmi.console import words
from hmi.console.alarms import AlarmsDisplay
from hmi.console.audit import AuditDisplay
from hmi.console.batch import BatchDisplay
from hmi.console.context import Context, Display
from hmi.console.frame import TICK_S, PageFrame
from hmi.console.link import Link
from hmi.console.neurocore import NeuroCoreDisplay
from hmi.console.overview import overview_page
from hmi.console.parts import Text, box, button, say
from hmi.console.people import People
from hmi.console.pharmacoloop import PharmacoLoopDisplay
from hmi.console.reactor import CourseDisplay
from hmi.console.subject import Subject, subject
from hmi.console.system import SystemDisplay
from hmi.console.trends import TrendsDisplay
from hmi.console.twin import TwinDisplay
from hmi.console.unit import UnitDisplay
from hmi.console.whatif import WhatIfDisplay

Makers = Mapping[str, tuple[str, Callable[[Context], Display]]]
REACTOR: Makers = {
    "": ("Unit", UnitDisplay),
    "trends": ("Trends", TrendsDisplay),
    "twin": ("Twin", TwinDisplay),
    "neurocore": ("NeuroCore", NeuroCoreDisplay),
    "pharmacoloop": ("PharmacoLoop", PharmacoLoopDisplay),
    "what-if": ("What if", WhatIfDisplay),
    "alarms": ("Alarms", AlarmsDisplay),
    "batch": ("Batch", BatchDisplay),
    "audit": ("Audit", AuditDisplay),
    "system": ("System", SystemDisplay),
}
WITHOUT_VESSEL = ("trends", "twin", "neurocore", "pharmacoloop", "audit", "system")


def makers_of(told: Subject) -> Makers:
    """The displays of what is served, by the end of their address."""
    if told.vessel:
        return REACTOR
    return {"": (told.noun, CourseDisplay), **{key: REACTOR[key] for key in WITHOUT_VESSEL}}


def create_pages(links: Sequence[Link], people: People) -> None:
    """Register them."""
    ui.add_css(Path(__file__).with_name("console.css").read_text(encoding="utf-8"), shared=True)
    ui.add_css(Path(__file__).with_name("displays.css").read_text(encoding="utf-8"), shared=True)

    @ui.page("/", title="NeuroTwin")
    async def overview() -> None:
        browser = _browser()
        await ui.context.client.connected()
        overview_page(links, app.storage.tab, lambda: people.at(browser) is not None)

    @ui.page("/sign-in", title="Sign in · NeuroTwin")
    async def sign_in(next: str = "/") -> None:
        browser = _browser()
        await ui.context.client.connected()
        _sign_in(people, browser, _inside(next))

    @app.get("/signed-in")
    async def signed_in(ticket: str, next: str = "/") -> Response:
        if renewed := await people.claim(ticket, _browser()):
            app.storage.browser["id"] = renewed
        return RedirectResponse(_inside(next), 303)

    @app.get("/reactor/{name}/report")
    async def report(name: str) -> Response:
        return await _report(links, people, name)

    @ui.page("/reactor/{name}", title="NeuroTwin")
    async def unit(name: str) -> None:
        await _reactor(links, people, name, "")

    @ui.page("/reactor/{name}/{display}", title="NeuroTwin")
    async def display(name: str, display: str, show: str = "") -> None:
        await _reactor(links, people, name, display, show)


def _inside(path: str) -> str:
    """The path, if it leads to a page of this console."""
    return urlsplit(path).path if path.startswith("/") and path[1:2] not in ("/", "\\") else "/"


def _browser() -> str:
    return str(app.storage.browser["id"])


async def _reactor(links: Sequence[Link], people: People, name: str, display: str, show: str = "") -> None:
    """Build the display of that reactor, now or as soon as its controller says what it controls.

    `show` names the variables of the trends, separated by commas, so that a choice can be kept as a bookmark.
    """
    browser = _browser()
    await ui.context.client.connected()
    prefs, content = app.storage.tab, box("page")
    if show:
        prefs["chosen"] = show.split(",")

    def build() -> None:
        if not any(link.plant for link in links):
            return
        here = next((link for link in links if link.plant and link.plant["name"] == name), None)
        if here is None and any(link.plant is None for link in links):
            return
        waiting.deactivate()
        content.clear()
        person = people.at(browser)
        if person is None:
            ui.navigate.to(f"/sign-in?next=/reactor/{quote(name, safe='')}" + (f"/{display}" if display else ""))
            return
        with content:
            if here is None or here.plant is None:
                _unknown(name, [link.plant["name"] for link in links if link.plant])
                return
            makers = makers_of(subject(here.plant))
            if display not in makers:
                _unknown(f"{name}/{display}", [name])
                return
            title, make = makers[display]
            ui.page_title(f"{title} · {name} · NeuroTwin")
            titles = {key: text for key, (text, _) in makers.items()}
            PageFrame(Context(here, here.plant, person, prefs), display, titles, make, people, browser)

    with content:
        _absent(links)
    waiting = ui.timer(TICK_S, build)


async def _report(links: Sequence[Link], people: People, name: str) -> Response:
    """The report of the batch that runs there, or one sentence that says why not."""
    if people.at(_browser()) is None:
        return RedirectResponse(f"/sign-in?next=/reactor/{quote(name, safe='')}/report")
    here = next((link for link in links if link.plant and link.plant["name"] == name), None)
    if here is None:
        return PlainTextResponse(f"There is nothing called {name} here.", 404)
    status, told = await here.report()
    return HTMLResponse(told) if status == 200 else PlainTextResponse(words.sentence(told), status)


def _absent(links: Sequence[Link]) -> None:
    away = ", ".join(link.url for link in links if link.plant is None)
    with box("banner"):
        told = f"✕ The controller at {away} is not reachable yet. Trying again every second."
        Text("div", told if away else "Looking.", "line bad" if away else "line calm")


def _unknown(name: str, known: Sequence[str]) -> None:
    with box("notice", "main"):
        Text("h1", f"There is nothing called {name} here.")
        for other in known:
            ui.link(f"Go to {other}", f"/reactor/{quote(other, safe='')}")


def _sign_in(people: People, browser: str, after: str) -> None:
    """A name and a password; what is wrong is said without telling which of the two."""
    address = ui.context.client.ip or ""

    async def send() -> None:
        go.disable()
        asked = browser, (name.value or "").strip(), password.value or "", address
        ticket, objection = await people.sign_in(*asked)
        password.value = ""
        go.enable()
        if objection:
            say(told, f"✕ {objection[:1].upper()}{objection[1:]}")
        else:
            ui.navigate.to(f"/signed-in?ticket={ticket}&next={quote(after)}")

    with box("notice", "main"), box("dialog"):
        Text("h1", "Sign in to NeuroTwin")
        name = ui.input("Name").props("outlined dense maxlength=80 autocomplete=username")
        password = ui.input("Password", password=True).props("outlined dense maxlength=200")
        password.props("autocomplete=current-password").on("keydown.enter", send)
        told = Text("p", classes="ruling bad").props('role="status"')
        with box("buttons"):
            go = button("Sign in", send, filled=True)
