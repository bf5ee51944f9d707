"""Faceplates: for each setpoint what is, what is wanted, by whom and until when, within which limits, how trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hmi.console import words
from hmi.console.context import Context
from hmi.console.parts import Gauge, Text, box, mark, panel, say, show

Json = Mapping[str, Any]
OWNERS = {"supervisor": ("REMOTE", "NeuroTwin"), "recipe": ("LOCAL", "the plant's own recipe")}


class Faceplates:
    """One faceplate a manipulated variable."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._plates = {
            entry["name"]: _Faceplate(entry, context.plant["limits"].get(entry["name"]))
            for entry in context.plant["variables"]
            if entry["role"] == "manipulated"
        }

    def show(self) -> None:
        """Hold readings and setpoints of the latest turn."""
        link = self._context.link
        readings: Json = {} if link.decision is None else link.decision["readings"]
        setpoints: Json = {} if link.status is None else link.status["setpoints"]
        for name, plate in self._plates.items():
            plate.show(readings.get(name), setpoints.get(name), self._context)


class _Faceplate:
    def __init__(self, entry: Json, limit: Json | None) -> None:
        self._places, self._limit = words.decimals_of_span(entry["low"], entry["high"]), limit
        unit = words.unit(entry["unit"])
        self._outer, self._note = panel(words.title(entry["name"], entry["text"]), "faceplate")
        with self._outer:
            with box("plate-row"):
                Text("span", "PV", "tag")
                self._pv = Text("span", words.ABSENT, "num big")
                Text("span", unit, "unit")
                self._quality = Text("span", "", "quality")
            self._gauge = Gauge(entry["low"], entry["high"])
            with box("plate-row"):
                Text("span", "SP", "tag")
                self._sp = Text("span", words.ABSENT, "num big")
                Text("span", unit, "unit")
                self._mode = Text("span", words.ABSENT, "plate-mode")
            self._rows = {name: _row(name) for name in ("Owner", "Recipe SP", "Remote SP", "Lease until", "Limits")}
            self._why = Text("p", "", "small reason")

    def show(self, reading: Json | None, setpoint: Json | None, context: Context) -> None:
        """Hold one variable's present."""
        value, quality = (None, "bad") if reading is None else (reading["value"], reading["quality"])
        say(self._pv, words.number(value, self._places))
        self._gauge.show(value)
        say(self._quality, f"{words.MARKS[quality]} {quality}")
        say(self._why, "" if reading is None or quality == "good" else words.sentence(reading["reason"] or quality))
        show(self._why, bool(reading and quality != "good"))
        for name in ("bad", "uncertain"):
            mark(self._outer, name, quality == name)
        told: Json = setpoint or {"active": None, "local": None, "remote": None, "owner": "", "valid_until": None}
        mode, owner = OWNERS.get(told["owner"], (words.ABSENT, "not known"))
        say(self._sp, words.number(told["active"], self._places))
        say(self._mode, mode)
        lease = words.elapsed(words.hours(told["valid_until"], context.start))
        limits = words.ABSENT if self._limit is None else f"{self._limit['low']:g} to {self._limit['high']:g}"
        cells = (owner, words.number(told["local"], self._places), words.number(told["remote"], self._places))
        for cell, text in zip(self._rows.values(), (*cells, lease, limits), strict=True):
            say(cell, text)


def _row(caption: str) -> Text:
    with box("plate-line"):
        Text("span", caption, "caption")
        return Text("span", words.ABSENT, "num")
