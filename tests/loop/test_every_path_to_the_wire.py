"""Every command is made in one of two places, and each of them asks the one gate first."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2] / "controller"
MAKERS = {"loop/look_ahead.py:_taken", "loop/standing_command.py:commanded"}  # suggestions and plans; what is steered
GATED = {
    "loop/look_ahead.py:_taken": "admit",
    "loop/standing_command.py:ramp": "permitted",
    "loop/hold.py:_step": "permitted",
    "loop/safety.py:admit": "permitted",
}
WRITERS = {"edge/actuator.py"}  # of what a Decision says, and of nothing else


def functions(name: str) -> dict[str, list[str]]:
    """By place, the functions of the controller that call something of this name, outside of the patient."""
    found: dict[str, list[str]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                calls = [c.func for c in ast.walk(node) if isinstance(c, ast.Call)]
                if any(getattr(c, "id", getattr(c, "attr", "")) == name for c in calls):
                    found.setdefault(f"{place}:{node.name}", []).append(name)
    return found


def test_commands_are_made_in_two_places() -> None:
    assert {place for place in functions("Command") if not place.startswith(("patient/", "bench/"))} == MAKERS


def test_what_is_steered_is_made_by_a_hold_or_a_ramp_alone() -> None:
    callers = set(functions("commanded"))
    assert callers == {"loop/hold.py:hold", "loop/standing_command.py:ramp"}


def test_each_of_them_asks_the_gate() -> None:
    for place, gate in GATED.items():
        assert place in functions(gate), f"{place} writes without asking {gate}"


def test_setpoints_go_to_the_plant_by_the_actuator_alone() -> None:
    writers = {place.partition(":")[0] for place in functions("write") if place.startswith("edge/")}
    assert {w for w in writers if "opcua" not in w and "historian" not in w and "influx" not in w} <= WRITERS | {
        "edge/audit.py",
        "edge/reports.py",
        "edge/users.py",
    }
