"""A patient's CSV file: what is read, and the one sentence that each kind of bad input earns."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.patient.data.reader import rows_from_csv
from controller.patient.data.samples import PatientFileFault

HEADER = "time,stress,sleep,mood\n"


def _file(folder: Path, text: str) -> Path:
    path = folder / "patient.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_hours_are_taken_as_they_are_and_sorted(tmp_path: Path) -> None:
    rows = rows_from_csv(_file(tmp_path, HEADER + "6,6,7,5\n0,5,7.5,5.5\n"))
    assert [(r.time_h, r.stress, r.sleep, r.mood) for r in rows] == [(0.0, 5.0, 7.5, 5.5), (6.0, 6.0, 7.0, 5.0)]
    assert {r.origin for r in rows} == {"file"}


def test_dates_become_hours_since_the_first_midnight(tmp_path: Path) -> None:
    text = "# exported\nTime, Stress, Sleep, Mood\n2026-03-01T08:00,5,7,5\n\n2026-03-01T14:00Z,5,7,5\n"
    assert [r.time_h for r in rows_from_csv(_file(tmp_path, text))] == [8.0, 14.0]


def test_gaps_and_empty_cells_are_missing_samples(tmp_path: Path) -> None:
    rows = rows_from_csv(_file(tmp_path, HEADER + "0,5,7,5\n12,5,,5\n"))
    assert [(r.time_h, r.stress, r.sleep) for r in rows] == [(0.0, 5.0, 7.0), (6.0, None, None), (12.0, 5.0, None)]


def test_doses_are_read_when_given_and_assumed_daily_when_not(tmp_path: Path) -> None:
    given = "time,stress,sleep,mood,dose_mg\n0,5,7,5,\n6,5,7,5,20\n"
    assert [r.dose_mg for r in rows_from_csv(_file(tmp_path, given))] == [0.0, 20.0]
    five = HEADER + "".join(f"{6 * k},5,7,5\n" for k in range(5))
    assert [r.dose_mg for r in rows_from_csv(_file(tmp_path, five))] == [10.0, 0.0, 0.0, 0.0, 10.0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("time,stress,mood\n0,5,5\n", "has no column sleep; its columns are time, stress, mood"),
        (HEADER + "0,5,7,5\n6,5,7,15\n", "row 2: mood is 15, outside 1 to 10"),
        (HEADER + "0,5,-1,5\n", "row 1: sleep is -1, outside 0 to 24"),
        (HEADER + "0,5,7,nan\n", "row 1: mood is nan, outside 1 to 10"),
        (HEADER + "0,5,7,5\n6,5,7,5\n0,6,7,5\n", "rows 1 and 3 have the same time"),
        (HEADER + "0,5,7,5\n6,much,7,5\n", 'row 2: stress is "much", which is not a number'),
        (HEADER + "0,5,7,5\nnoon,5,7,5\n", 'row 2: time "noon" is neither hours'),
        (HEADER + "-6,5,7,5\n", 'row 1: time "-6" is neither hours'),
        (HEADER + "0,5,7,5\n7,5,7,5\n", "row 2: samples must be 6 h apart; this one is 7 h after the first"),
        (HEADER + "0,5,7,5\n60000,5,7,5\n", "more than the 4000 samples"),
        (HEADER + "0,5,7,5,1\n", "rows with more cells than its header"),
        (HEADER + "0,5,7,5\n6,5,7,5,1\n", "is not a table"),
        ("time,stress,sleep,mood,mood\n0,5,7,5,5\n", "has more than one column mood"),
        ("time,stress,sleep,mood,dose_mg\n0,5,7,5,100\n", "row 1: dose_mg is 100, outside 0 to 60"),
        (HEADER, "has a header and no rows"),
        ("", "is empty"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(PatientFileFault) as fault:
        rows_from_csv(_file(tmp_path, text))
    assert sentence in str(fault.value)
    assert str(fault.value).startswith(str(tmp_path / "patient.csv")) and "\n" not in str(fault.value)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PatientFileFault, match="there is no file"):
        rows_from_csv(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(PatientFileFault, match="cannot be read"):
        rows_from_csv(tmp_path / "binary.csv")
    with pytest.raises(PatientFileFault, match="cannot be read"):
        rows_from_csv(tmp_path)
