"""From files to a patient's recording: the content of each decides how it is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from controller.patient.data import apple_health, tables
from controller.patient.data.recording import recording
from controller.patient.data.samples import Found, PatientFileFault, Recording, Sample

MOST_BYTES = 100_000_000  # of a CSV file or a bundle


def read(paths: Path | Sequence[Path], drug: str | None = None, same_person: bool = False) -> Recording:
    """What the files hold together: one CSV, FHIR Bundle (JSON), or several and a health app's export.xml.

    A wide CSV file is read alone. `drug` says which one the twin follows when there are several. Files that name two
    people are refused, unless a person says that they are the same.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    if len(files) == 1 and _kind(files[0]) == "csv":
        table = tables.read_table(files[0])
        if not tables.is_long(table):
            return _wide(files[0], tables.from_wide(files[0], table), drug)
    together = Found()
    for path in files:
        found = _found(path)
        if not found.dated and len(files) > 1:
            raise PatientFileFault(f"{path} counts hours and knows no date, so it cannot be read beside other files")
        together.dated = found.dated
        together.reports += found.reports
        together.doses += found.doses
        together.nights += found.nights
        for name in (
            "regimens",
            "others",
            "unknown",
            "dispensed",
            "unchecked",
            "unreadable",
            "withheld",
            "suicidality",
            "notes",
        ):
            getattr(together, name).extend(getattr(found, name))
        if not same_person:
            _one_person(together, found)
        together.people |= found.people
    return recording(" and ".join(str(path) for path in files), together, drug)


def _one_person(known: Found, found: Found) -> None:
    for name, where in found.people.items():
        for other, first in known.people.items():
            if name != other:
                raise PatientFileFault(
                    f"{where} is about {name}, but {first} is about {other}; if they are the same person, say so"
                    " (--same-person)"
                )


def rows_from_csv(path: Path) -> tuple[Sample, ...]:
    """The samples of one CSV file, wide or long."""
    if path.suffix.lower() in {".json", ".xml"}:
        raise PatientFileFault(f"{path} is no CSV file")
    return read(path).samples


def _wide(path: Path, seen: Recording, drug: str | None) -> Recording:
    if drug not in (None, tables.ASSUMED_DRUG):
        raise PatientFileFault(f"{path} is a wide table, whose dose_mg is {tables.ASSUMED_DRUG}; give {drug} long")
    return seen


def _found(path: Path) -> Found:
    kind = _kind(path)
    if kind == "xml":
        return apple_health.from_export(path)
    if kind == "json":
        from controller.patient.data import fhir_in

        return fhir_in.from_bundle(path)
    table = tables.read_table(path)
    if not tables.is_long(table):
        raise PatientFileFault(f"{path} is a wide table, which is read alone; give it long to read it beside others")
    return tables.from_long(path, table)


def _kind(path: Path) -> str:
    """By the first character."""
    try:
        with path.open("rb") as file:
            head = file.read(200).lstrip(b"\xef\xbb\xbf \t\r\n")
            size = path.stat().st_size
    except FileNotFoundError:
        raise PatientFileFault(f"there is no file {path}") from None
    except OSError as error:
        raise PatientFileFault(f"{path} cannot be read: {error}") from None
    kind = {b"{": "json", b"<": "xml"}.get(head[:1], "csv")
    if kind != "xml" and size > MOST_BYTES:
        raise PatientFileFault(f"{path} is larger than {MOST_BYTES / 1e6:g} MB")
    return kind
