"""Backup of the historian and its archive, made while the controller runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from controller.edge.historian.database import HistorianFault, faults_of, make_private, open_reader


def backup(path: Path, folder: Path, telling: Callable[[str], None] = lambda _: None) -> Path:
    """Copy into a new folder, which is a historian that can be read and taken up; returns its file.

    The copy is of one instant and is checked before it gets its name. The recorder does not wait meanwhile.
    Archived days never change, so they are linked where the folder is on the same disk, and copied elsewhere.
    """
    target = folder / path.name
    if target.exists():
        raise HistorianFault(target, "exists already", "choose another folder")
    unfinished = target.with_suffix(".unfinished")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        make_private(unfinished)
        with faults_of(path), contextlib.closing(open_reader(path)) as db:
            telling(f"copying {path}")
            db.execute("PRAGMA query_only = OFF")  # the copy is a file that this connection writes
            db.execute("VACUUM INTO ?", (str(unfinished),))
            files = [name for (name,) in db.execute("SELECT file FROM archived ORDER BY file").fetchall()]
        _checked(unfinished)
        for number, name in enumerate(files, 1):
            telling(f"archived day {number} of {len(files)}")
            _copied(path.parent / name, folder / name)
        unfinished.replace(target)
    except OSError as error:
        raise HistorianFault(target, f"cannot be written ({error})", "free space on its disk, or check it") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return target


def _checked(file: Path) -> None:
    with faults_of(file), contextlib.closing(sqlite3.connect(file)) as db:
        [(verdict,)] = db.execute("PRAGMA quick_check(1)").fetchall()
    if verdict != "ok":
        raise HistorianFault(file, f"is a damaged copy ({verdict})", "check the historian and this disk")
    with file.open("rb") as content:
        os.fsync(content.fileno())


def _copied(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
