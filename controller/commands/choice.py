"""Which configuration is meant when none is named: the one in this folder, or that of the newest demonstration."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import typer

from controller.faults import Fault

Chosen = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration; by default the one in this folder, or the newest demo's."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]


def chosen(config: Path | None) -> Path:
    """The configuration that was named, or the one that is meant; a Fault says when that is not clear."""
    if config is not None:
        return config
    here = [path for path in sorted(Path.cwd().glob("*.toml")) if _configures(path)]
    if len(here) == 1:
        return here[0]
    if here:
        raise Fault(
            f"there are {len(here)} configurations here ({', '.join(p.name for p in here)}); name one by --config"
        )
    demos = sorted(Path("var").glob("demo-*/*.toml"), key=lambda path: path.stat().st_mtime)
    if not demos:
        raise Fault("there is no configuration in this folder and no demonstration under var; name one by --config")
    return demos[-1]


def _configures(path: Path) -> bool:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return "plant" in content and "connection" in content
