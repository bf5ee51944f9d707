"""Drugs out as FHIR R4: a dose on record as an administration, whatever was only said or assumed as a statement.

Nothing that nobody recorded leaves as a dose that was given. A draft is a proposal for discussion, never an order.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from controller.patient.comedication import Comedication
from controller.patient.data.codes import DRUGS
from controller.patient.data.fhir_write import About, Json, concept, quantity
from controller.patient.data.samples import Recording
from controller.patient.regimen import DAY_H, Regimen, Source


def drugs(about: About, data: Recording) -> list[Json]:
    """The drug that is followed, and the others."""
    made = [_statement(about, k, regimen) for k, regimen in enumerate(data.regimens) if data.assumed]
    given = data.given
    if not given and not data.assumed:
        given = tuple((about.start + timedelta(hours=s.time_h), s.dose_mg) for s in data.samples if s.dose_mg > 0)
    made += [_administration(about, k, at, mg) for k, (at, mg) in enumerate(given)]
    made += [_missed(about, k, at) for k, at in enumerate(data.missed)]
    return made + [_other(about, k, other) for k, other in enumerate(data.others)]


def _administration(about: About, k: int, at: datetime, mg: float) -> Json:
    return {
        **about.head("MedicationAdministration", f"dose-{k:04d}"),
        "status": "completed",
        "medicationCodeableConcept": concept(about.drug),
        "subject": about.subject(),
        "effectiveDateTime": at.isoformat(),
        "dosage": {"dose": quantity(mg, "mg", "mg")},
    }


def _missed(about: About, k: int, at: datetime) -> Json:
    return {
        **about.head("MedicationAdministration", f"missed-{k:04d}"),
        "status": "not-done",
        "medicationCodeableConcept": concept(about.drug),
        "subject": about.subject(),
        "effectiveDateTime": at.isoformat(),
    }


def _statement(about: About, k: int, regimen: Regimen) -> Json:
    said = "assumed by nobody's word" if regimen.source is Source.ASSUMED else f"as {regimen.source}"
    ended = {} if regimen.end is None else {"end": regimen.end.isoformat()}
    start = (regimen.start or about.start).isoformat()
    return {
        **about.head("MedicationStatement", f"regimen-{k}"),
        "status": "completed" if ended else "active",
        "medicationCodeableConcept": concept(about.drug),
        "subject": about.subject(),
        "effectivePeriod": {"start": start, **ended},
        "note": [{"text": f"Not every dose is on record: {said}. {about.disclaimer}"}],
        "dosage": dosages(regimen),
    }


def _other(about: About, k: int, other: Comedication) -> Json:
    """Another drug, with the time in which it is taken as far as that is known."""
    times = {"start": other.start, "end": other.until}
    period = {name: at.isoformat() for name, at in times.items() if at is not None}
    status = "unknown" if not other.sure else "active" if other.until is None else "completed"
    return {
        **about.head("MedicationStatement", f"other-{k}"),
        "status": status,
        "medicationCodeableConcept": concept(other.name) if other.name in DRUGS else {"text": other.name},
        "subject": about.subject(),
        **({"effectivePeriod": period} if period else {}),
    }


def draft(about: About, review: Mapping[str, Any]) -> Json | None:
    """The proposal of another dose, for discussion; None for a review of anything else."""
    if review["kind"] != "dose" or not review.get("proposed"):
        return None
    return {
        **about.head("MedicationRequest", f"draft-{review['index']:04d}"),
        "status": "draft",
        "intent": "proposal",
        "doNotPerform": False,
        "medicationCodeableConcept": concept(about.drug),
        "subject": about.subject(),
        "authoredOn": about.at(review["time_h"]),
        "note": [{"text": about.disclaimer}],
        "dosageInstruction": dosages(review["proposed"], "To discuss: "),
    }


def dosages(regimen: Regimen, before: str = "") -> list[Json]:
    """A regimen as Dosage: one instruction where its single doses are alike and evenly spaced, else one each."""
    gap, begin = regimen.period_h / len(regimen.cycle), regimen.cycle[0].at_h
    alike = len({i.mg for i in regimen.cycle}) == 1
    if alike and all(abs(i.at_h - begin - k * gap) < 1e-9 for k, i in enumerate(regimen.cycle)):
        return [_dosage(regimen.cycle[0].mg, {"frequency": 1, "period": gap, "periodUnit": "h"}, f"{before}{regimen}")]
    if regimen.start is None or regimen.period_h != DAY_H:
        return [{"text": f"{before}{regimen}"}]
    hours = [(regimen.start + timedelta(hours=i.at_h)).time().isoformat("seconds") for i in regimen.cycle]
    return [
        _dosage(i.mg, {"timeOfDay": [hour], "period": 1, "periodUnit": "d"}, f"{before}{i.mg:g} mg at {hour}")
        for i, hour in zip(regimen.cycle, hours, strict=True)
    ]


def _dosage(single_mg: float, repeat: Json, text: str) -> Json:
    return {
        "text": text,
        "timing": {"repeat": repeat},
        "doseAndRate": [{"doseQuantity": quantity(single_mg, "mg", "mg")}],
    }
