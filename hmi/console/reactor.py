"""The page of one reactor: its panels, and the tick that keeps them true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import app, ui

from hmi.console import words
from hmi.console.advice import InsightCard, SuggestionCard
from hmi.console.alerts import alerts
from hmi.console.dialogs import AnswerForm, ModeForm
from hmi.console.header import Banner, Header, calm_sentence
from hmi.console.link import Link
from hmi.console.parts import Text, box, mark
from hmi.console.tables import Estimates, Events, Measured, Setpoints
from hmi.console.trends import Trends

TICK_S = 0.5
PRIMARY = {False: "#34556f", True: "#9dbdd6"}  # what has the focus, on the light and the dark ground


class ReactorPage:
    """What one browser tab shows. The controller owns the state; here is only what this person looks at."""

    def __init__(self, link: Link, plant: Mapping[str, Any], prefs: dict[str, Any]) -> None:
        self._link, self._plant, self._prefs = link, plant, prefs
        self._names = words.names(plant)
        self._version = -1
        self._dark = ui.dark_mode(bool(prefs.get("dark", False)))
        ui.colors(primary=PRIMARY[bool(self._dark.value)])
        with box("top"):
            self._header = Header(plant, self._change_mode, self._change_ground)
            self._banner = Banner()
        with box("columns", "main") as self._columns:
            with box("stack left"):
                self._measured = Measured(plant)
                self._estimates = Estimates(plant)
            with box("stack middle"):
                self._trends = Trends(link, plant, prefs)
                self._events = Events()
            with box("stack right"):
                self._suggestion = SuggestionCard(plant, self._answer)
                self._setpoints = Setpoints(plant)
                self._insight = InsightCard(plant)
        self._trends.change_ground(bool(prefs.get("dark", False)))
        self._show()
        ui.timer(TICK_S, self._tick)

    async def _tick(self) -> None:
        if self._link.plant != self._plant:
            ui.navigate.reload()  # the controller was started anew for something else
        self._show_banner()
        if self._version != self._link.version:
            self._show()
        await self._trends.refresh()

    def _show(self) -> None:
        """Hold everything that is known now."""
        link = self._link
        self._version = link.version
        status, decision = link.status, link.decision
        start = None if status is None else words.moment(status["batch"]["start"])
        reachable = link.away is None
        self._header.show(status, decision, start, reachable)
        self._measured.show(decision)
        self._estimates.show(decision, link.assays, start)
        self._setpoints.show(status, start)
        self._suggestion.show(decision, start, reachable)
        self._insight.show(decision)
        self._events.show(link.events, start)
        self._show_banner()

    def _show_banner(self) -> None:
        link = self._link
        found = alerts(link.status, link.decision, self._names, link.away, link.heard_s)
        self._banner.show(found, calm_sentence(link.status, link.heard_s))
        cut = link.status is not None and link.status["link"] != "connected"
        mark(self._columns, "old", cut or link.away is not None)

    def _change_ground(self) -> None:
        self._dark.toggle()
        ui.colors(primary=PRIMARY[bool(self._dark.value)])
        self._prefs["dark"] = bool(self._dark.value)
        self._trends.change_ground(bool(self._dark.value))

    def _change_mode(self) -> None:
        mode = "shadow" if self._link.status is None else self._link.status["mode"]
        ModeForm(self._link, self._prefs, self._plant, mode).dialog.open()

    def _answer(self, kind: str, proposal: Mapping[str, Any]) -> None:
        done = self._suggestion.rule
        AnswerForm(self._link, self._prefs, kind, proposal, self._plant, done).dialog.open()


async def reactor_page(link: Link, name: str) -> None:
    """Build the page of that reactor, now or as soon as the controller says what it controls."""
    await ui.context.client.connected()
    prefs: dict[str, Any] = app.storage.tab
    content = box("page")

    def build() -> None:
        plant = link.plant
        if plant is None:
            return
        waiting.deactivate()
        content.clear()
        with content:
            if plant["name"] == name:
                ReactorPage(link, plant, prefs)
            else:
                _unknown(name, plant["name"])

    with content:
        _absent(link)
    waiting = ui.timer(TICK_S, build)


def _absent(link: Link) -> None:
    with box("banner"):
        Text(
            "div",
            f"✕ The controller at {link.url} is not reachable yet. Trying again every second.",
            "line bad",
        )


def _unknown(name: str, known: str) -> None:
    with box("notice"):
        Text("p", f"There is no reactor called {name} at this controller.")
        ui.link(f"Go to {known}", f"/reactor/{known}")
