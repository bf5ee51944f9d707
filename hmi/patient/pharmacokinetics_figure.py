"""The figure of two levels predicting a third: one panel a person, the population's curve beside that person's own.

Takes plain data, so that it knows nothing of how the curves were made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, QUIET, OWN, POPULATION, RED = "#1f2933", "#8a96a3", "#1b4f8a", "#b5651d", "#d0342c"
COLUMNS = 4


def draw(people: Sequence[Mapping[str, Any]], title: str, note: str, path: Path) -> None:
    """Write the PNG. Of each person: times_h, levels, given, target, curve_h, map_curve, population_curve."""
    rows = -(-len(people) // COLUMNS)
    figure = Figure(figsize=(11.0, 2.5 * rows + 1.3), dpi=130, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    figure.subplots_adjust(left=0.065, right=0.98, top=0.88, bottom=0.12, hspace=0.18, wspace=0.08)
    for k, axis in enumerate(axes.flat):
        axis.set_visible(k < len(people))
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
        if k < len(people):
            _panel(axis, people[k], f"Subject {k + 1}")
    figure.text(0.065, 0.955, title, fontsize=14, weight="bold", color=INK)
    figure.text(0.065, 0.925, note, fontsize=9.5, color=QUIET)
    figure.supxlabel("Hours after the dose", fontsize=10, y=0.055, color=INK)
    figure.supylabel("Concentration (mg/L)", fontsize=10, x=0.008, color=INK)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), frameon=False, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")


def _panel(axis: Any, person: Mapping[str, Any], name: str) -> None:
    times, levels, given, target = (person[key] for key in ("times_h", "levels", "given", "target"))
    others = [i for i in range(len(times)) if i not in (*given, target)]
    axis.plot(person["curve_h"], person["population_curve"], "--", color=POPULATION, lw=1.3, label="Mean of the others")
    axis.plot(person["curve_h"], person["map_curve"], color=OWN, lw=1.6, label="Own, from two levels")
    axis.plot([times[i] for i in others], [levels[i] for i in others], ".", color=QUIET, ms=5, label="Not used")
    axis.plot([times[i] for i in given], [levels[i] for i in given], "o", color=OWN, ms=6, label="The two levels")
    axis.plot([times[target]], [levels[target]], "D", color=RED, ms=6, label="The third, to be predicted")
    axis.set_title(name, fontsize=9, loc="left", color=INK, pad=2)
    axis.tick_params(labelsize=8, colors=QUIET)
