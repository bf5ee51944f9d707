"""`neurotwin demo --plant mab`: the second process through the same loop, over real OPC UA."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from controller.settings import load

NEUROTWIN = [sys.executable, "-m", "controller.cli"]


def test_a_headless_run_of_the_mab_plant_reports_as_the_penicillin_one_does(tmp_path: Path) -> None:
    command = ["demo", "--plant", "mab", "--headless", "--hours", "4", "--speed", "max", "--json"]
    done = subprocess.run(
        [*NEUROTWIN, *command, "--out", str(tmp_path)], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert report["scans"] >= 4 * 12
    assert report["neurocore_backend"] == "lava-fixed"
    assert set(report["estimate_nrmse"]) == {"biomass", "substrate", "product"}
    assert 0.0 < report["product_g_per_l"] < 0.02  # 2 mg/L after four hours
    assert report["lease_lapses"] == 0


def test_init_writes_the_configuration_of_the_plant_that_was_asked_for(tmp_path: Path) -> None:
    done = subprocess.run(
        [*NEUROTWIN, "init", str(tmp_path), "--plant", "mab"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    settings = load(tmp_path / "mab.toml")
    assert settings.plant.process == "mab"
    assert settings.model.parameters == tmp_path / "fitted.toml"
    again = subprocess.run(
        [*NEUROTWIN, "init", str(tmp_path), "--plant", "yeast"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert again.returncode == 2
    assert "yeast" in again.stderr and "mab" in again.stderr
