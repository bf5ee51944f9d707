"""The figure and the table of one patient's scenario: what people take away, with its disclaimer on it.

Both take the scenario as plain data, as it stands in the command's JSON.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

Scenario = Mapping[str, Any]

INK, QUIET, GRID = "#1f2933", "#6b7785", "#e4e8ec"
SCORE, RED, GOOD, DRUG = "#1b4f8a", "#d0342c", "#dff1e4", "#7a5195"
# Every registered review is a red mark; its shape is its kind.
MARKS = {
    "monitoring": "o",
    "schedule": "s",
    "adherence": "v",
    "level": "D",
    "dose": "^",
    "replacement": "P",
    "urgent": "X",
}
# Channel, axis label, target band, limits.
CHANNELS = (
    ("stress", "Stress\n(1–10)", (1.0, 4.0), (1.0, 10.0), "#b5651d"),
    ("sleep", "Sleep in 24 h\n(h)", (7.0, 14.0), (2.0, 11.0), "#3d7ea6"),
    ("mood", "Mood\n(1–10)", (7.0, 10.0), (1.0, 10.0), "#3a7d44"),
)
# What lowers the score, strongest colour at one.
PARTS = (("D", "distance"), ("V", "swing"), ("N", "novelty"), ("A", "adverse"))
SHADES = LinearSegmentedColormap.from_list("parts", ["#f4f6f8", "#9db4cc", SCORE])
HALF_SAMPLE = 0.125  # days: samples are six hours apart
HEIGHTS = (3.4, 0.95, 1.15, 1.15, 1.15, 1.3)
# Table columns with their units, and where each stands in an interval.
COLUMNS = {
    "index": "index",
    "time_h": "time_h",
    "day": "day",
    "hour": "hour",
    "origin": "origin",
    "stress_1_to_10": "stress",
    "sleep_h": "sleep",
    "mood_1_to_10": "mood",
    "stability_0_to_1": "score",
    "dose_mg": "dose_mg",
    "concentration_ng_per_ml": "concentration_ng_per_ml",
    "occupancy_0_to_1": "occupancy",
}
COMPONENTS = {"distance_D": "D", "swing_V": "V", "novelty_N": "N", "adverse_A": "A"}


def draw(scenario: Scenario, path: Path) -> None:
    """Write the scenario as a PNG: score with its reviews, its components, the channels, dose and concentration."""
    figure = drawn(scenario)
    figure.savefig(path, format="png", metadata={"Description": scenario["disclaimer"]})


def png(scenario: Scenario) -> bytes:
    """The same figure as the bytes of a PNG, to be put into a page."""
    into = io.BytesIO()
    drawn(scenario).savefig(into, format="png", metadata={"Description": scenario["disclaimer"]})
    return into.getvalue()


def drawn(scenario: Scenario) -> Figure:
    """The figure itself."""
    figure = Figure(figsize=(10.5, 10.8), dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    axes: Sequence[Axes] = figure.subplots(
        len(HEIGHTS), 1, sharex=True, gridspec_kw={"height_ratios": HEIGHTS, "hspace": 0.12}
    )
    figure.subplots_adjust(left=0.085, right=0.925, top=0.915, bottom=0.085)
    days = [_day(interval) for interval in scenario["intervals"]]
    for axis in axes:
        _plain(axis, scenario, days)
    _draw_score(axes[0], scenario, days)
    _draw_parts(axes[1], scenario, days)
    for axis, channel in zip(axes[2:5], CHANNELS, strict=True):
        _draw_channel(axis, scenario, days, *channel)
    _draw_drug(axes[5], scenario, days)
    axes[5].set_xlabel("Day", color=INK)
    who = f"{scenario['arm']}, seed {scenario['seed']}" if scenario["seed"] is not None else scenario["arm"]
    figure.text(0.085, 0.962, "SSRI reference scenario", fontsize=16, weight="bold", color=INK)
    figure.text(0.085, 0.94, f"Simulated patient: {who}" if scenario["seed"] is not None else who, color=QUIET)
    figure.text(0.505, 0.022, scenario["disclaimer"], ha="center", fontsize=10.5, weight="bold", color=RED)
    return figure


def write_table(scenario: Scenario, path: Path) -> None:
    """Write the scenario as CSV, one row a sample, after a comment line with the disclaimer.

    What wearables and questionnaires brought stands in columns of its own, named with its unit.
    """
    extras = {column["name"]: column for column in scenario.get("extras", ())}
    said = {s["index"]: s for s in scenario["suggestions"]}
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {scenario['disclaimer']}\n")
        writer = csv.writer(file)
        headed = [f"{name} [{extra['unit']}]" for name, extra in extras.items()]
        writer.writerow([*COLUMNS, *COMPONENTS, *headed, "suggestion", "reason"])
        for interval in scenario["intervals"]:
            suggestion = said.get(interval["index"], {})
            cells = [_cell(interval[key]) for key in COLUMNS.values()]
            cells += [_cell(interval["components"][key]) for key in COMPONENTS.values()]
            cells += [_cell(interval.get("extras", {}).get(name)) for name in extras]
            writer.writerow([*cells, suggestion.get("kind", ""), suggestion.get("reason", "")])


def _cell(value: Any) -> Any:
    return "" if value is None else round(value, 6) if isinstance(value, float) else value


def _day(interval: Mapping[str, Any]) -> float:
    """Days since the first midnight of the scenario, counted from one as people do."""
    return 1.0 + float(interval["time_h"]) / 24.0


def _values(scenario: Scenario, key: str) -> list[float]:
    return [math.nan if i[key] is None else float(i[key]) for i in scenario["intervals"]]


def _plain(axis: Axes, scenario: Scenario, days: Sequence[float]) -> None:
    """Quiet axes, and a line where the published samples end and the generated ones begin."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(GRID)
    axis.tick_params(colors=QUIET, length=0)
    axis.grid(axis="x", color=GRID, linewidth=0.8)
    axis.set_axisbelow(True)
    last = int(days[-1]) + 1
    axis.set_xlim(days[0] - 0.1, days[-1] + 0.2)
    axis.set_xticks(range(int(days[0]), last))
    edge = _boundary(scenario, days)
    if edge is not None:
        axis.axvline(edge, color=QUIET, linewidth=1.0, linestyle=(0, (1, 2)))


