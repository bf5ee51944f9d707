"""Dosage of FHIR R4: every field of it is understood, or makes the order unreadable by name. Nothing is half read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from controller.patient.data.channels import DOSE_UNITS, convert, dose_max_mg
from controller.patient.data.codes import SNOMED
from controller.patient.data.fields import Fields, Unreadable
from controller.patient.data.timing import regimen_of
from controller.patient.data.timing_codes import PER_H
from controller.patient.regimen import DAY_H, Regimen, Source, together

SNOMED_UNITS = {"258684004": "mg", "258682000": "g", "258685003": "ug"}
BY_MOUTH = frozenset({"26643006", "PO", "oral", "oral route", "by mouth", "per os"})
SWALLOW = frozenset({"738995006", "419652001", "421521009", "swallow", "take", "take by mouth"})
# Words of a text that say how often; a text that says something else than the fields is a contradiction.
OFTEN = (
    (r"\b(?:twice|two times|2 times|2x|b\.?i\.?d)\b|\b(?:every|q) ?12 ?h", 2.0),
    (r"\b(?:three times|3 times|3x|t\.?i\.?d)\b|\b(?:every|q) ?8 ?h", 3.0),
    (r"\b(?:four times|4 times|4x|q\.?i\.?d)\b|\b(?:every|q) ?6 ?h", 4.0),
    (r"\bevery (?:other|second|2nd) day\b|\bq\.?o\.?d\b", 0.5),
    (r"\b(?:once|one time|1 time) (?:a|per|every) week\b|\b(?:once )?weekly\b", 1 / 7),
)
PRN = re.compile(r"\b(?:as needed|when needed|if needed|p\.?r\.?n)\b")


def regimens_of(dosages: Sequence[Any], drug: str, since: datetime, source: Source) -> list[Regimen]:
    """How the drug is taken from `since` on: one regimen after the other. Unreadable says which field is at fault."""
    if not dosages:
        raise Unreadable("there is no dosage")
    steps: dict[int, list[Regimen]] = {}
    for k, dosage in enumerate(dosages):
        fields = Fields.of(dosage, f"dosage[{k}]")
        steps.setdefault(int(fields.take("sequence", 1)), []).append(_instruction(fields, drug, since))
    try:
        phases = [together(steps[number]) for number in sorted(steps)]
    except ValueError as error:
        raise Unreadable(str(error)) from None
    return [replace(phase, source=source) for phase in _in_turn(phases)]


def _in_turn(phases: list[Regimen]) -> list[Regimen]:
    """Each step of a sequence begins when the one before it ends."""
    placed = phases[:1]
    for before, step in pairwise(phases):
        if before.end is None:
            raise Unreadable("a sequence of dosages does not say when its steps end")
        known = placed[-1]
        if known.end is None or step.start is None or known.start is None or before.start is None:
            raise Unreadable("a sequence of dosages does not say when its steps begin")
        begin = step.start if step.start > known.end else known.end + timedelta(seconds=1)
        placed.append(step if begin == step.start else step.moved(begin - step.start))
    return placed


def _instruction(fields: Fields, drug: str, since: datetime) -> Regimen:
    single_mg = _single(fields, drug)
    text = str(fields.take("text", "")).lower()
    as_needed = bool(fields.take("asNeededBoolean")) or fields.take("asNeededCodeableConcept") is not None
    _said(fields, "route", BY_MOUTH)
    _said(fields, "method", SWALLOW)
    limits = fields.take("maxDosePerPeriod"), fields.take("maxDosePerAdministration")
    timing = fields.take("timing")
    fields.done()
    if timing is None:
        raise Unreadable(f"{fields.path} has no timing" + (f' but in words: "{text}"' if text else ""))
    found = replace(regimen_of(timing, drug, single_mg, since, f"{fields.path}.timing"), as_needed=as_needed)
    _agrees(text, found, fields.path)
    _within(found, single_mg, *limits, fields.path)
    return found


def _single(fields: Fields, drug: str) -> float:
    """The single dose, mg."""
    rates = fields.take("doseAndRate", ())
    ordered = [r for r in rates if isinstance(r, Mapping) and _kind(r) == "ordered"] or list(rates)
    if len(ordered) != 1:
        raise Unreadable(f"{fields.path} has {len(ordered) or 'no'} doseAndRate")
    own = Fields.of(ordered[0], f"{fields.path}.doseAndRate")
    own.take("type")
    dose, low_high = own.take("doseQuantity"), own.take("doseRange")
    own.done()
    if dose is not None:
        return milligrams(dose, drug, own.path)
    if low_high is None:
        raise Unreadable(f"{own.path} has no doseQuantity")
    ends = [low_high.get("low"), low_high.get("high")]
    if ends[0] is None or ends[0] != ends[1]:
        raise Unreadable(f"{own.path}.doseRange leaves it open how much is taken")
    return milligrams(ends[0], drug, own.path)


def _kind(rate: Mapping[str, Any]) -> str:
    codings = rate.get("type", {}).get("coding", ())
    return str(next((c.get("code") for c in codings), "ordered"))


def milligrams(quantity: Any, drug: str, path: str) -> float:
    """A quantity of the drug in mg."""
    fields = Fields.of(quantity, path)
    value, unit, system, code = (fields.take(name) for name in ("value", "unit", "system", "code"))
    fields.done()
    if value is None:
        raise Unreadable(f"{path} has no value")
    told = SNOMED_UNITS.get(code, code) if system == SNOMED else code
    converted = convert(drug, float(value), told or unit or "", DOSE_UNITS, "mg", (0.0, dose_max_mg(drug)))
    if isinstance(converted, str) or converted <= 0.0:
        raise Unreadable(converted if isinstance(converted, str) else f"{path} is {value:g}")
    return converted


def _said(fields: Fields, name: str, understood: frozenset[str]) -> None:
    """A concept that must be one of those that go without saying."""
    concept = fields.take(name)
    if concept is None:
        return
    said = {str(c.get(key, "")) for c in concept.get("coding", ()) for key in ("code", "display")}
    said |= {str(concept.get("text", ""))}
    if not {word if word.isupper() else word.lower() for word in said} & understood:
        raise Unreadable(f'{fields.path}.{name} is "{" ".join(sorted(filter(None, said)))}", which is not understood')


def _agrees(text: str, regimen: Regimen, path: str) -> None:
    if PRN.search(text) and not regimen.as_needed:
        raise Unreadable(f'{path} says "{text}", and its fields do not say as needed')
    a_day = len(regimen.cycle) * DAY_H / regimen.period_h
    for words, times in OFTEN:
        if re.search(words, text) and abs(a_day - times) > 1e-6:
            raise Unreadable(f'{path} says "{text}", and its fields {regimen}')


def _within(regimen: Regimen, single_mg: float, period: Any, administration: Any, path: str) -> None:
    """An order that goes beyond its own greatest dose is no order that is followed."""
    if administration is not None and single_mg > milligrams(administration, regimen.drug, path):
        raise Unreadable(f"{path} goes beyond its own maxDosePerAdministration")
    if period is None:
        return
    most, over = period.get("numerator"), period.get("denominator") or {}
    unit = over.get("code") or over.get("unit")
    if unit not in PER_H or most is None:
        raise Unreadable(f"{path}.maxDosePerPeriod is not understood")
    if regimen.most_mg(float(over.get("value", 1)) * PER_H[unit]) > milligrams(most, regimen.drug, path):
        raise Unreadable(f"{path} goes beyond its own maxDosePerPeriod")
