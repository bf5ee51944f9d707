"""Trend figures of a batch report: over the age of the batch, with phases, samples and suggestions, as inline SVG.

Everything comes in as plain data; a missing number is None.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

Content = Mapping[str, Any]
Series = Sequence[Sequence[float | None]]  # rows of age in hours, low, mean, high

INK, QUIET, GRID = "#1f2933", "#6b7785", "#e4e8ec"
LINE, BAND, SAMPLE, SETPOINT, ADVICE = "#1b4f8a", "#9db4cc", "#d0342c", "#8a949e", "#7a5195"
GAP = "#c3cad1"  # lighter than all else: a batch may have hundreds
PHASES = ("#f1f4f7", "#e6ecf2")  # in turn
WIDTH, ROW = 10.4, 1.55  # inches


def trends(content: Content) -> str:
    """Every measured and manipulated variable with its setpoint."""
    return _stacked(content, content["trends"], _trend)


def estimates(content: Content) -> str:
    """What the twin believed, with its 80 % band, beside the laboratory's results."""
    return _stacked(content, content["estimates"], _estimate)


def insight(content: Content) -> str:
    """How sure NeuroCore was that all is as usual, and what it has learned."""
    return _stacked(content, content["insight"], _level)


def _stacked(content: Content, rows: Sequence[Content], draw: Any) -> str:
    """One above the other over the same ages; the phases are written once, on top."""
    if not rows:
        return ""
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "neurotwin", "font.size": 9.5}):
        figure = Figure(figsize=(WIDTH, ROW * len(rows) + 0.75), facecolor="white")
        FigureCanvasSVG(figure)
        axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
        height = ROW * len(rows) + 0.75
        figure.subplots_adjust(left=0.105, right=0.985, top=1 - 0.3 / height, bottom=0.48 / height, hspace=0.16)
        for axis, row in zip(axes, rows, strict=True):
            _ground(axis, content)
            draw(axis, row)
            _make_room(axis)
            axis.set_ylabel(_wrapped(row["label"], row["unit"]), color=INK, fontsize=9, labelpad=6)
        figure.align_ylabels(axes)
        _name_phases(axes[0], content)
        axes[-1].set_xlabel("Age of the batch (h)", color=INK)
        return _svg(figure)


def _svg(figure: Figure) -> str:
    into = io.StringIO()
    figure.savefig(into, format="svg", metadata={"Date": None, "Creator": None})
    text = into.getvalue()
    return text[text.index("<svg") :]


def _wrapped(label: str, unit: str) -> str:
    """A label of at most three short lines, the unit on the last."""
    lines = [""]
    for word in label.split():
        if lines[-1] and len(lines[-1]) + len(word) > 16:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join([*lines, f"({unit})"] if unit else lines)


def _ground(axis: Axes, content: Content) -> None:
    """Quiet axes over the phases, with the gaps hatched and the suggestions marked."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(GRID)
    axis.tick_params(colors=QUIET, length=0, labelsize=8.5)
    axis.grid(axis="y", color=GRID, linewidth=0.7)
    axis.set_axisbelow(True)
    axis.set_xlim(0.0, max(content["hours"], 1e-3))
    axis.margins(y=0.12)
    axis.locator_params(axis="y", nbins=4)
    for number, phase in enumerate(content["phases"]):
        axis.axvspan(phase["start_h"], phase["end_h"], color=PHASES[number % 2], linewidth=0, zorder=0)
    for gap in content["gaps"]:
        axis.axvspan(gap["start_h"], gap["end_h"], facecolor="none", edgecolor=GAP, hatch="////", linewidth=0, zorder=0)
    for suggestion in content["suggestions"]:
        taken = suggestion["taken"]
        style = "-" if taken else (0, (1, 2.5))
        axis.axvline(suggestion["age_h"], color=ADVICE, linewidth=0.9 if taken else 0.7, linestyle=style, alpha=0.75)


def _name_phases(axis: Axes, content: Content) -> None:
    hours = max(content["hours"], 1e-3)
    for phase in content["phases"]:
        share = (phase["end_h"] - phase["start_h"]) / hours
        if share * WIDTH * 0.88 > 0.085 * len(phase["name"]):  # where there is room for its name
            middle = 0.5 * (phase["start_h"] + phase["end_h"])
            axis.annotate(
                phase["name"], (middle, 1.0), (0, 5), xycoords=("data", "axes fraction"), textcoords="offset points",
                ha="center", va="bottom", color=QUIET, fontsize=9,
            )  # fmt: skip


def _trend(axis: Axes, row: Content) -> None:
    _band(axis, row["values"], LINE)
    setpoint = row.get("setpoint") or ()
    if setpoint:
        hours, _, mean, _ = _columns(setpoint)
        axis.step(hours, mean, where="post", color=SETPOINT, linewidth=1.3, linestyle=(0, (5, 2)), label="setpoint")
        _legend(axis, "measured", LINE)


def _estimate(axis: Axes, row: Content) -> None:
    hours, low, mean, high = _columns(row["values"])
    axis.fill_between(hours, low, high, color=BAND, alpha=0.55, linewidth=0, label="80 % band")
    axis.plot(hours, mean, color=LINE, linewidth=1.6, label="estimate")
    if row["assays"]:
        at, value = zip(*row["assays"], strict=True)
        axis.plot(at, value, "o", color=SAMPLE, markersize=5.5, markeredgecolor="white", label="assay", zorder=5)
    axis.legend(
        loc="upper left", fontsize=8, ncols=3, labelcolor=QUIET, borderaxespad=0.1, edgecolor="none", framealpha=0.9
    )


def _level(axis: Axes, row: Content) -> None:
    _band(axis, row["values"], LINE)
    if row.get("limits"):
        axis.set_ylim(*row["limits"])


def _band(axis: Axes, values: Series, colour: str) -> None:
    hours, low, mean, high = _columns(values)
    axis.fill_between(hours, low, high, color=colour, alpha=0.18, linewidth=0)
    axis.plot(hours, mean, color=colour, linewidth=1.4)


def _make_room(axis: Axes) -> None:
    """Above the lines, for a legend."""
    if axis.get_legend() is not None:
        low, high = axis.get_ylim()
        axis.set_ylim(low, high + 0.3 * (high - low))


def _legend(axis: Axes, name: str, colour: str) -> None:
    axis.plot([], [], color=colour, linewidth=1.4, label=name)
    axis.legend(
        loc="upper left", fontsize=8, ncols=2, labelcolor=QUIET, borderaxespad=0.1, edgecolor="none", framealpha=0.9
    )


def _columns(values: Series) -> list[list[float]]:
    rows = [[math.nan if v is None else float(v) for v in row] for row in values]
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[], [], [], []]
