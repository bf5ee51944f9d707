"""The twin's bench: what it measures is real, in a short form."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from controller.bench import twin
from controller.bench.command import app


def test_the_ensemble_agrees_with_lsoda_and_is_faster() -> None:
    found = twin.ensemble(members=32, timed=2)
    assert found["ensemble_max_error"] < 1e-4
    assert found["ensemble_speedup_vs_lsoda"] > 1.0


def test_numba_and_casadi_make_the_same_of_the_equations() -> None:
    assert twin.bindings()["bindings_max_difference"] < 1e-9


def test_the_command_tells_the_parts_asked_for_and_refuses_others() -> None:
    answer = CliRunner().invoke(app, ["twin", "--json", "--quick", "--part", "mpc"])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert found["mpc_failures"] == 0
    assert found["mpc_states"] == 10
    assert CliRunner().invoke(app, ["twin", "--part", "magic"]).exit_code != 0


@pytest.mark.benchmark
def test_estimates_of_an_unseen_batch_beat_the_last_assay() -> None:
    found = twin.bench(lambda _: None, ("estimation",), quick=True)
    limit, held = found["product_limit_nrmse"], found["product_last_assay_held_nrmse"]
    assert limit < found["estimate_nrmse"]["product"] < held
