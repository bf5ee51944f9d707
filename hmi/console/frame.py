"""Page frame of every display: head, alarm banner, the way to the other displays, and the tick that keeps it true."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from urllib.parse import quote

from nicegui import ui

from hmi.console.alarms import AlarmBar
from hmi.console.alerts import alerts
from hmi.console.context import Context, Display
from hmi.console.dialogs import ModeForm
from hmi.console.header import Banner, Header, calm_sentence
from hmi.console.parts import Text, box, mark
from hmi.console.people import People

TICK_S = 0.5
SESSION_EVERY_S = 10.0  # a person's session is looked after (design)
PRIMARY = {False: "#34556f", True: "#9dbdd6"}  # what has the focus, on the light and the dark ground


class PageFrame:
    """What one browser tab shows. The controller owns the state; here is only what this person looks at."""

    def __init__(
        self,
        context: Context,
        here: str,
        displays: Mapping[str, str],
        make: Callable[[Context], Display],
        people: People,
        browser: str,
    ) -> None:
        self._context, self._people, self._browser = context, people, browser
        self._version, self._asked = -1, monotonic()
        self._dark = ui.dark_mode(bool(context.prefs.get("dark", False)))
        context.dark = bool(self._dark.value)
        ui.colors(primary=PRIMARY[context.dark])
        with box("top", "header"):
            self._header = Header(context, self._change_mode, self._change_ground, self._sign_out)
            self._banner = Banner()
            self._alarms = AlarmBar(context)
            _navigation(context.plant["name"], here, displays)
        with box("content", "main") as self._content:
            Text("h1", f"{context.plant['name']}: {displays[here]}", "unseen")
            self._display = make(context)
        self._show()
        ui.timer(TICK_S, self._tick)

    async def _tick(self) -> None:
        link = self._context.link
        if link.plant != self._context.plant:
            ui.navigate.reload()  # the controller was started anew for something else
            return
        self._show_banner()
        if self._version != link.version:
            self._show()
        await self._display.refresh()
        if monotonic() - self._asked > SESSION_EVERY_S:
            self._asked = monotonic()
            if not await self._people.still(self._browser):
                ui.navigate.to("/sign-in")

    def _show(self) -> None:
        self._version = self._context.link.version
        self._header.show()
        self._alarms.show()
        self._display.show()
        self._show_banner()

    def _show_banner(self) -> None:
        link = self._context.link
        found = alerts(link.status, link.decision, self._context.names, link.away, link.heard_s)
        self._banner.show(found, calm_sentence(link.status, link.heard_s))
        cut = link.status is not None and link.status["link"] != "connected"
        mark(self._content, "old", cut or link.away is not None)

    def _change_ground(self) -> None:
        self._dark.toggle()
        self._context.dark = bool(self._dark.value)
        ui.colors(primary=PRIMARY[self._context.dark])
        self._context.prefs["dark"] = self._context.dark
        self._display.change_ground()

    def _change_mode(self) -> None:
        status = self._context.link.status
        ModeForm(self._context, "shadow" if status is None else status["mode"]).dialog.open()

    async def _sign_out(self) -> None:
        await self._people.sign_out(self._browser)
        ui.navigate.to("/sign-in")


def _navigation(plant: str, here: str, displays: Mapping[str, str]) -> None:
    with box("nav", "nav").props('aria-label="Displays"'):
        _way("/", "Overview", False)
        for key, text in displays.items():
            _way(f"/reactor/{quote(plant, safe='')}" + (f"/{key}" if key else ""), text, key == here)


def _way(target: str, text: str, here: bool) -> None:
    link = Text("a", text, "way here" if here else "way").props(f'href="{target}"')
    if here:
        link.props('aria-current="page"')
