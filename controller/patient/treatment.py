"""The treatment as it is known: of a person from the doses taken, and of files from what they tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from controller.patient.advice.case import Treatment
from controller.patient.data.samples import PatientFileFault, Recording, Sample
from controller.patient.pharmacology import studies
from controller.patient.pharmacology.drugs import DRUGS
from controller.patient.pharmacology.pharmacokinetics import Person, for_person
from controller.patient.snapshots import START


def treatment_of(
    samples: Sequence[Sample], drug: str = "escitalopram", person: Person | None = None, record: str = ""
) -> Treatment:
    """As the doses taken show it: the first one starts the treatment and is what is prescribed.

    `record` names the population model; without it the one that fits the person best is taken. Facts that `person`
    leaves open keep the defaults of Treatment.
    """
    first = next((s for s in samples if s.dose_mg > 0), None)
    dose_mg = first.dose_mg if first else DRUGS[drug].start_mg
    person = person or Person()
    chosen = studies.RECORDS[record] if record else studies.default(drug, person)
    treatment = Treatment(
        dose_mg=dose_mg,
        started_at=START + timedelta(hours=first.time_h) if first else None,
        pk=for_person(chosen, person, dose_mg),
        cyp2c19=person.cyp2c19,
        cyp2d6=person.cyp2d6,
        male=person.male,
        asian=person.asian,
        comedication=tuple(sorted(person.comedication)),
    )
    if person.age_years is not None:
        treatment = replace(treatment, age_years=person.age_years)
    return replace(treatment, weight_kg=person.weight_kg) if person.weight_kg is not None else treatment


def treatment_for(recording: Recording, person: Person | None = None) -> Treatment:
    """The treatment that the files tell of: drug, dose, interval and other drugs; `person` gives what they don't."""
    plan = recording.prescribed
    drug = plan.drug if plan is not None else "escitalopram"
    if drug not in DRUGS:
        raise PatientFileFault(f"the twin has no pharmacokinetics of {drug}; it has those of {', '.join(DRUGS)}")
    facts = person or Person()
    facts = replace(facts, comedication=facts.comedication | set(recording.others))
    treatment = treatment_of(recording.samples, drug, facts)
    if plan is None:
        return treatment
    every = treatment.every if plan.every_h is None else timedelta(hours=plan.every_h)
    return replace(treatment, every=every, dose_mg=plan.dose_mg or treatment.dose_mg)
