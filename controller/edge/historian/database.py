"""SQLite file of the historian: how it is opened and brought up to date, and its faults in one sentence each.

Write-ahead logging with synchronous=NORMAL: a killed process loses nothing that was committed, because the pages are
with the operating system by then, and readers never wait. A power cut can lose the last commits but never the
file's consistency. FULL would hold against that too, at the cost of a disk flush in every scan.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from controller.edge.historian import schema
from controller.support.user_error import UserError

BUSY_S = 5.0  # how long a writer waits for the other one (recorder and forwarder share the file)

DAMAGE_MEND = "move it away and restore a copy, or save what is left with sqlite3 .recover"
_MENDS = {  # by SQLite's primary result code
    sqlite3.SQLITE_NOTADB: ("is not a historian", "move it away and a new one is made, or name another file"),
    sqlite3.SQLITE_CORRUPT: ("is damaged", DAMAGE_MEND),
    sqlite3.SQLITE_FULL: ("cannot grow", "free space on its disk"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check that its folder exists and may be written to"),
    sqlite3.SQLITE_READONLY: ("may not be written to", "check its owner and permissions"),
    sqlite3.SQLITE_PERM: ("may not be written to", "check its owner and permissions"),
    sqlite3.SQLITE_BUSY: ("is kept busy by another program", "end the program that holds it locked"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "check its disk"),
}


class HistorianFault(UserError):
    """The historian's file cannot be used: which one, why, and what mends it."""

    def __init__(self, path: Path, problem: str, mend: str) -> None:
        problem = " ".join(problem.split())  # a check speaks in several lines
        super().__init__(f"{path} {problem}; {mend}")
        self.path = path
        self.problem = problem
        self.mend = mend


@contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """Turn what SQLite raises inside into one clear sentence about this file."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # a bug of ours, such as reading after close
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # extended codes keep it in the low byte
        problem, mend = _MENDS.get(code, ("cannot be used", "check that it was written by this program"))
        raise HistorianFault(path, f"{problem} ({error})", mend) from error


def make_private(file: Path) -> None:
    """Make an empty file that only its owner may read, where there is none: batches, people and patients are in it."""
    with suppress(OSError):  # it exists, or whoever opens it says what is wrong
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def open_writer(path: Path) -> sqlite3.Connection:
    """A connection that may write; it makes the file and its tables when there are none.

    A file of an older version is brought up to date when it is opened. No other writer may hold it then.
    """
    make_private(path)  # its write-ahead log gets the same permissions
    with faults_of(path):
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            _bring_up_to_date(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, to a historian that exists; any number of processes may hold one."""
    if not path.is_file():
        raise HistorianFault(path, "does not exist", "check the name, or run the controller once")
    with faults_of(path):
        # Not mode=ro: a reader of a write-ahead log must be able to make its shared-memory file.
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA query_only = ON")
            version = _version(connection, path)
        except BaseException:
            connection.close()
            raise
    if version < schema.VERSION:
        connection.close()
        raise HistorianFault(
            path,
            f"was written by an older version (its schema is {version}, this version knows {schema.VERSION})",
            f"bring it up to date with `neurotwin historian migrate {path}`, or by running the controller",
        )
    return connection


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Take the steps that this file has still to take, all or none of them."""
    if _version(connection, path) == schema.VERSION:
        return
    with transaction(connection):
        version = _version(connection, path)  # another one may have been first
        if version < schema.VERSION:
            schema.advance(connection, version)


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the file, 0 when it is empty; a file of something else or of the future is a fault."""
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return 0
    table = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone()
    row = connection.execute("SELECT max(version) FROM schema_version").fetchone() if table else None
    if row is None or row[0] is None:
        raise HistorianFault(path, "is a database of something else", "name another file for the historian")
    version = int(row[0])
    if version > schema.VERSION:
        raise HistorianFault(
            path,
            f"was written by a newer version (its schema is {version}, this version knows {schema.VERSION})",
            "use that version, or name another file",
        )
    return version


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of what is done inside, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite has rolled back by itself when the disk is full
            connection.execute("ROLLBACK")
        raise
