"""Request dialogs by which a person asks the loop for something: a name, a reason, and the ruling in words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from hmi.console import words
from hmi.console.context import Context
from hmi.console.link import Answer
from hmi.console.parts import Text, box, button, mark, say, show, toggle
from hmi.console.people import LOCAL
from hmi.console.subject import subject

Json = Mapping[str, Any]
ASK_AGAIN_S = 0.5
MODES = {
    "off": ("OFF", "The loop reads and records; nothing is estimated for anybody and nothing is written."),
    "shadow": (
        "SHADOW",
        "The loop predicts and records what it would do. Nothing is offered, nothing is written.",
    ),
    "advisory": (
        "ADVISORY",
        "The loop suggests; an operator accepts or rejects. Only what is accepted is written.",
    ),
    "auto": (
        "AUTO",
        "The loop writes setpoints by itself, within the limits, and says afterwards what it did.",
    ),
}
ADVICE_ONLY = "The loop suggests; a person answers, and the answer is recorded. Nothing is ever written."
RULED = {"granted": "✓ Granted", "refused": "✕ Refused", "forgotten": "▲ Not known"}


class _Form:
    """A dialog with name, reason, a line for the ruling, and its buttons."""

    def __init__(self, context: Context, title: str, reason_label: str, verb: str) -> None:
        self._context, self._link, self._prefs = context, context.link, context.prefs
        # In the page itself: what opened it may be drawn anew while a person is still writing.
        with ui.context.client.content, ui.dialog().props("no-backdrop-dismiss") as self.dialog, box("dialog"):
            self.title = Text("h2", title)
            self.body = box("dialog-body")
            signed = context.person.name
            self.name = ui.input("Your name", value=signed or self._prefs.get("name", LOCAL))
            self.name.props("outlined dense maxlength=80")
            show(self.name, not signed)
            if signed:
                Text("p", f"In the name of {signed}.", "small")
            self.reason = ui.input(reason_label).props("outlined dense maxlength=500")
            self.ruling = Text("p", classes="ruling").props('role="status"')
            with box("buttons"):
                self.send = button(verb, self._send, filled=True)
                self.close = button("Cancel", self.dialog.close)

    def objection(self) -> str:
        """What is still missing, or ""."""
        return "" if (self.name.value or "").strip() else "Please give your name."

    def intent(self) -> dict[str, Any]:
        """What is asked."""
        raise NotImplementedError

    def path(self) -> str:
        """Where it is asked at the gateway."""
        return "/intents"

    def ruled(self, answer: Answer) -> None:
        """What else is to be done with the ruling."""

    async def _send(self) -> None:
        objection = self.objection()
        if objection:
            self._tell(objection, True)
            return
        self._prefs["name"] = self.name.value.strip()
        self.send.disable()
        self._tell("Asked; the next reading decides.", False)
        answer = await self._link.ask(self.intent(), self._context.person.token(self._link), self.path())
        while answer.status == "queued":
            self._tell("Queued: it is judged in the next turn of the loop.", False)
            await asyncio.sleep(ASK_AGAIN_S)
            answer = await self._link.outcome(answer)
        self._show_ruling(answer)

    def _show_ruling(self, answer: Answer) -> None:
        granted = answer.status == "granted"
        self._tell(self.ruling_of(answer), not granted)
        show(self.send, not granted)
        self.send.enable()
        self.close.set_text("Close")
        self.ruled(answer)

    def ruling_of(self, answer: Answer) -> str:
        """What became of it, and why."""
        reason = words.readable(answer.reason, self._context.names)
        return f"{RULED.get(answer.status, '✕ Not asked')}: {words.sentence(reason)}"

    def _tell(self, text: str, wrong: bool) -> None:
        say(self.ruling, text)
        mark(self.ruling, "bad", wrong)


class AnswerForm(_Form):
    """Accept or reject one suggestion; it stays bound to the one that was open when it was opened."""

    def __init__(self, context: Context, kind: str, proposal: Json, done: Callable[[str], None]) -> None:
        self._kind, self._proposal, self._done = kind, proposal, done
        label = "Remark (optional)" if kind == "accept" else "Reason"
        verb = words.title(kind)
        super().__init__(context, f"{verb} suggestion {proposal['id']}", label, verb)
        self._values: dict[str, ui.number] = {}
        with self.body:
            for move in proposal["moves"]:
                Text("p", move_sentence(move, context.plant))
                if kind == "modify":
                    self._values[move["variable"]] = setpoint_input(context, move["variable"], move["value"])
            if kind != "reject" and proposal["moves"]:
                Text("p", "Safety checks it once more before it is written.", "small")

    def objection(self) -> str:
        """A name, and to reject a reason."""
        missing = super().objection()
        if not missing and any(field.value is None for field in self._values.values()):
            missing = "Please give a number for each setpoint."
        if not missing and self._kind != "accept" and len((self.reason.value or "").strip()) < 3:
            missing = "Please give a reason: it is what the loop and the next shift learn from."
        return missing

    def intent(self) -> dict[str, Any]:
        """The answer to this very suggestion."""
        reason = (self.reason.value or "").strip()
        asked = {"kind": self._kind, "by": self.name.value.strip(), "suggestion": self._proposal["id"]}
        moves = {"moves": {name: field.value for name, field in self._values.items()}} if self._values else {}
        return asked | {"reason": reason} | moves

    def ruled(self, answer: Answer) -> None:
        """Leave the ruling on the card too."""
        self._done(self.ruling_of(answer))


class ModeForm(_Form):
    """Change the mode, with a reason; AUTO asks a second time and says what it may do."""

    def __init__(self, context: Context, mode: str) -> None:
        super().__init__(context, "Change mode", "Reason", "Set mode")
        plant = context.plant
        self._confirmed, self._plant = False, plant
        offered = {key: name for key, (name, _) in MODES.items() if key != "auto" or not plant["advisory_only"]}
        with self.body:
            self._mode = toggle(offered, mode, self._explain)
            self._text = Text("p")
            self._limits = [Text("p", line, "small") for line in _limit_lines(plant)]
            if plant["advisory_only"]:
                noun = subject(plant).noun.lower()
                Text("p", f"AUTO does not exist here: nothing is ever written for a {noun}.", "small")
        self._explain()

    def _explain(self) -> None:
        self._confirmed = False
        advises = self._plant["advisory_only"] and self._mode.value == "advisory"
        say(self._text, ADVICE_ONLY if advises else MODES[self._mode.value][1])
        for line in self._limits:
            show(line, self._mode.value == "auto")
        self.send.set_text("Set mode")
        self._tell("", False)

    def objection(self) -> str:
        """A name and a reason; for AUTO a second press as well."""
        missing = super().objection()
        if not missing and len((self.reason.value or "").strip()) < 3:
            missing = "Please give a reason: it is recorded with the change."
        if not missing and self._mode.value == "auto" and not self._confirmed:
            self._confirmed = True
            self.send.set_text("Yes, let it write")
            missing = "AUTO writes to the plant without asking. Press again to confirm."
        return missing

    def intent(self) -> dict[str, Any]:
        """The mode that is wanted."""
        return {
            "kind": "mode",
            "by": self.name.value.strip(),
            "mode": self._mode.value,
            "reason": self.reason.value.strip(),
        }


class RequestForm(_Form):
    """Ask something of the batch or of an alarm: a name, a reason, and whatever else the request needs."""

    def __init__(
        self,
        context: Context,
        title: str,
        verb: str,
        path: str,
        text: str = "",
        reason_key: str = "reason",
        extra: Callable[[], dict[str, Any] | str] = dict,
        build: Callable[[], None] | None = None,
        optional: bool = False,
    ) -> None:
        super().__init__(context, title, "Remark (optional)" if optional else "Reason", verb)
        self._path, self._key, self._extra, self._optional = path, reason_key, extra, optional
        with self.body:
            if text:
                Text("p", text)
            if build is not None:
                build()

    def path(self) -> str:
        """Where it is asked."""
        return self._path

    def objection(self) -> str:
        """A name, whatever the request lacks, and a reason where one is needed."""
        further = self._extra()
        missing = super().objection() or (further if isinstance(further, str) else "")
        if not missing and not self._optional and len((self.reason.value or "").strip()) < 3:
            missing = "Please give a reason: it is recorded."
        return missing

    def intent(self) -> dict[str, Any]:
        """The request as the gateway takes it."""
        further = self._extra()
        told = {} if isinstance(further, str) else further
        return {"by": self.name.value.strip(), self._key: (self.reason.value or "").strip(), **told}


class ProposeForm(_Form):
    """Stand for setpoints of one's own: safety judges them, and what it admits is written."""

    def __init__(self, context: Context, moves: Mapping[str, float], done: Callable[[str], None]) -> None:
        super().__init__(context, "Write these setpoints", "Reason", "Write")
        self._moves, self._done = dict(moves), done
        units = words.units(context.plant)
        with self.body:
            for name, value in moves.items():
                Text("p", f"{context.names.get(name, name)}: {value:g} {units.get(name, '')}")
            Text("p", "Safety checks them once more before they are written.", "small")

    def objection(self) -> str:
        """A name and a reason."""
        missing = super().objection()
        if not missing and len((self.reason.value or "").strip()) < 3:
            missing = "Please give a reason: it is recorded with the setpoints."
        return missing

    def intent(self) -> dict[str, Any]:
        """These setpoints."""
        return {
            "kind": "propose",
            "by": self.name.value.strip(),
            "moves": self._moves,
            "reason": self.reason.value.strip(),
        }

    def ruled(self, answer: Answer) -> None:
        """Leave the ruling on the display too."""
        self._done(self.ruling_of(answer))


