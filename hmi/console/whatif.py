"""What-if display: change the plan by hand and see its forecast beside the present one, before it is proposed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from hmi.console import words
from hmi.console.comparison import Comparison
from hmi.console.context import Context
from hmi.console.dialogs import ProposeForm, setpoint_input
from hmi.console.link import objection
from hmi.console.parts import Lines, Text, box, button, mark, panel, say, show
from hmi.console.strips import at

Json = Mapping[str, Any]


class WhatIfDisplay:
    """Setpoints by hand, now and if wanted once more later; the forecast beside; and a way to stand for them."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._forecasts: dict[str, Any] = {}
        self._filled = False
        with box("columns two"):
            with box("stack left wide"):
                self._form()
                self._answer()
            with box("stack tall"):
                self._comparison = Comparison(context, "Present plan and plan by hand", "plan by hand")

    def _form(self) -> None:
        limits = self._context.plant["limits"]
        outer, _ = panel("Plan by hand", "by-hand")
        with outer:
            Text("p", "Nothing is proposed or written by looking.", "small")
            Text("h3", "From now on")
            self._now = {name: setpoint_input(self._context, name, None) for name in limits}
            Text("h3", "And later (leave empty to change nothing)")
            self._later = {name: setpoint_input(self._context, name, None) for name in limits}
            self._from = ui.number("From this elapsed hour on").props("outlined dense step=1 min=0")
            with box("buttons"):
                self._look_button = button("Forecast", self._look, filled=True)
                self._write = button("Write these setpoints", self._propose)
            self._told = Text("p", classes="ruling").props('role="status"')
        show(self._write, False)

    def _answer(self) -> None:
        self._result, _ = panel("What the twin says", "effect-panel")
        with self._result:
            self._gain = Text("p", classes="lead strong-text")
            self._verdict = Text("p", classes="lead")
            self._reasons = Lines("bounds")
        show(self._result, False)

    def show(self) -> None:
        """Begin with the setpoints in force."""
        status = self._context.link.status
        if self._filled or status is None or not status["setpoints"]:
            return
        self._filled = True
        for name, field in self._now.items():
            active, limit = status["setpoints"].get(name, {}).get("active"), self._context.plant["limits"][name]
            # A feed that has not started stands at zero; to begin with that would be to plan never to start it.
            if active is not None and limit["low"] <= active <= limit["high"]:
                field.value = active

    async def refresh(self) -> None:
        """Before anything was asked, show the present plan alone."""
        if not self._forecasts:
            found = await self._context.link.forecasts()
            self._comparison.show({"baseline": found.get("baseline")} if found else {})
            self._forecasts = {"baseline": found.get("baseline")} if found.get("baseline") else {}

    def change_ground(self) -> None:
        """Draw in the colours of the other ground."""
        self._comparison.draw()

    async def _look(self) -> None:
        steps = self._steps()
        if isinstance(steps, str):
            self._tell(steps, True)
            return
        self._look_button.disable()
        self._tell("The twin is looking ahead.", False)
        token = self._context.person.token(self._context.link)
        status, told = await self._context.link.send("POST", "/what-if", {"steps": steps}, token)
        self._look_button.enable()
        if status != 200:
            self._tell(f"✕ {words.sentence(objection(told))}", True)
            return
        self._tell("", False)
        self._forecasts = {"baseline": told["baseline"], "proposed": told["forecast"]}
        self._comparison.show(self._forecasts)
        self._say(told)

    def _say(self, told: Json) -> None:
        effect, verdict = told["effect"], told["verdict"]
        width = abs((effect["gain_high"] or 0.0) - (effect["gain_low"] or 0.0)) or abs(effect["gain"] or 0.0)
        places = words.decimals(width / 20) if width else 2
        gain, low, high = (words.signed(effect[key], places) for key in ("gain", "gain_low", "gain_high"))
        unit = words.unit(effect["unit"])
        say(self._gain, f"{words.title(effect['quantity'])} at the end: {gain} {unit} (80 %: {low} to {high})")
        admitted = verdict["admitted"]
        say(self._verdict, "✓ Safety would let it through now." if admitted else "✕ Safety would refuse it now.")
        mark(self._verdict, "abnormal-text", not admitted)
        names = self._context.names
        narrowed = [f"Held back: {words.told(n['reason'], names)}" for n in verdict["narrowed"]]
        self._reasons.show([words.told(text, names) for text in verdict["refusals"]] + narrowed)
        show(self._result, True)
        show(self._write, admitted and self._context.may_act)

    def _steps(self) -> list[dict[str, Any]] | str:
        """What the fields say, or what is still missing."""
        now = {name: field.value for name, field in self._now.items() if field.value is not None}
        later = {name: field.value for name, field in self._later.items() if field.value is not None}
        start, hour = self._context.start, self._from.value
        if not now and not later:
            return "Please give at least one setpoint."
        if later and (hour is None or start is None or hour <= (self._context.now or 0.0)):
            return "Please say from which hour on the later setpoints hold; it must lie ahead."
        steps: list[dict[str, Any]] = [{"inputs": now}] if now else []
        if later and start is not None and hour is not None:
            steps.append({"start": at(start, hour).isoformat(), "inputs": later})
        return steps

    def _propose(self) -> None:
        moves = {name: field.value for name, field in self._now.items() if field.value is not None}
        ProposeForm(self._context, moves, lambda text: self._tell(text, False)).dialog.open()

    def _tell(self, text: str, wrong: bool) -> None:
        say(self._told, text)
        mark(self._told, "bad", wrong)
