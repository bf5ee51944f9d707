"""A patient's samples from a wide CSV file: time, stress, sleep, mood and, when known, dose_mg.

Times are hours, or ISO 8601 dates and times. Samples are six hours apart; a time that is left out is a missing sample,
and so is an empty cell. Without a dose_mg column a daily 10 mg from the first sample on is assumed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from controller.faults import Fault
from controller.pharmacoloop.stability import CHANNELS, PLAUSIBLE

REQUIRED = ("time", *CHANNELS)
SAMPLING_H = 6.0
ASSUMED_DOSE_MG, ASSUMED_EVERY_H = 10.0, 24.0  # escitalopram label: starting dose, once a day
DOSE_MAX_MG = 60.0  # far above the label's 20 mg: a typing error
MOST_SAMPLES = 4000  # nearly three years


class PatientFileFault(Fault):
    """What is wrong with the file and where, in one sentence."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of input; None where nothing usable was reported."""

    time_h: float  # since midnight before the first sample
    stress: float | None
    sleep: float | None
    mood: float | None
    dose_mg: float
    origin: str  # "published", "generated" or "file"


def rows_from_csv(path: Path) -> tuple[Sample, ...]:
    """The samples of the file in order of time, gaps filled with missing ones; PatientFileFault for bad input."""
    table = _table(path)
    times = _times(path, table["time"])
    columns = {c: _column(path, table, c, *PLAUSIBLE[c]) for c in CHANNELS}
    doses = _column(path, table, "dose_mg", 0.0, DOSE_MAX_MG) if "dose_mg" in table else None
    slots = _slots(path, times)
    samples = []
    for k in range(max(slots) + 1):
        row = slots.get(k)
        time_h = min(times) + k * SAMPLING_H
        stress, sleep, mood = (None if row is None else columns[c][row] for c in CHANNELS)
        samples.append(Sample(time_h, stress, sleep, mood, _dose(doses, row, k), "file"))
    return tuple(samples)


def _table(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, comment="#", skipinitialspace=True)
    except FileNotFoundError:
        raise PatientFileFault(f"there is no file {path}") from None
    except pd.errors.EmptyDataError:
        raise PatientFileFault(f"{path} is empty") from None
    except pd.errors.ParserError as error:
        raise PatientFileFault(f"{path} is not a table: {str(error).strip()}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PatientFileFault(f"{path} cannot be read: {error}") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas took the first cells of longer rows for an index
        raise PatientFileFault(f"{path} has rows with more cells than its header")
    table.columns = [str(name).strip().lower() for name in table.columns]
    missing = [name for name in REQUIRED if name not in table.columns]
    if missing:
        found = ", ".join(table.columns)
        raise PatientFileFault(f"{path} has no column {' or '.join(missing)}; its columns are {found}")
    twice = sorted({name for name in table.columns if f"{name}.1" in table.columns})
    if twice:
        raise PatientFileFault(f"{path} has more than one column {', '.join(twice)}")
    if table.empty:
        raise PatientFileFault(f"{path} has a header and no rows")
    return table.fillna("").map(str.strip)


def _row(row: int) -> int:
    """The row for people: the first below the header is row 1; blank and comment lines are not counted."""
    return row + 1


def _times(path: Path, column: pd.Series[str]) -> list[float]:
    """Hours since midnight of the first day; numbers are taken as they are."""
    hours = pd.to_numeric(column, errors="coerce")
    if hours.notna().any():
        return _finite_times(path, column, hours.tolist())
    stamps = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
    since = stamps - stamps.dt.normalize().min()
    return _finite_times(path, column, (since / pd.Timedelta(hours=1)).tolist())


def _finite_times(path: Path, column: pd.Series[str], hours: Sequence[float]) -> list[float]:
    for row, (text, hour) in enumerate(zip(column, hours, strict=True)):
        if not math.isfinite(hour) or hour < 0:
            raise PatientFileFault(
                f'{path}, row {_row(row)}: time "{text}" is neither hours from 0 on nor an ISO date and time'
                " like the rest of the column"
            )
    return list(hours)


def _column(path: Path, table: pd.DataFrame, name: str, low: float, high: float) -> list[float | None]:
    values: list[float | None] = []
    for row, text in enumerate(table[name]):
        if text == "":
            values.append(None)
            continue
        try:
            value = float(text)
        except ValueError:
            raise PatientFileFault(f'{path}, row {_row(row)}: {name} is "{text}", which is not a number') from None
        if not low <= value <= high:
            raise PatientFileFault(f"{path}, row {_row(row)}: {name} is {text}, outside {low:g} to {high:g}")
        values.append(value)
    return values


def _slots(path: Path, times: Sequence[float]) -> dict[int, int]:
    """Row by sample number on the six-hour grid that starts with the earliest time."""
    slots: dict[int, int] = {}
    for row, time in enumerate(times):
        position = (time - min(times)) / SAMPLING_H
        k = round(position)
        if abs(position - k) > 1e-3:
            raise PatientFileFault(
                f"{path}, row {_row(row)}: samples must be {SAMPLING_H:g} h apart; this one is"
                f" {time - min(times):g} h after the first"
            )
        if k in slots:
            raise PatientFileFault(f"{path}, rows {_row(slots[k])} and {_row(row)} have the same time")
        if k >= MOST_SAMPLES:
            raise PatientFileFault(
                f"{path}, row {_row(row)}: {time - min(times):g} h after the first sample is more than"
                f" the {MOST_SAMPLES} samples that are read"
            )
        slots[k] = row
    return slots


def _dose(doses: Sequence[float | None] | None, row: int | None, k: int) -> float:
    if doses is None:
        return ASSUMED_DOSE_MG if k * SAMPLING_H % ASSUMED_EVERY_H == 0 else 0.0
    return (doses[row] or 0.0) if row is not None else 0.0
