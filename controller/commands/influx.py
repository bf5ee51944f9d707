"""`neurotwin influx`: makes what InfluxDB needs, and says how far the outbox is."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.commands.choice import Config, Json
from controller.support.printing import shown, told
from controller.support.user_error import UserError

if TYPE_CHECKING:
    from controller.settings import Settings
    from controller.tables import InfluxTable

influx = typer.Typer(help="InfluxDB: set it up, and see how the forwarding goes.", no_args_is_help=True)


@influx.command()
def setup(
    config: Config,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_json: Json = False,
) -> None:
    """Make the bucket with its retention, and the mapping for InfluxQL; what is there already stays."""
    from controller.edge.influx.setup import Setup

    _, to = _settings(config)
    server, pieces = Setup(to.url, to.org, to.bucket, to.token(), to.retention_days, dry_run).run()
    rows = [dataclasses.asdict(piece) for piece in pieces]
    if as_json:
        print(json.dumps({"server": str(server.kind), "version": server.version, "pieces": rows}))
        return
    print(f"{server.kind} {server.version}".strip())
    shown(rows, as_json=False)


@influx.command()
def status(config: Config, as_json: Json = False) -> None:
    """Say who answers, how far the outbox is, and what never got there; the controller may run."""
    from controller.edge.influx.status import standing

    settings, to = _settings(config)
    found = dataclasses.asdict(standing(settings.historian_path(), to.url, to.org, to.token()))
    if as_json:
        print(json.dumps(found))
        return
    dropped = found.pop("dropped")
    print(told(found))
    shown(dropped, as_json=False)


def _settings(config: Path) -> tuple[Settings, InfluxTable]:
    from controller.settings import load

    settings = load(config)
    if settings.influx is None:
        raise UserError(f"{config} has no [influx] table; add url, bucket, and token_file or token_env")
    return settings, settings.influx
