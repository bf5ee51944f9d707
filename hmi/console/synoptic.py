"""The vessel as a drawing: what goes in and out of it and what is measured where, each value with its quality.

Everything at rest is grey. A value that is not good has a sign and a frame of its own beside its colour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from hmi.console import words
from hmi.console.context import Context
from hmi.console.parts import Text, box, label, mark, say

Json = Mapping[str, Any]
WIDE, HIGH = 128, 40  # of one value's box
LONGEST = 23  # letters of a name that fit into it
Place = tuple[int, ...]  # where a value stands, and the point of the drawing to which its line leads, if there is one
PLACES: Mapping[str, tuple[Place, ...]] = {  # by the part of the vessel that the configuration names
    "inlet": ((6, 20, 262, 60), (6, 76, 274, 60)),
    "titrant": ((6, 132, 232, 150), (6, 188, 232, 176)),
    "scale": ((6, 276, 232, 296),),
    "sparger": ((6, 336, 300, 372),),
    "shaft": ((246, 2, 310, 44),),
    "off_gas": ((486, 20, 352, 62), (486, 76, 352, 62)),
    "probe": ((486, 150, 380, 200), (486, 206, 380, 232), (486, 262, 388, 282)),
}
SPARE: tuple[Place, ...] = ((486, 318), (486, 374), (6, 392), (246, 392))  # for what the drawing does not know
BOTTOM, TOP = 356.0, 96.0  # of the broth when the vessel is empty and full
VESSEL = (
    '<path class="jacket" d="M222 150 V330 Q222 376 310 376 Q398 376 398 330 V150" />'
    '<path class="wall" d="M232 92 V326 Q232 366 310 366 Q388 366 388 326 V92 Q388 62 310 62 Q232 62 232 92 Z" />'
)
STIRRER = (
    '<line class="shaft" x1="310" y1="46" x2="310" y2="316" />'
    '<rect class="motor" x="296" y="40" width="28" height="22" />'
    '<path class="blade" d="M282 244 h56 v14 h-56 z M282 304 h56 v14 h-56 z" />'
    '<path class="ring" d="M276 344 q34 16 68 0" />'
)


@dataclass(frozen=True, slots=True)
class _Value:
    box: ui.element
    value: Text
    sign: Text
    places: int
    unit: str
    text: str


def places(drawn: Mapping[str, str]) -> dict[str, Place]:
    """A place for each variable, as long as there are any: one of the part it is drawn at, or one that nobody has."""
    left = {part: list(all_of) for part, all_of in PLACES.items()}
    found = {name: left[part].pop(0) for name, part in drawn.items() if left.get(part)}
    spare = iter([*SPARE, *(place[:2] for part in left.values() for place in part)])
    return found | dict(zip([name for name in drawn if name not in found], spare, strict=False))


class Synoptic:
    """The drawing; its values and its level move, nothing else."""

    def __init__(self, context: Context) -> None:
        self._context = context
        measured = [entry for entry in context.plant["variables"] if entry["role"] != "assayed"]
        where = places({entry["name"]: entry["drawn"] for entry in measured})
        self._values: dict[str, _Value] = {}
        self._scale = next((entry for entry in measured if entry["drawn"] == "scale"), None)
        named = f"Vessel {context.plant['name']} with its measured values"
        with box("panel synoptic", "section"):
            with ui.element("svg").props(f'viewBox="0 0 620 436" role="group" aria-label="{named}"'):
                self._level = ui.element("rect").classes("broth").props('x="233" width="154" y="200" height="160"')
                _drawn(VESSEL + STIRRER)
                for entry in measured:
                    if entry["name"] in where:
                        self._values[entry["name"]] = _value(entry, where[entry["name"]])

    def show(self) -> None:
        """Hold the readings of the latest turn."""
        decision = self._context.link.decision
        readings: Json = {} if decision is None else decision["readings"]
        for name, shown in self._values.items():
            _show(shown, readings.get(name))
        self._fill(readings)

    def _fill(self, readings: Json) -> None:
        """The broth's height follows the scale, up to the upper end of its span."""
        found = readings.get(self._scale["name"]) if self._scale else None
        share = min(1.0, max(0.0, (found["value"] or 0.0) / self._scale["high"])) if found and self._scale else 0.5
        top = BOTTOM - share * (BOTTOM - TOP)
        if self._level.props.get("y") != f"{top:.0f}":
            self._level.props(f'y="{top:.0f}" height="{366 - top:.0f}"')


def _drawn(shapes: str) -> None:
    ui.element("g").props["innerHTML"] = shapes


def _value(entry: Json, place: Place) -> _Value:
    x, y, *to = place
    text = words.title(entry["name"], entry["text"])
    with ui.element("g").classes("value") as outer:
        if to:
            edge = x + WIDE if x < to[0] - WIDE / 2 else x if x > to[0] else x + WIDE / 2
            above = y + HIGH if edge == x + WIDE / 2 else y + HIGH / 2
            line = f'x1="{edge:.0f}" y1="{above:.0f}" x2="{to[0]}" y2="{to[1]}"'
            ui.element("line").classes("lead-line").props(line)
        ui.element("rect").classes("value-box").props(f'x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="2"')
        Text("text", _short(text), "value-name").props(f'x="{x + 6}" y="{y + 14}"')
        value = Text("text", words.ABSENT, "value-number").props(f'x="{x + 6}" y="{y + 32}"')
        sign = Text("text", "", "value-sign").props(f'x="{x + WIDE - 6}" y="{y + 32}" text-anchor="end"')
    outer.props('role="img"')
    places = words.decimals_of_span(entry["low"], entry["high"])
    return _Value(outer, value, sign, places, words.unit(entry["unit"]), text)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _show(shown: _Value, reading: Json | None) -> None:
    value, quality = (None, "bad") if reading is None else (reading["value"], reading["quality"])
    number = f"{words.number(value, shown.places)} {shown.unit}"
    say(shown.value, number)
    say(shown.sign, "" if quality == "good" else words.MARKS[quality])
    label(shown.box, f"{shown.text}: {number}, quality {quality}")
    for name in ("bad", "uncertain"):
        mark(shown.box, name, quality == name)
