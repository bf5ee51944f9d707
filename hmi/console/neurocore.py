"""NeuroCore display: the learned surface over two states, how unusual the present is and why, and how calm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from hmi.console import words
from hmi.console.advice import InsightCard
from hmi.console.context import Context
from hmi.console.palette import DARK, LIGHT, Palette
from hmi.console.parts import Gauge, Text, box, head, panel, say, show, titled
from hmi.console.subject import subject
from hmi.console.trends import Trends

Json = Mapping[str, Any]
SURFACE_EVERY_S = 3.0


class NeuroCoreDisplay:
    """The correction surface, novelty with its contributions, stability with its components."""

    def __init__(self, context: Context) -> None:
        self._context = context
        with box("columns two"):
            with box("stack left"):
                self._insight = InsightCard(context.plant)
                self._novelty = Shares("What novelty comes from", context.names)
                self._stability = Shares("What stability is made of", subject(context.plant).parts)
            with box("stack tall"):
                self._surface = LearnedCorrection(context)
                self._trends = Trends(context, "Over time", "neuro", ("neurocore.novelty", "neurocore.stability"), 0.45)

    def show(self) -> None:
        """Hold the insight of the latest turn."""
        decision = self._context.link.decision
        self._insight.show(decision)
        if decision is not None:
            self._novelty.show(decision["insight"]["contributions"])
            self._stability.show(decision["insight"]["components"])

    async def refresh(self) -> None:
        """Fetch surface and trends."""
        await self._surface.refresh()
        await self._trends.refresh()

    def change_ground(self) -> None:
        """Draw in the colours of the other ground."""
        self._surface.draw()
        self._trends.change_ground()


class Shares:
    """Numbers between 0 and 1 by name, each as a mark on a bar with its digits."""

    def __init__(self, title: str, names: Mapping[str, str]) -> None:
        self._names = names
        self._rows: dict[str, tuple[Text, Gauge]] = {}
        outer, _ = panel(title, "shares")
        with outer, box("values", "table"):
            head("Part", "", "")
            self._body = box("", "tbody")

    def show(self, shares: Mapping[str, float | None]) -> None:
        """Hold these numbers."""
        for name, share in shares.items():
            if name not in self._rows:
                with self._body, ui.element("tr"):
                    Text("td", self._names.get(name, words.title(name)), "name")
                    with box("span-cell", "td"):
                        gauge = Gauge(0.0, 1.0)
                    self._rows[name] = (Text("td", classes="num"), gauge)
            value, gauge = self._rows[name]
            counts = share is not None and share > 1.0  # what is counted has no place on a bar of shares
            say(value, words.number(share, 0 if counts else 2))
            show(gauge.bar, not counts)
            gauge.show(share)


class LearnedCorrection:
    """What a rate is multiplied by, over two of the states that NeuroCore looks at; the present is marked."""

    def __init__(self, context: Context) -> None:
        self._context, self._found = context, None
        outer, bar, self._note = titled("Learned correction", "trends surface")
        with bar:
            self._rate, self._x, self._y = (self._choice(text) for text in ("Rate", "Across", "Up"))
        with outer:
            self._words = Text("p", classes="small")
            self._chart = ui.echart({}).classes("chart")

    def _choice(self, text: str) -> ui.select:
        return ui.select([], label=text, on_change=self._again).props("dense outlined options-dense").classes("select")

    def _again(self) -> None:
        self._found = None

    async def refresh(self) -> None:
        """Fetch the surface; draw it if it has changed."""
        asked = {"rate": self._rate.value, "x": self._x.value, "y": self._y.value}
        named = {name: value for name, value in asked.items() if value}
        if len({asked["x"], asked["y"]} - {None}) == 1 and asked["x"]:
            say(self._words, "Choose two different states.")
            return
        found = await self._context.link.look("/surface", SURFACE_EVERY_S, **named)
        if found is None:
            say(self._words, "Nothing has been learned over two states yet.")
        elif found != self._found:
            self._found = found
            self._offer(found)
            self.draw()

    def _offer(self, found: Json) -> None:
        names = self._context.names
        states = {name: names.get(name, words.title(name)) for name in found["states"]}
        rates = {name: words.title(name) for name in found["rates"]}
        for choice, offered, value in ((self._rate, rates, "rate"), (self._x, states, "x"), (self._y, states, "y")):
            if choice.options != offered:
                choice.set_options(offered, value=found[value])

    def draw(self) -> None:
        """Draw what was found."""
        found: Json | None = self._found
        if found is None:
            return
        names, units = self._context.names, words.units(self._context.plant)
        titles = [
            _titled(names.get(found[axis]) or words.title(found[axis]), units.get(found[axis], ""))
            for axis in ("x", "y")
        ]
        say(self._words, f"{words.title(found['rate'])}: {_learned(found)}")
        self._chart.options.clear()
        self._chart.options.update(_heat(found, titles, DARK if self._context.dark else LIGHT))
        self._chart.update()


def _titled(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit else name


def _learned(found: Json) -> str:
    """How far the correction reaches over the states that are drawn."""
    changes = [words.correction(value) for row in found["values"] for value in row if value is not None]
    known = [change for change in changes if change is not None]
    low, high = (words.signed(end(known, default=0.0), 1) for end in (min, max))
    if float(low.replace("−", "-")) == float(high.replace("−", "-")) == 0:
        return "as the model says at every state, so far."
    return f"corrected by {low} % to {high} %, depending on the state."


def _heat(found: Json, titles: list[str], palette: Palette) -> dict[str, Any]:
    """A heat map in two muted hues around what the model says."""
    xs, ys = found["xs"], found["ys"]
    cells = [[i, j, words.correction(v)] for j, row in enumerate(found["values"]) for i, v in enumerate(row)]
    most = max((abs(cell[2]) for cell in cells if cell[2] is not None), default=1.0) or 1.0
    here = [_nearest(xs, found["here"][0]), _nearest(ys, found["here"][1])]
    return {
        "animation": False,
        "textStyle": {"fontFamily": "inherit", "color": palette.ink},
        "grid": {"left": 64, "right": 92, "top": 10, "bottom": 44},
        "xAxis": _axis(xs, titles[0], 26, palette),
        "yAxis": _axis(ys, titles[1], 44, palette),
        "visualMap": {
            "min": -most,
            "max": most,
            "right": 0,
            "top": "middle",
            "text": [f"+{most:.1f} %", f"−{most:.1f} %"],
            "calculable": False,
            "itemHeight": 90,
            "textStyle": {"color": palette.faint, "fontSize": 11},
            "inRange": {"color": [palette.proposed, palette.ground, palette.setpoint]},
            "seriesIndex": 0,
        },
        "series": [
            {"type": "heatmap", "data": cells, "silent": True},
            {
                "type": "scatter",
                "data": [here],
                "symbol": "diamond",
                "symbolSize": 12,
                "silent": True,
                "itemStyle": {"color": palette.ground, "borderColor": palette.measured, "borderWidth": 2},
                "label": {"show": True, "formatter": "now", "position": "right", "color": palette.ink},
            },
        ],
    }


def _axis(values: list[float], title: str, gap: int, palette: Palette) -> dict[str, Any]:
    return {
        "type": "category",
        "data": [f"{value:.3g}" for value in values],
        "name": title,
        "nameLocation": "middle",
        "nameGap": gap,
        "nameTextStyle": {"color": palette.faint, "fontSize": 11},
        "axisLabel": {
            "color": palette.faint,
            "fontSize": 11,
            "interval": max(1, len(values) // 6),
            "hideOverlap": True,
        },
        "axisLine": {"lineStyle": {"color": palette.faint}},
    }


def _nearest(values: list[float], wanted: float) -> int:
    return min(range(len(values)), key=lambda i: abs(values[i] - wanted))
