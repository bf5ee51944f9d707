"""Options that commands share, and which configuration or process is meant when none is named."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import typer

from controller import processes
from controller.support.user_error import UserError

Chosen = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration; by default the one in this folder, or the newest demo's."),
]
Process = Annotated[
    str | None,
    typer.Option("--process", "--plant", help="A process that ships, or the folder of one; the first by default."),
]
TrustCode = Annotated[bool, typer.Option("--trust-code", help="Run the code in that folder: you trust its author.")]
Config = Annotated[Path, typer.Argument(help="The configuration (TOML); `neurotwin init DIR` writes one.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]


def process_named(name: str | None, trust_code: bool) -> processes.Process:
    """The process that was named, or the one that is shown where nobody names one."""
    return processes.find(name or processes.reference(), trust_code)


def chosen(config: Path | None) -> Path:
    """The configuration that was named, or the one that is meant; a UserError says when that is not clear."""
    if config is not None:
        return config
    here = [path for path in sorted(Path.cwd().glob("*.toml")) if _configures(path)]
    if len(here) == 1:
        return here[0]
    if here:
        raise UserError(
            f"there are {len(here)} configurations here ({', '.join(p.name for p in here)}); name one by --config"
        )
    written = sorted(Path("var").glob("demo-*/*.toml"), key=lambda path: path.stat().st_mtime)
    demos = [path for path in written if _configures(path)]
    if not demos:
        raise UserError("there is no configuration in this folder and no demonstration under var; name one by --config")
    return demos[-1]


def _configures(path: Path) -> bool:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return "plant" in content and "connection" in content
