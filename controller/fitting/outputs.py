"""What a fit leaves behind: the TOML that a configuration includes, the JSON, the table and the figure."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from controller.fitting.parameters_file import HEADER
from controller.fitting.run import Fit
from twin.fit import parameters, predicted


def write_toml(fit: Fit, path: Path, data: Path) -> None:
    """Every fitted parameter with unit, prior and posterior, and how well left-out batches were predicted."""
    content = {
        "model": fit.problem.model.name,
        "data": str(data),
        "batches": [record.name for record in fit.problem.records],
        "parameter": {row["name"]: {k: v for k, v in row.items() if k != "name"} for row in rows(fit)},
        "prediction": prediction(fit),
    }
    path.write_text(HEADER + tomli_w.dumps(content), encoding="utf-8")


def rows(fit: Fit) -> list[dict[str, Any]]:
    """One row a parameter; standard deviations are shares of the value, as priors and posteriors are log-normal."""
    items = {item.name: item for item in fit.problem.model.parameters}
    verdicts = {p.name: p.verdict for p in fit.profiles}
    table = []
    for k, (prior, theta) in enumerate(zip(fit.problem.priors, fit.solution.theta, strict=True)):
        item = items[prior.name]
        table.append(
            {
                "name": prior.name,
                "value": item.value * math.exp(theta),
                "unit": item.unit,
                "prior": item.value,
                "prior_sd": prior.sd,
                "posterior_sd": fit.fisher.posterior_sd[k],
                "prior_source": item.source,
                "identified": verdicts.get(prior.name, "not profiled"),
                "at_edge": fit.at_edge(k),
            }
        )
    return table


def prediction(fit: Fit) -> dict[str, dict[str, float]]:
    """Median over the left-out batches of the relative error by output, with literature and with fitted values."""
    outputs = dict.fromkeys(name for left in fit.left_out for name in left.fitted)
    return {
        name: {
            how: float(np.median([getattr(left, how)[name] for left in fit.left_out if name in left.fitted]))
            for how in ("literature", "fitted")
        }
        for name in outputs
    }


def as_json(fit: Fit, out: Path, figure: Path) -> dict[str, Any]:
    """Plain data."""
    names = [prior.name for prior in fit.problem.priors]
    return {
        "model": fit.problem.model.name,
        "batches": [record.name for record in fit.problem.records],
        "values": sum(len(record.seen) for record in fit.problem.records),
        "parameters": {row["name"]: {k: v for k, v in row.items() if k != "name"} for row in rows(fit)},
        "profiles": {
            p.name: {"log_ratios": p.log_ratios, "rises": p.rises, "verdict": p.verdict} for p in fit.profiles
        },
        "strongest_correlation": _strongest(names, fit.fisher.correlation),
        "starts": {"costs": fit.start_costs, "converged": fit.solution.converged},
        "left_out": [
            {"batch": left.record, "literature": dict(left.literature), "fitted": dict(left.fitted)}
            for left in fit.left_out
        ],
        "prediction": prediction(fit),
        "out": str(out),
        "figure": str(figure),
        "seconds": fit.seconds,
    }


def _strongest(names: list[str], correlation: Any) -> dict[str, Any]:
    """The pair of parameters that the data tell apart least."""
    if len(names) < 2:
        return {}
    off = np.abs(correlation - np.diag(np.diag(correlation)))
    i, j = np.unravel_index(int(np.argmax(off)), off.shape)
    return {"pair": [names[int(i)], names[int(j)]], "correlation": float(correlation[i, j])}


def draw(fit: Fit, path: Path) -> None:
    """Priors against posteriors, and what was seen against what the fitted model says of it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11.0, 5.0), layout="constrained")
    _draw_posteriors(left, fit)
    _draw_prediction(right, fit)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def _draw_posteriors(axes: Any, fit: Fit) -> None:
    for k, row in enumerate(rows(fit)):
        theta = fit.solution.theta[k]
        axes.errorbar(0.0, k + 0.15, xerr=2.0 * row["prior_sd"], fmt="none", color="0.7", lw=5)
        colour = {"identified": "tab:blue", "one-sided": "tab:orange"}.get(row["identified"], "tab:red")
        axes.errorbar(theta, k - 0.15, xerr=2.0 * row["posterior_sd"], fmt="o", color=colour, capsize=3)
    names = [prior.name for prior in fit.problem.priors]
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("ln(value / literature value), ± 2 SD")
    axes.set_title("Parameters: prior grey; blue identified,\norange on one side, red not identified", fontsize=10)
    axes.invert_yaxis()
    axes.grid(alpha=0.3)


def _draw_prediction(axes: Any, fit: Fit) -> None:
    problem = fit.problem
    p = parameters(problem, fit.solution.theta)
    outputs = [o.name for o in problem.model.outputs]
    points: dict[str, list[tuple[float, float]]] = {name: [] for name in outputs}
    for record in problem.records:
        for seen, said in zip(record.seen, predicted(problem.model, record, p).tolist(), strict=True):
            points[seen.output].append((seen.value, said))
    for name, pairs in points.items():
        if not pairs:
            continue
        seen_, said_ = np.array(pairs).T
        top = max(float(np.abs(seen_).max()), 1e-12)
        axes.plot(seen_ / top, said_ / top, ".", ms=4, label=name)
    axes.plot([0.0, 1.0], [0.0, 1.0], color="0.4", lw=1)
    axes.set_xlabel("seen / largest seen")
    axes.set_ylabel("model from its own start / largest seen")
    axes.set_ylim(-0.1, 1.6)
    axes.set_title("All batches with the fitted parameters", fontsize=10)
    axes.legend(fontsize=7, loc="upper left")
    axes.grid(alpha=0.3)
