"""Trend chart: strips above one another on one axis of elapsed hours, as the options of one ECharts chart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from nicegui import json

from hmi.console import words
from hmi.console.palette import Palette
from hmi.console.strips import Fan, Point, Span, Strip
from hmi.console.subject import REACTOR, Subject
from hmi.console.words import decimals

Options = dict[str, Any]
Json = Mapping[str, Any]
BOTTOM = 14.0  # percent of the chart's height for the time axis and the slider (design)
LABEL, SPACE = 5.0, 1.2  # percent for the name above each strip, and between two of them (design)
ROOMY = 6  # strips that share one screen; of more, each keeps this share of it (design)
ROOM_PX = 72  # then no strip is lower than that, its name included (design)
LEAST_PX = 150  # of a chart that fits its place (design)
QUIET = 0.04  # an axis never shows less than this share of the normal span, so that noise stays noise (design)
CROSS = "path://M2 0L5 3L8 0L10 2L7 5L10 8L8 10L5 7L2 10L0 8L3 5L0 2Z"

# A band is one polygon, drawn when its first point is; a missing bound ends it.
BAND = """(params, api) => {
  if (params.dataIndexInside !== 0) return;
  const [x0, y0] = api.coord([0, 0]), [x1, y1] = api.coord([1, 1]);  // both axes are linear
  const place = (hours, value) => [x0 + (x1 - x0) * hours, y0 + (y1 - y0) * value];
  const runs = [[]];
  for (let i = 0; i < params.dataInsideLength; i++) {
    const hours = api.value(0, i), low = api.value(1, i), high = api.value(2, i);
    if (isNaN(low) || isNaN(high)) { runs.push([]); continue; }
    runs[runs.length - 1].push([place(hours, low), place(hours, high)]);
  }
  const style = { fill: api.visual('color'), opacity: OPACITY };
  const children = runs.filter(run => run.length > 1).map(run => ({ type: 'polygon', silent: true, style,
    shape: { points: [...run.map(p => p[0]), ...run.map(p => p[1]).reverse()] } }));
  return { type: 'group', children };
}"""

# The ends of a zoomed axis are seldom round: only round hours are written.
HOURS = "hours => Math.abs(hours * 10 - Math.round(hours * 10)) < 1e-6 ? String(Math.round(hours * 10) / 10) : ''"

TOOLTIP = """params => {
  const safe = text => text.replace(/[&<>"]/g, c => '&#' + c.charCodeAt(0) + ';');
  const rows = params.filter(p => !p.seriesName.startsWith('_')).map(p => {
    const [, places, unit] = p.seriesId.split('|');
    const shown = p.value.slice(1).filter(v => v !== null && !isNaN(v)).map(v => Number(v).toFixed(places));
    return shown.length ? `<tr><td>${safe(p.seriesName)}</td><td style="text-align:right;padding-left:14px">`
      + `${shown.join(' … ')} ${safe(unit)}</td></tr>` : '';
  });
  return `<b>${params[0].axisValue.toFixed(1)} h</b><table>${rows.join('')}</table>`;
}"""


def options(
    strips: Sequence[Strip],
    now: float | None,
    length: float,
    window: tuple[float, float],
    place_window: bool,
    palette: Palette,
    subject: Subject = REACTOR,
    marks: Sequence[Mark] = (),
    screens: float = 1.0,
) -> Options:
    """The whole chart. The window is only placed when asked, so that an update leaves a zoom alone.

    `screens` is how much of a screen's height it is given.
    """
    count = max(1, len(strips))
    crowd = max(screens, count / ROOMY)  # how many screens high the chart is: what is fixed on a screen shrinks by it
    slot = (100.0 - BOTTOM / crowd) / count
    each = subject.each
    series = [entry for i, strip in enumerate(strips) for entry in _series(strip, i, now, palette, each, marks)]
    return {
        "animation": False,
        "textStyle": {"fontFamily": "inherit", "color": palette.ink},
        "axisPointer": {"link": [{"xAxisIndex": "all"}], "lineStyle": {"color": palette.faint}},
        "tooltip": _tooltip(palette),
        "title": [_title(strip, index * slot + SPACE / crowd, palette) for index, strip in enumerate(strips)],
        "grid": [_grid(index * slot, slot, crowd) for index in range(len(strips))],
        "xAxis": [_time_axis(index, index == count - 1, length, palette, subject) for index in range(len(strips))],
        "yAxis": [_value_axis(strip, index, window, palette) for index, strip in enumerate(strips)],
        "dataZoom": _zoom(len(strips), window if place_window else None, palette, crowd),
        "series": series,
    }


def room_px(count: int) -> int:
    """The least height of a chart of so many strips: few share their place, many reach beyond it."""
    return ROOM_PX * count if count > ROOMY else LEAST_PX


def _tooltip(palette: Palette) -> Options:
    return {
        "trigger": "axis",
        "confine": True,
        "transitionDuration": 0,
        "backgroundColor": palette.ground,
        "borderColor": palette.faint,
        "textStyle": {"color": palette.ink, "fontSize": 12},
        ":formatter": TOOLTIP,
    }


def _title(strip: Strip, top: float, palette: Palette) -> Options:
    unit = f"  {strip.unit}" if strip.unit else ""
    style = {"fontSize": 12, "fontWeight": 500, "color": palette.ink}
    return {
        "text": f"{strip.text}{unit}",
        "left": 4,
        "top": f"{top:.2f}%",
        "padding": 0,
        "textStyle": style,
    }


def _grid(top: float, slot: float, crowd: float) -> Options:
    height = slot - (LABEL + SPACE) / crowd
    return {
        "left": 56,
        "right": 16,
        "top": f"{top + LABEL / crowd:.2f}%",
        "height": f"{height:.2f}%",
        "containLabel": False,
    }


def _time_axis(index: int, last: bool, length: float, palette: Palette, subject: Subject) -> Options:
    # At most twelve lines: every day, or every second, third ... day of a long course.
    tick = subject.tick_h and {"interval": subject.tick_h * math.ceil(length / (12 * subject.tick_h))}
    return {
        "type": "value",
        "gridIndex": index,
        "min": 0,
        "max": length,
        "splitNumber": 10,
        **(tick or {}),
        "name": f"{subject.elapsed} (h)" if last else "",
        "nameLocation": "middle",
        "nameGap": 24,
        "nameTextStyle": {"color": palette.faint, "fontSize": 11},
        "axisLabel": {
            "show": last,
            "color": palette.faint,
            "fontSize": 11,
            "hideOverlap": True,
            ":formatter": HOURS,
        },
        "axisTick": {"show": last, "lineStyle": {"color": palette.faint}},
        "axisLine": {"show": True, "onZero": False, "lineStyle": {"color": palette.faint}},
        "splitLine": {"show": True, "lineStyle": {"color": palette.grid}},
        "axisPointer": {"label": {"show": False}},
    }


def _value_axis(strip: Strip, index: int, window: tuple[float, float], palette: Palette) -> Options:
    low, high, step = scale(_values(strip, window), strip.span)
    return {
        "type": "value",
        "gridIndex": index,
        "min": low,
        "max": high,
        "interval": step,
        "axisLabel": {
            "color": palette.faint,
            "fontSize": 11,
            ":formatter": f"value => value.toFixed({decimals(step)})",
        },
        "axisLine": {"show": False},
        "axisTick": {"show": False},
        "splitLine": {"lineStyle": {"color": palette.grid}},
        "axisPointer": {"show": False},
    }


def _zoom(count: int, window: tuple[float, float] | None, palette: Palette, crowd: float) -> list[Options]:
    common: Options = {"xAxisIndex": list(range(count)), "filterMode": "none"}
    if window is not None:
        common |= {"startValue": window[0], "endValue": window[1]}
    slider = {
        "type": "slider",
        "bottom": f"{2 / crowd:.2f}%",
        "height": 14,
        "left": 56,
        "right": 16,
        "showDataShadow": False,
        "brushSelect": False,
        "showDetail": False,
        "borderColor": palette.grid,
        "fillerColor": palette.faint + "33",
        "backgroundColor": "transparent",
        "handleStyle": {"color": palette.ground, "borderColor": palette.faint},
        "moveHandleStyle": {"color": palette.faint, "opacity": 0.4},
        "moveHandleSize": 4,
    }
    inside = {
        "type": "inside",
        "zoomOnMouseWheel": "ctrl",
        "moveOnMouseWheel": False,
        "moveOnMouseMove": True,
    }
    return [common | slider, common | inside]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, drawn as a line through all strips; `sign` stands above the first of them."""

    hours: float
    sign: str
    kind: str  # "suggestion", "note", "sample", "phase" or "mode"; "sign" for a phase without its name


SIGNS = {"note": "✎", "sample": "S", "phase": "▸", "mode": "M"}  # by the kind of the event
ANSWERED = {"accepted": "✓", "modified": "✓", "by hand": "✓", "in force by auto": "✓", "rejected": "✕"}
MARKING = {*SIGNS, "accept", "modify", "propose", "reject"}  # kinds of events that add a mark
SAME_H = 0.02  # a sample and its results are one mark (design)


def marks_of(
    suggestions: Sequence[Json], events: Sequence[Json], assays: Sequence[Json], start: datetime
) -> list[Mark]:
    """What is drawn into the trends: answered suggestions, notes, samples, phases and changes of mode.

    A sample stands where it was drawn, which its results tell as well as its own entry.
    """
    found = [
        Mark(hours, ANSWERED[past["status"]], "suggestion")
        for past in suggestions
        if past["status"] in ANSWERED and (hours := words.hours(past["at"], start)) is not None
    ]
    drawn = [words.hours(time, start) for time in {assay["sampled_at"] for assay in assays}]
    found += [Mark(hours, SIGNS["sample"], "sample") for hours in drawn if hours is not None]
    for event in events:
        hours, kind = words.hours(event["time"], start), event["kind"]
        if kind not in SIGNS or hours is None:
            continue
        if kind != "sample" or all(abs(hours - (other or 0.0)) > SAME_H for other in drawn):
            found.append(
                Mark(hours, f"{SIGNS[kind]} {words.title(event['text'])}" if kind == "phase" else SIGNS[kind], kind)
            )
    return sorted(found, key=lambda mark: mark.hours)


def brief(marks: Sequence[Mark]) -> list[Mark]:
    """The same without the names of phases, for which a low chart has no room."""
    return [Mark(m.hours, SIGNS["phase"], "sign") if m.kind == "phase" else m for m in marks]


@dataclass(frozen=True, slots=True)
class _Pen:
    """Draws one strip's series: the same in the same order for what it shows, so that an update replaces data alone."""

    strip: Strip
    index: int

    def _common(self, label: str, kind: str) -> Options:
        return {
            "id": f"{self.strip.name}:{kind}|{self.strip.places}|{self.strip.unit}",
            "name": label,
            "xAxisIndex": self.index,
            "yAxisIndex": self.index,
            "silent": True,
        }

    def line(self, label: str, kind: str, points: Sequence[Point], color: str, **style: Any) -> Options:
        """A line that a missing value breaks; `step` makes it a staircase."""
        step = {"step": style.pop("step")} if "step" in style else {}
        drawn = {"type": "line", "showSymbol": False, "connectNulls": False, ":data": _packed(points)}
        stroke = {"color": color, "width": 1.5} | style
        looks = {"color": color, "lineStyle": stroke, "emphasis": {"disabled": True}}
        return self._common(label, kind) | drawn | step | looks

    def band(self, label: str, kind: str, spans: Sequence[Span], color: str, opacity: float) -> Options:
        """A filled band that a missing bound breaks."""
        drawn = {"type": "custom", "clip": True, "color": color, "encode": {"x": 0, "y": [1, 2]}}
        painter = {":renderItem": BAND.replace("OPACITY", str(opacity)), ":data": _packed(spans)}
        return self._common(label, kind) | drawn | painter

    def dots(self, label: str, kind: str, points: Sequence[Point], symbol: str, **style: Any) -> Options:
        """Single points."""
        drawn = {"type": "scatter", "symbol": symbol, "symbolSize": 8, ":data": _packed(points)}
        return self._common(label, kind) | drawn | {"itemStyle": style, "z": 5}


def _series(
    strip: Strip, index: int, now: float | None, palette: Palette, each: bool, marks: Sequence[Mark]
) -> Iterator[Options]:
    pen, name, shows = _Pen(strip, index), strip.text, strip.shows
    if "reading" in shows:
        yield pen.band("_spread", "spread", strip.spread, palette.measured, 0.18)
    if "estimate" in shows:
        yield pen.band("_sd", "sd", strip.band, palette.estimate, 0.22)
    if "forecast" in shows:
        yield from _fans(pen, palette)
    points = {"showSymbol": True, "symbol": "circle", "symbolSize": 5} if each else {}
    through = _through(now, marks, index == 0, palette)
    yield pen.line(name, "measured", strip.measured, palette.measured) | points | through
    if "setpoint" in shows:
        style: Options = {"step": "end", "type": [6, 4]}
        yield pen.line(f"{name}, setpoint", "setpoint", strip.setpoint, palette.setpoint, **style) | {"z": 4}
    if "estimate" in shows:
        yield pen.line(f"{name}, estimate", "estimate", strip.estimate, palette.estimate)
    if "reading" in shows:
        yield pen.dots("_bad", "bad", strip.bad, CROSS, color=palette.bad)
    if "assay" in shows:
        white = {"color": palette.ground, "borderColor": palette.measured, "borderWidth": 1.5}
        yield pen.dots(f"{name}, assay", "assay", strip.assays, "diamond", **white)


def _fans(pen: _Pen, palette: Palette) -> Iterator[Options]:
    """Both plans: the bands below, the middles above them."""
    name, baseline, proposed = pen.strip.text, pen.strip.baseline or Fan(()), pen.strip.proposed or Fan(())
    yield pen.band(f"{name}, present plan, 80 %", "fan0", baseline.band, palette.baseline, 0.26)
    yield pen.band(f"{name}, with suggestion, 80 %", "fan1", proposed.band, palette.proposed, 0.26)
    step = {} if baseline.band or proposed.band else {"step": "end"}
    yield pen.line(f"{name}, present plan", "plan0", baseline.middle, palette.baseline, type=[3, 3], **step)
    yield pen.line(f"{name}, with suggestion", "plan1", proposed.middle, palette.proposed, **step)


def _through(now: float | None, marks: Sequence[Mark], labelled: bool, palette: Palette) -> Options:
    """The lines through a strip: between what was and what is forecast, and at what happened."""
    data = [_mark(mark, labelled, palette) for mark in marks]
    data += [] if now is None else [_upright(now, "now", "solid", labelled, palette)]
    return {"markLine": {"silent": True, "symbol": "none", "data": data}}


def _mark(mark: Mark, labelled: bool, palette: Palette) -> Options:
    """One of what happened; the name of a phase stands along its line, where it covers no sign of another."""
    line = _upright(mark.hours, mark.sign, [2, 4], labelled, palette)
    if mark.kind == "phase":
        line["label"] |= {"position": "insideEndBottom"}
    return line


def _upright(hours: float, text: str, kind: str | list[int], labelled: bool, palette: Palette) -> Options:
    return {
        "xAxis": round(hours, 4),
        "label": {"show": labelled, "formatter": text, "color": palette.faint, "fontSize": 11, "distance": 3},
        "lineStyle": {"color": palette.faint, "type": kind, "width": 1},
    }


def _packed(rows: Sequence[Sequence[float | None]]) -> str:
    """As a text that the browser takes apart, since NiceGUI here, and Vue there, would watch a list number by number.

    Single precision is more than a screen can show.
    """
    return f"Object.freeze(JSON.parse('{json.dumps(np.array(rows, dtype=np.float32))}'))"


def _values(strip: Strip, window: tuple[float, float]) -> list[float]:
    """Every value that the window shows of a strip."""
    fans = [fan for fan in (strip.baseline, strip.proposed) if fan is not None]
    drawn: list[Sequence[tuple[float | None, ...]]] = [
        strip.measured, strip.spread, strip.setpoint, strip.estimate, strip.band, strip.assays, strip.bad
    ]  # fmt: skip
    drawn += [part for fan in fans for part in (fan.middle, fan.band)]
    return [
        value
        for rows in drawn
        for hours, *values in rows
        if hours is not None and window[0] <= hours <= window[1]
        for value in values
        if value is not None
    ]


def scale(values: Sequence[float], span: float) -> tuple[float, float, float]:
    """Round ends of an axis and its step; it never spans less than a small share of the normal span."""
    if not values:
        return 0.0, 1.0, 0.5
    low, high = min(values), max(values)
    lacking = QUIET * span - (high - low)
    if -0.1 * high < low < 0:  # the lower edge of a band around next to nothing
        low = 0.0
    floor = 0.0 if low >= 0 else -math.inf
    if lacking > 0:
        low, high = max(floor, low - lacking / 2), high + lacking / 2
    step = _nice((high - low) / 4.0)
    first, last = math.floor(low / step + 1e-6) * step, math.ceil(high / step - 1e-6) * step
    return max(floor, round(first, 12)), round(last, 12), step


def _nice(step: float) -> float:
    if step <= 0 or not math.isfinite(step):
        return 1.0
    power = 10.0 ** math.floor(math.log10(step))
    return next((factor * power for factor in (1.0, 2.0, 5.0, 10.0) if step <= factor * power * 1.0001), step)
