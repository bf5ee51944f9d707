"""Scan storage with roll-ups and links, for turns and for what is fetched after an outage alike."""

from __future__ import annotations

import sqlite3

from controller.edge.historian import chain, scans
from controller.edge.historian.rollups import RollUps
from controller.edge.historian.scans import Layout


def store(db: sqlite3.Connection, layout: Layout, rows: list[tuple[int, bytes]], rolls: RollUps) -> None:
    """Store scans, (t_ms, body) each, and link them and what became of them."""
    scans.insert(db, layout, rows)
    if layout.new:
        chain.append(db, "layout", layout.id)
    chain.append_all(db, "scan", ((f"{layout.id}/{t_ms}", (body,)) for t_ms, body in rows))
    for hour in sorted(rolls.added(db, layout, rows[0][0], rows[-1][0])):
        chain.append(db, "minutes", f"{layout.id}/{hour}")
        chain.append(db, "roll", f"{layout.id}/{hour}")
