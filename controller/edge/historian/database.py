"""The historian's SQLite file: its tables, how it is opened, and its faults in one sentence each.

Write-ahead logging with synchronous=NORMAL: a killed process loses nothing that was committed, because the pages are
with the operating system by then, and readers never wait. A power cut can lose the last commits but never the
file's consistency. FULL would hold against that too, at the cost of a disk flush in every scan.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.faults import Fault

SCHEMA_VERSION = 1
BUSY_S = 5.0  # how long a writer waits for the other one (recorder and forwarder share the file)

# Times: t_us and sampled_us are exact process times, t_ms is what trends need, *_s is the wall clock in seconds.
SCHEMA = """
CREATE TABLE schema_version (version INTEGER NOT NULL);
CREATE TABLE decision (id INTEGER PRIMARY KEY AUTOINCREMENT, plant TEXT NOT NULL, batch TEXT NOT NULL,
    t_us INTEGER NOT NULL, baseline INTEGER, proposed INTEGER, body BLOB NOT NULL);
CREATE INDEX decision_of ON decision (plant, batch);
CREATE TABLE forecast (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, body BLOB NOT NULL);
CREATE TABLE series (id INTEGER PRIMARY KEY, plant TEXT NOT NULL, batch TEXT NOT NULL, name TEXT NOT NULL,
    UNIQUE (plant, batch, name));
CREATE TABLE sample (series INTEGER NOT NULL, t_ms INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL,
    PRIMARY KEY (series, t_ms)) WITHOUT ROWID;
CREATE TABLE assay (plant TEXT NOT NULL, batch TEXT NOT NULL, variable TEXT NOT NULL, sampled_us INTEGER NOT NULL,
    reported_us INTEGER NOT NULL, value REAL, unit TEXT NOT NULL, quality INTEGER NOT NULL,
    PRIMARY KEY (plant, batch, variable, sampled_us, reported_us)) WITHOUT ROWID;
CREATE TABLE event (id INTEGER PRIMARY KEY AUTOINCREMENT, plant TEXT NOT NULL, batch TEXT NOT NULL,
    t_us INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE core_state (plant TEXT PRIMARY KEY, t_us INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, t_ms INTEGER NOT NULL, queued_s REAL NOT NULL,
    line TEXT NOT NULL);
CREATE TABLE ack (id INTEGER PRIMARY KEY, at_s REAL NOT NULL);
CREATE TABLE dead_letter (id INTEGER PRIMARY KEY, line TEXT NOT NULL, answer TEXT NOT NULL, parked_s REAL NOT NULL);
CREATE TABLE gap (first_id INTEGER PRIMARY KEY, last_id INTEGER NOT NULL, first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL, dropped_s REAL NOT NULL, reason TEXT NOT NULL);
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

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


class HistorianFault(Fault):
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


def open_writer(path: Path) -> sqlite3.Connection:
    """A connection that may write; it makes the file and its tables when there are none."""
    with faults_of(path):
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            _create(connection)
            _check_version(connection, path)
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
            _check_version(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _create(connection: sqlite3.Connection) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return
    with transaction(connection):
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:  # the other one may be first
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute("INSERT INTO schema_version VALUES (?)", (SCHEMA_VERSION,))


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    table = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").fetchone()
    row = connection.execute("SELECT max(version) FROM schema_version").fetchone() if table else None
    if row is None or row[0] is None:
        raise HistorianFault(path, "is a database of something else", "name another file for the historian")
    if row[0] > SCHEMA_VERSION:
        raise HistorianFault(
            path,
            f"was written by a newer version (its schema is {row[0]}, this version knows {SCHEMA_VERSION})",
            "use that version, or name another file",
        )


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


def to_us(time: datetime) -> int:
    """Exact microseconds since 1970; a time without a zone is a bug and raises."""
    return (time - _EPOCH) // _MICROSECOND


def from_us(t_us: int) -> datetime:
    """The UTC time of these microseconds since 1970."""
    return _EPOCH + t_us * _MICROSECOND


def to_ms(time: datetime) -> int:
    """Milliseconds since 1970, rounded down."""
    return to_us(time) // 1000
