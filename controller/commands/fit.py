"""`neurotwin fit`: the twin's parameters from historical batches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.commands.choice import Json, Process, TrustCode, process_named
from controller.support.user_error import UserError


def fit(
    data: Annotated[Path, typer.Argument(help="A folder of CSV or Parquet files, one a batch.")],
    process: Process = None,
    trust_code: TrustCode = False,
    columns: Annotated[Path | None, typer.Option(help="TOML that maps columns to the twin's names.")] = None,
    out: Annotated[Path, typer.Option(help="The TOML to write; a figure is put beside it.")] = Path("fitted.toml"),
    parameters: Annotated[str, typer.Option(help="Only these, separated by commas; default: all with a prior.")] = "",
    starts: Annotated[int, typer.Option(help="How many starts.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the starts.")] = 0,
    profiles: Annotated[bool, typer.Option(help="Profile likelihoods.")] = True,
    dry_run: Annotated[bool, typer.Option(help="Read the data and say what is in them; nothing is fitted.")] = False,
    scheduler: Annotated[str | None, typer.Option(help="A Dask scheduler (tcp://host:8786).")] = None,
    as_json: Json = False,
) -> None:
    """Fit the twin to historical batches: maximum a posteriori, with what the data do and do not identify."""
    problem = _problem(data, process_named(process, trust_code), columns, parameters)
    if not 1 <= starts <= 64:
        raise UserError(f"--starts {starts}: give a number from 1 to 64")
    if dry_run:
        _said(_content(problem), as_json)
        return
    if out.suffix != ".toml" or not out.parent.is_dir():
        raise UserError(f"--out {out}: give a .toml file in a folder that exists")
    from controller.fitting import outputs
    from controller.fitting import run as fitting

    with _Bar() as progress:
        found = fitting.fit(problem, starts, seed, scheduler, profiles, progress)
    figure = out.with_suffix(".png")
    outputs.write_toml(found, out, data)
    outputs.draw(found, figure)
    if as_json:
        print(json.dumps(outputs.as_json(found, out, figure)))
        return
    _tell(found, out, figure)


def _problem(data: Path, process: Any, columns: Path | None, parameters: str) -> Any:
    from controller.fitting.history_files import Columns, columns_from, records_from
    from twin.fit import Problem

    model, priors = process.model(), process.priors
    if parameters:
        chosen = [name.strip() for name in parameters.split(",")]
        known = {prior.name: prior for prior in priors}
        for name in chosen:
            if name not in known:
                raise UserError(f"--parameters {name}: has no prior; valid are {', '.join(known)}")
        priors = tuple(known[name] for name in dict.fromkeys(chosen))
    mapping = columns_from(columns, model) if columns else Columns()
    return Problem(model, records_from(data, model, mapping), priors)


def _content(problem: Any) -> list[dict[str, Any]]:
    """What the files hold, one row a batch."""
    table = []
    for record in problem.records:
        names = [seen.output for seen in record.seen]
        counts = {name: names.count(name) for name in dict.fromkeys(names)}
        table.append({"batch": record.name, "hours": f"{record.hours[-1]:g}", "values": len(names), **counts})
    keys = dict.fromkeys(key for row in table for key in row)
    return [{key: row.get(key, 0) for key in keys} for row in table]


def _said(rows: list[dict[str, Any]], as_json: bool) -> None:
    from controller.support.printing import shown

    shown(rows, as_json)


def _tell(found: Any, out: Path, figure: Path) -> None:
    from controller.fitting import outputs
    from controller.support.printing import shown

    numbers = ("value", "prior", "prior_sd", "posterior_sd")
    keys = ("name", *numbers, "unit", "identified")
    shown([{k: f"{row[k]:.4g}" if k in numbers else row[k] for k in keys} for row in outputs.rows(found)], False)
    for k, prior in enumerate(found.problem.priors):
        if found.at_edge(k):
            print(f"{prior.name} went to the edge of its prior: the model lacks something that this makes up for.")
    predicted = outputs.prediction(found)
    if predicted:
        print("\nPrediction of batches left out, RMSE / SD (median):")
        shown([{"output": n, **{k: f"{v:.3f}" for k, v in e.items()}} for n, e in predicted.items()], False)
    print(f'\nWritten: {out} and {figure}. A configuration includes it as [model] parameters = "{out.name}".')


class _Bar:
    """Progress on standard error, one bar for each stage; nothing where it is not a terminal."""

    def __enter__(self) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        shape = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*shape, console=Console(stderr=True))
        self._tasks: dict[str, Any] = {}
        self._progress.start()
        return self._told

    def _told(self, what: str, done: int, of: int) -> None:
        if what not in self._tasks and of:
            self._tasks[what] = self._progress.add_task(what, total=of)
        if what in self._tasks:
            self._progress.update(self._tasks[what], completed=done)

    def __exit__(self, *failure: object) -> None:
        self._progress.stop()
