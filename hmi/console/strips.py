"""Trend strips from the gateway's answers: one strip is all that a trend shows of one variable, in hours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from typing import Any

from hmi.console import words
from hmi.console.subject import subject

Point = tuple[float, float | None]  # elapsed hours and value; None breaks the line
Span = tuple[float, float | None, float | None]  # elapsed hours, low, high; None breaks the band
GAP = 2.5  # times the usual spacing: a longer silence is drawn as a gap (design)
BAD = 2
KINDS = ("reading", "setpoint", "estimate", "assay", "forecast")

EXTRAS = {  # what NeuroCore says can be watched like a variable
    "neurocore.novelty": ("Novelty", "", 0.0, 1.0),
    "neurocore.stability": ("Stability", "", 0.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Fan:
    """A forecast of one variable: the median and the central 80 %, or for an input its planned steps."""

    middle: tuple[Point, ...]
    band: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Strip:
    """One variable over time."""

    name: str
    text: str
    unit: str
    places: int
    span: float  # of the normal range, so that noise is not blown up
    shows: frozenset[str] = frozenset()  # of KINDS, those that this variable can have at all
    measured: tuple[Point, ...] = ()
    spread: tuple[Span, ...] = ()
    bad: tuple[Point, ...] = ()
    setpoint: tuple[Point, ...] = ()
    estimate: tuple[Point, ...] = ()
    band: tuple[Span, ...] = ()
    assays: tuple[Point, ...] = ()
    baseline: Fan | None = None
    proposed: Fan | None = None


def choices(plant: Mapping[str, Any]) -> dict[str, str]:
    """What can be watched, in the order of the plant, with the name for people."""
    known, named = [entry["name"] for entry in [*plant["variables"], *plant["states"]]], words.names(plant)
    return {name: named[name] for name in known} | {name: text for name, (text, *_) in EXTRAS.items()}


def preferred(plant: Mapping[str, Any], limit: int = 4) -> list[str]:
    """What is watched when nobody has chosen: what is moved, what it is for, and what bounds it."""
    available, first = choices(plant), subject(plant).first
    wanted = [*first, *available]
    return list(dict.fromkeys(name for name in wanted if name in available))[: max(limit, len(first))]


def series_of(name: str, plant: Mapping[str, Any]) -> list[str]:
    """The historian's series of one variable: readings, setpoint and estimate, so far as it has them."""
    if name in EXTRAS:
        return [name]
    roles = [entry["role"] for entry in plant["variables"] if entry["name"] == name]
    found = [f"process.{name}"] if roles else []
    found += [f"setpoint.{name}"] if "manipulated" in roles else []
    known = any(state["name"] == name for state in plant["states"])
    return found + ([f"estimate.{name}", f"estimate.{name}_sd"] if known else [])


def strip(
    name: str,
    plant: Mapping[str, Any],
    start: datetime,
    trend: Mapping[str, Sequence[Sequence[Any]]],
    assays: Sequence[Mapping[str, Any]],
    forecasts: Mapping[str, Any],
) -> Strip:
    """All that is known of one variable over time."""
    text, unit, low, high = _about(name, plant)
    key = name if name in EXTRAS else f"process.{name}"
    measured = _rows(trend.get(key, ()), start)
    estimate, sd = (_rows(trend.get(f"estimate.{name}{end}", ()), start) for end in ("", "_sd"))
    spread = {hours: mean for hours, _, mean, _, _ in sd}
    results = tuple(
        (words.hours(assay["sampled_at"], start) or 0.0, assay["value"])
        for assay in assays
        if assay["variable"] == name
    )
    baseline, proposed = (_fan(name, forecasts.get(plan), start) for plan in ("baseline", "proposed"))
    known = series_of(name, plant)
    there = (key in known, f"setpoint.{name}" in known, f"estimate.{name}" in known, results, baseline or proposed)
    return Strip(
        name=name,
        text=text,
        unit=unit,
        places=words.decimals_of_span(low, high),
        span=high - low,
        shows=frozenset(kind for kind, is_there in zip(KINDS, there, strict=True) if is_there),
        measured=_line(measured),
        spread=_envelope(measured),
        bad=tuple((hours, mean) for hours, _, mean, _, quality in measured if quality == BAD),
        setpoint=_line(_rows(trend.get(f"setpoint.{name}", ()), start)),
        estimate=_line(estimate),
        band=_belief(estimate, spread),
        assays=results,
        baseline=baseline,
        proposed=proposed,
    )


