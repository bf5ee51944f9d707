"""Cells: samples put together by time, for several series at once; a single scan is the smallest of them.

The same grouping makes minutes of scans, hours of minutes and the points of a trend of any of these, and all of it
is exact: a mean is that of the samples, however many levels lie between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_FLOATS = ("low", "high", "mean", "last")
_FIELDS = (*((name, "<f8") for name in _FLOATS), ("count", "<u4"), ("worst", "u1"))  # in this order


@dataclass(frozen=True, slots=True)
class Cells:
    """k cells in time order, of m series: t_ms is (k,), all else (k, m); NaN where a cell has no value."""

    t_ms: Integers  # the mean time of its scans
    scans: Integers  # (k,)
    low: Floats
    high: Floats
    mean: Floats
    last: Floats
    count: Integers  # values that are numbers
    worst: Bytes  # quality

    def __len__(self) -> int:
        return len(self.t_ms)


def of_scans(t_ms: Integers, values: Floats, quality: Bytes) -> Cells:
    """Each scan a cell of its own: times (k,), values and qualities (k, m)."""
    present = np.isfinite(values)
    return Cells(t_ms, np.ones(len(t_ms), np.int64), values, values, values, values, present.astype(np.int64), quality)


def nothing(series: int) -> Cells:
    """No cells, of so many series."""
    none = np.empty((0, series))
    return of_scans(np.empty(0, np.int64), none, np.empty((0, series), np.uint8))


def joined(parts: list[Cells]) -> Cells:
    """The cells of all parts, by time; all are of the same series."""
    if len(parts) == 1:
        return parts[0]
    order = np.argsort(np.concatenate([part.t_ms for part in parts]), kind="stable")
    return Cells(*(np.concatenate([getattr(p, name) for p in parts])[order] for name in Cells.__slots__))


def columns(cells: Cells, chosen: Integers) -> Cells:
    """Only these series, in this order."""
    return Cells(cells.t_ms, cells.scans, *(getattr(cells, name)[:, chosen] for name in Cells.__slots__[2:]))


def rows(cells: Cells, chosen: Integers) -> Cells:
    """Only these cells."""
    return Cells(*(getattr(cells, name)[chosen] for name in Cells.__slots__))


def grouped(cells: Cells, group: Integers) -> Cells:
    """One cell for each run of equal numbers in `group` (k,), which must not decrease."""
    if not len(cells):
        return cells
    at = np.flatnonzero(np.diff(group, prepend=group[0] - 1))
    if len(at) == len(cells):
        return cells
    scans, count = np.add.reduceat(cells.scans, at), np.add.reduceat(cells.count, at)
    total = np.add.reduceat(np.where(cells.count > 0, cells.mean * cells.count, 0.0), at)
    origin = cells.t_ms[0]  # so that products stay exact
    later = np.add.reduceat((cells.t_ms - origin) * cells.scans, at)
    return Cells(
        t_ms=origin + later // scans,
        scans=scans,
        low=np.fmin.reduceat(cells.low, at),
        high=np.fmax.reduceat(cells.high, at),
        mean=np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0),
        last=_last(cells, at),
        count=count,
        worst=np.maximum.reduceat(cells.worst, at),
    )


def _last(cells: Cells, at: Integers) -> Floats:
    row = np.arange(len(cells))[:, None]
    newest = np.maximum.reduceat(np.where(cells.count > 0, row, -1), at)
    found: Floats = np.where(newest < 0, np.nan, np.take_along_axis(cells.last, np.maximum(newest, 0), axis=0))
    return found


def packed(cells: Cells) -> list[bytes]:
    """Each cell as bytes: low, high, mean, last, count and worst quality, each of all series in a row."""
    floats = np.hstack([getattr(cells, name) for name in _FLOATS]).astype("<f8")
    count, worst = cells.count.astype("<u4"), np.ascontiguousarray(cells.worst)
    return [f.tobytes() + c.tobytes() + w.tobytes() for f, c, w in zip(floats, count, worst, strict=True)]


def unpacked(t_ms: Integers, scans: Integers, bodies: list[bytes], series: int) -> Cells:
    """The cells that were packed."""
    kind = np.dtype([(name, of, (series,)) for name, of in _FIELDS])
    table: Any = np.frombuffer(b"".join(bodies), kind)
    return Cells(t_ms, scans, *(table[name] for name, _ in _FIELDS))


def packed_by_series(cells: Cells) -> list[bytes]:
    """For each series its numbers of all cells as bytes, field after field."""
    fields = [np.ascontiguousarray(getattr(cells, name).T.astype(kind)) for name, kind in _FIELDS]
    return [b"".join(field[i].tobytes() for field in fields) for i in range(cells.low.shape[1])]


def unpacked_by_series(t_ms: Integers, scans: Integers, sizes: list[int], bodies: list[list[bytes]]) -> Cells:
    """Cells from stretches of so many cells each; `bodies` are, for each series, its stretches."""
    runs = [(size, len(list(run))) for size, run in groupby(sizes)]
    found = [np.concatenate([*_stretches(of_series, runs)], axis=1) for of_series in bodies]
    fields = (np.column_stack([of[i] for of in found]).astype(kind) for i, (_, kind) in enumerate(_FIELDS))
    return Cells(t_ms, scans, *fields)


def _stretches(bodies: list[bytes], runs: list[tuple[int, int]]) -> Iterator[Floats]:
    """The fields (6, cells) of as many stretches as have the same size, one run after the other."""
    at = 0
    for size, count in runs:
        kind = np.dtype([(name, of, (size,)) for name, of in _FIELDS])
        table = np.frombuffer(b"".join(bodies[at : at + count]), kind)
        at += count
        yield np.stack([table[name].ravel().astype(np.float64) for name, _ in _FIELDS])
