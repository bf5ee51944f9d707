"""Alarm bar, on every display, and alarm summary with consequence, response, answers and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from hmi.console import words
from hmi.console.context import Context
from hmi.console.dialogs import RequestForm
from hmi.console.link import Answer
from hmi.console.parts import Right, Text, box, button, head, mark, panel, say, show
from hmi.console.people import LOCAL
from hmi.console.subject import subject

Json = Mapping[str, Any]
SHAPES = {"critical": "■", "high": "▲", "medium": "▼", "low": "●", "diagnostic": "○"}  # beside colour and word
UNSEEN = ("unacknowledged", "returned", "latched")
QUIET = {"shelved": "shelved", "suppressed": "suppressed by design", "out_of_service": "out of service"}
EVERY_S = 1.0


def named(context: Context) -> str:
    """In whose name a one-click answer is given."""
    return context.person.name or str(context.prefs.get("name", LOCAL))


class AlarmBar:
    """The most urgent alarm, how many there are, and one click to acknowledge; always there."""

    def __init__(self, context: Context) -> None:
        self._context, self._first = context, ""
        with box("alarm-bar").props('role="status" aria-live="polite" aria-label="Alarms"') as self._outer:
            self._count, self._text = Text("span", "", "alarm-count"), Text("span", "", "alarm-text")
            self._ack = button("Acknowledge", self._acknowledge)
            self._told = Text("span", "", "aside")
        show(self._ack, False)
        show(self._outer, subject(context.plant).alarms)

    def show(self) -> None:
        """Hold what is alarming now."""
        listed: Sequence[Json] = self._context.link.alarms.get("alarms", [])
        loud, unseen = heard(listed)
        first = next(iter(unseen or loud), None)
        say(self._count, count_of(loud, unseen))
        say(
            self._text,
            put_away(listed) if first is None else f"{shape(first)} {first['text']}: {_message(first, self._context)}",
        )
        self._first = unseen[0]["name"] if unseen else ""
        show(self._ack, bool(unseen) and self._context.may_act and self._context.reachable)
        for priority in SHAPES:
            mark(self._outer, priority, bool(unseen) and unseen[0]["priority"] == priority)

    async def _acknowledge(self) -> None:
        told = await answer(self._context, self._first, "ack") if self._first else None
        if told is not None:
            say(self._told, "" if told.status in ("granted", "queued") else f"✕ {words.sentence(told.reason)}")


def heard(listed: Sequence[Json]) -> tuple[list[Json], list[Json]]:
    """The alarms that are meant to be heard, and those of them that nobody has acknowledged."""
    loud = [alarm for alarm in listed if alarm["state"] not in QUIET and alarm["priority"] != "diagnostic"]
    return loud, [alarm for alarm in loud if alarm["state"] in UNSEEN]


def count_of(loud: Sequence[Json], unseen: Sequence[Json]) -> str:
    """How many there are, in words."""
    return f"{words.counted(len(loud), 'alarm')}, {len(unseen)} not acknowledged" if loud else "✓ No alarm"


def put_away(listed: Sequence[Json]) -> str:
    """How many alarms are silent on purpose, and on whose: a young batch has some that only later phases want."""
    counts = {told: sum(alarm["state"] == state for alarm in listed) for state, told in QUIET.items()}
    return ", ".join(f"{count} {told}" for told, count in counts.items() if count)


def shape(alarm: Json) -> str:
    """Priority in shape and word."""
    return f"{SHAPES[alarm['priority']]} {alarm['priority'].upper()}"


async def answer(context: Context, name: str, action: str) -> Answer:
    """One click: acknowledge or reset, in this person's name."""
    asked = {"by": named(context), "reason": ""}
    return await context.link.ask(asked, context.person.token(context.link), f"/alarms/{name}/{action}")


