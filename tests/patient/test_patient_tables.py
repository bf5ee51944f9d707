"""Long tables, further channels and several files: what is read, and the sentence that each mistake earns."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.patient.data.reader import read
from controller.patient.data.samples import PatientFileFault
from controller.patient.pharmacology.pharmacokinetics import Level

LONG = "time,channel,value,unit,source\n"
WIDE = "time,stress,sleep,mood,dose_mg"


def _file(folder: Path, text: str, name: str = "patient.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_reports_made_at_any_time_fall_into_the_nearest_sample(tmp_path: Path) -> None:
    text = LONG + (
        "2026-03-01T08:00Z,mood,5,points,\n2026-03-01T08:03Z,stress,6,points,\n2026-03-01T07:00Z,sleep,450,min,\n"
        "2026-03-01T16:40Z,mood,4,points,\n2026-03-01T11:30Z,mood,4.5,points,\n2026-03-01T08:10Z,sertraline,50,mg,\n"
    )
    seen = read(_file(tmp_path, text))
    assert seen.start == datetime(2026, 3, 1, tzinfo=UTC) and seen.drug == "sertraline"
    assert [(s.time_h, s.stress, s.sleep, s.mood, s.dose_mg) for s in seen.samples] == [
        (7.0, 6.0, 7.5, 5.0, 50.0),
        (13.0, None, 7.5, 4.5, 0.0),
        (19.0, None, 7.5, 4.0, 0.0),
    ]


def test_sleep_stands_for_a_day_unless_it_is_said_to_be_missing(tmp_path: Path) -> None:
    moods = "".join(f"{6 * k},mood,5,points,\n" for k in range(7))
    slept = read(_file(tmp_path, LONG + moods + "0,sleep,7,h,\n"))
    assert [s.sleep for s in slept.samples] == [7.0] * 5 + [None] * 2
    told = read(_file(tmp_path, LONG + moods + "0,sleep,7,h,\n12,sleep,,h,\n"))
    assert [s.sleep for s in told.samples] == [7.0] * 2 + [None] * 5


def test_wearables_are_gathered_by_their_kind_and_the_score_gets_none_of_them(tmp_path: Path) -> None:
    text = LONG + (
        "0,mood,5,points,\n1,heart_rate,60,bpm,watch\n2,heart_rate,70,/min,watch\n1,temperature,98.6,[degF],watch\n"
        "1,steps,100,steps,watch\n2,steps,50,steps,watch\n1,steps,120,steps,phone\n0.5,spo2,97,%,watch\n"
        "90,heart_rate,60,bpm,watch\n"  # long after the last report
    )
    (sample,) = read(_file(tmp_path, text)).samples
    assert sample.extras == pytest.approx({"heart_rate": 65.0, "temperature": 37.0, "steps": 150.0, "spo2": 97.0})
    assert (sample.stress, sample.sleep) == (None, None)


def test_a_wide_table_may_hold_wearables_and_drug_levels(tmp_path: Path) -> None:
    seen = read(_file(tmp_path, f"{WIDE},heart_rate,level\n0,5,7,5,10,61,\n6,5,7,5,0,,18.5\n"))
    assert [dict(s.extras) for s in seen.samples] == [{"heart_rate": 61.0}, {}]
    assert seen.levels == (Level(6.0, 18.5),) and seen.notes == ()


def test_assumed_doses_are_told(tmp_path: Path) -> None:
    seen = read(_file(tmp_path, "time,stress,sleep,mood\n0,5,7,5\n"))
    assert seen.notes == ("doses of 10 mg every 24 h are assumed: there is no column dose_mg",)
    assert read(_file(tmp_path, LONG + "0,mood,5,points,\n")).samples[0].dose_mg == 0.0


def test_doses_before_the_first_report_come_first_and_keep_the_samples_where_they_are(tmp_path: Path) -> None:
    seen = read(_file(tmp_path, LONG + "0,escitalopram,10,mg,\n24,mood,5,points,\n24,escitalopram,10,mg,\n"))
    assert [(s.time_h, s.mood, s.dose_mg) for s in seen.samples] == [
        (0.0, None, 10.0), (6.0, None, 0.0), (12.0, None, 0.0), (18.0, None, 0.0), (24.0, 5.0, 10.0),
    ]  # fmt: skip


def test_of_several_drugs_one_is_followed_and_the_others_are_named(tmp_path: Path) -> None:
    path = _file(tmp_path, LONG + "0,mood,5,points,\n0,sertraline,50,mg,\n0,lamotrigine,25,mg,\n")
    with pytest.raises(PatientFileFault, match="doses of lamotrigine and sertraline; say which one"):
        read(path)
    seen = read(path, drug="sertraline")
    assert seen.samples[0].dose_mg == 50.0 and [other.name for other in seen.others] == ["lamotrigine"]
    with pytest.raises(PatientFileFault, match="holds no dose of fluoxetine"):
        read(path, drug="fluoxetine")


def test_files_with_dates_are_read_together(tmp_path: Path) -> None:
    diary = _file(tmp_path, LONG + "2026-03-01T08:00Z,mood,5,points,\n", "diary.csv")
    watch = _file(tmp_path, LONG + "2026-03-01T09:00Z,heart_rate,60,bpm,\n", "watch.csv")
    assert read([diary, watch]).samples[0].extras == {"heart_rate": 60.0}
    hours = _file(tmp_path, LONG + "0,heart_rate,60,bpm,\n", "hours.csv")
    with pytest.raises(PatientFileFault, match=r"hours\.csv counts hours and knows no date"):
        read([diary, hours])
    wide = _file(tmp_path, f"{WIDE}\n2026-03-01,5,7,5,10\n", "wide.csv")
    with pytest.raises(PatientFileFault, match=r"wide\.csv is a wide table, which is read alone"):
        read([diary, wide])


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ("0,mood,5,points,\n0,temperature,365,degC,", "row 2: temperature is 365 degC, outside 30 to 45 degC"),
        ("0,mood,5,points,\n0,temperature,98.6,degC,", "outside 30 to 45 degC"),
        ("0,sleep,7,km,", 'row 1: sleep has the unit "km"; sleep is given in h or hr or hours or min or s'),
        ("0,sleep,7,,", "row 1: sleep has no unit; sleep is given in h"),
        ("0,sleep,1500,min,", "row 1: sleep is 1500 min, outside 0 to 24 h"),
        ("0,mood,nan,points,", "row 1: mood is nan points, outside 1 to 10 points"),
        ("0,mood,good,points,", 'row 1: mood is "good", which is not a number'),
        ("0,moood,5,points,", '"moood" is neither a channel nor a drug; there are stress, sleep, mood'),
        ("0,mood,5,points,a\n3,mood,5,points,a\n0,mood,6,points,a", "row 3 repeats"),
        ("0,escitalopram,500,mg,", "row 1: escitalopram is 500 mg, outside 0 to 60 mg"),
        ("0,sertraline,50,mL,", 'sertraline has the unit "mL"; sertraline is given in mg or g or ug'),
        ("0,mood,5,points,\n0,sertraline,50,mg,\n0,sertraline,50,mg,", "row 3 repeats"),
        ("0,heart_rate,60,bpm,", "holds no stress, no sleep and no mood"),
        ("0,mood,5,points,\n200000,mood,5,points,", "spans 33334 samples of 6 h, more than the 4000"),
    ],
)
def test_mistakes_are_told_in_one_sentence(tmp_path: Path, rows: str, sentence: str) -> None:
    with pytest.raises(PatientFileFault) as fault:
        read(_file(tmp_path, LONG + rows + "\n"))
    assert sentence in str(fault.value) and "\n" not in str(fault.value)


def test_the_last_repeat_names_both_rows_and_the_time(tmp_path: Path) -> None:
    with pytest.raises(PatientFileFault, match=r"row 2 repeats .*row 1: mood at 6 h$"):
        read(_file(tmp_path, LONG + "6,mood,5,points,a\n6,mood,5,points,a\n"))
