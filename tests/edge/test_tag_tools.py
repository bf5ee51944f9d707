"""What a server shows is browsed, recognised by its names, proposed as a configuration, and linted."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from controller.cli import app
from controller.edge.tag_names import Meaning, lint, meaning

NAMES = {
    (("R1", "AIC102.PV"), "%"): Meaning("R1/AIC102", False, "dissolved_oxygen", "ISA-5.1"),
    (("R1", "AIC101.PV"), "pH"): Meaning("R1/AIC101", False, "ph", "ISA-5.1"),
    (("BR101-TIC101.SP",), "degC"): Meaning("BR101-TIC101", True, "temperature", "ISA-5.1"),
    (("FIC201.PV",), "L/h"): Meaning("FIC201", False, "flow", "ISA-5.1"),
    (("LADS", "FunctionSet", "pH", "TargetValue"), "pH"): Meaning("LADS/FunctionSet/pH", True, "ph", "LADS"),
    (("Unit", "FunctionSet", "Temperature", "SensorValue"), "degC"): Meaning(
        "Unit/FunctionSet/Temperature", False, "temperature", "LADS"
    ),
    (("Reactor", "pO2"), "%"): Meaning("Reactor/pO2", False, "dissolved_oxygen", "its name"),
    (("Reactor", "StirrerSpeed"), "rpm"): Meaning("Reactor/StirrerSpeed", False, "agitation", "its name"),
    (("Reactor", "Glucose_Feed"), "mL/h"): Meaning("Reactor/Glucose_Feed", False, "feed", "its name"),
    (("Reactor", "Zebra"), ""): Meaning("Reactor/Zebra", False, "", ""),
}


@pytest.mark.parametrize("path", NAMES)
def test_a_name_says_loop_part_and_quantity(path: tuple[tuple[str, ...], str]) -> None:
    assert meaning(*path) == NAMES[path]


def test_other_parts_of_a_loop_are_no_variables() -> None:
    assert meaning(("R1", "FIC201.SP_ACTIVE"), "L/h") is None
    assert meaning(("R1", "SUPERVISOR.LEASE_S"), "") is None


def test_the_linter_names_each_tag_and_what_to_do() -> None:
    told = [f"{r.tag} {r.text}" for r in lint([("TIC101.PV", "degC", 0, 60), ("Temp", None, None, None)])]
    assert told == [
        "Temp is no ISA-5.1 name, such as BR101-TIC101.PV or AIC102.PV",
        "Temp states no unit; give it EngineeringUnits at the server",
        "Temp states no range; give it an EURange at the server",
    ]
    twice = lint([("TIC101.PV", "degC", 0, 60), ("tic101.pv", "degC", 60, 60)])
    assert [r.text for r in twice if r.tag == "TIC101.PV"] == ["is the name of 2 tags; give each its own"]
    assert "ranges over 60 to 60, which is no range" in [r.text for r in twice]


def test_a_server_is_browsed_and_proposed_as_a_configuration(plant: Any, tmp_path: Path) -> None:
    out = tmp_path / "proposed.toml"
    endpoint = plant.settings.connection.endpoint
    told = CliRunner().invoke(app, ["tags", endpoint, "--out", str(out), "--json"])
    assert told.exit_code == 0, told.output
    rows = {row["path"]: row for row in json.loads(told.stdout)["rows"]}
    oxygen = rows["R1/AIC102.PV"]
    assert (oxygen["unit"], oxygen["range"], oxygen["quality"]) == ("%", "0 to 120", "good")
    assert (oxygen["proposed"], oxygen["known by"]) == ("dissolved_oxygen", "ISA-5.1")
    content = tomllib.loads(out.read_text())
    assert content["connection"] == {"endpoint": endpoint, "namespace": "urn:neurotwin:plant"}
    variables = {v["node"]: v for v in content["variable"]}
    assert variables["FIC201.PV"]["role"] == "manipulated"
    assert variables["FIC201.PV"]["setpoint"] == "FIC201.SP"
    assert variables["TIC101.PV"] == {
        "name": "temperature", "unit": "degC", "low": 0.0, "high": 60.0, "role": "measured", "node": "TIC101.PV"
    }  # fmt: skip
    assert plant.writes == []
    again = CliRunner().invoke(app, ["tags", endpoint, "--out", str(out)])
    assert again.exit_code != 0
    linted = CliRunner().invoke(app, ["tags", endpoint, "--lint", "--json"])
    assert any(r["tag"] == "LAB.BIOMASS" for r in json.loads(linted.stdout)["rows"])
