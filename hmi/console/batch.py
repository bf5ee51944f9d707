"""Batch display: its ISA-88 state and phases, what may be asked, samples and results by hand, notes and its book."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from nicegui import ui

from hmi.console import words
from hmi.console.context import Context
from hmi.console.dialogs import RequestForm
from hmi.console.parts import Right, Text, box, button, head, mark, panel, say, show
from hmi.console.strips import at

Json = Mapping[str, Any]
EVERY_S = 1.0
VERBS = {"start": "Start", "hold": "Hold", "restart": "Resume", "stop": "Stop", "abort": "Abort", "reset": "Make ready"}
MEANS = {
    "start": "The recipe begins with its first phase.",
    "hold": "Setpoints rest at their hold values until the batch is resumed.",
    "restart": "The batch goes on where it was held.",
    "stop": "A controlled end: it cannot be resumed.",
    "abort": "The fastest end there is, without regard for the product: it cannot be resumed.",
    "reset": "The unit is made ready for the next batch.",
}
SIGNS = {"done": "✓", "now": "▸", "to come": "·"}


class BatchDisplay:
    """One batch from its start to its end, and what people enter about it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._found: Json | None = None
        with box("columns two"):
            with box("stack left wide"):
                self._state_panel()
                self._entries()
            with box("stack tall"):
                self._recipe_panel()
                self._assays = Assays(context)

    def _state_panel(self) -> None:
        outer, self._note = panel("Batch", "batch-state")
        with outer:
            self._state = Text("p", words.ABSENT, "mode-name")
            self._why = Text("p", "", "lead")
            with box("buttons") as self._buttons:
                self._asks = {action: button(text, self._asking(action)) for action, text in VERBS.items()}
            self._book = box("facts", "dl")
            Text("a", "Open the report of this batch so far", "way-out").props(
                f'href="/reactor/{quote(self._context.plant["name"], safe="")}/report" target="_blank"'
            )
            Text("p", "It is made anew each time; of a long batch that takes a while.", "small")

    def _asking(self, action: str) -> Callable[[], None]:
        def ask() -> None:
            batch = "" if self._found is None else self._found["id"]
            title = f"{VERBS[action]} {batch}"
            RequestForm(self._context, title, VERBS[action], f"/batch/{action}", MEANS[action]).dialog.open()

        return ask

    def _entries(self) -> None:
        outer, _ = panel("Enter by hand")
        with outer, box("buttons"):
            for text, do in (("Sample", self._sample), ("Result", self._assay), ("Note", self._write)):
                show(button(text, do), self._context.may_act)
            if not self._context.may_act:
                Text("p", "You may look only; an operator enters samples, results and notes.", "small")

    def _recipe_panel(self) -> None:
        outer, _ = panel("Recipe", "recipe")
        with outer, box("values", "table"):
            head("", "Phase", "Ends when", "Setpoints")
            self._phases = ui.element("tbody")
        with outer:
            self._no_recipe = Text("p", "No recipe is configured: the plant itself says which phase it is in.", "small")
            show(self._no_recipe, False)

    def show(self) -> None:
        """Hold the laboratory results."""
        self._assays.show()

    def change_ground(self) -> None:
        """Everything takes its colours from the page."""

    async def refresh(self) -> None:
        """Fetch the batch; draw what has changed."""
        found = await self._context.link.look("/batch", EVERY_S)
        if found is None:
            say(self._why, "There is no batch yet, or this plant has none.")
            show(self._buttons, False)
            return
        show(self._buttons, self._context.may_act and self._context.reachable)
        phases = None if self._found is None else self._found["phases"]
        self._found = found
        self._show_state(found)
        if phases != found["phases"]:
            self._show_phases(found["phases"])

    def _show_state(self, found: Json) -> None:
        say(self._note, found["id"])
        say(self._state, found["state"].upper())
        mark(self._state, "demoted", found["state"] in ("held", "holding", "aborting", "aborted"))
        hours = words.clock(found["phase_h"])
        phase = f"{words.title(found['phase'])}, for {hours}. " if found["phase"] else ""
        since = f"{found['state']} since {words.elapsed(words.hours(found['since'], self._context.start))}"
        say(self._why, phase + words.sentence(": ".join(filter(None, (since, found["reason"])))))
        for action, asked in self._asks.items():
            show(asked, action in found["allowed"])
        self._book.clear()
        with self._book:
            for name, value in _book(found, self._context.names):
                Text("dt", name)
                Text("dd", value)

    def _show_phases(self, phases: list[Json]) -> None:
        units = words.units(self._context.plant)
        show(self._no_recipe, not phases)
        self._phases.clear()
        with self._phases:
            for phase in phases:
                with ui.element("tr").classes("phase-now" if phase["state"] == "now" else ""):
                    Text("td", f"{SIGNS[phase['state']]} {phase['state']}", "quality")
                    Text("td", phase["text"] or words.title(phase["name"]), "name")
                    ends = words.conditions(phase["ends_when"], self._context.names, units)
                    Text("td", ends or "somebody ends it", "text")
                    told = (
                        f"{self._context.names.get(n, n)} {v:g} {units.get(n, '')}"
                        for n, v in phase["setpoints"].items()
                    )
                    Text("td", ", ".join(told) or "as it is", "text")

    def _sample(self) -> None:
        SampleForm(self._context, "Enter a sample", "/samples", self._context.now, volume=True).open()

    def _assay(self) -> None:
        SampleForm(self._context, "Enter a result", "/assays", self._context.now, volume=False).open()

    def _write(self) -> None:
        form = RequestForm(self._context, "Write a note", "Write", "/notes", reason_key="text")
        form.reason.props('label="Note"')
        form.dialog.open()


