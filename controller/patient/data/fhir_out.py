"""A FHIR R4 Bundle out: the samples, the doses, the score, and each review as issue, guidance and draft request.

Everything that we say is marked as research: in the tag of the resource and in a note. Nothing here is an order. A
medication request is a draft with the intent of a proposal, and only a suggestion about the dose has one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fhir.resources.R4B.bundle import Bundle

from controller.patient.advice.stability import CHANNELS
from controller.patient.data.channels import BY_NAME, EXTRAS
from controller.patient.data.codes import LOCAL, SHORT, UCUM, code_of
from controller.patient.data.samples import Recording, Sample
from controller.patient.regimen import DAY_H, Regimen

Json = dict[str, Any]
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
BASE = "http://neurotwin.invalid/fhir/"  # a name that never resolves; references in the bundle are relative to it
MODULE = "urn:neurotwin:patient-review"
CATEGORIES = {"sleep": "activity", "steps": "activity", "level": "laboratory"}
CATEGORIES |= dict.fromkeys(("heart_rate", "spo2", "temperature", "heart_rate_variability"), "vital-signs")
SEVERITY = {"urgent": "high", "dose": "moderate", "replacement": "moderate", "adherence": "moderate"}


@dataclass(frozen=True, slots=True)
class About:
    """Whom the bundle is about, and what is said on everything in it."""

    pseudonym: str
    disclaimer: str
    drug: str
    start: datetime  # midnight before the first sample


def bundle(about: About, data: Recording, scenario: Mapping[str, Any] | None = None) -> Json:
    """The bundle as JSON: the recording alone, or with what the scenario (as its JSON) made of it.

    Raises ValueError when FHIR would not accept it, which would be a bug here.
    """
    resources = [r for k, sample in enumerate(data.samples) for r in _sample(about, k, sample)]
    resources += [
        _observation(about, f"level-{k:04d}", "level", level.time_h, level.ng_per_ml)
        for k, level in enumerate(data.levels)
    ]
    if scenario is not None:
        resources += [_score(about, interval) for interval in scenario["intervals"]]
        resources += [r for review in scenario["suggestions"] for r in _review(about, review)]
    made = {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": _at(about, data.samples[-1].time_h if data.samples else 0.0),
        "entry": [{"fullUrl": f"{BASE}{_ref(r)}", "resource": r} for r in resources],
    }
    valid = Bundle.model_validate(made)
    result: Json = json.loads(valid.model_dump_json(exclude_none=True))
    return result


def _sample(about: About, k: int, sample: Sample) -> list[Json]:
    values: dict[str, float | None] = {c: getattr(sample, c) for c in CHANNELS}
    values |= {c: sample.extras[c] for c in EXTRAS if c in sample.extras}
    made = [_observation(about, f"{_id(c)}-{k:04d}", c, sample.time_h, value) for c, value in values.items()]
    if sample.dose_mg > 0:
        made.append(_administration(about, k, sample))
    return made


def _observation(about: About, key: str, channel: str, time_h: float, value: float | None) -> Json:
    made = {
        **_head(about, "Observation", key),
        "status": "final",
        "category": [_coded(CATEGORY, CATEGORIES.get(channel, "survey"))],
        "code": _concept(channel),
        "subject": _subject(about),
        "effectiveDateTime": _at(about, time_h),
    }
    if value is None:
        return made | {"dataAbsentReason": _coded(ABSENT, "unknown")}
    return made | {"valueQuantity": _quantity(value, BY_NAME[channel].unit, code_of(channel).ucum)}


def _administration(about: About, k: int, sample: Sample) -> Json:
    return {
        **_head(about, "MedicationAdministration", f"dose-{k:04d}"),
        "status": "completed",
        "medicationCodeableConcept": _concept(about.drug),
        "subject": _subject(about),
        "effectiveDateTime": _at(about, sample.time_h),
        "dosage": {"dose": _quantity(sample.dose_mg, "mg", "mg")},
    }


def _score(about: About, interval: Mapping[str, Any]) -> Json:
    """The score with its components, each with a code of its own."""
    parts = [
        {"code": _concept(name), "valueQuantity": _quantity(value, "", "1")}
        for name, value in interval["components"].items()
    ]
    return {
        **_head(about, "Observation", f"stability-{interval['index']:04d}"),
        "status": "final",
        "category": [_coded(CATEGORY, "survey")],
        "code": _concept("stability"),
        "subject": _subject(about),
        "effectiveDateTime": _at(about, interval["time_h"]),
        "valueQuantity": _quantity(interval["score"], "", "1"),
        "component": parts,
        "note": [{"text": about.disclaimer}],
    }


def _review(about: About, review: Mapping[str, Any]) -> list[Json]:
    """What was found, the guidance, what it proposes, and for a dose the draft of a request."""
    key, when = f"{review['index']:04d}", _at(about, review["time_h"])
    issue: Json = {
        **_head(about, "DetectedIssue", f"issue-{key}"),
        "status": "preliminary",
        "code": _concept("review"),
        "severity": SEVERITY.get(review["kind"], "low"),
        "patient": _subject(about),
        "identifiedDateTime": when,
        "implicated": [{"reference": f"Observation/stability-{key}"}],
        "evidence": [{"detail": [{"reference": f"Observation/stability-{key}"}]}],
        "detail": f"{review['reason']} {about.disclaimer}",
    }
    proposed = _draft(about, review)
    action: Json = {"title": review["kind"], "description": review["reason"]}
    if proposed is not None:
        action["resource"] = {"reference": _ref(proposed)}
    group: Json = {
        **_head(about, "RequestGroup", f"plan-{key}"),
        "status": "draft",
        "intent": "proposal",
        "subject": _subject(about),
        "authoredOn": when,
        "note": [{"text": about.disclaimer}],
        "action": [action],
    }
    guidance: Json = {
        **_head(about, "GuidanceResponse", f"guidance-{key}"),
        "identifier": [{"system": LOCAL, "value": review["id"]}],
        "moduleUri": MODULE,
        "status": "success",
        "subject": _subject(about),
        "occurrenceDateTime": when,
        "reasonCode": [{"text": review["reason"]}],
        "reasonReference": [{"reference": _ref(issue)}],
        "note": [{"text": text} for text in (about.disclaimer, *_notes(about, review))],
        "result": {"reference": _ref(group)},
    }
    return [issue, guidance, group, *([proposed] if proposed else [])]


def _notes(about: About, review: Mapping[str, Any]) -> list[str]:
    """What stands beside the reason: the gates that held, and until when it may be considered."""
    told = [f"Held back by a hard constraint: {text}" for text in review.get("blocked", ())]
    for evidence in review.get("evidence", ()):
        doubt = " To be verified by a person." if evidence["verify"] else ""
        told.append(f"Evidence ({evidence['strength']}): {evidence['id']}, {evidence['citation']}.{doubt}")
    if review.get("confidence") is not None:
        carrying_on = "mood rises by what counts within seven days, as prescribed"
        what = "the benefit is more than the least that counts" if review["effect"] else carrying_on
        told.append(f"Probability that {what}: {review['confidence']:.2f}.")
    told += [f"Alternative: {text}" for text in review.get("alternatives", ())]
    return [*told, f"Expires at {_at(about, review['expires_h'])}."]


def _draft(about: About, review: Mapping[str, Any]) -> Json | None:
    if review["kind"] != "dose" or not review.get("proposed"):
        return None
    return {
        **_head(about, "MedicationRequest", f"draft-{review['index']:04d}"),
        "status": "draft",
        "intent": "proposal",
        "doNotPerform": False,
        "medicationCodeableConcept": _concept(about.drug),
        "subject": _subject(about),
        "authoredOn": _at(about, review["time_h"]),
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
        "doseAndRate": [{"doseQuantity": _quantity(single_mg, "mg", "mg")}],
    }


def _head(about: About, kind: str, key: str) -> Json:
    tag = {"system": LOCAL, "code": "research", "display": about.disclaimer}
    return {"resourceType": kind, "id": key, "meta": {"tag": [tag]}}


def _subject(about: About) -> Json:
    return {"identifier": {"system": LOCAL, "value": about.pseudonym}, "display": about.pseudonym}


def _concept(item: str) -> Json:
    known = code_of(item)
    coding = {"system": known.system, "code": known.code, "display": known.text}
    doubt = f" ({SHORT[known.system]} code to be verified)" if known.to_verify and known.system != LOCAL else ""
    return {"coding": [coding], "text": known.text + doubt}


def _coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def _quantity(value: float, unit: str, ucum: str) -> Json:
    return {"value": value, **({"unit": unit} if unit else {}), "system": UCUM, "code": ucum}


def _at(about: About, time_h: float) -> str:
    return (about.start + timedelta(hours=time_h)).isoformat()


def _id(channel: str) -> str:
    return channel.replace("_", "-")  # an id of FHIR has no underscore


def _ref(resource: Mapping[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"
