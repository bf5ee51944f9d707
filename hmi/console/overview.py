"""Overview display: every reactor as a card, with what matters first and a way into its displays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from nicegui import ui

from hmi.console import words
from hmi.console.alarms import count_of, heard, shape
from hmi.console.alerts import alerts
from hmi.console.header import RESEARCH, ground_button
from hmi.console.link import Link
from hmi.console.parts import Gauge, Text, box, mark, place, say, show
from hmi.console.strips import EXTRAS
from hmi.console.subject import subject

Json = Mapping[str, Any]
TICK_S = 0.5
SHOWN = 4  # values on a card (design)


def overview_page(links: Sequence[Link], tab: Any, welcome: Callable[[], bool]) -> None:
    """Build it; a card appears when its controller says what it controls, to whom it is `welcome`."""
    ui.page_title("Overview · NeuroTwin")
    ground = ui.dark_mode(bool(tab.get("dark", False)))

    def switch() -> None:
        ground.toggle()
        tab["dark"] = bool(ground.value)

    cards: dict[str, _Card] = {}
    with box("page"):
        with box("top", "header"), box("header overview-head"):
            with box("brand"):
                Text("h1", "NeuroTwin: overview")
            ground_button(switch)
        with box("content", "main"):
            waiting = Text("p", "", "notice")
            grid = box("cards overview")

    def tick() -> None:
        if any(link.open is not None for link in links) and not welcome():
            ui.navigate.to("/sign-in")
            return
        away = [link.url for link in links if link.plant is None]
        say(waiting, f"✕ Not reachable yet: {', '.join(away)}. Trying again every second." if away else "")
        show(waiting, bool(away))
        for link in links:
            if link.plant is not None and link.url not in cards:
                with grid:
                    cards[link.url] = _Card(link, link.plant)
            if link.url in cards:
                cards[link.url].show()

    tick()
    ui.timer(TICK_S, tick)


class _Card:
    """One reactor: batch, phase, time and mode, its first values, and the worst that there is to say."""

    def __init__(self, link: Link, plant: Json) -> None:
        self._link, self._plant, self._version = link, plant, -1
        self._names, self._subject = words.names(plant), subject(plant)
        entries = _entries(plant)
        wanted = [name for name in (*self._subject.first, *entries) if name in entries]
        self._rows: dict[str, tuple[Text, Gauge | None, int]] = {}
        with box("panel reactor-card", "section") as self._outer:
            with box("panel-title"):
                with ui.element("h2"):
                    Text("a", plant["name"], "card-link").props(f'href="/reactor/{quote(plant["name"], safe="")}"')
                self._mode = Text("span", words.ABSENT, "mode-name")
            Text("p", plant["text"] or words.title(plant["model"]), "small")
            if plant["advisory_only"]:
                Text("p", RESEARCH, "small")
            self._batch, self._waits = Text("p", "", "lead"), Text("p", "▸ A suggestion waits for an answer.", "lead")
            with box("progress").props('aria-hidden="true"'):
                self._done = box("done")
            with box("values", "table"), ui.element("tbody"):
                for name in dict.fromkeys(wanted):
                    if len(self._rows) < SHOWN:
                        self._add(entries[name])
            self._worst, self._alarm = Text("p", "", "worst"), Text("p", "", "worst")
            show(self._alarm, self._subject.alarms)

    def _add(self, entry: Json) -> None:
        low, high = entry.get("low"), entry.get("high")
        with ui.element("tr"):
            Text("td", self._names.get(entry["name"]) or str(entry["text"]), "name")
            with box("span-cell", "td"):
                gauge = None if low is None or high is None else Gauge(low, high)
            value = Text("td", words.ABSENT, "num")
            Text("td", words.unit(entry["unit"]), "unit")
        places = 2 if low is None or high is None else words.decimals_of_span(low, high)
        self._rows[entry["name"]] = (value, gauge, places)

    def show(self) -> None:
        """Hold what is known of this reactor."""
        link = self._link
        found = alerts(link.status, link.decision, self._names, link.away, link.heard_s)
        say(
            self._worst,
            f"{'✕' if found[0].level == 'bad' else '▲'} {found[0].text}" if found else "✓ Nothing abnormal.",
        )
        for level in ("bad", "warn"):
            mark(self._worst, level, bool(found) and found[0].level == level)
        self._show_alarm(link.alarms.get("alarms", []))
        if self._version == link.version or link.status is None:
            return
        self._version = link.version
        say(self._mode, link.status["mode"].upper())
        self._show_batch(link.status, link.decision)
        show(self._waits, bool(link.decision and link.decision["open"]))
        for name, (value, gauge, places) in self._rows.items():
            number = _value(link.decision, name)
            say(value, words.number(number, places))
            if gauge is not None:
                gauge.show(number)

    def _show_alarm(self, listed: Sequence[Json]) -> None:
        loud, unseen = heard(listed)
        first = next(iter(unseen or loud), None)
        say(self._alarm, count_of(loud, unseen) + ("" if first is None else f": {shape(first)} {first['text']}"))
        for level, priorities in (("bad", ("critical", "high")), ("warn", ("medium", "low"))):
            mark(self._alarm, level, bool(unseen) and unseen[0]["priority"] in priorities)

    def _show_batch(self, status: Json, decision: Json | None) -> None:
        batch, length = status["batch"], self._plant["batch_length_h"]
        now = None if decision is None else words.hours(decision["time"], words.moment(batch["start"]))
        age = words.ABSENT if now is None else self._subject.age(now)
        say(self._batch, f"{batch['id'] or words.ABSENT}, {batch['phase'] or 'no phase'}, {age}")
        share = min(1.0, max(0.0, (now or 0.0) / length)) if length else 0.0
        place(self._done, f"width:{100 * share:.1f}%")


def _entries(plant: Json) -> dict[str, Json]:
    """What a card can show: states, what is read on line and what NeuroCore says, with its span where it has one."""
    states = {e["name"]: e for e in plant["states"]}
    spans = {e["name"]: e for e in plant["variables"] if e["role"] != "assayed" or e["name"] in states}
    said = {
        name: {"name": name, "text": text, "unit": unit, "low": low, "high": high}
        for name, (text, unit, low, high) in EXTRAS.items()
    }
    return states | spans | said


def _value(decision: Json | None, name: str) -> float | None:
    if decision is None:
        return None
    if name in EXTRAS:
        said: float | None = decision["insight"][name.partition(".")[2]]
        return said
    reading = decision["readings"].get(name) or decision["estimates"].get(name)
    return None if reading is None else reading["value"]
