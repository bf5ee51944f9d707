"""`neurotwin init`: a configuration to start from, a copy of the one that ships with a process."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Annotated

import typer

from controller import processes
from controller.commands.choice import Process, TrustCode, process_named
from controller.support.user_error import UserError

BESIDE = ("alarms.toml", "fitted.toml")  # files that a configuration reads


def init(
    folder: Annotated[Path, typer.Argument(help="Where to put it; nothing is overwritten.")],
    process: Process = None,
    trust_code: TrustCode = False,
) -> None:
    """Write a configuration to start from."""
    target = _copied(process_named(process, trust_code), folder)
    print(f"wrote {target}; next: neurotwin check {target} --connect")


def _copied(process: processes.Process, folder: Path) -> Path:
    """Copy it, and what it reads, into a folder; nothing is overwritten."""
    source = process.configuration
    files = {source: folder / f"{process.name}.toml"}
    files |= {path: folder / name for name in BESIDE if (path := process.folder / name).is_file()}
    for target in files.values():
        if target.exists():
            raise UserError(f"{target} exists already; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for path, target in files.items():
        shutil.copyfile(path, target)
    if process.key != process.name:  # a folder of one's own is named by its path, wherever the copy lies
        text = files[source].read_text(encoding="utf-8")
        files[source].write_text(re.sub(r"(?m)^process = .*$", f'process = "{process.key}"', text), encoding="utf-8")
    return files[source]
