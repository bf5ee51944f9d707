"""A FHIR R4 Bundle out: a transaction of the person, the samples, the doses, the score, and each review.

Everything that we say is marked as research: in the tag of the resource and in a note. Every resource is put under an
id of this person's own, so that taking the bundle twice changes nothing, and nobody else's is overwritten.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fhir.resources.R4B.bundle import Bundle

from controller.patient.advice.stability import CHANNELS
from controller.patient.data.channels import BY_NAME, EXTRAS
from controller.patient.data.codes import code_of
from controller.patient.data.fhir_drugs_out import drugs
from controller.patient.data.fhir_reviews_out import review_of, unchecked
from controller.patient.data.fhir_write import About, Json, coded, concept, quantity, reference
from controller.patient.data.samples import Recording, Sample

__all__ = ["About", "bundle"]

ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
BASE = "http://neurotwin.invalid/fhir/"  # a name that never resolves; references in the bundle are relative to it
CATEGORIES = {"sleep": "activity", "steps": "activity", "level": "laboratory"}
CATEGORIES |= dict.fromkeys(("heart_rate", "spo2", "temperature", "heart_rate_variability"), "vital-signs")


def bundle(about: About, data: Recording, scenario: Mapping[str, Any] | None = None) -> Json:
    """The bundle as JSON: the recording alone, or with what the scenario (as its JSON) made of it.

    Raises ValueError when FHIR would not accept it, which would be a bug here.
    """
    resources = [about.patient()] + [r for k, sample in enumerate(data.samples) for r in _sample(about, k, sample)]
    resources += drugs(about, data) + unchecked(about, list(dict.fromkeys((*data.unchecked, *data.withheld))))
    resources += [
        _observation(about, f"level-{k:04d}", "level", level.time_h, level.ng_per_ml)
        for k, level in enumerate(data.levels)
    ]
    if scenario is not None:
        resources += [_score(about, interval) for interval in scenario["intervals"]]
        resources += [r for review in scenario["suggestions"] for r in review_of(about, review)]
    made = {
        "resourceType": "Bundle",
        "type": "transaction",
        "timestamp": about.at(data.samples[-1].time_h if data.samples else 0.0),
        "entry": [
            {"fullUrl": f"{BASE}{ref}", "resource": r, "request": {"method": "PUT", "url": ref}}
            for r in resources
            if (ref := reference(r))
        ],
    }
    valid = Bundle.model_validate(made)
    result: Json = json.loads(valid.model_dump_json(exclude_none=True))
    return result


def _sample(about: About, k: int, sample: Sample) -> list[Json]:
    values: dict[str, float | None] = {c: getattr(sample, c) for c in CHANNELS}
    values |= {c: sample.extras[c] for c in EXTRAS if c in sample.extras}
    return [
        _observation(about, f"{c.replace('_', '-')}-{k:04d}", c, sample.time_h, value)  # an id has no underscore
        for c, value in values.items()
    ]


def _observation(about: About, key: str, channel: str, time_h: float, value: float | None) -> Json:
    made = {
        **about.head("Observation", key),
        "status": "final",
        "category": [coded(CATEGORY, CATEGORIES.get(channel, "survey"))],
        "code": concept(channel),
        "subject": about.subject(),
        "effectiveDateTime": about.at(time_h),
    }
    if channel == "level":
        made["code"]["text"] = f"{made['code']['text']}: {about.drug}"
    if value is None:
        return made | {"dataAbsentReason": coded(ABSENT, "unknown")}
    return made | {"valueQuantity": quantity(value, BY_NAME[channel].unit, code_of(channel).ucum)}


def _score(about: About, interval: Mapping[str, Any]) -> Json:
    """The score with its components, each with a code of its own."""
    parts = [
        {"code": concept(name), "valueQuantity": quantity(value, "", "1")}
        for name, value in interval["components"].items()
    ]
    return {
        **about.head("Observation", f"stability-{interval['index']:04d}"),
        "status": "final",
        "category": [coded(CATEGORY, "survey")],
        "code": concept("stability"),
        "subject": about.subject(),
        "effectiveDateTime": about.at(interval["time_h"]),
        "valueQuantity": quantity(interval["score"], "", "1"),
        "component": parts,
        "note": [{"text": about.disclaimer}],
    }
