"""Historical batches from files: CSV or Parquet, one a batch, whose columns a TOML file maps to the twin's names.

The mapping file, every part of which may be left out:

    time = "Age"              # the column of the batch's age; default: hours
    time_unit = "h"           # h, min or s
    [columns]
    feed = "Fs"               # the twin's name = the column; default: a column of that name
    [factors]
    feed = 0.001              # what a column's value is multiplied by to be in the twin's unit
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from controller.support.user_error import UserError
from controller.support.words import instead
from twin.fit import Record, Seen
from twin.model import Model

INPUT_STEP_H = 0.5  # inputs are averaged over so much (design)
ONLINE_ABOVE = 60  # more values than this in a batch are on-line readings, (design)
ONLINE_EVERY_H = 6.0  # of which one mean is taken so often, for the errors of neighbours are alike (design)
SUFFIXES = (".csv", ".parquet")
PER_HOUR = {"h": 1.0, "min": 60.0, "s": 3600.0}


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what."""

    time: str = "hours"
    per_hour: float = 1.0
    names: Mapping[str, str] = field(default_factory=dict)  # the twin's name to the column
    factors: Mapping[str, float] = field(default_factory=dict)


def columns_from(path: Path, model: Model) -> Columns:
    """The mapping of this file; UserError says what to mend."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise UserError(f"{path}: cannot be read ({(fault.strerror or 'unknown error').lower()})") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise UserError(f"{path}: is not a TOML file: {fault}") from None
    known = _known(model)
    for key in content:
        if key not in ("time", "time_unit", "columns", "factors"):
            raise UserError(f"{path}: has an unknown key {key!r}; valid are time, time_unit, columns, factors")
    for table in ("columns", "factors"):
        for name in content.get(table, {}):
            if name not in known:
                raise UserError(
                    f"{path}: [{table}] names {name!r}, which the model does not know{instead(name, known)}"
                )
    unit = content.get("time_unit", "h")
    if unit not in PER_HOUR:
        raise UserError(f"{path}: time_unit {unit!r} is none of {', '.join(PER_HOUR)}")
    factors = {name: _factor(path, name, value) for name, value in content.get("factors", {}).items()}
    names = {name: str(column) for name, column in content.get("columns", {}).items()}
    return Columns(str(content.get("time", "hours")), PER_HOUR[unit], names, factors)


def records_from(data: Path, model: Model, columns: Columns) -> tuple[Record, ...]:
    """Every batch under `data`, a file or a folder of them, in the order of names; UserError says what to mend."""
    if not data.exists():
        raise UserError(f"{data}: does not exist; give a folder of CSV or Parquet files, one a batch")
    files = [data] if data.is_file() else sorted(p for p in data.iterdir() if p.suffix.lower() in SUFFIXES)
    if not files:
        raise UserError(f"{data}: holds no .csv or .parquet file; put one file for each batch there")
    return tuple(record_from(path, model, columns) for path in files)


def record_from(path: Path, model: Model, columns: Columns) -> Record:
    """One batch."""
    table = _table(path)
    hours = _numbers(path, table, columns.time, columns.time) / columns.per_hour
    if np.isnan(hours).any():
        raise UserError(f"{path}: the column {columns.time!r} has empty cells; every row needs its time")
    if len(hours) < 2 or (np.diff(hours) <= 0.0).any():
        raise UserError(f"{path}: the times in {columns.time!r} must rise from row to row, over at least two rows")
    if hours[0] < 0.0:
        raise UserError(f"{path}: the batch begins at {hours[0]:g} h; count its hours from inoculation")
    values = {name: _mapped(path, table, columns, name) for name in _known(model)}
    fed = {name: value for name, value in values.items() if name in {i.name for i in model.inputs}}
    if all(value is None for value in fed.values()):
        raise UserError(
            f"{path}: has a column for none of the inputs {', '.join(fed)}; name them in the file of --columns"
        )
    grid, inputs = _inputs(model, hours, fed)
    seen = tuple(
        Seen(hour, output.name, value)
        for output in model.outputs
        for hour, value in _thinned(hours, values[output.name])
    )
    if not seen:
        outputs = ", ".join(o.name for o in model.outputs)
        raise UserError(f"{path}: has not one value of {outputs}; name their columns in the file of --columns")
    return Record(path.stem, grid, inputs, seen)


def _known(model: Model) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*(i.name for i in model.inputs), *(o.name for o in model.outputs)]))


def _factor(path: Path, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value) or value == 0:
        raise UserError(f"{path}: [factors] {name} must be a number other than 0, and it is {value!r}")
    return float(value)


def _table(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path) if path.suffix.lower() == ".parquet" else pd.read_csv(path)
    except OSError as fault:
        raise UserError(f"{path}: cannot be read ({(fault.strerror or str(fault)).lower()})") from None
    except (ValueError, UnicodeDecodeError) as fault:  # pandas and pyarrow: broken, empty or not such a file
        raise UserError(f"{path}: is not a table: {str(fault).splitlines()[0]}") from None


def _numbers(path: Path, table: pd.DataFrame, column: str, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    if column not in table.columns:
        raise UserError(
            f"{path}: has no column {column!r} for {name}{instead(column, [str(c) for c in table.columns])}"
        )
    numbers = pd.to_numeric(table[column], errors="coerce")
    wrong = table[column].notna() & ~np.isfinite(numbers)  # "inf" too: a division by zero in a spreadsheet
    if wrong.any():
        row = int(np.flatnonzero(wrong.to_numpy())[0])
        raise UserError(f"{path}: {table[column].iloc[row]!r} in column {column!r}, row {row + 2}, is not a number")
    return np.asarray(numbers, dtype=np.float64)


def _mapped(
    path: Path, table: pd.DataFrame, columns: Columns, name: str
) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """The column of a quantity in the twin's unit; None where it is neither mapped nor there by its own name."""
    column = columns.names.get(name, name)
    if name not in columns.names and column not in table.columns:
        return None
    return _numbers(path, table, column, name) * columns.factors.get(name, 1.0)