def _boundary(scenario: Scenario, days: Sequence[float]) -> float | None:
    origins = [i["origin"] for i in scenario["intervals"]]
    for k in range(1, len(origins)):
        if origins[k] != origins[k - 1]:
            return 0.5 * (days[k - 1] + days[k])
    return None


def _draw_score(axis: Axes, scenario: Scenario, days: Sequence[float]) -> None:
    score = [math.nan if _unscored(i) else float(i["score"]) for i in scenario["intervals"]]
    axis.axhline(0.5, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)))
    axis.text(days[-1] + 0.18, 0.505, "review below 0.50", ha="right", va="bottom", fontsize=8.5, color=QUIET)
    axis.fill_between(days, score, color=SCORE, alpha=0.07, linewidth=0)
    axis.plot(days, score, color=SCORE, linewidth=2.2)
    positions = {interval["index"]: k for k, interval in enumerate(scenario["intervals"])}
    for kind, mark in MARKS.items():
        at = [positions[s["index"]] for s in scenario["suggestions"] if s["kind"] == kind]
        if at:
            axis.plot(
                [days[k] for k in at],
                [score[k] for k in at],
                mark,
                color=RED,
                markersize=9,
                markeredgecolor="white",
                markeredgewidth=1.2,
                label=f"{kind} ({len(at)})",
                zorder=5,
            )
    if scenario["suggestions"]:
        legend = axis.legend(title="Review registered", loc="upper left", labelcolor=INK, fontsize=9.5, ncols=3)
        legend.get_frame().set(edgecolor="none", alpha=1.0)
        legend.get_title().set_color(QUIET)
        legend.set_alignment("left")
    axis.set_ylim(0.0, 1.0)
    axis.set_ylabel("Stability score\n(0–1)", color=INK)
    if days[-1] > 8.5:
        axis.axvline(8.0, color=QUIET, linewidth=0.9)
        axis.text(8.06, 0.95, "after day 7", fontsize=9, color=QUIET)
    _label_origins(axis, scenario, days)


