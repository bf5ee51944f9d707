"""Trends: the points of a chart from the coarsest roll-up that is fine enough, and from scans at the ends.

A point's edges lie on whole cells of that roll-up, so no sample is counted in two points and none is left out.
"""

from __future__ import annotations

import sqlite3
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from controller.edge.historian import archive, rollups, scans
from controller.edge.historian import cells as make
from controller.edge.historian.cells import Cells, Floats, Integers
from controller.edge.historian.scans import Layout
from twin.signals import Quality

GAP_STEPS = 3  # a silence longer than this many usual steps is a gap (design)


class Bucket(NamedTuple):
    """Some samples of a series together: their mean time, and None where there was no value."""

    t_ms: int
    low: float | None
    mean: float | None
    high: float | None
    worst_quality: int


class Grid(NamedTuple):
    """Where points begin and how long they are; the level (0: scans) that they are made of."""

    origin_ms: int
    width_ms: int
    level_ms: int


def grid(first_ms: int, last_ms: int, buckets: int | None) -> Grid:
    """At most `buckets` points between these times, rarely less than half, or one for each instant."""
    if buckets is None:
        return Grid(first_ms, 1, 0)
    width = (last_ms - first_ms) // buckets + 1
    level = max((level for level in rollups.LEVELS_MS if level <= 2 * width), default=0)
    if not level:
        return Grid(first_ms, width, 0)
    return Grid(first_ms // level * level, -(-width // level) * level, level)


def trend(
    db: sqlite3.Connection,
    kept: archive.ArchiveReader,
    of: tuple[str, str],
    series: Sequence[str],
    span: tuple[int | None, int | None],
    buckets: int | None,
) -> dict[str, list[Bucket]]:
    """By series, its points; `of` is plant and batch. The caller holds one state of the file by a transaction."""
    layouts = [layout for layout in scans.layouts(db, *of) if not set(series).isdisjoint(layout.names)]
    known = _span(db, layouts)
    found: dict[str, list[Bucket]] = {name: [] for name in series}
    if known is None:
        return found
    first, last = (given if given is not None else there for given, there in zip(span, known, strict=True))
    on = grid(first, last, buckets)
    parts: dict[str, list[Cells]] = {name: [] for name in series}
    for layout in layouts:
        names = [name for name in parts if name in layout.names]
        chosen = np.array([layout.names.index(name) for name in names])
        points = _grouped(_cells(db, kept, layout, chosen, on.level_ms, first, last), on)
        for i, name in enumerate(names):
            parts[name].append(make.columns(points, np.array([i])))
    for name, of_layouts in parts.items():
        if of_layouts:
            rows = _buckets(_grouped(make.joined(of_layouts), on))
            found[name] = rows if buckets is None else _with_gaps(rows)
    return found


def _grouped(cells: Cells, on: Grid) -> Cells:
    return make.grouped(cells, (cells.t_ms - on.origin_ms) // on.width_ms)


def _span(db: sqlite3.Connection, layouts: Sequence[Layout]) -> tuple[int, int] | None:
    """The first and the last time of which there is anything."""
    ends: list[int | None] = []
    for layout in layouts:
        ends += scans.ends(db, layout.id)
        if layout.pruned_ms:
            query = "SELECT min(first_ms) FROM archived WHERE layout = ?"
            ends += [*db.execute(query, (layout.id,)).fetchone(), layout.pruned_ms - 1]
    there = [end for end in ends if end is not None]
    return (min(there), max(there)) if there else None


def _cells(
    db: sqlite3.Connection,
    kept: archive.ArchiveReader,
    layout: Layout,
    chosen: Integers,
    level_ms: int,
    first_ms: int,
    last_ms: int,
) -> Cells:
    """Everything from first to last, both included: whole cells of this level, and finer ones at the ends."""
    if level_ms == 0:
        live = scans.select(db, layout, chosen, first_ms, last_ms)
        if first_ms >= layout.pruned_ms:
            return live
        return make.joined([kept.select(db, layout, chosen, first_ms, min(last_ms, layout.pruned_ms - 1)), live])
    finer = {rollups.HOUR_MS: rollups.MINUTE_MS}.get(level_ms, 0)
    begin = -(-first_ms // level_ms) * level_ms
    end = min(last_ms + 1, rollups.rolled_until(db, layout, level_ms)) // level_ms * level_ms
    if begin >= end:
        return _cells(db, kept, layout, chosen, finer, first_ms, last_ms)
    parts = [rollups.select(db, layout, chosen, level_ms, begin, end)]
    if first_ms < begin:
        parts.append(_cells(db, kept, layout, chosen, finer, first_ms, begin - 1))
    if end <= last_ms:
        parts.append(_cells(db, kept, layout, chosen, finer, end, last_ms))
    return make.joined(parts)


def _buckets(cells: Cells) -> list[Bucket]:
    """The points of a single series."""
    low, mean, high = (_numbers(numbers[:, 0]) for numbers in (cells.low, cells.mean, cells.high))
    return list(map(Bucket, cells.t_ms.tolist(), low, mean, high, cells.worst[:, 0].tolist()))


def _numbers(column: Floats) -> list[float | None]:
    return [number if number == number else None for number in column.tolist()]  # NaN is not equal to itself


def _with_gaps(buckets: list[Bucket]) -> list[Bucket]:
    if len(buckets) < 3:
        return buckets
    longest = GAP_STEPS * statistics.median(after.t_ms - before.t_ms for before, after in pairwise(buckets))
    found = buckets[:1]
    for before, after in pairwise(buckets):
        if after.t_ms - before.t_ms > longest:
            found.append(Bucket((before.t_ms + after.t_ms) // 2, None, None, None, int(Quality.BAD)))
        found.append(after)
    return found
