"""Finding a process: one that ships, by its name, or one of the user's own, by its folder."""

from __future__ import annotations

import copyreg
import hashlib
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from controller.processes.process import DECLARED, Process, declared
from controller.support.user_error import UserError
from controller.support.words import instead

HERE = Path(__file__).parent


@cache
def shipped() -> tuple[str, ...]:
    """The names of the processes that ship, the one first that is shown where nobody names one."""
    return tuple(sorted(_folders(), key=lambda name: (not find(name).reference, name)))


def reference() -> str:
    """The process that is shown where nobody names one."""
    if not shipped():
        raise UserError("no process ships with this installation; name the folder of one")
    return shipped()[0]


def is_folder(name_or_folder: str) -> bool:
    """Whether this names a folder and not one that ships: shipped names cannot be shadowed."""
    return "/" in name_or_folder or name_or_folder.startswith(".")


def find(name_or_folder: str, trust_code: bool = False) -> Process:
    """The process of this name, or of this folder; UserError says in one sentence why there is none.

    Code in a folder of one's own runs inside NeuroTwin, so `trust_code` must say that its author is trusted.
    """
    if is_folder(name_or_folder):
        return _own(Path(name_or_folder).expanduser().resolve(), trust_code)
    if name_or_folder not in _folders():
        raise UserError(f"process {name_or_folder!r} does not exist{instead(name_or_folder, _folders())}")
    return _shipped(name_or_folder)


def _folders() -> list[str]:
    return [path.parent.name for path in HERE.glob(f"*/{DECLARED}")]


@cache
def _shipped(name: str) -> Process:
    process = declared(HERE / name, f"{__package__}.{name}", trusted=True)
    if process.name != name:
        raise UserError(f"{process.folder / DECLARED}: name is {process.name!r}, and the folder is {name!r}; mend one")
    return process


def _own(folder: Path, trust_code: bool) -> Process:
    if not (folder / DECLARED).is_file():
        raise UserError(f"{folder}: holds no {DECLARED}, so it is no process; mend the path")
    package = f"neurotwin_process_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    if package not in sys.modules:  # so that the modules of the folder may import each other
        made = ModuleType(package)
        made.__path__ = [str(folder)]
        sys.modules[package] = made
    return declared(folder, package, trust_code)


def _sent(process: Process) -> tuple[Any, tuple[str, bool]]:
    """A process travels to another machine or core by its name, or its folder."""
    return find, (process.key, process.trusted)


copyreg.pickle(Process, _sent)
