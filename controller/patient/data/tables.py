"""A patient's CSV file, wide or long.

Wide: time, stress, sleep, mood and, when known, dose_mg, level and any wearable's channel, one row a sample. Samples
are six hours apart; a time that is left out is a missing sample, and so is an empty cell. Without a dose_mg column a
daily 10 mg from the first sample on is assumed.

Long: time, channel, value, unit and, when known, source, one row a report, at any time. A dose is a row whose channel
is the drug, or dose_mg for escitalopram. An empty value says that the report is missing. No dose is assumed.

Times are hours, or ISO 8601 dates and times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from controller.patient.advice.stability import CHANNELS, SAMPLING
from controller.patient.data import channels
from controller.patient.data.channels import BY_NAME, EXTRAS, dose_max_mg
from controller.patient.data.codes import DRUGS
from controller.patient.data.samples import (
    MOST_SAMPLES,
    UNDATED,
    Dose,
    Found,
    PatientFileFault,
    Recording,
    Report,
    Sample,
)
from controller.patient.pharmacology.pharmacokinetics import Level
from controller.patient.recorded import recorded
from controller.patient.regimen import Regimen, Source

SAMPLING_H = SAMPLING / timedelta(hours=1)
WIDE, LONG = ("time", *CHANNELS), ("time", "channel", "value", "unit")
ASSUMED_DRUG, ASSUMED_DOSE_MG, ASSUMED_EVERY_H = "escitalopram", 10.0, 24.0  # label: starting dose, once a day
DOSE_NAMES = {"dose_mg": ASSUMED_DRUG, "dose": ASSUMED_DRUG, **{drug: drug for drug in DRUGS}}


def is_long(table: pd.DataFrame) -> bool:
    """Whether the table has one row a report."""
    return {"channel", "value"} <= set(table.columns)


def read_table(path: Path) -> pd.DataFrame:
    """The file's cells as text, with lower-case column names; PatientFileFault for what is no such table."""
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
    missing = [name for name in (LONG if is_long(table) else WIDE) if name not in table.columns]
    if missing:
        found = ", ".join(table.columns)
        raise PatientFileFault(f"{path} has no column {' or '.join(missing)}; its columns are {found}")
    twice = sorted({name for name in table.columns if f"{name}.1" in table.columns})
    if twice:
        raise PatientFileFault(f"{path} has more than one column {', '.join(twice)}")
    if table.empty:
        raise PatientFileFault(f"{path} has a header and no rows")
    return table.fillna("").map(str.strip)


def from_wide(path: Path, table: pd.DataFrame) -> Recording:
    """The samples of a wide table in order of time, gaps filled with missing ones."""
    times, start = _times(path, table["time"])
    named = [c for c in (*CHANNELS, *EXTRAS, "level") if c in table]
    columns = {c: _column(path, table, c, BY_NAME[c].low, BY_NAME[c].high) for c in named}
    doses = _column(path, table, "dose_mg", 0.0, dose_max_mg(ASSUMED_DRUG)) if "dose_mg" in table else None
    slots = _slots(path, times)
    samples = []
    for k in range(max(slots) + 1):
        row = slots.get(k)
        values = {c: None if row is None else columns[c][row] for c in named}
        stress, sleep, mood = (values[c] for c in CHANNELS)
        extras = {c: v for c in EXTRAS if (v := values.get(c)) is not None}
        time_h = min(times) + k * SAMPLING_H
        samples.append(Sample(time_h, stress, sleep, mood, _dose(doses, row, k), "file", extras))
    drawn = sorted((t, v) for t, v in zip(times, columns.get("level", ()), strict=False) if v is not None)
    assumed = f"doses of {ASSUMED_DOSE_MG:g} mg every {ASSUMED_EVERY_H:g} h are assumed: there is no column dose_mg"
    return Recording(
        samples=tuple(samples),
        levels=tuple(Level(t, v) for t, v in drawn),
        drug=ASSUMED_DRUG,
        regimens=_regimens(samples, start, Source.ASSUMED if doses is None else Source.RECORDED),
        start=start,
        notes=(assumed,) if doses is None else (),
        assumed=doses is None,
    )