def setpoint_input(context: Context, name: str, value: float | None) -> ui.number:
    """A field for one setpoint with its unit and its hard limits."""
    limit, unit = context.plant["limits"].get(name), words.units(context.plant).get(name, "")
    bounds = "" if limit is None else f", {limit['low']:g} to {limit['high']:g}"
    label = f"{context.names.get(name, words.title(name))} ({unit}{bounds})"
    return ui.number(label, value=value, format="%.6g").props("outlined dense step=any")


def move_sentence(move: Json, plant: Json) -> str:
    """One setpoint from what it was to what it shall be, with the digits and the unit of its variable."""
    names = words.names(plant)
    entry = next((v for v in plant["variables"] if v["name"] == move["variable"]), None)
    places = 4 if entry is None else words.decimals_of_span(entry["low"], entry["high"])
    before, after = (words.number(move[key], places) for key in ("previous", "value"))
    return f"{names.get(move['variable'], move['variable'])}: {before} → {after} {words.unit(move['unit'])}"


def _limit_lines(plant: Json) -> list[str]:
    """What AUTO may do at most, a line for each manipulated variable."""
    names, units, lines = words.names(plant), words.units(plant), []
    for name, limit in plant["limits"].items():
        rate = "" if limit["rate_per_h"] is None else f", at most {limit['rate_per_h']:g} in an hour"
        lines.append(f"{names.get(name, name)}: {limit['low']:g} to {limit['high']:g} {units.get(name, '')}{rate}.")
    return lines
