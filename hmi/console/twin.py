"""Twin display: what it believes, how well it fits, and how it sees the batch go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hmi.console import words
from hmi.console.context import Context
from hmi.console.parts import Right, Text, box, head, mark, panel, say
from hmi.console.tables import Estimates
from hmi.console.trends import Trends

Json = Mapping[str, Any]


class TwinDisplay:
    """Estimates with their bands, the forecast fan and the assays as points; the fit beside them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        offered = [entry["name"] for entry in context.plant["states"]]
        with box("columns two"):
            with box("stack left"):
                self._estimates = Estimates(context.plant)
                self._fit = ModelFit(context)
            with box("stack tall"):
                self._trends = Trends(context, "Estimates, assays and forecast", "twin", offered)

    def show(self) -> None:
        """Hold the estimate of the latest turn."""
        link = self._context.link
        self._estimates.show(link.decision, link.assays, self._context.start)
        self._fit.show()

    async def refresh(self) -> None:
        """Draw the trends."""
        await self._trends.refresh()

    def change_ground(self) -> None:
        """Draw in the colours of the other ground."""
        self._trends.change_ground()


class ModelFit:
    """By how much each rate departs from the model, and whether the readings are as expected."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._rows: dict[str, tuple[Text, Text]] = {}
        outer, self._note = panel("Fit to the plant")
        with outer:
            self._told = Text("p", classes="lead")
            with box("values", "table"):
                head("Rate", Right("Departure from the model"), Right("± SD"))
                self._body = box("", "tbody")
            self._made = Text("p", classes="small")

    def show(self) -> None:
        """Hold the fit of the latest turn."""
        decision = self._context.link.decision
        if decision is None:
            say(self._told, "Nothing was seen yet.")
            return
        ratio = decision["nis"] / decision["nis_dof"] if decision["nis_dof"] and decision["nis"] is not None else None
        strange = ratio is not None and ratio > 3.0
        say(self._told, _fit_sentence(ratio, decision["nis_dof"]))
        mark(self._told, "abnormal-text", strange)
        for name, entry in decision["log_multipliers"].items():
            if name not in self._rows:
                with self._body, box("", "tr"):
                    Text("td", words.title(name), "name")
                    self._rows[name] = (Text("td", classes="num"), Text("td", classes="num sd"))
            change, sd = words.correction(entry["value"]), entry["sd"]
            say(self._rows[name][0], f"{words.signed(change, 1)} %")
            say(self._rows[name][1], words.ABSENT if sd is None else f"± {100 * sd:.1f} %")
        made = words.hours(decision["baseline_made_at"], self._context.start)
        say(self._made, "No forecast was made yet." if made is None else f"Forecast made at {words.elapsed(made)}.")


def _fit_sentence(ratio: float | None, readings: int) -> str:
    if ratio is None:
        return "No usable reading at this scan: the twin only predicts."
    kind = "as expected" if ratio < 3.0 else "further off than expected"
    sign = "" if ratio < 3.0 else "▲ "
    return f"{sign}The {readings} readings of this scan are {kind} (innovation ratio {ratio:.2f}, 1 when consistent)."
