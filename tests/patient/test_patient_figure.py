"""The figure and the table that people take away: written, non-trivial, and marked as research."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from controller.patient.advice.loop import DISCLAIMER
from controller.patient.scenario import Scenario
from hmi.patient.figure import RED, draw, write_table

Patient = Callable[[str, int], Scenario]


def _red_pixels(path: Path, rows: slice) -> int:
    image = matplotlib.image.imread(path)[rows, :, :3]
    red = np.array([int(RED[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return int((np.abs(image - red).max(axis=2) < 0.02).sum())


@pytest.mark.parametrize("arm", ["responder", "non-responder", "delayed"])
def test_the_figure_shows_the_scenario(tmp_path: Path, patient: Patient, arm: str) -> None:
    path = tmp_path / "figure.png"
    draw(patient(arm, 0).as_json(), path)
    image = matplotlib.image.imread(path)
    assert image.shape[0] > 1200 and image.shape[1] > 1200
    colours = np.rint(255 * image[:, :, :3]).astype(int) @ np.array([65536, 256, 1])
    assert len(np.unique(colours)) > 100


def test_the_disclaimer_stands_on_the_figure_and_in_its_file(tmp_path: Path, patient: Patient) -> None:
    path = tmp_path / "figure.png"
    draw(patient("healthy", 0).as_json(), path)
    assert _red_pixels(path, slice(-80, None)) > 500  # the line at the bottom
    with Image.open(path) as image:
        assert image.info["Description"] == DISCLAIMER


def test_reviews_are_red_marks_and_where_there_are_none_there_is_no_red(tmp_path: Path, patient: Patient) -> None:
    for arm in ("healthy", "responder"):
        draw(patient(arm, 0).as_json(), tmp_path / f"{arm}.png")
    assert _red_pixels(tmp_path / "healthy.png", slice(100, 600)) == 0
    assert _red_pixels(tmp_path / "responder.png", slice(100, 600)) > 300


def test_missing_samples_leave_a_gap_and_a_file_of_one_row_can_be_drawn(tmp_path: Path, patient: Patient) -> None:
    data = patient("responder", 0).as_json()
    data["intervals"][7]["stress"] = data["intervals"][7]["mood"] = None
    draw(data, tmp_path / "gap.png")
    draw({**data, "seed": None, "intervals": data["intervals"][:1], "suggestions": []}, tmp_path / "one.png")
    assert (tmp_path / "gap.png").stat().st_size > 20_000 < (tmp_path / "one.png").stat().st_size


def test_the_table_has_a_row_a_sample_units_in_its_header_and_the_disclaimer_above(
    tmp_path: Path, patient: Patient
) -> None:
    seen, path = patient("responder", 42), tmp_path / "table.csv"
    write_table(seen.as_json(), path)
    assert path.read_text(encoding="utf-8").splitlines()[0] == f"# {DISCLAIMER}"
    table = pd.read_csv(path, comment="#")
    assert len(table) == 40
    assert {"stress_1_to_10", "sleep_h", "concentration_ng_per_ml", "dose_mg"} <= set(table.columns)
    assert table["stability_0_to_1"].tolist() == pytest.approx([i.score for i in seen.intervals], abs=1e-6)
    assert table["suggestion"].dropna().tolist() == [r.kind for r in seen.suggestions]
    assert set(table["origin"]) == {"published", "generated"}


def test_every_row_of_the_table_has_a_cell_for_every_column(tmp_path: Path, patient: Patient) -> None:
    path = tmp_path / "table.csv"
    write_table(patient("responder", 0).as_json(), path)
    with path.open(encoding="utf-8") as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#")))
    assert all(len(row) == len(rows[0]) for row in rows)
