"""Dosage of FHIR R4: each field is understood, or makes the order unreadable by its name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.patient.data.dosage import regimens_of
from controller.patient.data.fields import Unreadable
from controller.patient.regimen import Source

Json = dict[str, Any]
SINCE = datetime(2026, 3, 2, 8, tzinfo=UTC)  # a Monday
A_DAY = {"value": 1, "code": "d"}
MG = {"value": 10.0, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}


def _rate(**quantity: Any) -> list[Json]:
    return [{"doseQuantity": {**MG, **quantity}}]


def _dosage(repeat: Json | None = None, **fields: Any) -> Json:
    timing = {"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"} if repeat is None else repeat}}
    return {name: value for name, value in {**timing, "doseAndRate": _rate(), **fields}.items() if value is not None}


def _coded(code: str) -> Json:
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation", "code": code}]}


CALCULATED = {"type": _coded("calculated"), **_rate(value=15)[0]}


def _daily(*dosages: Json) -> list[float]:
    return [r.daily_mg for r in regimens_of(dosages, "sertraline", SINCE, Source.ORDERED)]


@pytest.mark.parametrize(
    ("dosage", "daily_mg"),
    [
        (_dosage(), 10.0),
        (_dosage({"frequency": 2, "period": 1, "periodUnit": "d"}), 20.0),
        (_dosage({"frequency": 3, "frequencyMax": 3, "period": 1, "periodUnit": "d"}), 30.0),
        (_dosage({"period": 2, "periodUnit": "d"}), 5.0),
        (_dosage({"frequency": 1, "period": 1, "periodUnit": "wk"}), 10.0 / 7),
        (_dosage({"frequency": 1, "period": 8, "periodUnit": "h"}), 30.0),
        (_dosage({"timeOfDay": ["08:00:00", "20:00:00"]}), 20.0),
        (_dosage({"timeOfDay": ["08:00:00", "20:00:00"], "frequency": 2, "period": 1, "periodUnit": "d"}), 20.0),
        (_dosage({"when": ["MORN", "HS"], "period": 1, "periodUnit": "d"}), 20.0),
        (_dosage({"dayOfWeek": ["mon", "wed", "fri"]}), 30.0 / 7),
        (_dosage({"dayOfWeek": ["mon"], "timeOfDay": ["08:00:00", "20:00:00"]}), 20.0 / 7),
        (_dosage(timing={"code": _coded("BID")}), 20.0),
        (_dosage(timing={"code": _coded("TID")}), 30.0),
        (_dosage(timing={"code": _coded("QD")}), 10.0),
        (_dosage(timing={"code": _coded("QOD")}), 5.0),
        (_dosage(timing={"code": _coded("AM")}), 10.0),
        (_dosage(timing={"code": {"text": "qid"}}), 40.0),
        (_dosage(doseAndRate=_rate(system="http://snomed.info/sct", code="258684004")), 10.0),
        (_dosage(doseAndRate=_rate(value=0.01, unit="g", code="g")), 10.0),
        (_dosage(doseAndRate=[{"doseRange": {"low": MG, "high": MG}}]), 10.0),
        (_dosage(doseAndRate=[CALCULATED, {"type": _coded("ordered"), **_rate()[0]}]), 10.0),
        (_dosage(text="10 mg every morning", route={"text": "Oral"}, method={"text": "Take"}), 10.0),
        (_dosage(maxDosePerPeriod={"numerator": {**MG, "value": 20}, "denominator": A_DAY}), 10.0),
        (_dosage(maxDosePerAdministration=MG), 10.0),
    ],
)  # fmt: skip
def test_the_daily_dose_is_what_all_fields_say_together(dosage: Json, daily_mg: float) -> None:
    assert _daily(dosage) == [pytest.approx(daily_mg)]


@pytest.mark.parametrize(
    ("dosage", "sentence"),
    [
        (_dosage({"frequency": 1, "frequencyMax": 2, "period": 1, "periodUnit": "d"}), "repeat.frequencyMax leaves"),
        (_dosage({"period": 1, "periodMax": 2, "periodUnit": "d"}), "repeat.periodMax leaves"),
        (_dosage({"period": 1, "periodUnit": "mo"}), '"mo", which is no fixed number of hours'),
        (_dosage({"frequency": 2}), "a frequency without a period"),
        (_dosage({"duration": 2, "durationUnit": "h", "period": 1, "periodUnit": "d"}), "repeat.duration is not"),
        (_dosage({"boundsRange": {}, "period": 1, "periodUnit": "d"}), "repeat.boundsRange is not understood"),
        (_dosage({"when": ["PC"]}), '"PC", which is no single hour'),
        (_dosage({"when": ["MORN"], "offset": 30}), "repeat.offset is not understood"),
        (_dosage({"timeOfDay": ["08:00:00", "20:00:00"], "frequency": 1, "period": 1, "periodUnit": "d"}), "2 hours"),
        (_dosage({"frequency": 96, "period": 1, "periodUnit": "d"}), "no schedule that is followed"),
        (_dosage(timing={"event": ["2026-03-01T08:00:00Z"]}), "timing.event is not understood"),
        (_dosage(timing={"code": _coded("Q1W")}), '"Q1W", which is not understood'),
        (_dosage(timing={"code": _coded("BID"), "repeat": {"period": 1, "periodUnit": "d"}}), "contradict each other"),
        (_dosage(timing=None), "has no timing"),
        (_dosage(timing=None, text="one a day"), 'no timing but in words: "one a day"'),
        (_dosage(doseAndRate=None), "has no doseAndRate"),
        (_dosage(doseAndRate=[*_rate(), *_rate()]), "has 2 doseAndRate"),
        (_dosage(doseAndRate=[{"rateQuantity": MG}]), "doseAndRate.rateQuantity is not understood"),
        (_dosage(doseAndRate=[{"doseRange": {"low": MG, "high": {**MG, "value": 20}}}]), "doseRange leaves it open"),
        (_dosage(doseAndRate=_rate(comparator="<")), "comparator is not understood"),
        (_dosage(doseAndRate=_rate(unit="tablet", code="TAB")), 'has the unit "TAB"'),
        (_dosage(doseAndRate=_rate(value=5000)), "sertraline is 5000 mg"),
        (_dosage(route={"text": "intravenous"}), 'route is "intravenous"'),
        (_dosage(method={"text": "inject"}), 'method is "inject"'),
        (_dosage(additionalInstruction=[{"text": "half on Sundays"}]), "additionalInstruction is not understood"),
        (_dosage(patientInstruction="take two"), "patientInstruction is not understood"),
        (_dosage(site={"text": "arm"}), "site is not understood"),
        (_dosage(maxDosePerLifetime=MG), "maxDosePerLifetime is not understood"),
        (_dosage(maxDosePerAdministration={**MG, "value": 5}), "beyond its own maxDosePerAdministration"),
        (_dosage(maxDosePerPeriod={"numerator": {**MG, "value": 5}, "denominator": A_DAY}), "maxDosePerP"),
        (_dosage(modifierExtension=[{"url": "urn:x", "valueBoolean": True}]), "modifierExtension is not understood"),
        (_dosage(text="10 mg twice daily"), 'says "10 mg twice daily"'),
        (_dosage(text="10 mg daily as needed"), "do not say as needed"),
    ],
)  # fmt: skip
def test_what_is_not_understood_makes_the_order_unreadable_by_name(dosage: Json, sentence: str) -> None:
    with pytest.raises(Unreadable) as why:
        _daily(dosage)
    assert sentence in str(why.value)


def test_instructions_side_by_side_are_added_up_and_steps_follow_each_other() -> None:
    morning = _dosage({"timeOfDay": ["08:00:00"]})
    evening = _dosage({"timeOfDay": ["20:00:00"]}, doseAndRate=_rate(value=20))
    assert _daily(morning, evening) == [30.0]
    week = {"period": 1, "periodUnit": "d", "boundsDuration": {"value": 7, "unit": "d", "code": "d"}}
    steps = _dosage(week, sequence=1), _dosage(sequence=2, doseAndRate=_rate(value=20))
    first, second = regimens_of(steps, "sertraline", SINCE, Source.ORDERED)
    assert (first.daily_mg, second.daily_mg) == (10.0, 20.0)
    assert len(first.doses(SINCE, SINCE + timedelta(days=30))) == 7
    assert second.start is not None and SINCE + timedelta(days=6) < second.start <= SINCE + timedelta(days=7)
    with pytest.raises(Unreadable, match="when its steps end"):
        _daily(_dosage(sequence=1), _dosage(sequence=2))


def test_an_order_ends_with_its_bounds_or_its_count() -> None:
    daily = {"period": 1, "periodUnit": "d"}
    for bounds, count in (
        ({"boundsPeriod": {"end": "2026-03-05"}}, 4),
        ({"boundsPeriod": {"start": "2026-03-04", "end": "2026-03-05T00:00:00Z"}}, 2),
        ({"boundsDuration": {"value": 3, "code": "d"}}, 3),
        ({"count": 5}, 5),
        ({"count": 5, "boundsDuration": {"value": 3, "code": "d"}}, 3),
    ):
        (regimen,) = regimens_of([_dosage({**daily, **bounds})], "sertraline", SINCE, Source.ORDERED)
        assert len(regimen.doses(SINCE, SINCE + timedelta(days=60))) == count


def test_as_needed_is_no_daily_dose_that_anybody_knows() -> None:
    for prn in ({"asNeededBoolean": True}, {"asNeededCodeableConcept": {"text": "anxiety"}}):
        (regimen,) = regimens_of([_dosage(**prn)], "sertraline", SINCE, Source.ORDERED)
        assert regimen.as_needed and regimen.doses(SINCE, SINCE + timedelta(days=9)) == []
