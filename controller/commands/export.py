"""`neurotwin export`: a batch as Parquet or CSV with a manifest of units, sources, versions and checksums."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from controller.commands.choice import Chosen, Json, chosen
from controller.support.printing import told
from controller.support.slug import slug
from controller.support.user_error import UserError


def export(
    batch: Annotated[str, typer.Argument(help="The batch, as the plant calls it.")],
    config: Chosen = None,
    kind: Annotated[str, typer.Option("--format", help="parquet or csv.")] = "parquet",
    out: Annotated[Path | None, typer.Option(help="A new folder; BATCH-export by default.")] = None,
    as_json: Json = False,
) -> None:
    """Write a batch as files that other programs read, with a manifest."""
    from controller.edge.historian import Historian
    from controller.review import export as exporting
    from controller.settings import load

    if kind not in ("parquet", "csv"):
        raise UserError(f"--format {kind}: give parquet or csv")
    settings = load(chosen(config))
    folder = out or Path(f"{slug(batch)}-export")
    with Historian.reader(settings.historian_path()) as history:
        found = exporting.tables(history, settings.plant.name, batch)
        about = exporting.about(history, settings, batch, datetime.now(UTC))
        manifest = exporting.write(found, folder, cast(exporting.Format, kind), about)
    report: dict[str, Any] = {"batch": batch, "folder": str(folder), "format": kind}
    report |= {"rows": {name: table["rows"] for name, table in manifest["tables"].items()}}
    print(json.dumps(report) if as_json else told(report))