class AlarmsDisplay:
    """The alarm summary: what stands, what it leads to, what to do; acknowledge, shelve, take out; the figures."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._shown: Json | None = None
        self._messages: dict[str, Text] = {}
        self._every = False
        with box("stack tall"):
            with box("cards figures"):
                self._load, self._standing = Figure("Load"), Figure("Chattering and standing")
            outer, self._note = panel("Alarm summary", "summary")
            with outer:
                with box("filters"):
                    ui.switch("Normal ones too", on_change=self._switch)
                    self._told = Text("p", classes="ruling").props('role="status"')
                with box("scroll").props('tabindex="0" aria-label="Alarms"'), box("values", "table"):
                    head("Priority", "Alarm", "State", Right("Since"), "Consequence and response", "Answer")
                    self._body = ui.element("tbody")

    def _switch(self, event: Any) -> None:
        self._every, self._shown = bool(event.value), None

    def show(self) -> None:
        """The table is fetched by itself."""

    def change_ground(self) -> None:
        """The table takes its colours from the page."""

    async def refresh(self) -> None:
        """Fetch the alarms; draw what has changed."""
        found = await self._context.link.look("/alarms", EVERY_S, every=self._every)
        if found is None:
            return
        listed, known = found["alarms"], self._shown
        self._figures(found)
        self._shown = found
        if known is not None and _standing(known) == _standing(found):
            for alarm in listed:  # a number that moves is no reason to draw the buttons anew
                say(self._messages[alarm["name"]], _message(alarm, self._context))
            return
        say(self._note, f"{len(listed)} listed, the most urgent first")
        self._body.clear()
        with self._body:
            for alarm in listed:
                self._row(alarm, found["shelve_at_most_h"])
            if not listed:
                with ui.element("tr"):
                    Text("td", "✓ Nothing is alarming.", "name").props("colspan=6")

    def _figures(self, found: Json) -> None:
        told = found["figures"]
        if told is None:
            return
        flood = "▲ Flood: more than a person can answer. " if told["flood"] else ""
        self._load.show(
            f"{flood}{told['last_10_min']} in the last 10 min (at most {found['flood_per_10_min']} can be answered), "
            f"peak {told['peak_10_min']}, {told['last_day']} in the last day.",
            told["flood"],
        )
        texts = {alarm["name"]: alarm["text"] for alarm in found["alarms"]}
        chatter = [f"{texts.get(name, words.title(name))} ({times} times)" for name, times in told["chattering"]]
        standing = [texts.get(name, words.title(name)) for name in told["standing"]]
        said = f"Chattering: {', '.join(chatter) or 'none'}. "
        self._standing.show(f"{said}Standing for more than a day: {', '.join(standing) or 'none'}.", False)

    def _row(self, alarm: Json, most_h: float) -> None:
        with ui.element("tr").classes(f"alarm {alarm['priority'] if alarm['state'] in UNSEEN else ''}"):
            Text("td", shape(alarm), "priority")
            with ui.element("td").classes("text"):
                Text("div", alarm["text"], "strong-text")
                self._messages[alarm["name"]] = Text("div", _message(alarm, self._context), "small")
            with ui.element("td").classes("text"):
                Text("div", QUIET.get(alarm["state"], alarm["state"].replace("_", " ")))
                Text("div", _who(alarm, self._context), "small")
            since = words.hours(alarm["raised_at"] or alarm["since"], self._context.start)
            Text("td", words.elapsed(since), "num")
            with ui.element("td").classes("text"):
                Text("div", alarm["consequence"])
                soon = "" if alarm["within_min"] is None else f" (within {alarm['within_min']:.0f} min)"
                Text("div", f"→ {alarm['response']}{soon}", "small")
            with ui.element("td").classes("answers"):
                if self._context.may_act and alarm["state"] != "normal":
                    self._buttons(alarm, most_h)

    def _buttons(self, alarm: Json, most_h: float) -> None:
        state, name = alarm["state"], alarm["name"]
        if state in UNSEEN:
            button("Acknowledge", lambda: self._at_once(name, "ack"))
        if state in ("latched", "latched_acknowledged"):
            button("Reset", lambda: self._at_once(name, "reset"))
        if state in ("unacknowledged", "acknowledged", "returned"):
            button("Shelve", lambda: self._shelve(alarm, most_h))
        if state == "shelved":
            button("Unshelve", lambda: self._ask(alarm, "unshelve", "Unshelve"))
        if state == "out_of_service":
            button("Put back", lambda: self._ask(alarm, "in_service", "Put back"))
        elif self._context.may_engineer and state != "suppressed":
            button("Take out", lambda: self._ask(alarm, "out_of_service", "Take out of service"))

    async def _at_once(self, name: str, action: str) -> None:
        told = await answer(self._context, name, action)
        granted = told.status == "granted"
        say(self._told, f"{'✓' if granted else '✕'} {words.sentence(told.reason)}")
        mark(self._told, "bad", not granted)
        self._shown = None

    def _ask(self, alarm: Json, action: str, verb: str) -> None:
        form = RequestForm(self._context, f"{verb}: {alarm['text']}", verb, f"/alarms/{alarm['name']}/{action}")
        form.dialog.open()

    def _shelve(self, alarm: Json, most_h: float) -> None:
        fields: list[ui.number] = []

        def build() -> None:
            fields.append(ui.number(f"Hours, at most {most_h:g}", value=min(1.0, most_h)).props("outlined dense"))

        def hours() -> dict[str, Any] | str:
            return {"hours": fields[0].value} if fields[0].value else "Please say for how many hours."

        text = f"It comes back by itself. Consequence: {alarm['consequence']}"
        path = f"/alarms/{alarm['name']}/shelve"
        RequestForm(
            self._context, f"Shelve: {alarm['text']}", "Shelve", path, text, extra=hours, build=build
        ).dialog.open()


class Figure:
    """One figure in words."""

    def __init__(self, title: str) -> None:
        self._outer, _ = panel(title)
        with self._outer:
            self._text = Text("p", "–", "lead")

    def show(self, text: str, abnormal: bool) -> None:
        """Hold it."""
        say(self._text, text)
        mark(self._outer, "uncertain", abnormal)


def _message(alarm: Json, context: Context) -> str:
    """What the alarm says, with variables by the names that people know."""
    return words.readable(alarm["message"], context.names)


def _who(alarm: Json, context: Context) -> str:
    by = f"by {alarm['by']}" if alarm["by"] else ""
    until = words.hours(alarm["shelved_until"], context.start)
    return ", ".join(part for part in (by, alarm["reason"], f"until {words.elapsed(until)}" if until else "") if part)


def _standing(found: Json) -> list[tuple[Any, ...]]:
    """What the rows and their buttons depend on."""
    return [tuple(a[key] for key in ("name", "state", "raised_at", "by", "reason")) for a in found["alarms"]]
