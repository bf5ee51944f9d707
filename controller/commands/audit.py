"""`neurotwin audit`: show the audit trail, and verify that no row of the historian was changed since."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from controller.commands.choice import Chosen, Json, chosen
from controller.support.printing import shown
from controller.support.visible import visible

app = typer.Typer(
    help="Who did what, when and why; and whether the record is as it was recorded.", no_args_is_help=True
)
TOLD = 20  # faults that are shown to a person


@app.command()
def verify(
    config: Chosen = None,
    head: Annotated[str, typer.Option(help="A last hash as it was kept elsewhere, from an earlier verify.")] = "",
    as_json: Json = False,
) -> None:
    """Check every row against its hash chain; exit code 1 when any was altered, removed or put in."""
    from controller.edge.historian import Historian
    from controller.settings import load

    settings = load(chosen(config))
    with Historian.reader(settings.historian_path()) as history:
        links, last = history.chain_head()
        faults, since = history.chain_faults(head or None), history.chain_since(head)
    report = {"historian": str(settings.historian_path()), "links": links, "head": last, "since": since}
    report["faults"] = faults
    if as_json:
        print(json.dumps(report))
    else:
        for fault in faults[:TOLD]:
            print(visible(fault))
        print(f"{len(faults)} rows are not as they were recorded" if faults else f"all {links} rows are as recorded")
        if head and not faults:
            print(f"{since} of them were recorded after the hash that was given")
        print(f"the last hash is {last}; keep it elsewhere, for --head")
    if faults:
        raise SystemExit(1)


@app.command()
def show(
    config: Chosen = None,
    batch: Annotated[str | None, typer.Option(help="Of this batch only.")] = None,
    limit: Annotated[int, typer.Option(help="The newest so many.")] = 100,
    as_json: Json = False,
) -> None:
    """Print the audit trail, oldest first."""
    from controller.edge.historian import Historian
    from controller.settings import load

    settings = load(chosen(config))
    with Historian.reader(settings.historian_path()) as history:
        entries = history.audited(settings.plant.name, batch, limit)
    rows = [
        {
            "time": f"{e.time:%Y-%m-%d %H:%M:%S}",
            "batch": e.batch,
            "who": e.who,
            "what": e.what,
            "old": e.old,
            "new": e.new,
            "reason": e.reason,
        }
        for e in entries
    ]
    shown(rows, as_json)
