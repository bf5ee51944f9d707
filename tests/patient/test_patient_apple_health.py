"""A health app's export: what is taken from it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.patient.data import apple_health
from controller.patient.data.reader import read
from controller.patient.data.samples import PatientFileFault

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE HealthData [<!ELEMENT HealthData (Record*)>]>\n'


def _record(kind: str, value: str, unit: str, start: str, end: str = "", source: str = "Watch") -> str:
    return (
        f'<Record type="HK{kind}" sourceName="{source}" unit="{unit}" value="{value}"'
        f' startDate="2026-03-01 {start}:00 +0100" endDate="2026-03-01 {end or start}:00 +0100"/>\n'
    )


def _export(folder: Path, *records: str, head: str = HEAD) -> Path:
    path = folder / "export.xml"
    path.write_text(f'{head}<HealthData locale="de_DE">\n{"".join(records)}</HealthData>\n', encoding="utf-8")
    return path


def _diary(folder: Path) -> Path:
    path = folder / "diary.csv"
    path.write_text("time,channel,value,unit\n2026-03-01T08:00+01:00,mood,5,points\n", encoding="utf-8")
    return path


def test_an_export_is_read_beside_a_diary(tmp_path: Path) -> None:
    export = _export(
        tmp_path,
        _record("QuantityTypeIdentifierHeartRate", "60", "count/min", "07:30"),
        _record("QuantityTypeIdentifierHeartRate", "64", "count/min", "08:30"),
        _record("QuantityTypeIdentifierHeartRate", "64", "count/min", "08:30"),  # exports repeat themselves
        _record("QuantityTypeIdentifierOxygenSaturation", "0.97", "%", "07:30"),
        _record("QuantityTypeIdentifierBodyTemperature", "98.6", "degF", "07:30"),
        _record("QuantityTypeIdentifierStepCount", "300", "count", "07:00", "07:30"),
        _record("QuantityTypeIdentifierStepCount", "280", "count", "07:00", "07:30", "Phone"),
        _record("QuantityTypeIdentifierDietaryWater", "1", "L", "07:30"),
    )
    (sample,) = read([_diary(tmp_path), export]).samples
    assert sample.extras == pytest.approx({"heart_rate": 62.0, "spo2": 97.0, "temperature": 37.0, "steps": 300.0})
    assert sample.mood == 5.0 and sample.stress is None


def test_stretches_asleep_add_up_and_those_of_two_devices_count_once(tmp_path: Path) -> None:
    kind, asleep = "CategoryTypeIdentifierSleepAnalysis", "HKCategoryValueSleepAnalysisAsleep"
    export = _export(
        tmp_path,
        _record(kind, f"{asleep}Core", "", "00:00", "03:00"),
        _record(kind, f"{asleep}REM", "", "03:30", "06:00"),
        _record(kind, f"{asleep}Unspecified", "", "02:00", "05:00", "Phone"),
        _record(kind, "HKCategoryValueSleepAnalysisInBed", "", "00:00", "08:00"),
    )
    assert read([_diary(tmp_path), export]).samples[0].sleep == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        (_record("QuantityTypeIdentifierHeartRate", "600", "count/min", "07:30"), "heart_rate is 600 count/min"),
        (_record("QuantityTypeIdentifierHeartRate", "60", "Hz", "07:30"), 'heart_rate has the unit "Hz"'),
        (_record("QuantityTypeIdentifierHeartRate", "fast", "count/min", "07:30"), "which is not a number"),
        (_record("QuantityTypeIdentifierHeartRate", "60", "count/min", "7 h"), "endDate is"),
        ("<Record", "is no well-formed XML"),
    ],
)
def test_mistakes_name_the_line(tmp_path: Path, records: str, sentence: str) -> None:
    with pytest.raises(PatientFileFault) as fault:
        read([_diary(tmp_path), _export(tmp_path, records)])
    assert sentence in str(fault.value) and "export.xml" in str(fault.value) and "\n" not in str(fault.value)
    assert "line 4" in str(fault.value) or "line 5" in str(fault.value)


@pytest.mark.parametrize(
    "entity",
    [
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">',
        '<!ENTITY a SYSTEM "file:///etc/passwd">',
        '<!ENTITY % a SYSTEM "http://127.0.0.1/a.dtd">',
    ],
)
def test_a_file_that_declares_an_entity_is_refused(tmp_path: Path, entity: str) -> None:
    head = f"<?xml version='1.0'?><!DOCTYPE HealthData [{entity}]>"
    with pytest.raises(PatientFileFault, match="declares an XML entity"):
        read([_diary(tmp_path), _export(tmp_path, head=head)])


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apple_health, "MOST_BYTES", 100)
    with pytest.raises(PatientFileFault, match="export a shorter time"):
        read([_diary(tmp_path), _export(tmp_path, _record("QuantityTypeIdentifierHeartRate", "60", "bpm", "07:30"))])


def test_an_export_alone_has_neither_stress_nor_mood(tmp_path: Path) -> None:
    with pytest.raises(PatientFileFault, match="holds no stress, no sleep and no mood"):
        read(_export(tmp_path, _record("QuantityTypeIdentifierHeartRate", "60", "count/min", "07:30")))
