"""The parts that every FHIR R4 resource of ours is made of: identity, person, codes, quantities and the marks on it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from controller.patient.data.codes import CODES, LOCAL, LOINC, SHORT, UCUM, code_of

Json = dict[str, Any]
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"


@dataclass(frozen=True, slots=True)
class About:
    """Whom the bundle is about, and what is said on everything in it."""

    pseudonym: str
    disclaimer: str
    drug: str
    start: datetime  # midnight before the first sample
    simulated: bool = False

    @property
    def key(self) -> str:
        """What the ids of this person's resources begin with, so that no other person's are overwritten."""
        return hashlib.sha256(self.pseudonym.encode()).hexdigest()[:12]

    def at(self, time_h: float) -> str:
        """An hour of the recording as FHIR tells it."""
        return (self.start + timedelta(hours=time_h)).isoformat()

    def head(self, kind: str, key: str) -> Json:
        """What every resource begins with: it is research, and a simulated person is no patient of anybody."""
        tags = [{"system": LOCAL, "code": "research", "display": self.disclaimer}]
        if self.simulated:
            tags.append({"system": ACT_REASON, "code": "HTEST", "display": "test health data"})
        return {"resourceType": kind, "id": f"{self.key}-{key}", "meta": {"tag": tags}}

    def patient(self) -> Json:
        """The person, by the pseudonym alone."""
        identifier = {"system": LOCAL, "value": self.pseudonym}
        return {**self.head("Patient", "person"), "identifier": [identifier]}

    def subject(self) -> Json:
        """A reference to the person."""
        return {"reference": f"Patient/{self.key}-person", "display": self.pseudonym}


def reference(resource: Mapping[str, Any]) -> str:
    """The reference to a resource of the same bundle."""
    return f"{resource['resourceType']}/{resource['id']}"


def concept(item: str) -> Json:
    """The code of an item; what LOINC calls it in several ways is written in all of them."""
    known = code_of(item)
    codings = [c for c in CODES if c.item == item and (c is known or c.system == known.system == LOINC)]
    doubt = f" ({SHORT[known.system]} code to be verified)" if known.to_verify and known.system != LOCAL else ""
    return {
        "coding": [{"system": c.system, "code": c.code, "display": c.text} for c in codings],
        "text": known.text + doubt,
    }


def coded(system: str, code: str) -> Json:
    """A concept of one code."""
    return {"coding": [{"system": system, "code": code}]}


def quantity(value: float, unit: str, ucum: str) -> Json:
    """A value with its unit in UCUM."""
    return {"value": value, **({"unit": unit} if unit else {}), "system": UCUM, "code": ucum}
