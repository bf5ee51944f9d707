"""The gap ledger: each interval without data, why there is none, and what was fetched later to fill it.

An entry is of one variable, or of all when its variable is "". It is open while its end is None. Times are process
times. What the outbox had to drop on its way to InfluxDB is another matter: it is in the historian all the same.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controller.edge.historian import chain
from controller.edge.historian.times import from_us

LEDGER = """
ALTER TABLE gap RENAME TO dropped;
CREATE TABLE gap (id INTEGER PRIMARY KEY AUTOINCREMENT, plant TEXT NOT NULL, batch TEXT NOT NULL,
    variable TEXT NOT NULL, start_us INTEGER NOT NULL, end_us INTEGER, cause TEXT NOT NULL, text TEXT NOT NULL,
    backfilled INTEGER NOT NULL DEFAULT 0, note TEXT NOT NULL DEFAULT '',
    UNIQUE (plant, batch, variable, start_us));
"""


class Cause(StrEnum):
    """Why there is no data."""

    LINK_DOWN = "link down"
    PLANT_STOPPED = "plant stopped"
    CONTROLLER_DOWN = "controller down"
    CONTROLLER_LATE = "controller late"  # it ran, but did not come round to a scan
    SENSOR_BAD = "sensor bad"


@dataclass(frozen=True, slots=True)
class Gap:
    """An interval without data. `backfilled` counts the samples that were fetched for it later; `note` says how."""

    plant: str
    batch: str
    variable: str  # "": every variable
    start: datetime
    end: datetime | None  # None: it lasts
    cause: Cause
    text: str
    backfilled: int
    note: str


def enter(db: sqlite3.Connection, of: tuple[str, str, str, int], end_us: int | None, cause: Cause, text: str) -> None:
    """Enter the gap that begins there, or bring its entry up to date; `of` is plant, batch, variable and start."""
    rows = db.execute(
        "INSERT INTO gap (plant, batch, variable, start_us, end_us, cause, text) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET end_us = excluded.end_us, cause = excluded.cause,"
        " text = CASE excluded.text WHEN '' THEN text ELSE excluded.text END RETURNING id",
        (*of, end_us, str(cause), text),
    )
    _link(db, rows.fetchall())


def withdraw(db: sqlite3.Connection, of: tuple[str, str, str, int]) -> None:
    """Take an entry back: nothing was missed after all."""
    _link(
        db,
        db.execute(
            "DELETE FROM gap WHERE (plant, batch, variable, start_us) = (?, ?, ?, ?) RETURNING id", of
        ).fetchall(),
    )


def _link(db: sqlite3.Connection, rows: list[tuple[int]]) -> None:
    for (number,) in rows:
        chain.append(db, "gap", number)


def filled(db: sqlite3.Connection, of: tuple[str, str, str], first_us: int, last_us: int, count: int, how: str) -> None:
    """Count samples that were fetched later; they are of this variable and lie between these times."""
    rows = db.execute(
        "UPDATE gap SET backfilled = backfilled + ?, note = ? WHERE plant = ? AND batch = ? AND variable IN ('', ?)"
        " AND start_us <= ? AND coalesce(end_us, ?) >= ? RETURNING id",
        (count, how, *of, last_us, last_us, first_us),
    )
    _link(db, rows.fetchall())


GAPS = (
    "SELECT plant, batch, variable, start_us, end_us, cause, text, backfilled, note FROM gap"
    " WHERE plant = coalesce(?, plant) AND batch = coalesce(?, batch) AND coalesce(end_us, ?) >= ?"
    " ORDER BY start_us DESC, id DESC LIMIT ?"
)


def gap_of(row: tuple[str, str, str, int, int | None, str, str, int, str]) -> Gap:
    """The entry that a row of GAPS is."""
    plant, batch, variable, start_us, end_us, cause, text, backfilled, note = row
    end = None if end_us is None else from_us(end_us)
    return Gap(plant, batch, variable, from_us(start_us), end, Cause(cause), text, backfilled, note)
