"""System display: link, loop, historian, outbox, gaps in the data and NeuroCore, each with a word and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hmi.console import words
from hmi.console.context import Context
from hmi.console.parts import Text, box, mark, panel, say

Json = Mapping[str, Any]
EVERY_S = 2.0
SIGNS = {"ok": "✓ ok", "warn": "▲ look at it", "bad": "✕ not working"}


class SystemDisplay:
    """A card for each part of the system."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shown: Sequence[Json] = ()
        with box("stack tall"):
            self._cards = box("cards")
            self._away = Text("p", "", "lead")

    def show(self) -> None:
        """The controller itself is what is asked, so its absence is what the banner tells."""
        say(
            self._away, "" if self._context.reachable else "The controller does not answer; shown is what it said last."
        )

    def change_ground(self) -> None:
        """The cards take their colours from the page."""

    async def refresh(self) -> None:
        """Ask for the parts, and draw them anew if something changed."""
        found: Sequence[Json] | None = await self._context.link.look("/system", EVERY_S)
        if found is None or found == self._shown:
            return
        self._shown = found
        self._cards.clear()
        with self._cards:
            for part in found:
                _card(part)


def _card(part: Json) -> None:
    outer, note = panel(part["name"], "part")
    say(note, SIGNS[part["state"]])
    mark(outer, "bad", part["state"] == "bad")
    mark(outer, "uncertain", part["state"] == "warn")
    with outer:
        Text("p", words.sentence(part["text"]), "lead")
        with box("facts", "dl"):
            for fact in part["facts"]:
                Text("dt", words.title(fact["name"].replace(" ", "_")))
                Text("dd", fact["value"])