class SampleForm:
    """The fields of a sample or of a single result."""

    def __init__(self, context: Context, title: str, path: str, now: float | None, volume: bool) -> None:
        self._context, self._volume = context, volume
        self._assayed = {e["name"]: e for e in context.plant["variables"] if e["role"] == "assayed"}
        self._form = RequestForm(
            context, title, "Enter", path, reason_key="remark", extra=self._told, build=self._build, optional=True
        )
        self._drawn.value = None if now is None else round(now, 2)

    def _build(self) -> None:
        self._drawn = ui.number("Drawn at, elapsed hours").props("outlined dense step=any")
        if self._volume:
            self._ml = ui.number("Volume taken, mL", value=20.0).props("outlined dense step=any")
        names = {name: f"{words.title(name, e['text'])} ({words.unit(e['unit'])})" for name, e in self._assayed.items()}
        if self._volume:
            self._results = {name: ui.number(text).props("outlined dense step=any") for name, text in names.items()}
        else:
            self._variable = ui.select(names, label="What was measured").props("outlined dense options-dense")
            self._value = ui.number("Value").props("outlined dense step=any")

    def open(self) -> None:
        """Let a person fill it in."""
        self._form.dialog.open()

    def _told(self) -> dict[str, Any] | str:
        start = self._context.start
        if self._drawn.value is None or start is None:
            return "Please say when the sample was drawn."
        drawn = at(start, self._drawn.value)
        return self._of_sample(drawn) if self._volume else self._of_result(drawn)

    def _of_sample(self, drawn: datetime) -> dict[str, Any] | str:
        given = {name: field.value for name, field in self._results.items() if field.value is not None}
        results = [{"variable": n, "value": v, "unit": self._assayed[n]["unit"]} for n, v in given.items()]
        return {"drawn_at": drawn.isoformat(), "volume_ml": self._ml.value or 0.0, "results": results}

    def _of_result(self, drawn: datetime) -> dict[str, Any] | str:
        name = self._variable.value
        if name is None or self._value.value is None:
            return "Please say what was measured, and its value."
        unit = self._assayed[name]["unit"]
        return {"variable": name, "value": self._value.value, "unit": unit, "sampled_at": drawn.isoformat()}


class Assays:
    """The laboratory's results, newest first."""

    def __init__(self, context: Context) -> None:
        self._context, self._shown = context, -1
        outer, self._note = panel("Samples and results", "history")
        with outer, box("scroll").props('tabindex="0" aria-label="Results"'), box("values", "table"):
            head(Right("Drawn"), "What", Right("Value"), "Unit", Right("Reported"))
            self._body = ui.element("tbody")

    def show(self) -> None:
        """Hold the results; the table is rebuilt only when there is a new one."""
        listed = self._context.link.assays
        if len(listed) == self._shown:
            return
        self._shown = len(listed)
        start, names = self._context.start, self._context.names
        say(self._note, f"{len(listed)} results" if listed else "none yet")
        self._body.clear()
        with self._body:
            for assay in reversed(listed[-60:]):
                with ui.element("tr"):
                    Text("td", words.elapsed(words.hours(assay["sampled_at"], start)), "num")
                    Text("td", names.get(assay["variable"], words.title(assay["variable"])), "name")
                    value = assay["value"]
                    Text("td", words.result(value), "num")
                    Text("td", words.unit(assay["unit"]), "unit")
                    Text("td", words.elapsed(words.hours(assay["reported_at"], start)), "num")


def _book(found: Json, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """What went in and out, and what there should be of it."""
    rows = [("Batch time", words.clock(found["batch_h"]))]
    fed = found["fed"].items()
    rows += [(f"Fed: {names.get(name, name)}", f"{words.number(litres, 2)} L") for name, litres in fed]
    rows += [
        ("Taken as samples", f"{words.number(found['sampled_l'], 3)} L"),
        ("Volume by the book", f"{words.number(found['booked_l'], 2)} L"),
        ("Volume as estimated", f"{words.number(found['estimated_l'], 2)} L"),
    ]
    return rows
