"""A configuration to start from: a copy of the one that ships with a process."""

from __future__ import annotations

import shutil
from pathlib import Path

from controller.processes import Process
from controller.support.user_error import UserError

BESIDE = ("alarms.toml", "fitted.toml")  # files that a configuration reads


def write_configuration(process: Process, folder: Path) -> Path:
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
    return files[source]
