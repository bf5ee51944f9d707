"""Questionnaires and drug levels in FHIR R4: thoughts of self-harm are urgent, a level is that of the drug it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from controller.patient.data.codes import LOCAL, LOINC
from controller.patient.data.reader import read
from controller.patient.data.samples import Recording
from controller.patient.scenario import run
from controller.patient.treatment import treatment_for

Json = dict[str, Any]
NOUGHT, SEVERAL_DAYS = "LA6568-5", "LA6569-3"


def _observation(key: str, hours: int, code: str, system: str = LOINC, **value: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": key,
        "status": "final",
        "code": {"coding": [{"system": system, "code": code}]},
        "effectiveDateTime": f"2026-03-{1 + hours // 24:02d}T{hours % 24:02d}:00:00Z",
        **value,
    }


def _read(folder: Path, *resources: Json) -> Recording:
    """A calm diary of three days, a dose a day, and the resources."""
    score = {"unit": "{score}", "code": "{score}"}
    diary = [
        _observation(f"{code}-{k}", 6 * k, code, LOCAL, valueQuantity={"value": value, **score})
        for k in range(12)
        for code, value in (("stress-1-10", 3.0), ("mood-1-10", 8.0))
    ]
    doses = [
        {
            "resourceType": "MedicationAdministration",
            "id": f"dose-{day}",
            "status": "completed",
            "subject": {"display": "somebody"},
            "medicationCodeableConcept": {"text": "escitalopram"},
            "effectiveDateTime": f"2026-03-{day:02d}T00:00:00Z",
            "dosage": {"dose": {"value": 10, "unit": "mg"}},
        }
        for day in (1, 2, 3)
    ]
    path = folder / "bundle.json"
    entries = [{"resource": r} for r in [*diary, *doses, *resources]]
    path.write_text(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}))
    return read(path)


def _answer(**answer: Any) -> Json:
    item = {"linkId": "/44250-7", "item": [{"linkId": "/44260-8", "answer": [answer]}]}
    return {
        "resourceType": "QuestionnaireResponse",
        "id": "response",
        "status": "completed",
        "authored": "2026-03-02T00:00:00Z",
        "item": [item],
    }


def _panel(**value: Any) -> Json:
    part = {"code": {"coding": [{"system": LOINC, "code": "44260-8"}]}, **value}
    return _observation("panel", 24, "44249-1", component=[part])


@pytest.mark.parametrize(
    ("resource", "urgent"),
    [
        (_observation("nine", 24, "44260-8", valueInteger=1), True),
        (_observation("nine", 24, "44260-8", valueInteger=0), False),
        (_observation("nine", 24, "44260-8", valueCodeableConcept={"coding": [{"code": SEVERAL_DAYS}]}), True),
        (_observation("nine", 24, "44260-8", valueCodeableConcept={"coding": [{"code": NOUGHT}]}), False),
        (_observation("nine", 24, "44260-8", valueCodeableConcept={"text": "sometimes"}), True),
        (_panel(valueInteger=2), True),
        (_panel(valueInteger=0), False),
        (_answer(valueCoding={"code": SEVERAL_DAYS}), True),
        (_answer(valueCoding={"code": NOUGHT}), False),
        (_answer(valueInteger=3), True),
    ],
)
def test_thoughts_of_self_harm_are_urgent_from_when_they_were_reported(
    tmp_path: Path, resource: Json, urgent: bool
) -> None:
    seen = _read(tmp_path, resource)
    reviews = run("nine", rows=seen.samples, treatment=treatment_for(seen)).suggestions
    assert {r.index for r in reviews if "self-harm" in r.reason} == (set(range(4, 12)) if urgent else set())


@pytest.mark.parametrize(
    "value",
    [
        {"valueInteger": 12},
        {"valueString": "12"},
        {"valueQuantity": {"value": 12}},
        {"valueQuantity": {"value": 12, "unit": "{Score}", "code": "{Score}"}},
        {"valueQuantity": {"value": 12, "unit": "{#}", "code": "{#}"}},
    ],
)
def test_a_total_of_phq_9_is_read_as_it_is_written_in_the_field(tmp_path: Path, value: Json) -> None:
    total = _observation("total", 0, "44261-6", **value)
    panel = _observation("panel", 0, "44249-1", component=[{"code": total["code"], **value}])
    for resource in (total, panel):
        assert _read(tmp_path, resource).samples[0].extras == {"phq9": 12.0}


@pytest.mark.parametrize(
    ("text", "levels"), [("Escitalopram in serum", 1), ("Lithium level", 0), ("Drug level", 0), (None, 0)]
)
def test_a_level_is_that_of_the_drug_it_names_or_is_not_used(tmp_path: Path, text: str | None, levels: int) -> None:
    level = _observation("level", 48, "drug-level", LOCAL, valueQuantity={"value": 30, "unit": "ng/mL"})
    if text is not None:
        level["code"]["text"] = text
    assert len(_read(tmp_path, level).levels) == levels


def test_a_long_qtc_in_the_record_is_urgent_from_the_day_of_the_ecg(tmp_path: Path) -> None:
    ecg = _observation("ecg", 48, "8636-3", valueQuantity={"value": 530, "unit": "ms", "code": "ms"})
    seen = _read(tmp_path, ecg)
    reviews = run("qtc", rows=seen.samples, treatment=treatment_for(seen)).suggestions
    assert {r.index for r in reviews if "QTc is 530 ms" in r.reason} == set(range(8, 12))
