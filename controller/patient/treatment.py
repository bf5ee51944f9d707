"""The treatment as it is known: of a simulated person from the doses taken, and of files from what they tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from controller.patient.advice.case import Treatment
from controller.patient.data.samples import UNDATED, PatientFileFault, Recording, Sample
from controller.patient.pharmacology import studies
from controller.patient.pharmacology.covariates import Person, for_person
from controller.patient.pharmacology.drugs import DRUGS
from controller.patient.recorded import recorded
from controller.patient.regimen import Regimen, every
from controller.patient.snapshots import START

ASSUMED = "escitalopram"  # where no drug is known of


def treatment_of(
    samples: Sequence[Sample],
    drug: str = ASSUMED,
    person: Person | None = None,
    record: str = "",
    regimens: tuple[Regimen, ...] = (),
) -> Treatment:
    """The treatment of a person who takes the drug so; without `regimens` as the doses of the samples show it.

    `record` names the population model; without it the one that fits the person best is taken. Facts that `person`
    leaves open keep the defaults of Treatment.
    """
    taken = [(START + timedelta(hours=s.time_h), s.dose_mg) for s in samples if s.dose_mg > 0]
    regimens = regimens or recorded(drug, taken) or (every(drug, DRUGS[drug].start_mg),)
    person = person or Person()
    chosen = studies.RECORDS[record] if record else studies.default(drug, person)
    treatment = Treatment(
        regimens=regimens,
        started_at=min(taken[0][0], regimens[0].start or taken[0][0]) if taken else None,
        pk=for_person(chosen, person, regimens[0].daily_mg),
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
    """The treatment that the files tell of; `person` gives what they don't."""
    drug = recording.drug or ASSUMED
    if drug not in DRUGS:
        raise PatientFileFault(f"the twin has no pharmacokinetics of {drug}; it has those of {', '.join(DRUGS)}")
    ours = START - (recording.start or UNDATED)  # the loop's clock begins with the recording
    regimens = tuple(regimen.moved(ours) for regimen in recording.regimens)
    others = tuple(other.moved(ours) for other in recording.others)
    facts = person or Person()
    known = facts.comedication | {other.name for other in others if other.sure and other.acts(START)}
    treatment = treatment_of(recording.samples, drug, replace(facts, comedication=known), regimens=regimens)
    return replace(
        treatment,
        comedication=tuple(sorted(facts.comedication)),
        others=others,
        unchecked=recording.unchecked,
        withheld=recording.withheld,
        reported=tuple(at + ours for at in recording.suicidality),
        ecgs=tuple(
            (START + timedelta(hours=s.time_h), s.extras["qtc"]) for s in recording.samples if "qtc" in s.extras
        ),
    )
