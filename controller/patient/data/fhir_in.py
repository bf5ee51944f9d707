"""A FHIR R4 Bundle in: Observation, MedicationAdministration, MedicationStatement and MedicationRequest.

Entries are validated one by one with the R4B classes, of which only what R4 (4.0.1) has as well is used, so that a
fault names the entry. Other resources, and observations of what has no row in the table of codes, are left out and
counted. Administrations are the record of doses; statements say what was taken where there is no administration; an
active request is the plan. Drafts and proposals, our own among them, are no plan.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from controller.patient.data import channels
from controller.patient.data.codes import DRUGS, RXNORM, item_of
from controller.patient.data.samples import MOST_SAMPLES, Dose, Found, PatientFileFault, Prescribed, Report

READ = ("Observation", "MedicationAdministration", "MedicationStatement", "MedicationRequest")
# What each status means for us: used, left out, or (anything else) no status of R4.
_OBSERVED = frozenset({"final", "amended", "corrected", "preliminary"})
_NOT_OBSERVED = frozenset({"registered", "cancelled", "entered-in-error", "unknown"})
_GIVEN, _NOT_GIVEN = frozenset({"completed"}), frozenset({"not-done"})
_NO_DOSE = frozenset({"in-progress", "on-hold", "entered-in-error", "stopped", "unknown"})
_TAKEN, _NOT_TAKEN = frozenset({"active", "completed"}), frozenset({"not-taken"})
_NO_STATEMENT = frozenset({"entered-in-error", "intended", "stopped", "on-hold", "unknown"})
_NO_PLAN = frozenset({"on-hold", "cancelled", "completed", "entered-in-error", "stopped", "draft", "unknown"})
_PER_H = {"s": 1 / 3600, "min": 1 / 60, "h": 1.0, "d": 24.0, "wk": 168.0}
Json = Mapping[str, Any]


@dataclass(slots=True)
class _Reading:
    """What is being gathered from one bundle."""

    found: Found
    skipped: Counter[str]
    stated: list[Dose]  # by statements; used only where nothing was administered
    patients: dict[str, str]  # by subject, the entry that names it first


def from_bundle(path: Path) -> Found:
    """The reports, doses and plan of a bundle; PatientFileFault names the entry that is at fault."""
    bundle = _json(path)
    if bundle.get("resourceType") != "Bundle":
        raise PatientFileFault(f"{path} is not a FHIR Bundle: its resourceType is {bundle.get('resourceType')!r}")
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or not entries:
        raise PatientFileFault(f"{path} is a Bundle without entries")
    _valid("Bundle", {**bundle, "entry": []}, str(path))
    reading = _Reading(Found(), Counter(), [], {})
    ids: dict[str, str] = {}
    for where, resource in _resources(path, entries, ids):
        _take(reading, where, resource)
    given = {dose.drug for dose in reading.found.doses}
    reading.found.doses += [dose for dose in reading.stated if dose.drug not in given]
    for what, count in sorted(reading.skipped.items()):
        reading.found.notes.append(f"{path}: {count} left out: {what}")
    return reading.found


def _json(path: Path) -> dict[str, Any]:
    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is no JSON number")

    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise PatientFileFault(f"{path} is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise PatientFileFault(f"{path} is not a FHIR Bundle: it holds no JSON object")
    return content


def _resources(path: Path, entries: list[Any], ids: dict[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each resource and what people call its entry."""
    for index, entry in enumerate(entries):
        where = f"{path}, entry[{index}]"
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise PatientFileFault(f"{where} holds no resource with a resourceType")
        kind, key = resource["resourceType"], resource.get("id")
        where += f" ({kind}/{key})" if isinstance(key, str) else f" ({kind} without id)"
        if isinstance(key, str):
            if f"{kind}/{key}" in ids:
                raise PatientFileFault(f"{where} has the id of {ids[f'{kind}/{key}']}")
            ids[f"{kind}/{key}"] = where.removeprefix(f"{path}, ")
        yield where, resource


def _take(reading: _Reading, where: str, resource: dict[str, Any]) -> None:
    kind = resource["resourceType"]
    if kind not in READ:
        reading.skipped[f"{kind}, a resource that is not read"] += 1
        return
    valid = _valid(kind, resource, where)
    _same_patient(reading, where, resource)
    {
        "Observation": _observation,
        "MedicationAdministration": _administration,
        "MedicationStatement": _statement,
        "MedicationRequest": _request,
    }[kind](reading, where, valid)


