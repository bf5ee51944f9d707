"""Campaign figure: what each strategy made of each batch, and how one batch went under each.

Takes plain data, so that it knows nothing of how the batches were run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, QUIET = "#1f2933", "#8a96a3"
COLOURS = {
    "recipe": "#8a96a3",
    "tuned": "#b5651d",
    "twin": "#5b8fc7",
    "rls": "#7a5ea8",
    "neuro": "#1b4f8a",
    "oracle": "#2d7d46",
}


def draw(batches: Sequence[Mapping[str, Any]], found: Mapping[str, Any], path: Path) -> None:
    """Write the PNG. Of each batch: strategy, seed, amount, hours, product, setpoints."""
    names = list(found["strategies"])
    unit = found["strategies"][names[0]]["unit"]
    moved = list(batches[0]["setpoints"])
    figure = Figure(figsize=(11.0, 2.2 * (1 + len(moved)) + 1.6), dpi=130, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(1 + len(moved), 2, width_ratios=(1.0, 1.25))
    figure.subplots_adjust(left=0.08, right=0.98, top=0.88, bottom=0.09, hspace=0.18, wspace=0.18)
    _amounts(figure.add_subplot(grid[:, 0]), batches, names, f"{found['quantity']} at the end ({unit})")
    middling = _middling(batches, names)
    course = figure.add_subplot(grid[0, 1])
    course.set_title(f"Seed {middling}, {found['quantity']} ({unit})", fontsize=10, loc="left", color=INK)
    axes = [course, *(figure.add_subplot(grid[1 + k, 1], sharex=course) for k in range(len(moved)))]
    for batch in batches:
        if batch["seed"] == middling:
            colour = COLOURS.get(batch["strategy"], INK)
            course.plot(batch["hours"], batch["product"], color=colour, lw=1.6, label=batch["strategy"])
            for axis, name in zip(axes[1:], moved, strict=True):
                axis.step(batch["hours"], batch["setpoints"][name], color=colour, lw=1.2, where="pre")
                axis.set_title(name.replace("_", " "), fontsize=9, loc="left", color=INK, pad=2)
    course.legend(fontsize=8, frameon=False, loc="upper left")
    axes[-1].set_xlabel("Hours", fontsize=9, color=INK)
    for axis in axes:
        _plain(axis)
    title = f"{len(found['seeds'])} batches of {found['plant']}, seeds {found['seeds'][0]} to {found['seeds'][-1]}"
    figure.text(0.08, 0.95, title, fontsize=14, weight="bold", color=INK)
    figure.text(0.08, 0.915, "Simulated; each line joins the same batch.", fontsize=9.5, color=QUIET)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png")


def _amounts(axis: Any, batches: Sequence[Mapping[str, Any]], names: Sequence[str], label: str) -> None:
    for seed in sorted({b["seed"] for b in batches}):
        line = {b["strategy"]: b["amount"] for b in batches if b["seed"] == seed}
        axis.plot(range(len(names)), [line[n] for n in names], color=QUIET, lw=0.6, alpha=0.5, zorder=1)
    for k, name in enumerate(names):
        amounts = [b["amount"] for b in batches if b["strategy"] == name]
        axis.scatter([k] * len(amounts), amounts, s=16, color=COLOURS.get(name, INK), zorder=2)
        mean = sum(amounts) / len(amounts)
        axis.plot([k - 0.28, k + 0.28], [mean, mean], color=COLOURS.get(name, INK), lw=2.5, zorder=3)
        axis.annotate(f"{mean:.4g}", (k, mean), (k + 0.12, mean), fontsize=8, color=INK, va="bottom", zorder=4)
    axis.set_xticks(range(len(names)), names)
    axis.set_title(label[0].upper() + label[1:], fontsize=10, loc="left", color=INK)
    _plain(axis)


def _middling(batches: Sequence[Mapping[str, Any]], names: Sequence[str]) -> int:
    """The seed whose batch under the first strategy came out in the middle."""
    ranked = sorted((b["amount"], b["seed"]) for b in batches if b["strategy"] == names[0])
    return int(ranked[len(ranked) // 2][1])


def _plain(axis: Any) -> None:
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    axis.tick_params(labelsize=8, colors=QUIET)
