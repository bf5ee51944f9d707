"""`neurotwin fit`: parameters come back, what the data do not say is said, and the result is used."""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from controller.assembly import assemble
from controller.cli import app
from controller.fitting.parameters_file import with_fitted
from controller.fitting.run import fit
from controller.processes import find
from controller.processes.mab.model import MODEL
from controller.settings import load
from controller.support.user_error import UserError
from twin.fit import Prior, Problem, Record, Seen, parameters, predicted, residuals, solve, spread
from twin.fit_report import fisher, leave_out, profile

TRUE = {"q_mAb": math.log(1.3), "m_S": math.log(1.25), "mu_m": math.log(1.1)}
ASSAYED = ("viable_cells", "product", "glucose", "glutamine", "lactate")


def made(seed: int, outputs: tuple[str, ...] = ASSAYED, start: float = 1.0) -> Record:
    """A batch that the model itself made, with the true parameters, daily assays and their errors."""
    rng = np.random.default_rng(seed)
    feed = rng.uniform(0.002, 0.006)
    hours = tuple(float(h) for h in range(0, 145, 4))
    inputs = tuple((feed, 0.5 * feed, 0.0) if h >= 40 else (0.0, 0.0, 0.0) for h in hours[:-1])
    blank = tuple(Seen(float(h), name, 0.0) for h in range(24, 145, 24) for name in outputs)
    record = Record(f"made{seed}", hours, inputs, blank)
    truth = Problem(MODEL, (record,), tuple(Prior(name, 1.0) for name in TRUE))
    cells, *others = MODEL.states
    begun = replace(MODEL, states=(replace(cells, initial=start * cells.initial), *others))
    values = predicted(begun, record, parameters(truth, list(TRUE.values())))
    true = replace(record, seen=tuple(replace(s, value=float(v)) for s, v in zip(blank, values, strict=True)))
    noisy = values + spread(MODEL, true) * rng.standard_normal(len(values))
    return replace(true, seen=tuple(replace(s, value=float(v)) for s, v in zip(true.seen, noisy, strict=True)))


@pytest.fixture(scope="module")
def problem() -> Problem:
    return Problem(MODEL, tuple(made(k) for k in range(3)), tuple(Prior(name, 0.4) for name in TRUE))


def test_known_parameters_come_back_within_what_the_fit_says_of_itself(problem):
    solution = solve(problem, (0.0,) * 3)
    known = fisher(problem, solution)
    for k, (name, true) in enumerate(TRUE.items()):
        assert abs(solution.theta[k] - true) < 4.0 * known.posterior_sd[k], name
        assert known.posterior_sd[k] < 0.15, name
    assert solution.cost < 0.5 * np.sum(residuals(problem, (0.0,) * 3) ** 2)
    assert {profile(problem, solution, k, known.posterior_sd[k]).verdict for k in range(3)} == {"identified"}


def test_a_batch_with_another_inoculum_does_not_pull_the_growth_rate():
    odd = Problem(MODEL, (made(0), made(1), made(2, start=1.3)), tuple(Prior(name, 0.4) for name in TRUE))
    solution = solve(odd, (0.0,) * 3)
    assert solution.theta[2] == pytest.approx(TRUE["mu_m"], abs=0.1)


def test_what_the_data_do_not_speak_of_stays_at_its_prior_and_is_called_not_identified(problem):
    blind = Problem(MODEL, (made(0, ("viable_cells",)),), (Prior("q_mAb", 0.4),))
    solution = solve(blind, (0.0,))
    known = fisher(blind, solution)
    assert solution.theta[0] == pytest.approx(0.0, abs=1e-6)
    assert known.posterior_sd[0] == pytest.approx(0.4, rel=1e-3)
    assert known.data_sd[0] == math.inf
    assert profile(blind, solution, 0, known.posterior_sd[0]).verdict == "not identified"


def test_a_left_out_batch_is_predicted_better_than_by_the_literature(problem):
    left = leave_out(problem, solve(problem, (0.0,) * 3), 1)
    assert left.values["product"] == 6
    assert left.fitted["product"] < 0.5 * left.literature["product"]


def test_every_start_is_tried_and_the_best_is_kept(problem):
    told: list[tuple[str, int, int]] = []
    found = fit(problem, 3, profiles=False, progress=lambda *what: told.append(what))
    assert len(found.start_costs) == 3
    assert found.solution.cost == min(found.start_costs)
    assert ("starts", 3, 3) in told
    assert ("batches left out", 3, 3) in told


def test_a_cluster_gives_the_same_fit(problem):
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        there = fit(problem, 2, scheduler=cluster.scheduler_address, profiles=False)
    here = fit(problem, 2, profiles=False)
    assert there.solution.theta == pytest.approx(here.solution.theta, abs=1e-9)
    assert there.left_out == here.left_out


def test_the_command_fits_exported_batches_and_a_configuration_includes_the_result(exported, tmp_path):
    out = tmp_path / "fitted.toml"
    chosen = "q_mAb,m_S,Y_XS,mu_m,KI_L,KI_A"
    arguments = ["fit", str(exported("mab", 3)), "--plant", "mab", "--out", str(out), "--parameters", chosen]
    done = CliRunner().invoke(app, [*arguments, "--starts", "1", "--no-profiles", "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    better = report["prediction"]
    assert better["product"]["fitted"] < better["product"]["literature"]
    assert better["viable_cells"]["fitted"] < better["viable_cells"]["literature"]
    assert Path(report["figure"]).read_bytes().startswith(b"\x89PNG")
    written = tomllib.loads(out.read_text())["parameter"]["q_mAb"]
    assert written["unit"] == "mg/(10^9.h)"
    assert written["posterior_sd"] < written["prior_sd"]
    config = tmp_path / "mab.toml"
    text = find("mab").configuration.read_text().replace('backend = "lava-fixed"', 'backend = "reference"')
    config.write_text(text)
    assembled = assemble(load(config))
    q_mab = next(p for p in assembled.model.parameters if p.name == "q_mAb")
    assert q_mab.value == pytest.approx(written["value"])
    assert "fitted" in q_mab.source
    assembled.core.close()


def test_penicillin_batches_are_read_and_speak_of_its_parameters(exported):
    from controller.fitting.history_files import Columns, records_from

    model = find("penicillin").model()
    records = records_from(exported("penicillin", 1), model, Columns())
    small = Problem(model, records, (Prior("mo", 0.15), Prior("mu_x", 0.15)))
    solution = solve(small, (0.1, 0.1), 6)
    known = fisher(small, solution)
    assert known.posterior_sd[0] < 0.1
    assert solution.cost < 0.5 * np.sum(residuals(small, (0.1, 0.1)) ** 2)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('model = "penicillin"\n', "penicillin"),
        ('model = "mab"\n', "no [parameter.NAME] table"),
        ('model = "mab"\n[parameter.q_mab]\nvalue = 1.0\nunit = "mg/(10^9.h)"\n', "did you mean 'q_mAb'"),
        ('model = "mab"\n[parameter.q_mAb]\nvalue = -1.0\nunit = "mg/(10^9.h)"\n', "above 0"),
        ('model = "mab"\n[parameter.q_mAb]\nvalue = 1.0\nunit = "g/h"\n', "given in 'g/h'"),
        ("model = \n", "not a TOML file"),
    ],
)
def test_a_fitted_file_that_does_not_fit_the_model_is_refused_in_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "fitted.toml"
    path.write_text(content)
    with pytest.raises(UserError, match=r"fitted\.toml") as fault:
        with_fitted(MODEL, path)
    assert sentence in str(fault.value)
