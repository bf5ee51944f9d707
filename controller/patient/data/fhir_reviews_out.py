"""Reviews out as FHIR R4: each as an issue, its guidance, and what is proposed. Nothing here is an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controller.patient.data.codes import LOCAL
from controller.patient.data.fhir_drugs_out import draft
from controller.patient.data.fhir_write import About, Json, concept, reference

MODULE = "urn:neurotwin:patient-review"
SEVERITY = {"urgent": "high", "dose": "moderate", "replacement": "moderate", "adherence": "moderate"}


def unchecked(about: About, sentences: Sequence[str]) -> list[Json]:
    """What of the record could not be read, for whoever reads the bundle next."""
    return [
        {
            **about.head("DetectedIssue", f"unchecked-{k}"),
            "status": "preliminary",
            "code": concept("unchecked"),
            "severity": "high",
            "patient": about.subject(),
            "detail": sentence,
        }
        for k, sentence in enumerate(sentences)
    ]


def review_of(about: About, review: Mapping[str, Any]) -> list[Json]:
    """What was found, the guidance, what it proposes, and for a dose the draft of a request."""
    key, when = f"{review['index']:04d}", about.at(review["time_h"])
    seen = {"reference": f"Observation/{about.key}-stability-{key}"}
    issue: Json = {
        **about.head("DetectedIssue", f"issue-{key}"),
        "status": "preliminary",
        "code": concept("review"),
        "severity": SEVERITY.get(review["kind"], "low"),
        "patient": about.subject(),
        "identifiedDateTime": when,
        "implicated": [seen],
        "evidence": [{"detail": [seen]}],
        "detail": f"{review['reason']} {about.disclaimer}",
    }
    proposed = draft(about, review) or _message(about, review)
    action = {"title": review["kind"], "description": review["reason"], "resource": {"reference": reference(proposed)}}
    group: Json = {
        **about.head("RequestGroup", f"plan-{key}"),
        "status": "draft",
        "intent": "proposal",
        "subject": about.subject(),
        "authoredOn": when,
        "note": [{"text": about.disclaimer}],
        "action": [action],
    }
    guidance: Json = {
        **about.head("GuidanceResponse", f"guidance-{key}"),
        "identifier": [{"system": LOCAL, "value": f"{about.key}-{review['index']}"}],
        "moduleUri": MODULE,
        "status": "success",
        "subject": about.subject(),
        "occurrenceDateTime": when,
        "reasonCode": [{"text": review["reason"]}],
        "reasonReference": [seen],
        "note": [{"text": text} for text in (about.disclaimer, *_notes(about, review))],
        "result": {"reference": reference(group)},
    }
    return [issue, guidance, group, proposed]


def _message(about: About, review: Mapping[str, Any]) -> Json:
    """What is proposed where it is no other dose: that a person hears of it."""
    return {
        **about.head("CommunicationRequest", f"message-{review['index']:04d}"),
        "status": "draft",
        "subject": about.subject(),
        "authoredOn": about.at(review["time_h"]),
        "payload": [{"contentString": review["reason"]}],
        "note": [{"text": about.disclaimer}],
    }


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
    return [*told, f"Expires at {about.at(review['expires_h'])}."]
