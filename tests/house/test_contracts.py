"""Each import contract is kept by the tree, and broken by the import that it forbids: a module is covered when born."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from controller.processes import shipped

ROOT = Path(__file__).parents[2]
PATIENT = ROOT / "controller" / "patient"  # it and its displays may be left out
PACKAGES = ("controller", "twin", "plant_sim", "hmi")
CONTRACTS: dict[str, dict[str, Any]] = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}

# By contract: a file that is new, and what it imports.
BROKEN = {
    "layers": [
        ("controller/loop/fresh.py", "controller.edge.runner"),
        ("controller/support/fresh.py", "controller.settings"),
        ("controller/processes/fresh.py", "controller.tables"),
        ("controller/fresh.py", "controller.cli"),  # on no floor
    ],
    "islands": [
        ("twin/fresh.py", "plant_sim.batch"),
        ("plant_sim/fresh.py", "twin.engine"),
        ("hmi/fresh.py", "twin.engine"),
    ],
    "upwards": [(f"{package}/fresh.py", "controller.settings") for package in PACKAGES[1:]],
    "displays": [(f"controller/{room}/fresh.py", "hmi.batch_report") for room in ("edge", "loop")],
    "simulation": [
        (f"controller/{room}/fresh.py", "plant_sim.batch") for room in ("edge", "loop", "fitting", "patient")
    ],
    "patient": [(f"controller/{room}/fresh.py", "controller.patient.model") for room in ("edge", "bench")]
    + [("hmi/fresh.py", "hmi.patient.report")],
    "processes": [
        (f"controller/{room}/fresh.py", f"controller.processes.{shipped()[0]}.model")
        for room in ("bench", "processes", "commands", "review")
    ],
    "opcua": [(f"{room}/fresh.py", "asyncua") for room in ("controller/edge", "controller/bench")],
    "lava": [(f"{room}/fresh.py", "lava.magma") for room in ("controller/neurocore", "controller/bench")],
    "sqlite": [(f"{room}/fresh.py", "sqlite3") for room in ("controller/edge/opcua", "controller/review")],
    "pure": [
        (f"{room}/fresh.py", module)
        for room in ("controller/loop", "controller/pharmacoloop", "controller/neurocore", "twin")
        for module in ("asyncio", "os", "pathlib", "socket", "sqlite3", "subprocess", "threading", "time")
    ],
    "circles": [("controller/loop/fresh.py", "controller.loop.alarms.fresh")],
}


def linted(tree: Path, contract: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()"]
    here = os.environ | {"PYTHONPATH": str(tree), "COLUMNS": "400"}
    options = ["--no-cache", "--contract", contract, "--verbose"]
    return subprocess.run([*command, *options], cwd=tree, env=here, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources and of the contracts."""
    copy = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "*.toml"))
    return copy


def test_every_contract_has_an_import_that_breaks_it() -> None:
    assert set(BROKEN) == set(CONTRACTS)


def test_no_process_imports_another() -> None:
    for name in shipped():
        for path in (ROOT / "controller" / "processes" / name).rglob("*.py"):
            others = {f"controller.processes.{other}" for other in shipped() if other != name}
            assert not others & {".".join(module.split(".")[:3]) for module in imported(path)}, path


def imported(path: Path) -> set[str]:
    """The modules that this file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    from_them = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return from_them | {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}


def test_no_contract_lists_modules_where_it_could_name_a_whole_package() -> None:
    for contract in CONTRACTS.values():
        for module in contract.get("source_modules", []):
            assert (ROOT / module.replace(".", "/")).is_dir(), f"{contract['id']} lists the module {module}"


@pytest.mark.parametrize("contract", BROKEN)
def test_a_contract_is_kept_and_each_forbidden_import_breaks_it(tree: Path, contract: str) -> None:
    assert linted(tree, contract).returncode == 0
    if contract == "patient" and not PATIENT.is_dir():
        pytest.skip("the patient was left out, so nobody can import it")
    written = []
    try:
        for number, (name, imported) in enumerate(BROKEN[contract]):
            if not (tree / name).parent.is_dir():
                assert not PATIENT.is_dir(), f"{contract} names the folder of {name}, which is gone"
                continue
            file = (tree / name).with_name(f"fresh{number}.py" if name != "controller/fresh.py" else "fresh.py")
            file.write_text(f"import {imported}\n")
            written.append(file)
        if contract == "circles":
            written.append(tree / "controller/loop/alarms/fresh.py")
            written[-1].write_text("import controller.loop.turn\n")
        broken = linted(tree, contract)
    finally:
        for file in written:
            file.unlink()
    assert broken.returncode == 1, broken.stdout
    for file in written:
        named = "controller.loop" if contract == "circles" else f".{file.stem}"
        assert named in broken.stdout, f"{file} is not named: {broken.stdout}"
