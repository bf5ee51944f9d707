"""Dashboards are what Grafana publishes as its schema: the TypeScript types of the version that compose.yaml starts.

Its compiler reads each dashboard as a literal, so that a wrong type, a missing value and an unknown key are errors.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.commands.grafana import content_of
from controller.processes import find, shipped
from controller.settings import load
from hmi.grafana import provisioning
from hmi.grafana.dashboards import dashboards

SCHEMA = Path(__file__).parent / "schema"
COMPILER = SCHEMA / "node_modules/typescript/bin/tsc"
OPTIONS = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext"]
PLANTS = shipped()

Dashboards = dict[str, dict[str, Any]]
Change = Callable[[Dashboards], object]


@pytest.fixture(scope="session")
def node() -> str:
    found = shutil.which("node")
    missing = "" if found else "node was not found (apt-get install nodejs npm)"
    if found and not (COMPILER.is_file() and (SCHEMA / "node_modules/@grafana/schema").is_dir()):
        missing = "Grafana's schema was not found (npm ci in tests/grafana/schema)"
    if missing and os.environ.get("NEUROTWIN_REQUIRE_SERVERS") == "1":
        pytest.fail(missing)
    if missing or found is None:
        pytest.skip(missing)
    return found


def made(plant: str = "penicillin") -> Dashboards:
    return dashboards(content_of(load(find(plant).configuration)))


def misfits(node: str, folder: Path, sets: list[Dashboards]) -> dict[int, list[str]]:
    """What the compiler finds wrong, by the number of the set."""
    for number, found in enumerate(sets):
        text = json.dumps(found, indent=1)
        head = f'import type {{ Dashboards }} from "{SCHEMA / "dashboards"}";'
        (folder / f"made_{number}.ts").write_text(f"{head}\nexport const made: Dashboards = {text};\n")
    files = [str(file) for file in sorted(folder.glob("*.ts"))]
    command = [node, str(COMPILER), *OPTIONS, "--moduleResolution", "bundler", *files]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=folder)
    errors: dict[int, list[str]] = {}
    for line in ran.stdout.splitlines():
        if (at := re.match(r".*made_(\d+)\.ts\((\d+),\d+\): error (.*)", line)) is not None:
            errors.setdefault(int(at[1]), []).append(at[3])
        else:
            assert line.startswith(" "), ran.stdout  # a fault of the types themselves, or of the compiler's options
    assert (ran.returncode == 0) == (not errors), ran.stderr
    return errors


def test_the_schema_is_that_of_the_grafana_that_is_started(tmp_path: Path) -> None:
    provisioning.write(content_of(load(find("penicillin").configuration)), tmp_path)
    image = yaml.safe_load((tmp_path / "compose.yaml").read_text())["services"]["grafana"]["image"]
    version = json.loads((SCHEMA / "package.json").read_text())["dependencies"]["@grafana/schema"]
    assert image == f"grafana/grafana:{version}"
    lock = (SCHEMA / "package-lock.json").read_text()
    assert '"resolved"' not in lock and lock.count('"integrity"') == 3


def of_kind(found: Dashboards, kind: str) -> dict[str, Any]:
    return next(panel for one in found.values() for panel in one["panels"] if panel["type"] == kind)


BREAKS: dict[str, Change] = {
    "no such property": lambda d: d["twin"].update(panel_list=[]),
    "a number as text": lambda d: d["twin"]["panels"][0]["gridPos"].update(w="wide"),
    "a text that is no member": lambda d: d["unit"]["templating"]["list"][0].update(type="choice"),
    "a kind of panel that there is not": lambda d: d["twin"]["panels"][0].update(type="lines"),
    "no such option of a trend": lambda d: of_kind(d, "timeseries")["options"].update(legends={}),
    "an option of a trend that is no member": lambda d: of_kind(d, "timeseries")["options"]["legend"].update(
        displayMode="wide"
    ),
    "no such field of a trend": lambda d: of_kind(d, "timeseries")["fieldConfig"]["defaults"]["custom"].update(ink=1),
    "no such property in an override": lambda d: d["twin"]["panels"][0]["fieldConfig"]["overrides"][0][
        "properties"
    ].append({"id": "custom.fillAbove", "value": 1}),
    "no such option of a figure": lambda d: of_kind(d, "stat")["options"].update(colour="none"),
    "an option of a timeline of another type": lambda d: of_kind(d, "state-timeline")["options"].update(mergeValues=1),
    "no such option of a table": lambda d: of_kind(d, "table")["options"].update(header=True),
    "a target without a letter": lambda d: of_kind(d, "table")["targets"][0].pop("refId"),
    "an annotation without its colour": lambda d: d["twin"]["annotations"]["list"][0].pop("iconColor"),
    "no version of the schema": lambda d: d["alarms"].pop("schemaVersion"),
}


def test_every_dashboard_is_what_grafana_publishes_and_each_broken_one_is_not(node: str, tmp_path: Path) -> None:
    sets = [made(plant) for plant in PLANTS]
    for change in BREAKS.values():
        broken = made()
        change(broken)
        sets.append(broken)
    found = misfits(node, tmp_path, sets)
    assert [found.get(number, []) for number in range(len(PLANTS))] == [[]] * len(PLANTS)
    unseen = [name for number, name in enumerate(BREAKS, len(PLANTS)) if not found.get(number)]
    assert unseen == []
