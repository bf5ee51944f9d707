"""`neurotwin check`: is a configuration sound, and does the server agree with it?"""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from controller.commands.choice import Config, Json
from controller.commands.tags import tags
from controller.settings import load
from controller.support.printing import shown


def check(
    config: Config,
    connect: Annotated[bool, typer.Option(help="Also compare every tag with the server; nothing is written.")] = False,
    propose: Annotated[bool, typer.Option(help="Browse the server instead, and propose what its tags are.")] = False,
    as_json: Json = False,
) -> None:
    """Validate a configuration, and with --connect its tags, units and ranges against the server."""
    if propose:
        tags(str(config), as_json=as_json)
        return
    settings = load(config)
    from controller.edge import check as checking
    from controller.edge.opcua.supervision import READ_ONLY

    rows = asyncio.run(checking.rows_connected(settings)) if connect else checking.rows(settings)
    shown(rows, as_json)
    denied = next((READ_ONLY.format(row["remark"]) for row in rows if row["remark"]), "")
    for told in checking.remarks(settings, denied):
        typer.echo(told, err=True)
    if any(row["verdict"] != "ok" for row in rows):
        raise SystemExit(2)
