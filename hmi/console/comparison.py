"""Forecast comparison: the present plan and another over each other, with their bands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from hmi.console import chart, strips
from hmi.console.context import Context
from hmi.console.palette import DARK, LIGHT
from hmi.console.parts import Text, box, titled
from hmi.console.subject import subject

Json = Mapping[str, Any]
SHOWN = 4  # strips; more would be too flat to compare (design)


class Comparison:
    """A chart of what is forecast under two plans, for the variables that a person chooses."""

    def __init__(self, context: Context, title: str, other: str) -> None:
        self._context = context
        self._forecasts: Mapping[str, Any] = {}
        available = strips.choices(context.plant)
        moved = [entry["name"] for entry in context.plant["variables"] if entry["role"] == "manipulated"]
        states = [entry["name"] for entry in context.plant["states"]]
        known = [name for name in available if name in (*states, *moved)]
        assayed = {entry["name"] for entry in context.plant["variables"] if entry["role"] == "assayed"}
        first = subject(context.plant).first
        wanted = [*first[:1], *(name for name in first[1:] if name not in assayed), *known]
        chosen = [name for name in dict.fromkeys(wanted) if name in known][:SHOWN]
        outer, _, self.note = titled(title, "trends comparison")
        with outer:
            self._chosen = ui.select(
                {name: available[name] for name in known}, multiple=True, value=chosen, on_change=self.draw
            )
            self._chosen.props('dense outlined use-chips options-dense :max-values="4" aria-label="Variables"')
            self._chosen.classes("chosen")
            with box("key"):
                for name, text in (("plan", "present plan"), ("suggested", other)):
                    with box("key-entry", "span"):
                        box(f"swatch {name}", "i")
                        Text("span", f"{text}, 80 %")
            self._chart = ui.echart({}).classes("chart")

    def show(self, forecasts: Mapping[str, Any]) -> None:
        """Hold these forecasts: "baseline" and "proposed"; draws only what is new."""
        if forecasts is not self._forecasts:
            self._forecasts = forecasts
            self.draw()

    def draw(self) -> None:
        """Draw what is held."""
        context, start = self._context, self._context.start
        if start is None or context.now is None:
            return
        chosen: Sequence[str] = list(self._chosen.value)
        drawn = [strips.strip(name, context.plant, start, {}, context.link.assays, self._forecasts) for name in chosen]
        ends = [point[0] for s in drawn for fan in (s.baseline, s.proposed) if fan for point in fan.middle[-1:]]
        end = max(ends, default=context.now + 1.0)
        first, tick_h = max(0.0, context.now - 0.05 * (end - context.now)), subject(context.plant).tick_h
        window = (tick_h * math.floor(first / tick_h) if tick_h else first, end)
        palette = DARK if context.dark else LIGHT
        built = chart.options(drawn, context.now, end, window, True, palette, subject(context.plant))
        self._chart.options.clear()
        self._chart.options.update(built)
        self._chart.update()
