"""Advice cards: what PharmacoLoop proposes, with its buttons, and what NeuroCore says of the plant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nicegui import ui

from hmi.console import words
from hmi.console.context import Context
from hmi.console.dialogs import AnswerForm
from hmi.console.parts import Lines, Right, Text, box, button, head, mark, panel, place, say, show

Json = Mapping[str, Any]
WIDEST = 30.0  # percent that fill half a correction bar (design)


class SuggestionCard:
    """The open suggestion and its answer, or why nothing is proposed."""

    def __init__(self, context: Context) -> None:
        self._context, plant = context, context.plant
        self._names, self._variables = words.names(plant), {v["name"]: v for v in plant["variables"]}
        self._advises = bool(plant["advisory_only"])
        self._proposal: Json | None = None
        self._answered: str | None = None
        self._moves: list[tuple[str, ...]] = []
        outer, self._note = panel("Suggestion", "suggestion")
        with outer:
            self._reason = Text("p", classes="lead")
            with box("values moves", "table") as self._table:
                head("Move", Right("From"), "", Right("To"), "Unit")
                self._body = ui.element("tbody")
            with box("effect") as self._effect:
                self._effect_text, self._gain = Text("div"), Text("div", classes="gain")
            self._bounds, self._refusals = Lines("bounds"), Lines("bounds bad")
            self._grounds = Lines("bounds")
            with box("buttons") as self._buttons:
                button("Accept", lambda: self._answer("accept"), filled=True)
                if not self._advises:
                    button("Modify", lambda: self._answer("modify"))
                button("Reject", lambda: self._answer("reject"))
            self._look_only = Text("p", "You may look only; an operator answers.", "small")
            self._ruling = Text("p", classes="ruling").props('role="status"')

    def _answer(self, kind: str) -> None:
        if self._proposal is not None:
            AnswerForm(self._context, kind, self._proposal, self.rule).dialog.open()

    def rule(self, text: str) -> None:
        """Show what became of the last answer given here, until there is another suggestion."""
        self._answered = None if self._proposal is None else self._proposal["id"]
        say(self._ruling, f"Your answer: {text}")

    def show(self) -> None:
        """Hold the proposal of the latest turn."""
        decision, start = self._context.link.decision, self._context.start
        proposal = None if decision is None else decision["proposal"]
        offered = proposal is not None and proposal["type"] == "suggestion"
        self._proposal = proposal if offered else None
        if self._proposal is not None and self._answered not in {None, self._proposal["id"]}:
            self._answered = None
            say(self._ruling, "")
        for part in (self._table, self._effect):
            show(part, offered)
        if decision is None or proposal is None:
            self._show_nothing("Nothing is proposed yet: the first forecast is still to come.", "")
        elif not offered:
            made = words.elapsed(words.hours(proposal["made_at"], start))
            self._show_nothing(words.sentence(proposal["reason"]), f"none, as of {made}")
        else:
            self._show_suggestion(decision, proposal, start)
        awaited = offered and decision is not None and decision["open"] and self._context.reachable
        show(self._buttons, awaited and self._context.may_act)
        show(self._look_only, awaited and not self._context.may_act)

    def _show_nothing(self, reason: str, note: str) -> None:
        say(self._reason, reason)
        say(self._note, note)
        self._bounds.show([])
        self._grounds.show([])
        self._refusals.show([])

    def _show_suggestion(self, decision: Json, proposal: Json, start: datetime | None) -> None:
        kind = f"{words.title(proposal['kind'])}: " if self._advises else ""
        say(self._reason, kind + words.sentence(proposal["reason"]))
        say(self._note, _standing(decision, proposal, start))
        self._grounds.show(_grounds(proposal))
        self._show_moves(proposal["moves"])
        self._show_effect(proposal["effect"])
        verdict = decision["verdict"]
        narrowed = [] if verdict is None else [words.told(n["reason"], self._names) for n in verdict["narrowed"]]
        bounded = [words.told(text, self._names) for text in proposal["bounded_by"]]
        self._bounds.show([f"Limited: {text}" for text in [*bounded, *narrowed]])
        # That nothing is written is no fault of a suggestion where nothing ever is.
        refusals = [] if verdict is None or self._advises else verdict["refusals"]
        self._refusals.show([f"✕ Not allowed: {words.told(text, self._names)}" for text in refusals])

    def _show_moves(self, moves: list[Json]) -> None:
        rows = [self._move_cells(move) for move in moves]
        show(self._table, bool(rows))
        if rows == self._moves:
            return
        self._moves = rows
        self._body.clear()
        with self._body:
            for name, previous, value, unit in rows:
                with ui.element("tr"):
                    Text("td", name, "name")
                    Text("td", previous, "num")
                    Text("td", "→", "arrow")
                    Text("td", value, "num to")
                    Text("td", unit, "unit")

    def _move_cells(self, move: Json) -> tuple[str, ...]:
        entry = self._variables.get(move["variable"])
        places = 4 if entry is None else words.decimals_of_span(entry["low"], entry["high"])
        name = self._names.get(move["variable"], words.title(move["variable"]))
        values = (words.number(move[key], places) for key in ("previous", "value"))
        return (name, *values, words.unit(move["unit"]))

    def _show_effect(self, effect: Json | None) -> None:
        show(self._effect, effect is not None)
        if effect is None:
            return
        gain, low, high = effect["gain"], effect["gain_low"], effect["gain_high"]
        width = abs((high or 0.0) - (low or 0.0)) or abs(gain or 0.0)
        places = words.decimals(width / 20) if width else 2
        unit = words.unit(effect["unit"])
        before, after = (words.number(effect[key], places) for key in ("baseline", "proposed"))
        say(self._effect_text, f"{words.title(effect['quantity'])}: {before} → {after} {unit}")
        between = f"{words.signed(low, places)} to {words.signed(high, places)}"
        say(self._gain, f"Gain {words.signed(gain, places)} {unit} (80 %: {between})")


def _grounds(proposal: Json) -> list[str]:
    """What a suggestion rests on, how sure it is of its benefit, and what else could be done."""
    told = []
    for one in proposal["evidence"]:
        doubt = ", to be verified" if one["verify"] else ""
        told.append(f"Evidence: {one['id']} ({one['strength']}{doubt}): {words.sentence(one['citation'])}")
    if proposal["confidence"] is not None:
        carrying_on = "that mood rises by what counts, as prescribed"
        what = "that the benefit is one that counts" if proposal["effect"] else carrying_on
        told.append(f"Confidence: {100 * proposal['confidence']:.0f} % {what}.")
    return told + [f"Alternative: {words.sentence(text)}" for text in proposal["alternatives"]]


def _standing(decision: Json, proposal: Json, start: datetime | None) -> str:
    """Where a suggestion stands: open, in force, or only recorded."""
    command = decision["command"]
    if decision["open"]:
        expiry, now = words.moment(proposal["expires_at"]), words.moment(decision["time"])
        left = "" if expiry is None or now is None else f" ({words.clock((expiry - now).total_seconds() / 3600)} left)"
        return f"open until {words.elapsed(words.hours(expiry, start))}{left}"
    if command is not None and command["id"] == proposal["id"]:
        until = words.elapsed(words.hours(command["valid_until"], start))
        return f"in force by {command['authority']}, lease until {until}"
    if decision["mode"] == "shadow":
        return "recorded only: the mode is shadow"
    return "not open"


class InsightCard:
    """How unusual the present is, how calm, and by how much the plant differs from the model."""

    def __init__(self, plant: Json) -> None:
        self._names = words.names(plant)
        self._limit: float | None = plant.get("novelty_max")
        self._rates: dict[str, tuple[Text, ui.element]] = {}
        outer, self._note = panel("NeuroCore", "insight")
        with outer:
            self._meters = {name: _Meter(name) for name in ("Novelty", "Stability")}
            self._leading = Text("p", classes="small")
            with box("values rates", "table"):
                head("Rate", "Correction to the model", "")
                self._body = ui.element("tbody")
            self._learned = Text("p", classes="small")

    def show(self, decision: Json | None) -> None:
        """Hold the insight of the latest turn."""
        if decision is None:
            say(self._learned, "Nothing was seen yet.")
            return
        insight = decision["insight"]
        novelty, stability = insight["novelty"], insight["stability"]
        unusual = None not in (novelty, self._limit) and novelty > self._limit
        self._meters["Novelty"].show(novelty, "▲ unusual" if unusual else "familiar", unusual)
        self._meters["Stability"].show(stability, "", False)
        say(self._leading, self._most(insight["contributions"]))
        for name, value in insight["log_multipliers"].items():
            self._show_rate(name, words.correction(value))
        learned = "Learned at this scan." if insight["learned"] else "Not learned: " + insight["why_not"]
        say(self._learned, words.sentence(learned))
        say(self._note, insight["backend"])

    def _most(self, contributions: Mapping[str, float | None]) -> str:
        largest = sorted(contributions.items(), key=lambda item: -(item[1] or 0.0))[:3]
        listed = (f"{self._names.get(name, words.title(name))} {100 * (share or 0):.0f} %" for name, share in largest)
        return f"Novelty comes from: {', '.join(listed)}." if largest else ""

    def _show_rate(self, name: str, percent: float | None) -> None:
        if name not in self._rates:
            with self._body, ui.element("tr"):
                Text("td", words.title(name), "name")
                with ui.element("td"), box("balance").props('aria-hidden="true"'):
                    fill = box("fill")
                self._rates[name] = (Text("td", classes="num"), fill)
        label, fill = self._rates[name]
        say(label, f"{words.signed(percent, 1)} %")
        share = 50.0 * min(1.0, abs(percent or 0.0) / WIDEST)
        place(fill, f"{'left' if (percent or 0) >= 0 else 'right'}:50%;width:{share:.1f}%")


class _Meter:
    """A number between 0 and 1 as a bar with its digits."""

    def __init__(self, name: str) -> None:
        with box("meter") as self._outer:
            Text("span", name, "name")
            with box("track").props('aria-hidden="true"'):
                self._fill = box("fill")
            self._value, self._word = Text("span", words.ABSENT, "num"), Text("span", classes="word")

    def show(self, value: float | None, word: str, abnormal: bool) -> None:
        """Hold a value and what it is called."""
        say(self._value, words.number(value, 2))
        say(self._word, word)
        place(self._fill, f"width:{100 * (value or 0.0):.0f}%")
        mark(self._outer, "abnormal", abnormal)
