"""`neurotwin tags`: browse a server, say what its tags are, propose a configuration, and lint their names."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from controller.commands.choice import Json
from controller.settings import load
from controller.support.printing import shown
from controller.support.user_error import UserError
from controller.tables import ConnectionTable


def tags(
    server: Annotated[str, typer.Argument(help="An endpoint (opc.tcp://…), or a configuration with its security.")],
    out: Annotated[Path | None, typer.Option(help="Write the proposal here; nothing is overwritten.")] = None,
    lint: Annotated[bool, typer.Option(help="Remarks on names, duplicates, units and ranges instead.")] = False,
    as_json: Json = False,
) -> None:
    """Browse a server and propose what its tags are; nothing is written to it."""
    from controller.edge import proposal
    from controller.edge.opcua.browsing import browse

    if out is not None and out.exists():
        raise UserError(f"{out} exists already; choose another file")
    at = _connection(server)
    found = asyncio.run(browse(at))
    if lint:
        told = proposal.remarks(found)
        if told or as_json:
            shown(told, as_json)
        else:
            print(f"nothing to remark on {len(found)} tags")
        return
    text = proposal.toml(found, at.endpoint)
    if out is not None:
        out.write_text(text, encoding="utf-8")
    if as_json:
        print(json.dumps({"rows": proposal.rows(found), "toml": text}))
        return
    shown(proposal.rows(found), False)
    print(f"\nwrote {out}" if out is not None else f"\n{text}", end="" if out is None else "\n")


def _connection(server: str) -> ConnectionTable:
    if not server.startswith("opc.tcp://"):
        return load(Path(server)).connection
    return ConnectionTable(endpoint=server, namespace="urn:not:known:yet")
