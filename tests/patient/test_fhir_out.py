"""The bundle that leaves: whose it is, what in it was recorded and what assumed, and that it comes back as it went."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from controller.patient.advice.loop import DISCLAIMER
from controller.patient.audit import audit
from controller.patient.comedication import Comedication
from controller.patient.data import fhir_out
from controller.patient.data.fhir_drugs_out import dosages
from controller.patient.data.reader import read
from controller.patient.data.samples import Recording
from controller.patient.outputs import bundle_of, person_of
from controller.patient.regimen import Intake, Regimen, Source, every
from controller.patient.scenario import Scenario, run
from controller.patient.simulated import samples_of
from controller.patient.snapshots import START
from controller.patient.treatment import treatment_for

Json = dict[str, Any]


def _of(bundle: Json, kind: str) -> list[Json]:
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


def _recording(**more: Any) -> Recording:
    """A patient who does not respond to twice 2.5 mg a day, by order."""
    regimen = every("escitalopram", 2.5, 12.0, start=START, source=Source.ORDERED)
    rows = [replace(s, dose_mg=2.5 if k % 2 == 0 else 0.0) for k, s in enumerate(samples_of("non-responder", 0))]
    rows = [replace(s, origin="file") for s in rows]
    return Recording(tuple(rows), (), "escitalopram", (regimen,), start=START, person="p-1", assumed=True, **more)


def _out(data: Recording) -> tuple[Scenario, Json]:
    seen = run(person_of(data), rows=data.samples, treatment=treatment_for(data))
    return seen, bundle_of(seen, data, audit(seen))


@pytest.fixture(scope="module")
def ordered() -> tuple[Recording, Scenario, Json]:
    data = _recording(others=(Comedication("tranylcypromine", START - timedelta(days=90), START - timedelta(days=60)),))
    return data, *_out(data)


def test_a_draft_says_the_single_dose_and_the_daily_one(ordered: tuple[Recording, Scenario, Json]) -> None:
    drafts = _of(ordered[2], "MedicationRequest")
    assert drafts and {d["dosageInstruction"][0]["text"] for d in drafts} == {
        "To discuss: 5 mg every 12 h, 10 mg a day"
    }
    assert {d["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] for d in drafts} == {5.0}
    reasons = [r.reason for r in ordered[1].suggestions if r.kind == "dose"]
    assert all("on 5 mg a day" in reason and "discuss 10 mg a day (5 mg every 12 h" in reason for reason in reasons)


def test_assumed_doses_leave_as_a_statement_and_never_as_given(ordered: tuple[Recording, Scenario, Json]) -> None:
    _, _, bundle = ordered
    assert _of(bundle, "MedicationAdministration") == []
    statement = next(s for s in _of(bundle, "MedicationStatement") if "dosage" in s)
    assert "Not every dose is on record: as ordered" in statement["note"][0]["text"]
    recorded = replace(ordered[0], assumed=False)
    assert len(_of(fhir_out.bundle(_about(), recorded), "MedicationAdministration")) == 20


def _about(pseudonym: str = "p-1") -> fhir_out.About:
    return fhir_out.About(pseudonym, DISCLAIMER, "escitalopram", START)


def test_a_round_trip_gives_the_same_advice(tmp_path: Path, ordered: tuple[Recording, Scenario, Json]) -> None:
    data, seen, bundle = ordered
    path = tmp_path / "back.json"
    path.write_text(json.dumps(bundle))
    back = read(path)
    assert (back.assumed, back.person, back.drug) == (True, "p-1", "escitalopram")
    assert [str(r) for r in back.regimens] == [str(r) for r in data.regimens]
    assert [(o.name, o.start, o.until) for o in back.others] == [(o.name, o.start, o.until) for o in data.others]
    again, once_more = _out(back)
    assert [(r.kind, r.reason, r.blocked) for r in again.suggestions] == [
        (r.kind, r.reason, r.blocked) for r in seen.suggestions
    ]
    assert [e["request"]["url"] for e in once_more["entry"]] == [e["request"]["url"] for e in bundle["entry"]]


def test_comedication_leaves_with_its_time_and_is_urgent_again_when_it_comes_back(tmp_path: Path) -> None:
    data = _recording(others=(Comedication("linezolid", START), Comedication("tramadol", sure=False)))
    seen, bundle = _out(data)
    assert {r.kind for r in seen.suggestions} == {"urgent"}
    path = tmp_path / "back.json"
    path.write_text(json.dumps(bundle))
    back = read(path)
    assert {(o.name, o.sure) for o in back.others} == {("linezolid", True), ("tramadol", False)}
    assert [r.kind for r in _out(back)[0].suggestions] == [r.kind for r in seen.suggestions]


def test_no_two_people_share_an_id_and_the_same_bundle_twice_is_the_same(
    ordered: tuple[Recording, Scenario, Json],
) -> None:
    one, again, other = (fhir_out.bundle(_about(name), ordered[0]) for name in ("p-1", "p-1", "p-2"))
    urls = [{e["fullUrl"] for e in bundle["entry"]} for bundle in (one, again, other)]
    assert urls[0] == urls[1] and not urls[0] & urls[2]
    assert one["type"] == "transaction"
    assert all(e["request"] == {"method": "PUT", "url": e["fullUrl"].rsplit("/fhir/")[1]} for e in one["entry"])


def test_the_person_is_a_resource_and_no_files_name_is_in_the_bundle(tmp_path: Path) -> None:
    path = tmp_path / "jane-doe.csv"
    path.write_text("time,stress,sleep,mood,dose_mg\n0,9,5,3,10\n6,9,5,3,\n12,9,5,3,\n18,9,5,3,\n")
    _, bundle = _out(read(path))
    (person,) = _of(bundle, "Patient")
    assert person["identifier"][0]["value"].startswith("patient-") and "jane" not in json.dumps(bundle)


def test_simulated_people_are_marked_as_test_data_and_others_are_not(ordered: tuple[Recording, Scenario, Json]) -> None:
    seen = run("responder", 0, samples_of("responder", 0)[:4])
    for bundle, marked in ((bundle_of(seen), True), (ordered[2], False)):
        tags = [{t["code"] for t in e["resource"]["meta"]["tag"]} for e in bundle["entry"]]
        assert all(("HTEST" in codes) is marked for codes in tags)


def test_every_action_of_a_plan_has_a_resource_and_guidance_rests_on_an_observation(
    ordered: tuple[Recording, Scenario, Json],
) -> None:
    """The R4 invariant rqg-1, and the types that a GuidanceResponse may name as its reason."""
    _, _, bundle = ordered
    there = {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in bundle["entry"]}
    for group in _of(bundle, "RequestGroup"):
        assert all(action["resource"]["reference"] in there for action in group["action"])
    guidance = _of(bundle, "GuidanceResponse")
    assert guidance and all(g["reasonReference"][0]["reference"].startswith("Observation/") for g in guidance)
    identifiers = [g["identifier"][0]["value"] for g in guidance]
    assert len(set(identifiers)) == len(identifiers)
    Bundle.model_validate_json(json.dumps(bundle))


def test_single_doses_that_differ_are_told_one_by_one() -> None:
    regimen = Regimen("sertraline", (Intake(0.0, 25.0), Intake(12.0, 50.0)), start=START + timedelta(hours=8))
    told = dosages(regimen)
    assert [d["timing"]["repeat"]["timeOfDay"] for d in told] == [["08:00:00"], ["20:00:00"]]
    assert [d["doseAndRate"][0]["doseQuantity"]["value"] for d in told] == [25.0, 50.0]


def test_a_missed_dose_and_what_was_not_checked_come_back(tmp_path: Path) -> None:
    at = START + timedelta(hours=36, minutes=20)
    data = replace(_recording(unchecked=("record.json has further pages",)), missed=(at,))
    path = tmp_path / "back.json"
    path.write_text(json.dumps(fhir_out.bundle(_about(), data)))
    back = read(path)
    assert back.missed == (at,) and back.unchecked == ("record.json has further pages",)
    assert sum(s.dose_mg for s in back.samples) == sum(s.dose_mg for s in data.samples) - 2.5


def test_recorded_doses_leave_at_their_own_times_beside_what_was_stated() -> None:
    at = START + timedelta(hours=12, minutes=25)
    bundle = fhir_out.bundle(_about(), replace(_recording(), given=((at, 2.5),)))
    (dose,) = _of(bundle, "MedicationAdministration")
    assert dose["effectiveDateTime"].startswith("2026-01-01T12:25:00") and dose["status"] == "completed"
    assert len(_of(bundle, "MedicationStatement")) == 1