def _valid(kind: str, resource: dict[str, Any], where: str) -> Any:
    try:
        return get_fhir_model_class(kind).model_validate(resource)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the resource"
        said = " ".join(first["msg"].removeprefix("Value error, ").split())
        raise PatientFileFault(f"{where} is no valid FHIR R4 {kind}: {field}: {said}") from None


def _same_patient(reading: _Reading, where: str, resource: Json) -> None:
    """One bundle is about one person."""
    subject = resource.get("subject")
    if not isinstance(subject, dict):
        return
    identifier = subject.get("identifier")
    name = subject.get("reference") or (identifier.get("value") if isinstance(identifier, dict) else None)
    if not isinstance(name, str):
        return
    for other, first in reading.patients.items():
        if other != name:
            raise PatientFileFault(f"{where} is about {name}, but {first} is about {other}; one bundle, one patient")
    reading.patients.setdefault(name, where.rpartition(", ")[2])


def _observation(reading: _Reading, where: str, resource: Any) -> None:
    items = [item_of(c.system, c.code) for c in resource.code.coding or ()]
    channel = next((item for item in items if item in channels.BY_NAME), None)
    if channel is None:
        what = "an observation that we say ourselves" if any(items) else "an observation without a row in the codes"
        reading.skipped[what] += 1
        return
    if not _used(reading, where, resource.status, _OBSERVED, _NOT_OBSERVED):
        return
    at = _when(where, "effective", resource)
    value = _value(where, channel, resource)
    source = resource.device.display if resource.device is not None and resource.device.display else ""
    reading.found.reports.append(Report(at, channel, value, source, where))


def _value(where: str, channel: str, resource: Any) -> float | None:
    quantity = resource.valueQuantity
    if quantity is None and resource.valueInteger is not None:
        return _accepted(where, channels.in_our_unit(channel, float(resource.valueInteger), "1"))
    if quantity is None or quantity.value is None:
        if resource.dataAbsentReason is not None:
            return None
        raise PatientFileFault(f"{where}: {channel} has neither a valueQuantity nor a dataAbsentReason")
    if quantity.comparator:
        raise PatientFileFault(
            f"{where}: {channel} is {quantity.comparator} {quantity.value}; an exact value is needed"
        )
    return _accepted(where, channels.in_our_unit(channel, float(quantity.value), quantity.code or quantity.unit or ""))


def _administration(reading: _Reading, where: str, resource: Any) -> None:
    drug = _drug(reading, resource)
    if drug is None or not _used(reading, where, resource.status, _GIVEN | _NOT_GIVEN, _NO_DOSE):
        return
    at = _when(where, "effective", resource, begin=True)
    if resource.status in _NOT_GIVEN:
        reading.found.doses.append(Dose(at, drug, 0.0, where))
        return
    if resource.dosage is None or resource.dosage.dose is None:
        raise PatientFileFault(f"{where}: {drug} was given without dosage.dose")
    reading.found.doses.append(Dose(at, drug, _mg(where, drug, resource.dosage.dose), where))


def _statement(reading: _Reading, where: str, resource: Any) -> None:
    drug = _drug(reading, resource)
    if drug is None or not _used(reading, where, resource.status, _TAKEN | _NOT_TAKEN, _NO_STATEMENT):
        return
    if resource.status in _NOT_TAKEN:
        return
    mg, every_h = _regimen(where, drug, resource.dosage)
    begin = _when(where, "effective", resource, begin=True)
    end = begin
    if resource.effectivePeriod is not None:
        if every_h is None:
            raise PatientFileFault(f"{where}: {drug} was taken over a period without dosage.timing.repeat")
        if resource.effectivePeriod.end is None:  # as long as there is a report: decided when all are known
            _plan(reading, where, Prescribed(drug, mg, every_h), begin)
            return
        end = _when(where, "effective", resource)
    step = timedelta(hours=every_h or 24.0)
    count = int((end - begin) / step) + 1
    if count > MOST_SAMPLES:
        raise PatientFileFault(f"{where}: {count} doses of {drug} are more than the {MOST_SAMPLES} that are read")
    reading.stated += [Dose(begin + i * step, drug, mg, where) for i in range(count)]


def _request(reading: _Reading, where: str, resource: Any) -> None:
    drug = _drug(reading, resource)
    if drug is None:
        return
    if resource.intent in {"proposal", "plan", "option"}:
        reading.skipped["a medication request that is a proposal, not an order"] += 1
        return
    if not _used(reading, where, resource.status, frozenset({"active"}), _NO_PLAN):
        return
    mg, every_h = _regimen(where, drug, resource.dosageInstruction)
    since = None if resource.authoredOn is None else _moment(where, "authoredOn", resource.authoredOn)
    _plan(reading, where, Prescribed(drug, mg, every_h), since)