def _regimens(samples: Sequence[Sample], start: datetime | None, source: Source) -> tuple[Regimen, ...]:
    taken = [((start or UNDATED) + timedelta(hours=s.time_h), s.dose_mg) for s in samples]
    return recorded(ASSUMED_DRUG, taken, source)


def from_long(path: Path, table: pd.DataFrame) -> Found:
    """The reports and doses of a long table."""
    times, start = _times(path, table["time"])
    found = Found(dated=start is not None)
    sources = table["source"] if "source" in table else [""] * len(table)
    cells = zip(times, table["channel"], table["value"], table["unit"], sources, strict=True)
    for row, (hours, channel, text, unit, source) in enumerate(cells):
        where = f"{path}, row {_row(row)}"
        at = (start or UNDATED) + timedelta(hours=hours)
        channel = channel.lower()
        value = _number(where, channel, text)
        if channel in DOSE_NAMES:
            drug = DOSE_NAMES[channel]
            mg = 0.0 if value is None else _converted_dose(where, drug, value, unit)
            found.doses.append(Dose(at, drug, mg, where))
        elif channel in BY_NAME:
            converted = None if value is None else _accepted(where, channels.in_our_unit(channel, value, unit))
            found.reports.append(Report(at, channel, converted, source, where))
        else:
            known = ", ".join([*BY_NAME, "dose_mg"])
            raise PatientFileFault(f'{where}: "{channel}" is neither a channel nor a drug; there are {known}')
    return found


def _number(where: str, name: str, text: str) -> float | None:
    if text == "":
        return None
    try:
        return float(text)
    except ValueError:
        raise PatientFileFault(f'{where}: {name} is "{text}", which is not a number') from None


def _converted_dose(where: str, drug: str, value: float, unit: str) -> float:
    limits = (0.0, dose_max_mg(drug))
    return _accepted(where, channels.convert(drug, value, unit, channels.DOSE_UNITS, "mg", limits))


def _accepted(where: str, converted: float | str) -> float:
    if isinstance(converted, str):
        raise PatientFileFault(f"{where}: {converted}")
    return converted


def _row(row: int) -> int:
    """The row for people: the first below the header is row 1; blank and comment lines are not counted."""
    return row + 1


def _times(path: Path, column: pd.Series[str]) -> tuple[list[float], datetime | None]:
    """Hours since midnight of the first day, and that midnight; numbers are taken as they are and know no date."""
    hours = pd.to_numeric(column, errors="coerce")
    if hours.notna().any():
        return _finite_times(path, column, hours.tolist()), None
    stamps = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
    midnight = stamps.dt.normalize().min()
    since = (stamps - midnight) / pd.Timedelta(hours=1)
    times = _finite_times(path, column, since.tolist())
    return times, midnight.to_pydatetime().astimezone(UTC)


def _finite_times(path: Path, column: pd.Series[str], hours: Sequence[float]) -> list[float]:
    for row, (text, hour) in enumerate(zip(column, hours, strict=True)):
        if not math.isfinite(hour) or not 0 <= hour < 1e6:
            raise PatientFileFault(
                f'{path}, row {_row(row)}: time "{text}" is neither hours from 0 on nor an ISO date and time'
                " like the rest of the column"
            )
    return list(hours)


def _column(path: Path, table: pd.DataFrame, name: str, low: float, high: float) -> list[float | None]:
    values: list[float | None] = []
    for row, text in enumerate(table[name]):
        where = f"{path}, row {_row(row)}"
        value = _number(where, name, text)
        if value is not None and not low <= value <= high:
            raise PatientFileFault(f"{where}: {name} is {text}, outside {low:g} to {high:g}")
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
