"""Value tables: measured values, estimates, setpoints and events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nicegui import ui

from hmi.console import words
from hmi.console.parts import Gauge, Right, Text, box, head, label, mark, panel, say, show

Json = Mapping[str, Any]
EVENTS = 30
SEVERITIES = {"info": "", "warning": "▲", "alarm": "✕"}


@dataclass(frozen=True, slots=True)
class _Row:
    row: ui.element
    why: ui.element
    reason: Text
    gauge: Gauge
    value: Text
    quality: Text
    places: int


class Measured:
    """What is read on line: value, unit, place in the normal span, and quality in sign and words."""

    def __init__(self, plant: Json) -> None:
        self._rows: dict[str, _Row] = {}
        outer, self._note = panel("Measured")
        with outer, box("values", "table"):
            head("Variable", "Span", Right("Value"), "Unit", Right("Quality"))
            with ui.element("tbody"):
                for entry in plant["variables"]:
                    if entry["role"] != "assayed":
                        self._add(entry)

    def _add(self, entry: Json) -> None:
        with ui.element("tr") as row:
            Text("td", words.title(entry["name"], entry["text"]), "name")
            span = f"normal span {entry['low']:g} to {entry['high']:g} {words.unit(entry['unit'])}"
            with box("span-cell", "td").props(f'title="{span}"'):
                gauge = Gauge(entry["low"], entry["high"])
            value = Text("td", words.ABSENT, "num")
            Text("td", words.unit(entry["unit"]), "unit")
            quality = Text("td", "", "quality")
        with box("why", "tr") as why:
            reason = Text("td", classes="reason").props("colspan=5")
        places = words.decimals_of_span(entry["low"], entry["high"])
        self._rows[entry["name"]] = _Row(row, why, reason, gauge, value, quality, places)

    def show(self, decision: Json | None) -> None:
        """Hold the readings of the latest turn."""
        readings = {} if decision is None else decision["readings"]
        for name, row in self._rows.items():
            self._show_row(row, readings.get(name))
        good = sum(readings[name]["quality"] == "good" for name in self._rows if name in readings)
        say(self._note, f"{good} of {len(self._rows)} good")

    @staticmethod
    def _show_row(row: _Row, reading: Json | None) -> None:
        value, quality = (None, "bad") if reading is None else (reading["value"], reading["quality"])
        say(row.value, words.number(value, row.places))
        row.gauge.show(value)
        say(row.quality, words.MARKS[quality])
        label(row.quality, f"quality {quality}")
        why = "not received yet" if reading is None else reading["reason"]
        say(row.reason, f"{quality}: {why}" if why else quality)
        show(row.why, quality != "good")
        for part in (row.row, row.why):
            mark(part, "bad", quality == "bad")
            mark(part, "uncertain", quality == "uncertain")


class Estimates:
    """What the twin believes, with its standard deviation, and the last assay of the same quantity."""

    def __init__(self, plant: Json) -> None:
        self._rows: dict[str, tuple[Text, Text, Text]] = {}
        self._units = words.units(plant)
        self._names = words.names(plant)
        outer, self._note = panel("Estimated by the twin")
        with outer, box("values", "table"):
            head("Quantity", Right("Value"), Right("± SD"), "Unit", Right("Last assay"))
            self._body = ui.element("tbody")

    def show(self, decision: Json | None, assays: Sequence[Json], start: datetime | None) -> None:
        """Hold the estimate of the latest turn."""
        estimates: Json = {} if decision is None else decision["estimates"]
        latest = {assay["variable"]: assay for assay in assays}
        for name, estimate in estimates.items():
            if name not in self._rows:
                self._add(name)
            value, sd = words.belief(estimate["value"], estimate["sd"])
            cells = (value, f"± {sd}", _assay(latest.get(name), value, start))
            for cell, text in zip(self._rows[name], cells, strict=True):
                say(cell, text)
        dof = 0 if decision is None else decision["nis_dof"]
        say(self._note, f"from {dof} readings" if dof else "no usable reading: predicted only")
        mark(self._note, "warn", not dof)

    def _add(self, name: str) -> None:
        with self._body, ui.element("tr"):
            Text("td", self._names.get(name, words.title(name)), "name")
            value, sd = Text("td", classes="num"), Text("td", classes="num sd")
            Text("td", self._units.get(name, ""), "unit")
            self._rows[name] = (value, sd, Text("td", classes="num assay"))


def _assay(assay: Json | None, like: str, start: datetime | None) -> str:
    """The last result, with the digits of the estimate, and when its sample was drawn."""
    if assay is None:
        return words.ABSENT
    places = min(len(like.partition(".")[2]), words.LABORATORY)
    return f"{words.number(assay['value'], places)} at {words.elapsed(words.hours(assay['sampled_at'], start))}"


class Setpoints:
    """Who owns each setpoint, and until when: the local recipe, the supervisor, and what is in force."""

    ROWS = ("In force", "Owner", "Remote", "Local recipe", "Lease until", "Limits")

    def __init__(self, plant: Json) -> None:
        self._moved = [entry for entry in plant["variables"] if entry["role"] == "manipulated"]
        self._cells: dict[str, list[Text]] = {entry["name"]: [] for entry in self._moved}
        self._limits: Json = plant["limits"]
        outer, self._note = panel("Setpoints")
        show(outer, bool(self._moved) and not plant["advisory_only"])  # where nothing is ever written, none is set
        with outer, box("values setpoints", "table"):
            head("", *(Right(f"{words.title(e['name'], e['text'])}, {words.unit(e['unit'])}") for e in self._moved))
            with ui.element("tbody"):
                for caption in self.ROWS:
                    with ui.element("tr"):
                        Text("td", caption, "name")
                        for entry in self._moved:
                            self._cells[entry["name"]].append(Text("td", words.ABSENT, "num"))

    def show(self, status: Json | None, start: datetime | None) -> None:
        """Hold what the plant reports of its setpoints."""
        setpoints: Json = {} if status is None else status["setpoints"]
        for entry in self._moved:
            name = entry["name"]
            places = words.decimals_of_span(entry["low"], entry["high"])
            cells = _setpoint_texts(setpoints.get(name), self._limits.get(name), places, start)
            for cell, text in zip(self._cells[name], cells, strict=True):
                say(cell, text)
        if status is not None:
            written, refused = status["commands_written"], status["commands_refused"]
            say(self._note, f"{written} written, {refused} refused")


def _setpoint_texts(setpoint: Json | None, limit: Json | None, places: int, start: datetime | None) -> list[str]:
    """One column of the setpoint table, from top to bottom."""
    bounds = words.ABSENT if limit is None else f"{limit['low']:g} to {limit['high']:g}"
    if setpoint is None:
        return [words.ABSENT] * 5 + [bounds]
    owner = {"supervisor": "NeuroTwin", "recipe": "local recipe"}.get(setpoint["owner"], words.ABSENT)
    lease = words.elapsed(words.hours(setpoint["valid_until"], start))
    values = [words.number(setpoint[key], places) for key in ("active", "remote", "local")]
    return [values[0], owner, values[1], values[2], lease, bounds]


class EventTable:
    """The latest events, newest first."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._shown: list[tuple[str, str, str, str]] = []
        outer, self._note = panel("Events", "events")
        with outer, box("scroll"), box("values", "table"):
            head(Right("Time"), "", "Kind", "What happened")
            self._body = ui.element("tbody")

    def show(self, events: Sequence[Json], start: datetime | None) -> None:
        """Hold the latest events; the table is rebuilt only when there is a new one."""
        latest = [self._cells(event, start) for event in events[:EVENTS]]
        if latest == self._shown:
            return
        self._shown = latest
        self._body.clear()
        with self._body:
            for time, sign, kind, text in latest:
                with ui.element("tr").classes({"✕": "bad", "▲": "uncertain"}.get(sign, "")):
                    Text("td", time, "num time")
                    Text("td", sign, "quality")
                    Text("td", kind, "kind")
                    Text("td", text, "text")
        say(self._note, f"latest {len(latest)}" if latest else "none yet")

    def _cells(self, event: Json, start: datetime | None) -> tuple[str, str, str, str]:
        time = words.elapsed(words.hours(event["time"], start))
        return time, SEVERITIES[event["severity"]], event["kind"], words.happened(event, self._names)
