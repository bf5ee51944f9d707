"""Observations of FHIR R4 in: reports of the channels that are in the table of codes, in their components as well.

An answer above zero to item 9 of PHQ-9, thoughts of being better off dead, is told apart from all scores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from controller.patient.data import channels
from controller.patient.data.codes import LOINC, item_of
from controller.patient.data.drug_names import named
from controller.patient.data.fhir_status import moment
from controller.patient.data.samples import Found, PatientFileFault, Report

_OBSERVED = frozenset({"final", "amended", "corrected", "preliminary"})
_NOT_OBSERVED = frozenset({"registered", "cancelled", "entered-in-error", "unknown"})
ITEM_9 = "44260-8"  # LOINC: thoughts that you would be better off dead, or of hurting yourself
NOT_AT_ALL = "LA6568-5"  # LOINC's answer for nought
QUESTIONNAIRES = frozenset({"phq9", "gad7"})  # totals, which have no other unit than points


def take(found: Found, skipped: Counter[str], where: str, resource: Any) -> None:
    """The reports that an observation makes; what is not read is counted."""
    parts = [part for part in (resource, *(resource.component or ())) if _items(part) or _is_item_9(part)]
    if not parts:
        skipped["an observation without a row in the codes"] += 1
        return
    if resource.modifierExtension:
        skipped["an observation with a modifierExtension, which is not understood"] += 1
        return
    if not _used(skipped, where, resource.status):
        return
    told = [part for part in parts if _is_item_9(part) or any(item in channels.BY_NAME for item in _items(part))]
    if not told:
        skipped["an observation that we say ourselves"] += 1
    for part in told:
        _part(found, skipped, where, resource, part)


def answers(found: Found, where: str, response: Any) -> None:
    """Item 9 of a QuestionnaireResponse."""
    if response.get("status") not in {"completed", "amended", "in-progress"}:
        return
    for item in _questions(response):
        if ITEM_9 not in str(item.get("linkId", "")):
            continue
        for answer in item.get("answer", ()):
            code = answer.get("valueCoding", {}).get("code")
            number = answer.get("valueInteger", answer.get("valueDecimal"))
            if (code is not None and code != NOT_AT_ALL) or (number is not None and number > 0):
                found.suicidality.append(_authored(where, response))


def _part(found: Found, skipped: Counter[str], where: str, resource: Any, part: Any) -> None:
    at = _when(where, resource)
    if _is_item_9(part):
        if _above_nought(part):
            found.suicidality.append(at)
        return
    channel = next(item for item in _items(part) if item in channels.BY_NAME)
    drug = ""
    if channel == "level":
        known = named(
            [{"text": part.code.text, "coding": [{"display": c.display} for c in part.code.coding or ()]}]
        ).known
        if len(known) != 1:
            skipped["a drug level that does not name one drug"] += 1
            return
        drug = known[0]
    source = resource.device.display if resource.device is not None and resource.device.display else ""
    found.reports.append(Report(at, channel, _value(where, channel, part), source, where, drug))


def _items(part: Any) -> list[str]:
    return [item for c in part.code.coding or () if (item := item_of(c.system, c.code)) is not None]


def _is_item_9(part: Any) -> bool:
    return any(c.system == LOINC and c.code == ITEM_9 for c in part.code.coding or ())


def _above_nought(part: Any) -> bool:
    """An answer that is not plainly nought counts as more."""
    if part.valueCodeableConcept is not None:
        return not any(c.code == NOT_AT_ALL for c in part.valueCodeableConcept.coding or ())
    number = part.valueInteger if part.valueQuantity is None else part.valueQuantity.value
    return number is None or number > 0


def _questions(item: Any) -> Iterator[Any]:
    for one in item.get("item", ()):
        yield one
        yield from _questions(one)


def _authored(where: str, response: Any) -> datetime:
    try:
        at = datetime.fromisoformat(str(response.get("authored")))
    except ValueError:
        raise PatientFileFault(f"{where}: authored is {response.get('authored')}, which is no date and time") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


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


def _value(where: str, channel: str, part: Any) -> float | None:
    quantity = part.valueQuantity
    if quantity is not None and quantity.value is not None:
        if quantity.comparator:
            raise PatientFileFault(
                f"{where}: {channel} is {quantity.comparator} {quantity.value}; an exact value is needed"
            )
        unit = quantity.code or quantity.unit or ("1" if channel in QUESTIONNAIRES else "")
        return _accepted(where, channels.in_our_unit(channel, float(quantity.value), unit))
    if part.valueInteger is not None:
        return _accepted(where, channels.in_our_unit(channel, float(part.valueInteger), "1"))
    if part.valueString is not None and channel in QUESTIONNAIRES and part.valueString.strip().isdecimal():
        return _accepted(where, channels.in_our_unit(channel, float(part.valueString), "1"))
    if part.dataAbsentReason is not None:
        return None
    raise PatientFileFault(f"{where}: {channel} has neither a valueQuantity nor a dataAbsentReason")


def _accepted(where: str, converted: float | str) -> float:
    if isinstance(converted, str):
        raise PatientFileFault(f"{where}: {converted}")
    return converted