def _about(name: str, plant: Mapping[str, Any]) -> tuple[str, str, float, float]:
    if name in EXTRAS:
        return EXTRAS[name]
    for entry in [*plant["variables"], *plant["states"]]:
        if entry["name"] == name:
            text = words.title(name, entry.get("text", ""))
            return text, words.unit(entry["unit"]), entry.get("low", 0.0), entry.get("high", 100.0)
    return words.title(name), "", 0.0, 1.0


Row = tuple[float, float | None, float | None, float | None, int]


def _rows(rows: Sequence[Sequence[Any]], start: datetime) -> list[Row]:
    origin = start.timestamp() * 1000.0
    return [((ms - origin) / 3.6e6, low, mean, high, quality) for ms, low, mean, high, quality in rows]


def _gap(rows: Sequence[Row]) -> float:
    steps = [b[0] - a[0] for a, b in pairwise(rows)]
    return GAP * median(steps) if steps else math.inf


def _line(rows: Sequence[Row]) -> tuple[Point, ...]:
    """The means, broken where nothing was received and where what was received is bad."""
    points: list[Point] = []
    gap = _gap(rows)
    for hours, _, mean, _, quality in rows:
        if points and hours - points[-1][0] > gap:
            points.append((points[-1][0] + 1e-6, None))
        points.append((hours, None if quality == BAD else mean))
    return tuple(points)


def _envelope(rows: Sequence[Row]) -> tuple[Span, ...]:
    spans: list[Span] = []
    gap = _gap(rows)
    for hours, low, _, high, quality in rows:
        if spans and hours - spans[-1][0] > gap:
            spans.append((spans[-1][0] + 1e-6, None, None))
        spans.append((hours, None, None) if quality == BAD else (hours, low, high))
    return tuple(spans)


def _belief(rows: Sequence[Row], spread: Mapping[float, float | None]) -> tuple[Span, ...]:
    """One standard deviation to either side of the estimate."""
    spans: list[Span] = []
    for hours, _, mean, _, _ in rows:
        sd = spread.get(hours)
        known = mean is not None and sd is not None
        spans.append((hours, mean - sd, mean + sd) if known else (hours, None, None))  # type: ignore[operator]
    return tuple(spans)


def _fan(name: str, forecast: Mapping[str, Any] | None, start: datetime) -> Fan | None:
    if forecast is None:
        return None
    band = forecast["bands"].get(name)
    if band is None:
        return _planned(name, forecast, start)
    hours = [words.hours(time, start) or 0.0 for time in forecast["times"]]
    return Fan(
        middle=tuple(zip(hours, band["median"], strict=True)),
        band=tuple(zip(hours, band["low80"], band["high80"], strict=True)),
    )


def _planned(name: str, forecast: Mapping[str, Any], start: datetime) -> Fan | None:
    """An input's steps from when they were planned on; a step that does not name it leaves it as it was."""
    made = words.hours(forecast["made_at"], start) or 0.0
    points: list[Point] = []
    for step in forecast["steps"]:
        if name in step["inputs"]:
            began = words.hours(step["start"], start) or 0.0
            points = points if began > made else []  # a step that is over before the plan begins is no part of it
            points.append((max(made, began), step["inputs"][name]))
    if not points:
        return None
    points.append((words.hours(forecast["end"], start) or points[-1][0], points[-1][1]))
    return Fan(tuple(points))


def at(start: datetime, hours: float) -> datetime:
    """The time at that many elapsed hours."""
    return datetime.fromtimestamp(start.timestamp() + hours * 3600.0, UTC)