def _plan(reading: _Reading, where: str, plan: Prescribed, since: datetime | None) -> None:
    known = reading.found.prescribed
    if known is not None and known != plan:
        raise PatientFileFault(
            f"{where} prescribes {plan.drug} {plan.dose_mg:g} mg, and another entry {known.drug}"
            f" {known.dose_mg or 0:g} mg; one current plan is needed"
        )
    begins = [t for t in (reading.found.prescribed_from, since) if t is not None]
    reading.found.prescribed, reading.found.prescribed_from = plan, min(begins, default=None)


def _regimen(where: str, drug: str, dosages: Any) -> tuple[float, float | None]:
    """Dose and interval of the first dosage; the interval is None when it is not said."""
    dosage = dosages[0] if dosages else None
    rate = dosage.doseAndRate[0] if dosage is not None and dosage.doseAndRate else None
    if dosage is None or rate is None or rate.doseQuantity is None:
        raise PatientFileFault(f"{where}: {drug} has no dosage with a doseAndRate.doseQuantity")
    mg = _mg(where, drug, rate.doseQuantity)
    repeat = dosage.timing.repeat if dosage.timing is not None else None
    if repeat is None or repeat.period is None or repeat.periodUnit not in _PER_H:
        return mg, None
    every_h = float(repeat.period) * _PER_H[repeat.periodUnit] / (repeat.frequency or 1)
    if not 1.0 <= every_h <= 24.0 * 31:
        raise PatientFileFault(f"{where}: {drug} every {every_h:g} h is no schedule that is followed")
    return mg, every_h


def _mg(where: str, drug: str, quantity: Any) -> float:
    if quantity.value is None:
        raise PatientFileFault(f"{where}: the dose of {drug} has no value")
    unit = quantity.code or quantity.unit or ""
    limits = (0.0, channels.dose_max_mg(drug))
    return _accepted(where, channels.convert(drug, float(quantity.value), unit, channels.DOSE_UNITS, "mg", limits))


def _drug(reading: _Reading, resource: Any) -> str | None:
    """The drug by its RxNorm code; by its name when there is no such code at all."""
    concept = resource.medicationCodeableConcept
    codings = [] if concept is None else concept.coding or []
    items = [item for c in codings if (item := item_of(c.system, c.code)) in DRUGS]
    if items:
        return items[0]
    if concept is not None and not any(c.system == RXNORM for c in codings):
        said = " ".join(filter(None, [concept.text, *(c.display for c in codings)])).lower()
        named = [drug for drug in DRUGS if re.search(rf"\b{drug}\b", said)]
        if len(named) == 1:
            return named[0]
    name = _name_of(concept)
    if name and resource.status in _TAKEN:
        reading.found.others.add(name)
    reading.skipped[f"a medication without a row in the codes ({name or 'without a name'})"] += 1
    return None


def _name_of(concept: Any) -> str:
    """What a drug is called, when it has no code that we know: the first word, such as linezolid."""
    said = [] if concept is None else [concept.text, *(c.display for c in concept.coding or ())]
    words = " ".join(filter(None, said)).lower().split()
    return words[0] if words else ""


def _used(reading: _Reading, where: str, status: str, used: frozenset[str], unused: frozenset[str]) -> bool:
    if status in unused:
        reading.skipped[f"status {status}"] += 1
        return False
    if status not in used:
        raise PatientFileFault(f'{where}: "{status}" is no status of FHIR R4')
    return True


def _when(where: str, prefix: str, resource: Any, begin: bool = False) -> datetime:
    """The moment, or the beginning or the end of a period."""
    period = getattr(resource, f"{prefix}Period", None)
    if period is not None:
        name, value = ("start", period.start) if begin else ("end", period.end)
        return _moment(where, f"{prefix}Period.{name}", value)
    value = getattr(resource, f"{prefix}DateTime", None) or getattr(resource, f"{prefix}Instant", None)
    return _moment(where, f"{prefix}DateTime", value)


def _moment(where: str, name: str, value: Any) -> datetime:
    if not isinstance(value, datetime):
        said = "is missing" if value is None else f"{value} has no time of day"
        raise PatientFileFault(f"{where}: {name} {said}")
    return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).astimezone(UTC)


def _accepted(where: str, converted: float | str) -> float:
    if isinstance(converted, str):
        raise PatientFileFault(f"{where}: {converted}")
    return converted
