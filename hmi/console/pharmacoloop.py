"""PharmacoLoop display: the open suggestion with both forecasts, and what became of the earlier ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from hmi.console import words
from hmi.console.advice import SuggestionCard
from hmi.console.comparison import Comparison
from hmi.console.context import Context
from hmi.console.dialogs import move_sentence
from hmi.console.parts import Right, Text, box, head, panel, say
from hmi.console.subject import subject

Json = Mapping[str, Any]
HISTORY_EVERY_S = 2.0
SHOWN = 40
NARROW = "\u00a0"  # a space at which no line breaks


class PharmacoLoopDisplay:
    """What is proposed, what it would change, and what was decided before."""

    def __init__(self, context: Context) -> None:
        self._context = context
        with box("columns two"):
            with box("stack left wide"):
                self._suggestion = SuggestionCard(context)
                self._history = PastSuggestions(context)
            with box("stack tall"):
                self._comparison = Comparison(context, "With and without the suggestion", "with suggestion")

    def show(self) -> None:
        """Hold the proposal of the latest turn."""
        self._suggestion.show()

    async def refresh(self) -> None:
        """Fetch forecasts and history."""
        self._comparison.show(await self._context.link.forecasts())
        await self._history.refresh()

    def change_ground(self) -> None:
        """Draw in the colours of the other ground."""
        self._comparison.draw()


class PastSuggestions:
    """Earlier suggestions: moves, predicted effect, answer with its reason, and what followed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shown: Sequence[Json] | None = None
        outer, self._note = panel("Earlier suggestions", "history")
        with outer:
            Text("p", "So far: the estimate of now against the forecast without the suggestion.", "small")
        with outer, box("scroll").props('tabindex="0" aria-label="Earlier suggestions"'), box("values", "table"):
            head(Right("Made"), "Moves", "Answer", "Predicted for the end", "So far")
            self._body = ui.element("tbody")

    async def refresh(self) -> None:
        """Draw anew if something changed."""
        found = await self._context.link.look("/suggestions", HISTORY_EVERY_S)
        if found is None or found == self._shown:
            return
        self._shown = found
        say(self._note, f"{len(found)} in this {subject(self._context.plant).run.lower()}" if found else "none yet")
        self._body.clear()
        with self._body:
            for past in found[:SHOWN]:
                self._row(past)

    def _row(self, past: Json) -> None:
        told, start = past["suggestion"], self._context.start
        with ui.element("tr"):
            Text("td", words.elapsed(words.hours(told["made_at"], start)), "num time")
            Text("td", _moves(told, self._context) or f"{words.title(told['kind'])}: {told['reason']}", "text")
            by = f" by {past['by']}" if past["by"] else ""
            given = f": {past['given']}" if past["given"] else ""
            Text("td", f"{past['status']}{by}{given}", "text")
            Text("td", _predicted(told["effect"]), "text")
            followed = None if past["status"] == "open" else past["followed"]
            Text("td", _followed(followed, told["effect"]), "text")


def _moves(told: Json, context: Context) -> str:
    return "; ".join(_kept(move_sentence(move, context.plant)) for move in told["moves"])


def _predicted(effect: Json | None) -> str:
    if effect is None or effect["gain"] is None:
        return words.ABSENT
    places = _places(effect)
    between = f"{words.signed(effect['gain_low'], places)} to {words.signed(effect['gain_high'], places)}"
    return f"{words.signed(effect['gain'], places)} {words.unit(effect['unit'])} (80 %: {between})"


def _followed(followed: Json | None, effect: Json | None) -> str:
    if followed is None or effect is None or None in (followed["actual"], followed["without"], followed["predicted"]):
        return words.ABSENT
    places = _places(effect)
    actual, without, predicted = (followed[key] for key in ("actual", "without", "predicted"))
    unit = words.unit(effect["unit"])
    came, promised = (words.signed(value - without, places) for value in (actual, predicted))
    return f"{_kept(f'{came} {unit}')}, predicted {_kept(f'{promised} {unit}')}"


def _kept(text: str) -> str:
    """The text with its last number and unit on one line."""
    return NARROW.join(text.rsplit(" ", 1))


def _places(effect: Json) -> int:
    width = abs((effect["gain_high"] or 0.0) - (effect["gain_low"] or 0.0)) or abs(effect["gain"] or 0.0)
    return words.decimals(width / 20) if width else 2
