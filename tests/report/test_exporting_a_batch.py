"""An export reads back to what was recorded, and says when it is no longer what was exported."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from controller.edge.historian import Historian
from controller.edge.historian.wire import encode
from controller.review.export import Format, about, read, tables, write
from controller.settings import load
from controller.support.user_error import UserError

AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_an_export_reads_back_to_the_tables_and_the_very_decisions(
    recorded: SimpleNamespace, tmp_path: Path, kind: Format
) -> None:
    settings = load(recorded.config)
    with Historian.reader(recorded.path) as history:
        decisions = history.decisions(recorded.plant, recorded.batch)
        found = tables(history, recorded.plant, recorded.batch)
        write(found, tmp_path / "out", kind, about(history, settings, recorded.batch, AT))
    back = read(tmp_path / "out")
    assert set(back.tables) == set(found)
    for name, table in found.items():
        assert back.tables[name].equals(table), name
    # As they are stored, bit for bit: not-a-number does not equal itself.
    assert [encode(d) for d in back.decisions()] == [encode(d) for d in decisions]
    assert found["samples"].num_rows > 20 * len(decisions)
    assert found["assays"].num_rows > 0 and found["events"].num_rows > 0 and found["sessions"].num_rows == 3


def test_the_manifest_holds_units_sources_versions_and_checksums(recorded: SimpleNamespace, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "controller.cli", "export", recorded.batch, "--config", str(recorded.config)]
    ran = subprocess.run(
        [*command, "--out", str(tmp_path / "out"), "--json"], capture_output=True, text=True, timeout=60
    )
    assert json.loads(ran.stdout)["rows"]["decisions"] > 90, ran.stderr
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    oxygen = next(v for v in manifest["variables"] if v["name"] == "dissolved_oxygen")
    assert (oxygen["unit"], oxygen["source"].endswith("AIC102.PV")) == ("%", True)
    assert {"neurotwin", "numpy", "python"} <= set(manifest["versions"])
    assert all(len(table["sha256"]) == 64 for table in manifest["tables"].values())
    assert "secret" not in json.dumps(manifest)


def test_a_changed_file_and_a_used_folder_are_refused(recorded: SimpleNamespace, tmp_path: Path) -> None:
    with Historian.reader(recorded.path) as history:
        found = {"assays": tables(history, recorded.plant, recorded.batch)["assays"]}
    write(found, tmp_path, "csv", {})
    with pytest.raises(UserError, match="is not empty"):
        write(found, tmp_path, "csv", {})
    changed = (tmp_path / "assays.csv").read_text().replace("biomass", "biomoss")
    (tmp_path / "assays.csv").write_text(changed)
    with pytest.raises(UserError, match=r"assays\.csv is missing or not what was exported"):
        read(tmp_path)
