"""Historical batches as files: columns are mapped, what is wrong is said in one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.fitting.history_files import Columns, columns_from, record_from, records_from
from controller.processes.mab.model import MODEL
from controller.support.user_error import UserError

TABLE = pd.DataFrame(
    {
        "hours": [0.0, 12.0, 24.0, 36.0, 48.0],
        "glucose_feed": [0.0, 0.0, 0.004, 0.004, 0.004],
        "amino_feed": [0.0, 0.0, 0.002, 0.002, 0.002],
        "viable_cells": [0.3, np.nan, 0.7, np.nan, 1.4],
        "product": [np.nan, np.nan, 13.0, np.nan, 40.0],
    }
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a folder that holds a batch and an empty one."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "data").mkdir()
    TABLE.to_csv(tmp_path / "data" / "b.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_csv_and_parquet_give_the_same_batch(tmp_path: Path) -> None:
    TABLE.to_csv(tmp_path / "b1.csv", index=False)
    TABLE.to_parquet(tmp_path / "b1.parquet")
    one, other = (record_from(tmp_path / f"b1.{kind}", MODEL, Columns()) for kind in ("csv", "parquet"))
    assert one == other
    assert len(one.seen) == 5
    assert one.inputs[0] == (0.0, 0.0, 0.0)
    assert one.inputs[-1] == (0.004, 0.002, 0.0)
    assert one.hours[-1] == 48.0


def test_columns_and_units_are_mapped(tmp_path: Path) -> None:
    other = TABLE.rename(columns={"hours": "Age (min)", "viable_cells": "VCD", "glucose_feed": "F1 mL/h"})
    other["Age (min)"] *= 60.0
    other["F1 mL/h"] *= 1000.0
    other.to_csv(tmp_path / "b1.csv", index=False)
    mapping = tmp_path / "map.toml"
    mapping.write_text(
        'time = "Age (min)"\ntime_unit = "min"\n[columns]\nviable_cells = "VCD"\nglucose_feed = "F1 mL/h"\n'
        "[factors]\nglucose_feed = 0.001\n"
    )
    TABLE.to_csv(tmp_path / "plain.csv", index=False)
    mapped = record_from(tmp_path / "b1.csv", MODEL, columns_from(mapping, MODEL))
    plain = record_from(tmp_path / "plain.csv", MODEL, Columns())
    assert mapped.seen == plain.seen
    np.testing.assert_allclose(mapped.inputs, plain.inputs)


def test_online_readings_are_thinned_to_means_and_assays_are_kept(tmp_path: Path) -> None:
    hours = np.arange(0.0, 100.0, 0.5)
    table = pd.DataFrame({"hours": hours, "glucose_feed": 0.0, "oxygen_uptake_rate": 0.2 + 0.001 * hours})
    table.to_csv(tmp_path / "b.csv", index=False)
    record = record_from(tmp_path / "b.csv", MODEL, Columns())
    assert 10 <= len(record.seen) <= 20
    for seen in record.seen:
        assert seen.value == pytest.approx(0.2 + 0.001 * seen.hour, abs=1e-6)


def broken(table: pd.DataFrame, **cells: object) -> pd.DataFrame:
    copy = table.astype(object)
    for column, value in cells.items():
        copy.loc[2, column] = value
    return copy


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (TABLE.rename(columns={"hours": "Hours"}), "did you mean 'Hours'"),
        (broken(TABLE, viable_cells="lots"), "'lots' in column 'viable_cells', row 4, is not a number"),
        (broken(TABLE, viable_cells="inf"), "in column 'viable_cells', row 4, is not a number"),
        (broken(TABLE, product=float("inf")), "in column 'product', row 4, is not a number"),
        (broken(TABLE, glucose_feed="-inf"), "in column 'glucose_feed', row 4, is not a number"),
        (broken(TABLE, hours="inf"), "in column 'hours', row 4, is not a number"),
        (broken(TABLE, hours=None), "every row needs its time"),
        (broken(TABLE, hours=5.0), "must rise"),
        (TABLE.assign(hours=TABLE["hours"] - 3.0), "begins at -3 h"),
        (TABLE.drop(columns=["glucose_feed", "amino_feed"]), "none of the inputs glucose_feed, amino_feed, base_flow"),
        (TABLE.drop(columns=["viable_cells", "product"]), "not one value of"),
        (TABLE.head(1), "at least two rows"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, table: pd.DataFrame, sentence: str) -> None:
    table.to_csv(tmp_path / "b7.csv", index=False)
    with pytest.raises(UserError, match=r"b7\.csv") as fault:
        records_from(tmp_path, MODEL, Columns())
    assert sentence in str(fault.value)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("b.csv", b"", "is not a table"),
        ("b.parquet", b"PAR1 this is not one", "is not a table"),
        ("b.csv", b"\xff\xfe\x00", "is not a table"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        records_from(tmp_path, MODEL, Columns())


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[columns]\nviable_cell = 'x'\n", "did you mean 'viable_cells'"),
        ("[factors]\nglucose = 0\n", "must be a number other than 0"),
        ("time_unit = 'd'\n", "none of h, min, s"),
        ("column = 1\n", "unknown key 'column'"),
        ("time = \n", "not a TOML file"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "map.toml"
    path.write_text(content)
    with pytest.raises(UserError, match=r"map\.toml") as fault:
        columns_from(path, MODEL)
    assert sentence in str(fault.value)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["empty"], "holds no .csv or .parquet file"),
        (["data", "--plant", "yeast"], "yeast"),
        (["data", "--plant", "mab", "--parameters", "mu"], "mu: has no prior"),
        (["data", "--plant", "mab", "--starts", "0"], "--starts 0"),
        (["data", "--plant", "mab", "--out", "fitted.json"], "--out fitted.json"),
    ],
)
def test_the_command_says_what_to_mend(folder: Path, arguments: list[str], sentence: str) -> None:
    fault = CliRunner().invoke(app, ["fit", *arguments]).exception
    assert isinstance(fault, UserError)
    assert sentence in str(fault)


def test_bad_input_ends_with_code_2_and_no_traceback(folder: Path) -> None:
    command = [sys.executable, "-m", "controller.cli", "fit", "nowhere"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert "nowhere: does not exist" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_says_what_is_in_the_files_and_writes_nothing(folder: Path) -> None:
    done = CliRunner().invoke(app, ["fit", "data", "--plant", "mab", "--dry-run"])
    assert done.exit_code == 0, done.output
    assert "viable_cells" in done.stdout
    assert sorted(p.name for p in folder.iterdir()) == ["data", "empty"]
