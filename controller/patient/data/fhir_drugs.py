"""Medication resources of FHIR R4 in: doses, statements, orders and dispenses, each obeyed as it was meant.

An administration is a dose on record, a statement says what is taken, an active order what should be. What changes the
meaning of a resource (doNotPerform, a modifierExtension, its status and intent) is obeyed, or the resource is not used
and that is told. A drug that is not the one followed counts while it is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from controller.patient.comedication import Comedication
from controller.patient.data.codes import DRUGS
from controller.patient.data.dosage import milligrams, regimens_of
from controller.patient.data.drug_names import Named, named
from controller.patient.data.fhir_status import (
    ENDED,
    NEVER,
    NOW,
    ORDERS,
    PERHAPS,
    PROPOSALS,
    SPANS,
    STATUS,
    begin,
    end_of,
    instant,
    moment,
)
from controller.patient.data.fields import Unreadable
from controller.patient.data.samples import Dose, Found, PatientFileFault
from controller.patient.regimen import Source

Json = Mapping[str, Any]
UNKNOWN = datetime(1, 1, 1, tzinfo=UTC)  # the start of an order that does not say it


@dataclass(slots=True)
class Drugs:
    """The medication resources of one bundle as they are being read."""

    found: Found
    skipped: Counter[str]
    medications: dict[str, Json] = field(default_factory=dict)  # by "Medication/id" and by full URL

    def take(self, where: str, resource: dict[str, Any], valid: Any) -> None:
        """One resource, as JSON and as validated."""
        kind = resource["resourceType"]
        if resource["status"] not in STATUS[kind]:
            raise PatientFileFault(f'{where}: "{resource["status"]}" is no status of FHIR R4')
        name, meaning = self._name(resource), STATUS[kind][resource["status"]]
        if "modifierExtension" in resource:
            self._unused(where, name)
        elif kind == "MedicationRequest" and not self._is_order(where, resource, name):
            return
        elif meaning == NEVER and resource["status"] != "not-done":
            self.skipped[f"status {resource['status']}"] += 1
        else:
            self._taken(where, resource, valid, name, meaning)

    def _is_order(self, where: str, resource: Json, name: Named) -> bool:
        if resource.get("doNotPerform"):
            self.skipped[f"a request not to give {name.text}"] += 1
            for drug in name.known:
                self.found.withheld.append((drug, f"{where} asks not to give {drug}"))
            return False
        if resource.get("intent") in PROPOSALS:
            self.skipped["a medication request that is a proposal, not an order"] += 1
            return False
        if resource.get("intent") not in ORDERS:
            raise PatientFileFault(f'{where}: "{resource.get("intent")}" is no intent of FHIR R4')
        return True

    def _taken(self, where: str, resource: dict[str, Any], valid: Any, name: Named, meaning: str) -> None:
        kind = resource["resourceType"]
        start, until = SPANS[kind](valid, meaning)
        if resource["status"] != "not-done":
            self._other(where, name, Comedication("", start, until, meaning != PERHAPS))
        for drug in (drug for drug in name.known if drug in DRUGS):
            try:
                if name.more or len(name.known) > 1:
                    raise Unreadable(f'"{name.words}" is more than this drug alone')
                READERS[kind](self, where, resource, valid, drug, meaning)
            except Unreadable as why:
                self.found.unreadable.append((drug, f"{where}: {drug}: {why}"))

    def _other(self, where: str, name: Named, told: Comedication) -> None:
        """Whatever it is, it is another drug for whichever one is followed."""
        self.found.others += [replace(told, name=drug) for drug in name.known]
        if name.more:
            words = name.words or "a drug without a name"
            self.found.others.append(replace(told, name=words.lower()))
            said = f"{where}: {words} is not known here, so what it does not go with was not checked"
            self.found.unknown.append((said, told, name.nameless))

    def _unused(self, where: str, name: Named) -> None:
        """A modifierExtension may say the contrary of all the rest: the drug may be taken, or not."""
        said = f"{where}: {name.text}: modifierExtension is not understood, so it was not used"
        self.found.unchecked.append(said)
        self.found.withheld += [(drug, said) for drug in name.known]
        self.found.others += [Comedication(drug, sure=False) for drug in name.known or (name.text.lower(),)]

    def administration(self, where: str, resource: dict[str, Any], valid: Any, drug: str, meaning: str) -> None:
        """A dose on record; one that was not done is a dose of nothing."""
        if resource["status"] not in {"completed", "not-done"}:
            self.skipped[f"status {resource['status']}"] += 1
            return
        at = moment(where, "effectiveDateTime", begin(valid, "effective"))
        if resource["status"] == "not-done":
            self.found.doses.append(Dose(at, drug, 0.0, where))
            return
        dosage = resource.get("dosage") or {}
        if "dose" not in dosage or "modifierExtension" in dosage:
            raise PatientFileFault(f"{where}: {drug} was given without dosage.dose")
        try:
            self.found.doses.append(Dose(at, drug, milligrams(dosage["dose"], drug, f"{drug}: dosage.dose"), where))
        except Unreadable as why:
            raise PatientFileFault(f"{where}: {why}") from None

    def statement(self, where: str, resource: dict[str, Any], valid: Any, drug: str, meaning: str) -> None:
        """What is taken, or was until then."""
        if meaning == PERHAPS:
            raise Unreadable(f"its status is {resource['status']}")
        start, end = begin(valid, "effective"), end_of(valid, "effective")
        dosage = list(resource.get("dosage", ()))
        if valid.effectiveDateTime is not None:  # of an active one the day of the report, of a completed one the dose
            end = None if meaning == NOW else start
            once = {"code": {"text": "QD"}}
            dosage = [{"timing": once, **d} for d in dosage] if meaning == ENDED else dosage
        if start is None or (meaning == ENDED and end is None):
            raise Unreadable("it does not say from when until when")
        self._regimens(where, dosage, drug, moment(where, "effectivePeriod.start", start), Source.STATED, end)

    def order(self, where: str, resource: dict[str, Any], valid: Any, drug: str, meaning: str) -> None:
        """An active order is the plan; one that is over is none."""
        if meaning == PERHAPS:
            raise Unreadable(f"its status is {resource['status']}")
        if meaning == ENDED:
            self.skipped[f"status {resource['status']}"] += 1
            return
        since = None if valid.authoredOn is None else moment(where, "authoredOn", valid.authoredOn)
        self._regimens(where, resource.get("dosageInstruction", ()), drug, since, Source.ORDERED, None)

    def dispense(self, where: str, resource: dict[str, Any], valid: Any, drug: str, meaning: str) -> None:
        """What was handed over may have been taken: nobody says so."""
        self.found.dispensed.append((drug, f"{where}: {drug} was dispensed, and what of it was taken is not said"))

    def _regimens(
        self, where: str, dosage: Any, drug: str, since: datetime | None, source: Source, end: datetime | date | None
    ) -> None:
        began = since or UNKNOWN
        for regimen in regimens_of(dosage, drug, began, source):
            last = min((at for at in (regimen.end, instant(end, last=True)) if at is not None), default=None)
            if since is None and regimen.end is not None and regimen.end.year == UNKNOWN.year:
                raise Unreadable("it says how long, but not since when")
            self.found.regimens.append((replace(regimen, end=last), where))

    def _name(self, resource: Json) -> Named:
        """By the resource's concept, or by the medication that it refers to."""
        concept, reference = resource.get("medicationCodeableConcept"), resource.get("medicationReference") or {}
        if concept is not None:
            return named([concept])
        key = str(reference.get("reference", ""))
        inside = {f"#{c.get('id')}": c for c in resource.get("contained", ())}
        medication = inside.get(key) or self.medications.get(key) or {}
        concepts = [medication.get("code"), *(i.get("itemCodeableConcept") for i in medication.get("ingredient", ()))]
        return named([c for c in concepts if c], filter(None, [reference.get("display")]))


READERS: dict[str, Callable[[Drugs, str, dict[str, Any], Any, str, str], None]] = {
    "MedicationRequest": Drugs.order,
    "MedicationStatement": Drugs.statement,
    "MedicationAdministration": Drugs.administration,
    "MedicationDispense": Drugs.dispense,
}
