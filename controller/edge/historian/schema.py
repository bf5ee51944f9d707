"""Database schema, version after version: each step takes a file from the version before it to its own.

A file's version is the number of steps that it has been through. A step that has been released is never changed; a
new need is a new step at the end. All missing steps are taken in one transaction, so a file is of one version or
of another, never between two, whatever happens meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from controller.edge.historian import first_chain
from controller.edge.historian.ledger import LEDGER
from controller.edge.historian.migration import link_the_rest, minutes_by_series, samples_to_scans

# Times: t_us and sampled_us are exact process times, t_ms is what trends need, *_s is the wall clock in seconds.
FIRST = """
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

# What the loop began with each time it was started; `after` is the number of the last decision before.
SESSIONS = """
CREATE TABLE session (id INTEGER PRIMARY KEY AUTOINCREMENT, plant TEXT NOT NULL, batch TEXT NOT NULL,
    t_us INTEGER NOT NULL, after INTEGER NOT NULL, resumed_from INTEGER, body BLOB NOT NULL);
"""

# What a turn handed to the next beside its decision, whenever it had looked ahead: `id` is the decision's number.
CHECKPOINTS = "CREATE TABLE checkpoint (id INTEGER PRIMARY KEY, body BLOB NOT NULL);"


@dataclass(frozen=True, slots=True)
class Migration:
    """From one version to the next: statements (with their triggers), or a function when SQL alone cannot do it."""

    title: str
    change: str | Callable[[sqlite3.Connection], None]


STEPS = (
    Migration("decisions, samples, assays, events and the outbox", FIRST),
    Migration("the ledger of intervals without data", LEDGER),
    Migration("a row for each scan, roll-ups and the archive", samples_to_scans),
    Migration("what the loop began with, for replay", SESSIONS),
    Migration("minutes of closed hours series by series", minutes_by_series),
    Migration("the audit trail, and a hash chain over all that was recorded", first_chain.begin),
    Migration("samples, roll-ups, gaps and forecasts in the chain, and marks on rows for InfluxDB", link_the_rest),
    Migration("what a turn hands to the next, so that one decision can be taken again alone", CHECKPOINTS),
    Migration("the digest of what a row said in its link, so that every link can be checked", first_chain.close),
)
VERSION = len(STEPS)


def advance(connection: sqlite3.Connection, version: int) -> None:
    """Take the steps that a file of this version (0: empty) has still to take, inside the caller's transaction."""
    for step in STEPS[version:]:
        if callable(step.change):
            step.change(connection)
        else:
            for statement in _statements(step.change):
                connection.execute(statement)
    connection.execute("DELETE FROM schema_version")
    connection.execute("INSERT INTO schema_version VALUES (?)", (VERSION,))


def _statements(script: str) -> Iterator[str]:
    """One by one: `executescript` would commit, and a trigger has semicolons of its own."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            if statement.strip() != ";":
                yield statement
            statement = ""