def _inputs(
    model: Model, hours: Any, given: Mapping[str, Any]
) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
    """The grid from the start of the batch to its last row, and the mean of every input in each of its cells."""
    count = max(1, int(np.ceil(hours[-1] / INPUT_STEP_H - 1e-9)))
    grid = np.linspace(0.0, float(hours[-1]), count + 1)
    rows = np.empty((count, len(model.inputs)))
    for i, item in enumerate(model.inputs):
        value = given.get(item.name)
        here = np.isfinite(value) if value is not None else np.zeros(len(hours), dtype=bool)
        if value is None or not here.any():
            rows[:, i] = item.nominal
            continue
        cell = np.clip(np.searchsorted(grid, hours[here], side="right") - 1, 0, count - 1)
        total, number = np.bincount(cell, value[here], count), np.bincount(cell, minlength=count)
        means = pd.Series(np.where(number > 0, total / np.maximum(number, 1), np.nan))
        rows[:, i] = means.ffill().bfill().to_numpy()  # an input stays as it is until the next row says otherwise
    return tuple(grid.tolist()), tuple(tuple(row) for row in rows.tolist())


def _thinned(hours: Any, values: Any) -> list[tuple[float, float]]:
    """Assays as they are; of on-line readings the means about every ONLINE_EVERY_H."""
    if values is None:
        return []
    here = np.isfinite(values)
    at, found = hours[here], values[here]
    if len(found) <= ONLINE_ABOVE:
        return list(zip(at.tolist(), found.tolist(), strict=True))
    half = ONLINE_EVERY_H / 24.0
    centres = np.arange(ONLINE_EVERY_H, at[-1] - half, ONLINE_EVERY_H)
    near = [(centre, np.abs(at - centre) <= half) for centre in centres]
    return [(float(centre), float(found[close].mean())) for centre, close in near if close.any()]
