"""Number formats: how numbers, units, times and qualities are written for people."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

ABSENT = "–"
MARKS = {"good": "✓", "uncertain": "▲", "bad": "✕"}
ACRONYMS = {"ph": "pH", "co2": "CO2"}
REPORTS = "the plant reports "
POWERS = re.compile(r"\b\d(?:\.\d+)?e[+-]\d\d\b")
CONDITION = re.compile(r"([\w.]+) (==|>=|<=|>|<) (\S+)")
LABORATORY = 4  # decimals of a result (design)
AGES = {"batch_h": "the batch has lasted", "phase_h": "this phase has lasted"}
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
COMPARED = {"==": "", ">=": "at least", ">": "more than", "<=": "at most", "<": "below"}


def decimals(resolution: float) -> int:
    """The decimals that show a step of this size."""
    if not math.isfinite(resolution) or resolution <= 0:
        return 2
    return min(8, max(0, math.ceil(-math.log10(resolution) - 1e-9)))


def decimals_of_span(low: float, high: float) -> int:
    """The decimals for a variable of this normal span: a thousandth of it is worth showing."""
    return decimals((high - low) / 1000.0)


def number(value: float | None, places: int) -> str:
    """The value with that many decimals and a true minus sign, or a dash when there is none."""
    if value is None or not math.isfinite(value):
        return ABSENT
    text = f"{value:.{places}f}"
    if text.startswith("-"):
        text = text[1:] if float(text) == 0 else "−" + text[1:]
    return text


def result(value: float | None) -> str:
    """What a laboratory found: four digits, and no more decimals than it can know."""
    if value is None or not math.isfinite(value):
        return ABSENT
    size = math.floor(math.log10(abs(value))) if value else 0
    return number(value, min(LABORATORY, max(0, 3 - size)))


def belief(value: float | None, sd: float | None) -> tuple[str, str]:
    """An estimate and its standard deviation, both with two digits of the latter."""
    if value is None or sd is None or sd <= 0 or not math.isfinite(sd):
        return number(value, 3), ABSENT
    places = min(5, max(0, 1 - math.floor(math.log10(sd))))
    return number(value, places), number(sd, places)


def signed(value: float | None, places: int) -> str:
    """A difference: always with its sign."""
    text = number(value, places)
    return f"+{text}" if text[0].isdigit() and float(text) else text


def unit(text: str) -> str:
    """A unit as it is printed: °C for degC, a middle dot for the product, 10⁶ for 10^6, nothing for a mere number."""
    raised = re.sub(r"\^(-?\d+)", lambda power: power[1].translate(RAISED), text)
    return "" if text == "1" else raised.replace("degC", "°C").replace(".", "·")


def title(name: str, text: str = "") -> str:
    """What a variable is called: its own text, or its name in words."""
    if text:
        return text
    words = [ACRONYMS.get(word, word) for word in name.split("_")]
    first = words[0]
    return " ".join([first if first in ACRONYMS.values() else first.capitalize(), *words[1:]])


def moment(text: str | None) -> datetime | None:
    """A time from the wire."""
    return None if text is None else datetime.fromisoformat(text)


def hours(time: str | datetime | None, start: datetime | None) -> float | None:
    """Elapsed fermentation hours at a time."""
    when = moment(time) if isinstance(time, str) else time
    return None if when is None or start is None else (when - start).total_seconds() / 3600.0


def elapsed(value: float | None) -> str:
    """Elapsed fermentation time in hours, as on the time axis."""
    return ABSENT if value is None else f"{number(value, 1)} h"


def clock(value: float | None) -> str:
    """Elapsed fermentation time in hours and minutes."""
    if value is None:
        return ABSENT
    minutes = round(value * 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def ago(seconds: float | None) -> str:
    """An age in the largest unit that fits."""
    if seconds is None:
        return "at an unknown time"
    if seconds < 1.5:
        return "now"
    if seconds < 120:
        return f"{seconds:.0f} s ago"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min ago"
    return f"{seconds / 3600:.1f} h ago"


def correction(log_multiplier: float | None) -> float | None:
    """What a logarithmic multiplier changes, in percent."""
    return None if log_multiplier is None else 100.0 * (math.exp(log_multiplier) - 1.0)


def sentence(text: str) -> str:
    """The text with a capital and a full stop, its numbers without powers of ten."""
    text = POWERS.sub(lambda found: f"{Decimal(found[0]):f}", text.strip())
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def names(plant: Mapping[str, Any]) -> dict[str, str]:
    """What every variable and state of the plant is called."""
    listed = [*plant["states"], *plant["variables"]]
    return {entry["name"]: title(entry["name"], entry.get("text", "")) for entry in listed}


def units(plant: Mapping[str, Any]) -> dict[str, str]:
    """The printed unit of every variable and state of the plant."""
    return {entry["name"]: unit(entry["unit"]) for entry in [*plant["states"], *plant["variables"]]}


def counted(count: int, noun: str) -> str:
    """A number with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def readable(text: str, names: Mapping[str, str]) -> str:
    """The text with variables by the names that people know; a name of one plain word is left as it is."""
    known = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True) if "_" in name)
    return re.sub(rf"\b({known})\b", lambda found: _inside(names[found[0]]), text) if known else text


def told(text: str, names: Mapping[str, str]) -> str:
    """The text as a sentence, with variables by the names that people know."""
    return sentence(readable(text, names))


def happened(event: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """What an event says, with variables and phases by the names that people know."""
    text = str(event["text"])
    return text.replace("_", " ") if event["kind"] in ("phase", "recipe") else readable(text, names)


def conditions(listed: Sequence[str], names: Mapping[str, str], units: Mapping[str, str]) -> str:
    """What ends a phase, in words; what the plant may report stands together."""
    told = [condition(text, names, units) for text in listed]
    reported = [text.removeprefix(REPORTS) for text in told if text.startswith(REPORTS)]
    others = [text for text in told if not text.startswith(REPORTS)]
    return ", or ".join([*others, *([REPORTS + " or ".join(reported)] if reported else [])])


def condition(text: str, names: Mapping[str, str], units: Mapping[str, str]) -> str:
    """A condition of the recipe in words: `phase_h >= 6` is "this phase has lasted 6 h"."""
    found = CONDITION.fullmatch(text)
    if found is None:
        return text
    signal, compared, number = found.groups()
    family, _, name = signal.partition(".")
    if signal in AGES:
        return f"{AGES[signal]} {COMPARED[compared]} {number} h".replace("at least ", "")
    if signal == "plant.phase":
        return REPORTS + number.replace("_", " ")
    what = _inside(names.get(name, title(name or family)))
    told = f"{'estimated ' if family == 'estimate' else ''}{what} is {COMPARED[compared]} {number}"
    return f"{told} {units.get(name, '')}".rstrip()


def _inside(name: str) -> str:
    """A name inside a sentence: its capital goes, unless it is of an abbreviation such as CO₂."""
    return name if name[1:2].isupper() else name[:1].lower() + name[1:]
