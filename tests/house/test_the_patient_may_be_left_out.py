"""The patient is a package of its own: without it, command line, console and Grafana serve reactors as before."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENT = ("controller/patient", "hmi/patient")


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project without the patient."""
    root = tmp_path_factory.mktemp("house")
    for package in ("controller", "twin", "plant_sim", "hmi"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in PATIENT:
        shutil.rmtree(root / folder, ignore_errors=True)
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def ran(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What Python says in that copy."""
    env = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run([sys.executable, *arguments], cwd=root, env=env, capture_output=True, text=True, timeout=250)


def test_the_command_line_offers_everything_but_the_patient(without: Path) -> None:
    offered = ran(without, "-m", "controller.cli", "--help")
    assert offered.returncode == 0, offered.stderr
    assert "campaign" in offered.stdout
    assert "patient" not in offered.stdout
    if (ROOT / "controller" / "patient").is_dir():
        assert "patient" in ran(ROOT, "-m", "controller.cli", "--help").stdout


def test_the_contracts_hold(without: Path) -> None:
    linted = ran(without, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache")
    assert linted.returncode == 0, linted.stdout


def test_grafana_gets_every_dashboard_but_the_patients(without: Path) -> None:
    assert ran(without, "-m", "controller.cli", "init", "own").returncode == 0
    (config,) = (path for path in (without / "own").glob("*.toml") if "[connection]" in path.read_text())
    wrote = ran(without, "-m", "controller.cli", "grafana", str(config), "--out", "grafana")
    assert wrote.returncode == 0, wrote.stderr
    names = {path.stem for path in (without / "grafana" / "dashboards").glob("*.json")}
    assert "patient" not in names
    assert {"overview", "unit", "twin", "neurocore", "pharmacoloop", "alarms", "historian"} <= names


def test_the_console_has_all_its_displays(without: Path) -> None:
    told = ran(without, "-c", "from hmi.console.pages import REACTOR; print(len(REACTOR))")
    assert told.stdout.strip() == "10", told.stderr
