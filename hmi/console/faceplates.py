"""Faceplates of what is moved: PV, SP and OP, mode and owner, lease and limits, each with its quality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hmi.console import words
from hmi.console.context import Context
from hmi.console.parts import Gauge, Text, box, mark, panel, say, show

Json = Mapping[str, Any]
OWNERS = {"supervisor": ("REMOTE", "NeuroTwin"), "recipe": ("LOCAL", "the plant's own recipe")}
NOBODY: Json = {"active": None, "local": None, "remote": None, "owner": "", "valid_until": None}
NO_OUTPUT = "the plant shows no output of this loop"


class Faceplates:
    """One faceplate a manipulated variable."""

    def __init__(self, context: Context) -> None:
        self._context = context
        known = {entry["name"]: entry for entry in context.plant["variables"]}
        self._plates = {
            name: _Faceplate(entry, known.get(entry["output"]), context.plant["limits"].get(name))
            for name, entry in known.items()
            if entry["role"] == "manipulated"
        }

    def show(self) -> None:
        """Hold readings and setpoints of the latest turn."""
        link = self._context.link
        readings: Json = {} if link.decision is None else link.decision["readings"]
        setpoints: Json = {} if link.status is None else link.status["setpoints"]
        for name, plate in self._plates.items():
            plate.show(readings, setpoints.get(name) or NOBODY, self._context)

    def narrow(self, limits: Mapping[str, tuple[float, float]]) -> None:
        """Hold the limits of the phase that runs, where it narrows those of the plant."""
        for name, plate in self._plates.items():
            plate.narrow(limits.get(name))


class _Faceplate:
    def __init__(self, entry: Json, output: Json | None, limit: Json | None) -> None:
        self._name, self._output, self._limit = entry["name"], output, limit
        self._places = words.decimals_of_span(entry["low"], entry["high"])
        unit = words.unit(entry["unit"])
        self._outer, self._quality = panel(words.title(entry["name"], entry["text"]), "faceplate")
        with self._outer:
            with box("plate-row"):
                self._pv, self._sp = _figure("PV", unit), _figure("SP", unit)
                self._op = _figure("OP", "" if output is None else words.unit(output["unit"]))
                self._mode = Text("span", words.ABSENT, "plate-mode")
            band = None if limit is None else (limit["low"], limit["high"])
            self._gauge = Gauge(entry["low"], entry["high"], band)
            self._owner = _line("Owner")
            with box("plate-pair"):
                self._local, self._remote = _line("Recipe SP"), _line("Remote SP")
            with box("plate-pair"):
                self._limits, self._lease = _line("Limits"), _line("Lease until")
            self._why = Text("p", "", "small reason")
        if output is None:
            self._op.props(f'title="{NO_OUTPUT}"')
        self.narrow(None)

    def show(self, readings: Json, setpoint: Json, context: Context) -> None:
        """Hold one variable's present."""
        self._show_reading(readings.get(self._name), setpoint["active"])
        if self._output is not None:
            given, places = readings.get(self._output["name"]), _places(self._output)
            usable = given is not None and given["quality"] != "bad"
            say(self._op, words.number(given["value"], places) if given and usable else words.MARKS["bad"])
        mode, owner = OWNERS.get(setpoint["owner"], (words.ABSENT, "not known"))
        lease = words.elapsed(words.hours(setpoint["valid_until"], context.start))
        say(self._sp, words.number(setpoint["active"], self._places))
        say(self._mode, mode)
        say(self._owner, owner)
        say(self._local, words.number(setpoint["local"], self._places))
        say(self._remote, words.number(setpoint["remote"], self._places))
        say(self._lease, lease)

    def _show_reading(self, reading: Json | None, target: float | None) -> None:
        value, quality = (None, "bad") if reading is None else (reading["value"], reading["quality"])
        why = "not received yet" if reading is None else reading["reason"] or quality
        say(self._pv, words.number(value, self._places))
        self._gauge.show(value, target)
        say(self._quality, f"{words.MARKS[quality]} {quality}")
        say(self._why, "" if quality == "good" else words.sentence(why))
        show(self._why, quality != "good")
        for name in ("bad", "uncertain"):
            mark(self._outer, name, quality == name)

    def narrow(self, phase: tuple[float, float] | None) -> None:
        """Hold the hard limits, or what the phase leaves of them."""
        if self._limit is None:
            return
        low, high = self._limit["low"], self._limit["high"]
        if phase is not None:
            low, high = max(low, phase[0]), min(high, phase[1])
        say(self._limits, f"{low:g} to {high:g}")
        self._gauge.narrow(low, high)


def _places(entry: Json) -> int:
    return words.decimals_of_span(entry["low"], entry["high"])


def _figure(tag: str, unit: str) -> Text:
    """One of the three figures of a loop, below its tag and unit."""
    with box("plate-figure"):
        Text("span", f"{tag}, {unit}" if unit else tag, "tag")
        return Text("span", words.ABSENT, "num big")


def _line(caption: str) -> Text:
    with box("plate-line"):
        Text("span", caption, "caption")
        return Text("span", words.ABSENT, "num")