def _draw_parts(axis: Axes, scenario: Scenario, days: Sequence[float]) -> None:
    """The components as strips, one above the other: the darker, the more it takes from the score."""
    edges = [days[0] - HALF_SAMPLE, *(0.5 * (a + b) for a, b in pairwise(days)), days[-1] + HALF_SAMPLE]
    rows = [[_part(interval, key) for interval in scenario["intervals"]] for key, _ in reversed(PARTS)]
    axis.pcolormesh(edges, range(len(PARTS) + 1), rows, cmap=SHADES, vmin=0.0, vmax=1.0)
    for line in range(1, len(PARTS)):
        axis.axhline(line, color="white", linewidth=2.5)
    axis.set_yticks([line + 0.5 for line in range(len(PARTS))], [f"{name} {key}" for key, name in reversed(PARTS)])
    axis.tick_params(axis="y", labelsize=8.5, labelcolor=INK, pad=2)
    axis.set_ylim(0, len(PARTS))
    axis.grid(visible=False)
    told = "white 0\nblue 1:\nlowers\nthe score"
    axis.text(days[-1] + 0.25, len(PARTS) / 2, told, va="center", fontsize=7.5, color=QUIET)


def _part(interval: Mapping[str, Any], key: str) -> float:
    return math.nan if _unscored(interval) else float(interval["components"].get(key, math.nan))


def _unscored(interval: Mapping[str, Any]) -> bool:
    """There is no score before all three channels were seen once; it cannot be zero otherwise."""
    return not interval["score"]


def _label_origins(axis: Axes, scenario: Scenario, days: Sequence[float]) -> None:
    names = {
        "published": "Table 1, published",
        "generated": "generated (open circles), not observed",
        "file": "from the file given",
    }
    edge = _boundary(scenario, days)
    last = scenario["intervals"][-1]["origin"]
    if edge is not None:
        first = scenario["intervals"][0]["origin"]
        axis.text(edge - 0.06, 0.03, f"{names[first]} ←", ha="right", fontsize=9, color=QUIET)
        axis.text(edge + 0.06, 0.03, f"→ {names[last]}", fontsize=9, color=QUIET)
    else:
        axis.text(days[0], 0.03, f"all samples {names[last]}", fontsize=9, color=QUIET)


def _draw_channel(
    axis: Axes,
    scenario: Scenario,
    days: Sequence[float],
    channel: str,
    label: str,
    target: tuple[float, float],
    limits: tuple[float, float],
    colour: str,
) -> None:
    values = _values(scenario, channel)
    axis.axhspan(*target, color=GOOD, linewidth=0)
    observed = [
        v if i["origin"] != "generated" else math.nan for v, i in zip(values, scenario["intervals"], strict=True)
    ]
    axis.plot(days, values, color=colour, linewidth=1.3, marker="o", markersize=4.2, markerfacecolor="white")
    axis.plot(days, observed, "o", color=colour, markersize=4.2)  # filled: not generated
    known = [v for v in values if v == v] or [limits[0]]
    axis.set_ylim(min(limits[0], *known), max(limits[1], *known))
    axis.set_ylabel(label, color=INK, fontsize=9)
    axis.text(days[-1] + 0.25, sum(_shown(axis, target)) / 2, "target", va="center", fontsize=8.5, color=QUIET)


def _shown(axis: Axes, band: tuple[float, float]) -> tuple[float, float]:
    low, high = axis.get_ylim()
    return max(low, band[0]), min(high, band[1])


def _draw_drug(axis: Axes, scenario: Scenario, days: Sequence[float]) -> None:
    """Concentration as the twin believes it, with each dose as a tick on the axis."""
    concentration = _values(scenario, "concentration_ng_per_ml")
    axis.fill_between(days, concentration, color=DRUG, alpha=0.12, linewidth=0)
    axis.plot(days, concentration, color=DRUG, linewidth=1.5)
    levels = [(_day(level), float(level["ng_per_ml"])) for level in scenario.get("levels", ())]
    axis.plot([day for day, _ in levels], [x for _, x in levels], "D", color=DRUG, mec="white", markersize=7, zorder=5)
    doses = [(day, i["dose_mg"]) for day, i in zip(days, scenario["intervals"], strict=True) if i["dose_mg"]]
    top = max([*concentration, *(x for _, x in levels), 10.0]) * 1.25
    axis.plot([day for day, _ in doses], [0.04 * top] * len(doses), "|", color=INK, markersize=9, mew=1.6)
    axis.set_ylim(0.0, top)
    axis.set_ylabel("Concentration\n(ng/mL), estimate", color=INK, fontsize=9)
    if doses:
        amounts = sorted({mg for _, mg in doses})
        text = f"| a dose of {' or '.join(f'{mg:g}' for mg in amounts)} mg" + ("   ◆ measured" if levels else "")
        axis.text(days[0], 0.8 * top, text, fontsize=9, color=INK)
