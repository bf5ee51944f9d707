"""The twin's bench: what it measures is real, in a short form."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from controller.bench import twin
from controller.bench.control import control
from controller.bench.ensemble import ensemble
from controller.commands.bench import app
from controller.processes import find, shipped

PENICILLIN = find("penicillin")
EVERY = [find(name) for name in shipped()]


@pytest.mark.parametrize("process", EVERY, ids=lambda process: process.name)
def test_the_ensemble_agrees_with_lsoda_and_is_faster(process) -> None:
    found = ensemble(process, members=32, timed=2)
    assert found["ensemble_max_error"] < 1e-4
    assert found["ensemble_speedup_vs_lsoda"] > 1.0


@pytest.mark.parametrize("process", EVERY, ids=lambda process: process.name)
def test_numba_and_casadi_make_the_same_of_the_equations(process) -> None:
    assert twin.bindings(process.model())["bindings_max_difference"] < 1e-9


def test_the_command_tells_the_parts_asked_for_and_refuses_others() -> None:
    answer = CliRunner().invoke(app, ["twin", "--json", "--quick", "--part", "mpc"])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert found["mpc_failures"] == 0
    assert found["mpc_states"] == 10
    assert CliRunner().invoke(app, ["twin", "--part", "magic"]).exit_code != 0


@pytest.mark.parametrize("process", [p for p in EVERY if not p.studied], ids=lambda process: process.name)
def test_a_process_without_a_study_is_asked_from_what_its_own_recipe_goes_through(process) -> None:
    found = control(process, 4)
    assert (found["mpc_failures"], found["mpc_states"]) == (0, 4)
    assert found["mpc_solved"] >= 3


@pytest.mark.benchmark
def test_estimates_of_an_unseen_batch_beat_the_last_assay() -> None:
    found = twin.bench(PENICILLIN, lambda _: None, ("estimation",), quick=True)
    limit, held = found["product_limit_nrmse"], found["product_last_assay_held_nrmse"]
    assert limit < found["estimate_nrmse"]["product"] < held
