"""What changes the meaning of a medication resource is obeyed, and what is not there or not read is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.patient.advice.constraints import red_flags
from controller.patient.advice.reviews import Picture
from controller.patient.data.codes import LOCAL, RXNORM, UCUM
from controller.patient.data.drug_names import named
from controller.patient.data.reader import read
from controller.patient.data.samples import PatientFileFault, Recording
from controller.patient.scenario import run
from controller.patient.snapshots import START
from controller.patient.treatment import treatment_for

Json = dict[str, Any]
DAY_1 = datetime(2026, 3, 1, 8, tzinfo=UTC)
SOMEBODY = {"reference": "Patient/p1"}
PHENELZINE = {"system": "http://www.whocc.no/atc", "code": "N06AF03"}
CODES = {"escitalopram": "321988", "sertraline": "36437", "venlafaxine": "39786", "lamotrigine": "28439"}


def _at(days: float) -> str:
    return (DAY_1 + timedelta(days=days)).isoformat()


def _diary(days: int = 10) -> list[Json]:
    """A wretched diary, four times a day."""
    codes = {"stress-1-10": 9.0, "mood-1-10": 3.0}
    made = [_observation(f"{code}-{k}", code, k / 4, value) for k in range(4 * days) for code, value in codes.items()]
    nights = [_observation(f"sleep-{k}", "93832-4", float(k), 5.0, "http://loinc.org", "h") for k in range(days)]
    return made + nights


def _observation(key: str, code: str, days: float, value: float, system: str = LOCAL, unit: str = "{score}") -> Json:
    return {
        "resourceType": "Observation",
        "id": key,
        "status": "final",
        "subject": SOMEBODY,
        "code": {"coding": [{"system": system, "code": code}]},
        "effectiveDateTime": _at(days),
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
    }


def _concept(drug: str) -> Json:
    coding = [{"system": RXNORM, "code": CODES[drug]}] if drug in CODES else []
    return {"coding": coding, "text": drug} if coding else {"text": drug}


def _dosage(mg: float, times: int = 1) -> list[Json]:
    return [
        {
            "timing": {"repeat": {"frequency": times, "period": 1, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": mg, "unit": "mg", "system": UCUM, "code": "mg"}}],
        }
    ]


def _resource(kind: str, drug: str, status: str, **more: Any) -> Json:
    made = {
        "resourceType": kind,
        "id": f"{kind[10:14].lower()}-{drug.split()[0].strip(',')}",
        "status": status,
        "subject": SOMEBODY,
        "medicationCodeableConcept": _concept(drug),
    }
    return {name: value for name, value in {**made, **more}.items() if value is not None}


def _order(drug: str = "escitalopram", mg: float | None = 5.0, times: int = 1, **more: Any) -> Json:
    dosage = {} if mg is None else {"dosageInstruction": _dosage(mg, times)}
    order = {"intent": "order", "authoredOn": _at(0), **dosage, **more}
    return _resource("MedicationRequest", drug, order.pop("status", "active"), **order)


def _statement(drug: str, status: str = "active", start: float = -30, end: float | None = None, **more: Any) -> Json:
    period = {"start": _at(start)} if end is None else {"start": _at(start), "end": _at(end)}
    return _resource("MedicationStatement", drug, status, effectivePeriod=period, **more)


def _file(folder: Path, *resources: Json, name: str = "bundle.json", **bundle: Any) -> Path:
    entries = [{"resource": r} for r in resources]
    path = folder / name
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries, **bundle}))
    return path


def _read(folder: Path, *resources: Json, **bundle: Any) -> Recording:
    return read(_file(folder, *_diary(), *resources, **bundle))


def _flags(seen: Recording, days: float) -> tuple[str, ...]:
    """The red flags so many days after the first report."""
    now = START + timedelta(hours=8, days=days)
    treatment = treatment_for(seen).at(now)
    calm = {"red_flag_mood": 0.0, "red_flag_activation": 0.0}
    return red_flags(Picture(now, treatment, 5.0, 0.4, calm, 7.0, 7.0, 0.5, 0.5, 0.0, 5.0, 1.0, (0.1, 0.1), 0.0))


LONG_AGO = {"whenHandedOver": _at(-300), "daysSupply": {"value": 30}}
REFUSED = {"severity": "warning", "code": "suppressed", "diagnostics": "not authorised"}


@pytest.mark.parametrize(
    ("other", "urgent"),
    [
        (_order("linezolid", None), True),
        (_order("linezolid", None, doNotPerform=True), False),
        (_order("linezolid", None, intent="proposal"), False),
        (_order("linezolid", None, status="on-hold"), False),
        (_order("linezolid", None, status="completed", authoredOn="2015-01-01T08:00:00Z"), False),
        (_order("linezolid", None, authoredOn=_at(270)), False),
        (_statement("linezolid, 600 mg"), True),
        (_statement("Linezolida 600 mg"), True),
        (_statement("linezolid", "not-taken"), False),
        (_statement("linezolid", "intended"), False),
        (_statement("linezolid", "entered-in-error"), False),
        (_statement("linezolid", "unknown"), False),
        (_statement("phenelzine", "completed", -4000, -3900), False),
        (_statement("phenelzine", "completed", -90, -1), True),
        (_statement("phenelzine", "stopped", -90, -20), False),
        (_statement("linezolid", "completed", -9, -3), False),
        (_statement("x", medicationCodeableConcept={"coding": [PHENELZINE]}), True),
        (_statement("x", medicationCodeableConcept={"text": "antibiotic", "coding": [{"display": "Linezolid"}]}), True),
        (_statement("x", medicationCodeableConcept=None, medicationReference={"display": "pimozide"}), True),
        (_statement("x", medicationCodeableConcept=None, medicationReference={"reference": "#m"},
                    contained=[{"resourceType": "Medication", "id": "m", "code": {"text": "Linezolid"}}]), True),
        (_resource("MedicationDispense", "linezolid", "completed", whenHandedOver=_at(1)), True),
        (_resource("MedicationDispense", "linezolid", "declined", whenHandedOver=_at(1)), False),
        (_resource("MedicationDispense", "pimozide", "completed", **LONG_AGO), False),
        (_resource("MedicationAdministration", "linezolid", "in-progress", effectivePeriod={"start": _at(2)}), True),
        (_resource("MedicationAdministration", "linezolid", "not-done", effectiveDateTime=_at(4.9)), False),
    ],
)  # fmt: skip
def test_another_drug_counts_while_it_acts_and_is_meant(tmp_path: Path, other: Json, urgent: bool) -> None:
    assert bool(_flags(_read(tmp_path, _order(), other), 5.0)) is urgent


@pytest.mark.parametrize("status", ["on-hold", "unknown"])
def test_what_may_be_taken_forbids_more_of_the_drug_and_is_no_alarm(tmp_path: Path, status: str) -> None:
    seen = _read(tmp_path, _order(), _statement("linezolid", status))
    reviews = run("perhaps", rows=seen.samples, treatment=treatment_for(seen)).suggestions
    assert not {"urgent", "dose"} & {r.kind for r in reviews}
    assert any("H6: linezolid may be taken" in text for r in reviews for text in r.blocked)


def test_an_order_not_to_give_is_no_order_and_keeps_every_advice_on_the_dose_back(tmp_path: Path) -> None:
    seen = _read(tmp_path, _order(doNotPerform=True))
    assert seen.regimens == () and not any(s.dose_mg for s in seen.samples)
    assert "asks not to give escitalopram" in seen.withheld[0]


@pytest.mark.parametrize(
    "change",
    [
        {"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]},
        {"dosageInstruction": [{**_dosage(5.0)[0], "additionalInstruction": [{"text": "on odd days"}]}]},
        {"dosageInstruction": [{"text": "one a day"}]},
        {"dosageInstruction": None},
        {"status": "on-hold"},
    ],
)
def test_an_order_that_is_not_understood_is_named_on_every_advice_and_none_is_about_the_dose(
    tmp_path: Path, change: Json
) -> None:
    seen = _read(tmp_path, _order(**change))
    reviews = run("unread", rows=seen.samples, treatment=treatment_for(seen)).suggestions
    assert reviews and all(
        "NOT CHECKED: " in r.reason and "(MedicationRequest/requ-escitalopram)" in r.reason for r in reviews
    )
    assert not {"dose", "replacement"} & {r.kind for r in reviews}


@pytest.mark.parametrize(
    ("more", "bundle", "sentence"),
    [
        ({}, {"link": [{"relation": "next", "url": "https://fhir.invalid?page=2"}]}, "has further pages"),
        ({}, {"type": "searchset", "total": 5000}, "entries of 5000"),
        ({"resourceType": "OperationOutcome", "issue": [REFUSED]}, {}, 'said "not authorised"'),
        ({"resourceType": "Bundle", "type": "collection", "entry": []}, {}, "could hold a drug"),
        ({"resourceType": "MedicationOrder", "status": "active"}, {}, "could hold a drug"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told_on_every_advice_and_none_is_about_the_dose(
    tmp_path: Path, more: Json, bundle: Json, sentence: str
) -> None:
    seen = _read(tmp_path, _order(), *([more] if more else []), **bundle)
    reviews = run("partial", rows=seen.samples, treatment=treatment_for(seen)).suggestions
    assert reviews and all(sentence in r.reason for r in reviews)
    assert not {"dose", "replacement"} & {r.kind for r in reviews}


def test_a_drug_that_is_not_known_is_told_on_every_advice(tmp_path: Path) -> None:
    seen = _read(tmp_path, _order(), _statement("Zyvox 600 mg"), _statement("Not escitalopram - patient refused"))
    reviews = run("unknown", rows=seen.samples, treatment=treatment_for(seen)).suggestions
    for words in ("Zyvox 600 mg", "Not escitalopram - patient refused"):
        assert all(f"{words} is not known here" in r.reason for r in reviews)
    long_ago = _read(tmp_path, _order(), _statement("Zyvox 600 mg", "completed", -4000, -3990))
    assert long_ago.unchecked == ()


def test_two_people_are_refused_across_files_unless_somebody_says_that_they_are_one(tmp_path: Path) -> None:
    diary = _file(tmp_path, *_diary(2))
    other = {**_statement("linezolid"), "subject": {"reference": "Patient/p2"}}
    record = _file(tmp_path, other, name="record.json")
    with pytest.raises(PatientFileFault, match=r"is about Patient/p2, but .* is about Patient/p1; .*--same-person"):
        read([diary, record])
    assert [o.name for o in read([diary, record], same_person=True).others] == ["linezolid"]


def test_a_person_known_by_url_and_identifier_is_one_and_a_second_one_in_the_bundle_is_refused(tmp_path: Path) -> None:
    person = {"resourceType": "Patient", "id": "p1", "identifier": [{"value": "77"}]}
    by_identifier = {**_order(), "subject": {"identifier": {"value": "77"}}}
    assert _read(tmp_path, person, by_identifier).drug == "escitalopram"
    with pytest.raises(PatientFileFault, match="is about Patient/p2"):
        _read(tmp_path, person, {"resourceType": "Patient", "id": "p2"})


def test_recorded_stated_and_ordered_doses_are_merged_by_trust(tmp_path: Path) -> None:
    dose = {"dose": {"value": 10, "unit": "mg"}}
    given = _resource("MedicationAdministration", "escitalopram", "completed", effectiveDateTime=_at(2.1), dosage=dose)
    stated = _statement("escitalopram", start=0, dosage=_dosage(10.0))
    assert sum(s.dose_mg for s in _read(tmp_path, stated, given).samples) == 100.0
    until = _statement("escitalopram", "completed", 0, 3, dosage=_dosage(5.0))
    seen = _read(tmp_path, until, _order(mg=10.0))
    assert [r.daily_mg for r in seen.regimens] == [5.0, 10.0] and seen.assumed
    assert sum(s.dose_mg for s in seen.samples) == 4 * 5.0 + 6 * 10.0
    differing = _read(tmp_path, given, _order(mg=20.0))
    assert differing.withheld == ("20 mg every 24 h is ordered, and on record is 10 mg every 24 h",)


def test_a_second_drug_that_the_twin_does_not_follow_is_comedication(tmp_path: Path) -> None:
    seen = _read(tmp_path, _order(), _statement("venlafaxine", dosage=_dosage(75.0)))
    assert seen.drug == "escitalopram" and [o.name for o in seen.others] == ["venlafaxine"]


@pytest.mark.parametrize(
    ("words", "known", "more"),
    [
        ("Escitalopram 10 MG Oral Tablet", ("escitalopram",), False),
        ("escitalopram 20 mg/mL oral solution", ("escitalopram",), False),
        ("Linezolida", ("linezolid",), False),
        ("Tranylcypromin", ("tranylcypromine",), False),
        ("olanzapine / fluoxetine 6/25", ("fluoxetine",), True),
        ("escitalopram and linezolid", ("escitalopram", "linezolid"), False),
        ("desvenlafaxine 50 mg", (), True),
        ("not escitalopram", (), True),
        ("Zyvox", (), True),
    ],
)
def test_drugs_are_known_by_their_whole_names(words: str, known: tuple[str, ...], more: bool) -> None:
    found = named([{"text": words}])
    assert (found.known, found.more) == (known, more)


def test_a_medication_of_several_drugs_is_no_dose_of_one_of_them(tmp_path: Path) -> None:
    both = _statement("x", medicationCodeableConcept={"text": "olanzapine / fluoxetine"}, dosage=_dosage(25.0))
    seen = _read(tmp_path, both)
    assert not any(s.dose_mg for s in seen.samples)
    assert "is more than this drug alone" in seen.withheld[0]


def test_the_very_same_twice_an_answer_and_a_deleted_resource_refuse_no_file(tmp_path: Path) -> None:
    path = _file(tmp_path, *_diary(2), _order(), _order(), _statement("linezolid"))
    content = json.loads(path.read_text())
    content["entry"] += [
        {"response": {"status": "200"}},
        {"request": {"method": "DELETE", "url": "MedicationStatement/stat-linezolid"}},
    ]
    path.write_text(json.dumps(content))
    seen = read(path)
    assert [str(r) for r in seen.regimens] == ["5 mg every 24 h"] and seen.others == ()
    assert any("a resource that was deleted" in note for note in seen.notes)


def test_a_drug_with_nothing_but_an_unknown_code_may_be_any_and_nothing_is_said_of_the_dose(tmp_path: Path) -> None:
    coded = {"coding": [{"system": RXNORM, "code": "999999999"}]}
    seen = _read(tmp_path, _order(), _statement("x", medicationCodeableConcept=coded))
    assert "code 999999999 is not known here" in seen.withheld[0] and seen.withheld[0] in seen.unchecked
