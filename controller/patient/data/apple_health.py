"""A health app's export.xml (Apple Health): heart rate, saturation, temperature, steps, variability and sleep.

The file is read as a stream by expat, in bounded memory. A file that declares an entity is refused: that is how XML
is made to grow without end or to fetch other files. Its format is not documented by its maker and was taken from
examples: to be verified by a person with an export of one's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from xml.parsers import expat

from controller.patient.data.channels import in_our_unit
from controller.patient.data.samples import Found, PatientFileFault, Report

MOST_BYTES = 2_000_000_000  # some years of a watch are a few hundred megabytes
MOST_REPORTS = 5_000_000
_CHUNK = 1 << 20

_QUANTITIES = {
    "HKQuantityTypeIdentifierHeartRate": "heart_rate",
    "HKQuantityTypeIdentifierOxygenSaturation": "spo2",
    "HKQuantityTypeIdentifierBodyTemperature": "temperature",
    "HKQuantityTypeIdentifierStepCount": "steps",
    "HKQuantityTypeIdentifierHeartRateVariabilitySDNN": "heart_rate_variability",
}
_SLEEP = "HKCategoryTypeIdentifierSleepAnalysis"
_ASLEEP = "HKCategoryValueSleepAnalysisAsleep"  # core, deep, REM or unspecified; not in bed, not awake


def from_export(path: Path) -> Found:
    """What the export holds of our channels; it has neither stress nor mood, so it is read beside another file."""
    if path.stat().st_size > MOST_BYTES:
        raise PatientFileFault(f"{path} is larger than {MOST_BYTES / 1e9:g} GB; export a shorter time")
    found, seen = Found(), set[tuple[datetime, str, str]]()
    parser = expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "Record":
            _take(found, seen, attributes, f"{path}, line {parser.CurrentLineNumber}")

    def refuse(*_: object) -> None:
        raise PatientFileFault(f"{path}, line {parser.CurrentLineNumber}: the file declares an XML entity")

    parser.StartElementHandler = start
    parser.EntityDeclHandler = refuse
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise PatientFileFault(f"{path} is no well-formed XML: {error}") from None
    return found


def _take(found: Found, seen: set[tuple[datetime, str, str]], record: Mapping[str, str], where: str) -> None:
    kind, source = record.get("type", ""), record.get("sourceName", "")
    if kind == _SLEEP and record.get("value", "").startswith(_ASLEEP):
        found.nights.append((_time(record, "startDate", where), _time(record, "endDate", where)))
    channel = _QUANTITIES.get(kind)
    if channel is None:
        return
    # A sum belongs to the end of its stretch, a spot value to its moment: both are the end.
    at = _time(record, "endDate", where)
    if (at, channel, source) in seen:
        return  # exports hold some records twice
    seen.add((at, channel, source))
    found.reports.append(Report(at, channel, _value(record, channel, where), source, where))
    if len(found.reports) > MOST_REPORTS:
        raise PatientFileFault(f"{where}: more than {MOST_REPORTS} records; export a shorter time")


def _value(record: Mapping[str, str], channel: str, where: str) -> float:
    text, unit = record.get("value", ""), record.get("unit", "")
    try:
        value = float(text)
    except ValueError:
        raise PatientFileFault(f'{where}: {channel} is "{text}", which is not a number') from None
    if channel == "spo2" and value <= 1.0:
        value *= 100.0  # the unit says %, the number is a fraction
    converted = in_our_unit(channel, value, unit)
    if isinstance(converted, str):
        raise PatientFileFault(f"{where}: {converted}")
    return converted


def _time(record: Mapping[str, str], name: str, where: str) -> datetime:
    text = record.get(name, "")
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    except ValueError:
        raise PatientFileFault(f'{where}: {name} is "{text}", which is no date and time with its zone') from None
