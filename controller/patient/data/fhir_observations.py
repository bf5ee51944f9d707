"""Observations of FHIR R4 in: reports of the channels that are in the table of codes."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from controller.patient.data import channels
from controller.patient.data.codes import item_of
from controller.patient.data.fhir_drugs import moment
from controller.patient.data.samples import Found, PatientFileFault, Report

_OBSERVED = frozenset({"final", "amended", "corrected", "preliminary"})
_NOT_OBSERVED = frozenset({"registered", "cancelled", "entered-in-error", "unknown"})


def take(found: Found, skipped: Counter[str], where: str, resource: Any) -> None:
    """The report that an observation makes; what is not read is counted."""
    items = [item_of(c.system, c.code) for c in resource.code.coding or ()]
    channel = next((item for item in items if item in channels.BY_NAME), None)
    if channel is None:
        what = "an observation that we say ourselves" if any(items) else "an observation without a row in the codes"
        skipped[what] += 1
        return
    if resource.modifierExtension:
        skipped["an observation with a modifierExtension, which is not understood"] += 1
        return
    if not _used(skipped, where, resource.status):
        return
    value = _value(where, channel, resource)
    source = resource.device.display if resource.device is not None and resource.device.display else ""
    found.reports.append(Report(_when(where, resource), channel, value, source, where))


def _used(skipped: Counter[str], where: str, status: str) -> bool:
    if status in _NOT_OBSERVED:
        skipped[f"status {status}"] += 1
        return False
    if status not in _OBSERVED:
        raise PatientFileFault(f'{where}: "{status}" is no status of FHIR R4')
    return True


def _when(where: str, resource: Any) -> datetime:
    """The moment, or the end of a period."""
    if resource.effectivePeriod is not None:
        return moment(where, "effectivePeriod.end", resource.effectivePeriod.end).astimezone(UTC)
    value = resource.effectiveDateTime or resource.effectiveInstant
    return moment(where, "effectiveDateTime", value).astimezone(UTC)


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


def _accepted(where: str, converted: float | str) -> float:
    if isinstance(converted, str):
        raise PatientFileFault(f"{where}: {converted}")
    return converted
