"""Audit display: who did what and when, and what the system did of itself, to look through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from hmi.console import words
from hmi.console.context import Context
from hmi.console.parts import Right, Text, box, head, panel, say
from hmi.console.tables import SEVERITIES

Json = Mapping[str, Any]
EVERY_S = 2.0
MOST = 500  # what the gateway gives at once


class AuditDisplay:
    """Every event of the record, newest first, by kind and by words."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._all: list[Json] = []
        self._shown: list[tuple[str, ...]] = []
        with box("stack tall"):
            outer, self._note = panel("Audit trail", "audit")
            with outer:
                with box("filters"):
                    self._kind = ui.select({"": "All kinds"}, value="", on_change=self._again).props("dense outlined")
                    self._kind.props('aria-label="Kind"').classes("select")
                    self._words = ui.input("Contains", on_change=self._again).props("dense outlined clearable")
                with box("scroll").props('tabindex="0" aria-label="Events"'), box("values", "table"):
                    head("Time (UTC)", Right("Elapsed"), "", "Kind", "What happened")
                    self._body = ui.element("tbody")

    def show(self) -> None:
        """Everything here is fetched by itself."""

    def change_ground(self) -> None:
        """The table takes its colours from the page."""

    async def refresh(self) -> None:
        """Fetch the events, and show those that are asked for."""
        found = await self._context.link.look("/events", EVERY_S, limit=MOST)
        if found is None or found == self._all:
            return
        self._all = found
        kinds = {"": "All kinds"} | {kind: words.title(kind) for kind in sorted({e["kind"] for e in found})}
        if kinds != self._kind.options:
            self._kind.set_options(kinds, value=self._kind.value if self._kind.value in kinds else "")
        self._again()

    def _again(self) -> None:
        wanted, text = self._kind.value, (self._words.value or "").lower()
        rows = [self._cells(event) for event in self._all if wanted in ("", event["kind"])]
        rows = [row for row in rows if text in row[-1].lower()]
        say(self._note, f"{len(rows)} of the latest {len(self._all)} events")
        if rows == self._shown:
            return
        self._shown = rows
        self._body.clear()
        with self._body:
            for time, elapsed, sign, kind, what in rows:
                with ui.element("tr").classes({"✕": "bad", "▲": "uncertain"}.get(sign, "")):
                    Text("td", time, "time")
                    Text("td", elapsed, "num")
                    Text("td", sign, "quality")
                    Text("td", kind, "kind")
                    Text("td", what, "text")

    def _cells(self, event: Json) -> tuple[str, ...]:
        when = words.moment(event["time"])
        stamp = words.ABSENT if when is None else f"{when:%Y-%m-%d %H:%M:%S}"
        elapsed = words.elapsed(words.hours(event["time"], self._context.start))
        told = words.happened(event, self._context.names)
        return stamp, elapsed, SEVERITIES[event["severity"]], event["kind"], told
