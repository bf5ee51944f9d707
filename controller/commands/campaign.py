"""`neurotwin campaign`: the same batches under several strategies, compared in pairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.commands.choice import Json, Process, TrustCode, process_named
from controller.support.printing import progress
from controller.support.user_error import UserError


def campaign(
    process: Process = None,
    trust_code: TrustCode = False,
    batches: Annotated[int, typer.Option(help="How many batches of each strategy.")] = 4,
    seed: Annotated[int, typer.Option(help="The first batch's seed; the others follow.")] = 0,
    strategies: Annotated[str, typer.Option(help="Separated by commas; all by default.")] = "",
    scheduler: Annotated[str | None, typer.Option(help="A Dask scheduler (tcp://host:8786); local without.")] = None,
    workers: Annotated[int | None, typer.Option(help="Local worker processes; one a core by default.")] = None,
    history: Annotated[int, typer.Option(help="Batches that the learners have seen before.")] = 2,
    out: Annotated[Path | None, typer.Option(help="Where to put the picture, the table and the figures.")] = None,
    as_json: Json = False,
) -> None:
    """Compare recipe, tuned recipe, closed loop with and without learning, and an oracle, on the same batches."""
    from controller.campaign import campaign as campaigns
    from hmi import campaign_figure

    if batches < 1 or not 0 <= history <= 20 or seed < 0:
        raise UserError(
            f"--batches {batches} --seed {seed} --history {history}: give at least one batch, and no negatives"
        )
    names = tuple(s.strip() for s in strategies.split(",") if s.strip())
    first = campaigns.HISTORY[0]
    found, outcomes = campaigns.campaign(
        process=process_named(process, trust_code),
        seeds=range(seed, seed + batches),
        strategies=names or campaigns.STRATEGIES,
        scheduler=scheduler,
        workers=workers,
        progress=progress,
        history=range(first, first + history),
    )
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "campaign.json").write_text(json.dumps(found, indent=1))
        (out / "campaign.md").write_text(table(found))
        rows = [
            {"strategy": o.strategy, "seed": o.seed, "amount": o.amount, "hours": o.hours, "product": o.product}
            | {"setpoints": dict(o.setpoints)}
            for o in outcomes
        ]
        campaign_figure.draw(rows, found, out / "campaign.png")
    print(json.dumps(found) if as_json else table(found))


def table(found: dict[str, Any]) -> str:
    """The campaign in two tables for people."""
    lines = ["| strategy | mean | sd | least | bounds broken |", "|---|---|---|---|---|"]
    for name, s in found["strategies"].items():
        lines.append(f"| {name} | {s['mean']:.4g} {s['unit']} | {s['sd']:.3g} | {s['min']:.4g} | {s['violations']} |")
    lines += ["", "| pair | gain | 95 % interval | worst batch | sd ratio |", "|---|---|---|---|---|"]
    for name, p in found["paired"].items():
        low, high = p["low_percent"], p["high_percent"]
        lines.append(
            f"| {name} | {p['mean_percent']:+.1f} % | {low:+.1f} to {high:+.1f} % |"
            f" {p['worst_percent']:+.1f} % | {p['sd_ratio']:.2f} |"
        )
    return "\n".join(lines)
