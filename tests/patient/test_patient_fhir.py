"""FHIR R4 bundles in and out: what goes out comes back, it validates, and mistakes name their entry."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from fhir.resources.R4B.bundle import Bundle
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.patient import outputs as patient_outputs
from controller.patient.advice.loop import DISCLAIMER
from controller.patient.audit import audit
from controller.patient.data import fhir_out
from controller.patient.data.channels import BY_NAME, EXTRAS
from controller.patient.data.codes import LOCAL, LOINC, RXNORM, UCUM
from controller.patient.data.reader import read
from controller.patient.data.samples import PatientFileFault, Recording, Sample
from controller.patient.pharmacology.pharmacokinetics import Level
from controller.patient.recorded import recorded
from controller.patient.regimen import Source
from controller.patient.scenario import Scenario, run
from controller.patient.simulated import samples_of
from controller.patient.snapshots import START
from controller.patient.treatment import treatment_for

Patient = Callable[[str, int], Scenario]
Json = dict[str, Any]
ABOUT = fhir_out.About("patient-7", DISCLAIMER, "sertraline", START)


def _file(folder: Path, content: object) -> Path:
    path = folder / "bundle.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def _bundle(*resources: Json) -> Json:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]}


def _observation(key: str = "mood-1", code: str = "mood-1-10", system: str = LOCAL, **changes: Any) -> Json:
    quantity = {"value": 5.5, "unit": "points", "system": UCUM, "code": "{score}"}
    made = {
        "resourceType": "Observation",
        "id": key,
        "status": "final",
        "code": {"coding": [{"system": system, "code": code}]},
        "effectiveDateTime": "2026-03-01T08:00:00+01:00",
        "valueQuantity": quantity,
    }
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def _medication(code: str = "321988") -> Json:
    return {"coding": [{"system": RXNORM, "code": code}]}


def _dose(key: str = "dose-1", mg: float = 10.0, unit: str = "mg", **changes: Any) -> Json:
    made = {
        "resourceType": "MedicationAdministration",
        "id": key,
        "status": "completed",
        "subject": {"display": "somebody"},
        "medicationCodeableConcept": _medication(),
        "effectiveDateTime": "2026-03-01T08:05:00+01:00",
        "dosage": {"dose": {"value": mg, "unit": unit, "system": UCUM, "code": unit}},
    }
    return {name: value for name, value in {**made, **changes}.items() if value is not None}


def _regimen(mg: float = 10.0) -> list[Json]:
    return [
        {
            "timing": {"repeat": {"frequency": 2, "period": 2, "periodUnit": "d"}},
            "doseAndRate": [{"doseQuantity": {"value": mg, "unit": "mg"}}],
        }
    ]


def _request(**changes: Any) -> Json:
    made = {
        "resourceType": "MedicationRequest",
        "id": "plan",
        "status": "active",
        "intent": "order",
        "subject": {"display": "somebody"},
        "medicationCodeableConcept": _medication(),
        "dosageInstruction": _regimen(),
    }
    return {**made, **changes}


def _diary() -> Json:
    days = ["2026-03-01T08:00:00Z", "2026-03-02T08:00:00Z"]
    return _bundle(*(_observation(f"mood-{k}", effectiveDateTime=at) for k, at in enumerate(days)))


def _extras() -> st.SearchStrategy[dict[str, float]]:
    return st.fixed_dictionaries(
        {}, optional={name: st.floats(BY_NAME[name].low, BY_NAME[name].high) for name in EXTRAS}
    )


def _values(low: float, high: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.floats(low, high)


@given(
    st.lists(
        st.tuples(_values(1, 10), _values(0, 24), _values(1, 10), st.sampled_from([0.0, 50.0, 12.5]), _extras()),
        min_size=1,
        max_size=9,
    ),
    st.lists(st.floats(0, 200), max_size=2),
)
@settings(max_examples=25, deadline=None)
def test_what_goes_out_comes_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]], levels: list[float]
) -> None:
    samples = tuple(Sample(8.0 + 6 * k, *row[:4], "file", row[4]) for k, row in enumerate(rows))
    drawn = tuple(Level(9.0 + k, value) for k, value in enumerate(levels))
    taken = any(s.dose_mg for s in samples)
    doses = [(START + timedelta(hours=s.time_h), s.dose_mg) for s in samples]
    regimens, given = recorded("sertraline", doses), tuple((at, mg) for at, mg in doses if mg > 0)
    data = Recording(
        samples,
        drawn,
        "sertraline" if taken or levels else None,
        regimens,
        start=START,
        given=given,
        person="patient-7",
    )
    path = _file(tmp_path_factory.mktemp("fhir"), fhir_out.bundle(ABOUT, data))
    assert read(path) == data
    assert fhir_out.bundle(ABOUT, read(path)) == json.loads(path.read_text())


@pytest.fixture(scope="module")
def underdosed() -> tuple[Scenario, Json]:
    """Half the dose in one who does not respond, which ends in a suggestion about the dose; and its bundle."""
    rows = [replace(s, dose_mg=s.dose_mg / 2) for s in samples_of("non-responder", 0)]
    seen = run("underdosed", 0, rows)
    return seen, patient_outputs.bundle_of(seen, trail=audit(seen))


def _of(bundle: Json, kind: str) -> list[Json]:
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


def test_the_result_is_one_bundle_that_validates(underdosed: tuple[Scenario, Json]) -> None:
    seen, bundle = underdosed
    Bundle.model_validate_json(json.dumps(bundle))
    count = Counter(e["resource"]["resourceType"] for e in bundle["entry"])
    reviews, doses = len(seen.suggestions), sum(r.kind == "dose" for r in seen.suggestions)
    assert reviews > doses > 0
    assert count["DetectedIssue"] == count["GuidanceResponse"] == count["RequestGroup"] == reviews
    assert count["MedicationRequest"] == doses
    assert count["Observation"] == 4 * len(seen.intervals)


def test_the_score_and_its_components_are_in_the_bundle(underdosed: tuple[Scenario, Json]) -> None:
    seen, bundle = underdosed
    scores = [o for o in _of(bundle, "Observation") if o["code"]["coding"][0]["code"] == "stability-score"]
    assert [o["valueQuantity"]["value"] for o in scores] == [i.score for i in seen.intervals]
    assert all(len(o["component"]) == 4 and o["note"][0]["text"] == DISCLAIMER for o in scores)


def test_nothing_in_the_bundle_is_an_order_and_everything_is_marked(underdosed: tuple[Scenario, Json]) -> None:
    seen, bundle = underdosed
    for draft in _of(bundle, "MedicationRequest"):
        assert (draft["status"], draft["intent"]) == ("draft", "proposal")
        assert draft["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == 10.0
        assert draft["note"][0]["text"] == DISCLAIMER
    assert all(group["intent"] == "proposal" for group in _of(bundle, "RequestGroup"))
    assert all(issue["status"] == "preliminary" for issue in _of(bundle, "DetectedIssue"))
    assert all(e["resource"]["meta"]["tag"][0]["display"] == DISCLAIMER for e in bundle["entry"])
    guidance = _of(bundle, "GuidanceResponse")
    assert [g["reasonCode"][0]["text"] for g in guidance] == [r.reason for r in seen.suggestions]
    assert all(any(note["text"].startswith("Expires at 2026-") for note in g["note"]) for g in guidance)


def test_every_reference_leads_to_an_entry_of_the_bundle(underdosed: tuple[Scenario, Json]) -> None:
    _, bundle = underdosed
    there = {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in bundle["entry"]}
    assert len(there) == len(bundle["entry"])

    def references(value: Any) -> list[str]:
        if isinstance(value, list):
            return [r for item in value for r in references(item)]
        if not isinstance(value, dict):
            return []
        own = [value["reference"]] if "reference" in value else []
        return own + [r for item in value.values() for r in references(item)]

    assert set(references(bundle)) <= there and references(bundle)


def test_our_own_result_can_be_read_back_and_its_drafts_are_no_plan(
    tmp_path: Path, underdosed: tuple[Scenario, Json]
) -> None:
    seen, bundle = underdosed
    back = read(_file(tmp_path, bundle))
    assert [(s.time_h, s.stress, s.sleep, s.mood, s.dose_mg) for s in back.samples] == [
        (i.time_h, i.stress, i.sleep, i.mood, i.dose_mg) for i in seen.intervals
    ]
    assert back.drug == "escitalopram" and [str(r) for r in back.regimens] == ["5 mg every 24 h"]
    assert any("a proposal, not an order" in note for note in back.notes)
    again = run("again", rows=back.samples)
    assert [i.score for i in again.intervals] == [i.score for i in seen.intervals]


def test_codes_of_other_systems_and_units_are_understood(tmp_path: Path) -> None:
    def measured(code: str, value: float, unit: str, key: str) -> Json:
        quantity = {"value": value, "system": UCUM, "code": unit}
        return _observation(key, code, LOINC, valueQuantity=quantity)

    content = _bundle(
        _observation("a", "106131003", "http://snomed.info/sct"),
        measured("93832-4", 450, "min", "b"),
        measured("8867-4", 61, "/min", "c"),
        measured("8310-5", 98.6, "[degF]", "d"),
        measured("44261-6", 12, "{score}", "e") | {"valueQuantity": None, "valueInteger": 12},
        measured("29463-7", 70, "kg", "f"),  # body weight: no channel
    )
    content["entry"][4]["resource"].pop("valueQuantity")
    seen = read(_file(tmp_path, content))
    (sample,) = seen.samples
    assert (sample.mood, sample.sleep) == (5.5, 7.5)
    assert sample.extras == pytest.approx({"heart_rate": 61.0, "temperature": 37.0, "phq9": 12.0})
    assert any("without a row in the codes" in note for note in seen.notes)
    assert seen.start == datetime(2026, 3, 1, tzinfo=UTC) and sample.time_h == 7.0


def test_doses_not_taken_statements_and_plans(tmp_path: Path) -> None:
    missed = _bundle(
        _observation(), _dose(), _dose("dose-2", status="not-done", effectiveDateTime="2026-03-02T08:00:00Z")
    )
    assert [s.dose_mg for s in read(_file(tmp_path, missed)).samples] == [10.0, 0.0, 0.0, 0.0, 0.0]
    statement = {
        "resourceType": "MedicationStatement",
        "id": "taken",
        "status": "active",
        "subject": {"display": "somebody"},
        "medicationCodeableConcept": {"text": "Escitalopram 10 mg tablets"},
        "effectivePeriod": {"start": "2026-03-01T08:00:00Z", "end": "2026-03-02T08:00:00Z"},
        "dosage": _regimen(),
    }
    stated = _diary()
    stated["entry"].append({"resource": statement})
    assert [s.dose_mg for s in read(_file(tmp_path, stated)).samples] == [10.0, 0.0, 0.0, 0.0, 10.0]
    stated["entry"].append({"resource": _dose(effectiveDateTime="2026-03-01T14:00:00Z")})  # the record of doses
    assert [s.dose_mg for s in read(_file(tmp_path, stated)).samples] == [0.0, 10.0, 0.0, 0.0, 10.0]


def test_without_any_recorded_dose_the_active_order_is_followed_and_that_is_told(tmp_path: Path) -> None:
    content = _diary()
    content["entry"].append({"resource": _request(authoredOn="2026-03-01T08:00:00Z")})
    seen = read(_file(tmp_path, content))
    assert [s.dose_mg for s in seen.samples] == [10.0, 0.0, 0.0, 0.0, 10.0]
    assert [(str(r), r.source) for r in seen.regimens] == [("10 mg every 24 h", Source.ORDERED)] and seen.assumed
    assert "no dose is on record: 2 are assumed, as prescribed" in seen.notes
    for change in ({"status": "draft"}, {"intent": "proposal"}, {"status": "stopped"}):
        content["entry"][-1] = {"resource": _request(**change)}
        assert read(_file(tmp_path, content)).regimens == ()


def test_drugs_that_have_no_code_are_passed_on_by_name_for_the_constraints(tmp_path: Path) -> None:
    other = {"text": "Linezolid 600 mg tablet"}
    content = _bundle(_observation(), _dose(), _dose("other", medicationCodeableConcept=other))
    seen = read(_file(tmp_path, content))
    assert [other.name for other in seen.others] == ["linezolid"]
    treatment = treatment_for(seen).at(START + timedelta(hours=8))
    assert (treatment.pk.drug, treatment.regimen.daily_mg) == ("escitalopram", 10.0)
    assert treatment.comedication == ("linezolid",)


def test_the_treatment_follows_the_drug_and_the_plan(tmp_path: Path) -> None:
    content = _diary()
    content["entry"].append({"resource": _request(medicationCodeableConcept=_medication("36437"))})
    treatment = treatment_for(read(_file(tmp_path, content)))
    assert (treatment.pk.drug, str(treatment.regimen)) == ("sertraline", "10 mg every 24 h")
    content["entry"][-1]["resource"]["medicationCodeableConcept"] = _medication("42347")
    with pytest.raises(PatientFileFault, match="no pharmacokinetics of bupropion"):
        treatment_for(read(_file(tmp_path, content)))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"resourceType": "Bundle", ', "is no JSON"),
        ('{"resourceType": "Bundle", "type": "collection", "entry": [NaN]}', "NaN is no JSON number"),
        ({"resourceType": "Patient"}, "is not a FHIR Bundle: its resourceType is 'Patient'"),
        ({"resourceType": "Bundle", "type": "collection"}, "is a Bundle without entries"),
        ({**_bundle(_observation()), "type": None}, "is no valid FHIR R4 Bundle: type"),
        ({**_bundle(), "entry": [{"fullUrl": "a"}]}, "entry[0] holds no resource"),
        (_bundle(_observation(), _observation("b", status=None)), "entry[1] (Observation/b) is no valid FHIR R4 Obs"),
        (_bundle(_observation(status="finished")), '"finished" is no status of FHIR R4'),
        (_bundle(_observation(effectiveDateTime="yesterday")), "entry[0] (Observation/mood-1) is no valid FHIR R4"),
        (_bundle(_observation(effectiveDateTime="2026-03-01")), "effectiveDateTime 2026-03-01 has no time of day"),
        (_bundle(_observation(effectiveDateTime=None)), "effectiveDateTime is missing"),
        (_bundle(_observation(wrong=1)), "entry[0] (Observation/mood-1) is no valid FHIR R4 Observation: wrong"),
        (
            _bundle(_observation(), _observation(status="amended")),
            "entry[1] (Observation/mood-1) has the id of entry[0]",
        ),
        (_bundle(_observation("a"), _observation("b")), "entry[1] (Observation/b) repeats"),
        (
            _bundle(_observation(valueQuantity={"value": 5, "code": "cm"})),
            'entry[0] (Observation/mood-1): mood has the unit "cm"',
        ),
        (_bundle(_observation(valueQuantity={"value": 5})), "mood has no unit"),
        (_bundle(_observation(valueQuantity={"value": 55, "code": "{score}"})), "mood is 55 {score}, outside 1 to 10"),
        (
            _bundle(_observation(valueQuantity={"value": 5, "code": "{score}", "comparator": "<"})),
            "mood is < 5; an exact value is needed",
        ),
        (_bundle(_observation(valueQuantity=None)), "neither a valueQuantity nor a dataAbsentReason"),
        (
            _bundle(_observation(), _dose(mg=1000.0)),
            "entry[1] (MedicationAdministration/dose-1): escitalopram is 1000 mg",
        ),
        (_bundle(_observation(), _dose(unit="mL")), 'escitalopram has the unit "mL"'),
        (_bundle(_observation(), _dose(dosage=None)), "escitalopram was given without dosage.dose"),
        (_bundle(_observation(), _dose("a"), _dose("b")), "entry[2] (MedicationAdministration/b) repeats"),
        (
            _bundle(_observation(), _request(), _request(id="other", dosageInstruction=_regimen(20.0))),
            "entry[2] (MedicationRequest/other) prescribes escitalopram 20 mg every 24 h, and another entry",
        ),
        (
            _bundle(
                _observation(subject={"reference": "Patient/1"}), _observation("b", subject={"reference": "Patient/2"})
            ),
            "entry[1] (Observation/b) is about Patient/2, but entry[0] (Observation/mood-1) is about Patient/1",
        ),
        (_bundle(_observation(code="29463-7", system=LOINC)), "holds no stress, no sleep and no mood"),
    ],
)
def test_mistakes_name_the_entry_in_one_sentence(tmp_path: Path, content: object, sentence: str) -> None:
    with pytest.raises(PatientFileFault) as fault:
        read(_file(tmp_path, content))
    assert sentence in str(fault.value) and "bundle.json" in str(fault.value) and "\n" not in str(fault.value)


def test_observations_that_were_withdrawn_are_left_out_and_counted(tmp_path: Path) -> None:
    content = _bundle(
        _observation(), _observation("b", status="entered-in-error", effectiveDateTime="2026-03-02T08:00:00Z")
    )
    seen = read(_file(tmp_path, content))
    assert len(seen.samples) == 1
    assert any(note.endswith("1 left out: status entered-in-error") for note in seen.notes)


def test_only_fields_that_r4_has_as_well_are_written(underdosed: tuple[Scenario, Json]) -> None:
    """What R4B added to these resources would be refused by a server of R4; R5's names by the model."""
    _, bundle = underdosed
    for kind in {e["resource"]["resourceType"] for e in bundle["entry"]}:
        model = get_fhir_model_class(kind)
        assert model.__module__.startswith("fhir.resources.R4B.")
        for resource in _of(bundle, kind):
            model.model_validate(copy.deepcopy(resource))
