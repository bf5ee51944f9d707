"""`neurotwin bench`: the measurements behind the claims."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

app = typer.Typer(help="Measure what NeuroTwin claims.", no_args_is_help=True, add_completion=False)


@app.callback()
def bench() -> None:
    """Measure what NeuroTwin claims."""


@app.command()
def neurocore(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")
    ] = False,
    resources: Annotated[bool, typer.Option(help="Add what each network would take of a Loihi 2 chip.")] = False,
    quick: Annotated[bool, typer.Option(help="A rehearsal in half a minute, whose figures mean little.")] = False,
    part: Annotated[
        list[str] | None, typer.Option(help="Only this part, of networks, accuracy and novelty; may be repeated.")
    ] = None,
) -> None:
    """Networks, accuracy against the comparators, and novelty detection; some ten minutes on one core."""
    from controller.bench import report  # brings every learner along

    unknown = [name for name in part or () if name not in report.PARTS]
    if unknown:
        raise typer.BadParameter(f"no part is called {unknown[0]!r}; there are {', '.join(report.PARTS)}")
    found = report.neurocore(
        lambda line: print(line, file=sys.stderr, flush=True), quick, resources, tuple(part or report.PARTS)
    )
    print(json.dumps(found) if as_json else report.told(found))


if __name__ == "__main__":
    app()
