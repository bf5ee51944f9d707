"""Campaigns: the plant is driven through the live turn, every strategy sees the same batch, and pairs are compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from controller.assembly import assemble
from controller.campaign import campaign as campaigns
from controller.campaign import closed_loop, statistics, tuned
from controller.campaign.learners import Nobody, Quadratic, _wide
from controller.processes import find
from controller.processes.penicillin.plant import DESIGN as PENICILLIN
from controller.settings import load
from controller.support.user_error import UserError
from hmi import campaign_figure
from plant_sim.batch import Batch
from plant_sim.recipe import PlantPhase

PROCESS = find("penicillin")


@pytest.fixture(scope="module")
def plant() -> Any:
    """Settings on the reference backend, and everything assembled."""
    settings = load(find("penicillin").configuration)
    settings = replace(settings, neurocore=replace(settings.neurocore, backend="reference"))
    return settings, assemble(settings)


def test_the_loop_takes_over_a_simulated_batch_and_estimates_it(plant: Any) -> None:
    settings, made = plant
    short = replace(settings, batch=replace(settings.batch, length_h=14.0))
    batch = closed_loop.simulated(short, 3)
    scans = list(closed_loop.steered(settings=short, batch=batch, parts=replace(made.parts, core=Nobody(made.model))))
    assert [round(scan.hours) for scan in scans] == list(range(1, 15))
    last = scans[-1]
    assert last.estimate is not None
    assert last.estimate["biomass"] == pytest.approx(last.truth["biomass"], rel=0.15)
    assert all(0.0 <= scan.setpoints["precursor_feed"] <= 0.002 for scan in scans)


def test_a_batch_comes_out_the_same_every_time() -> None:
    runs = [campaigns.run(campaigns.Task(PROCESS, "recipe", 7)) for _ in range(2)]
    assert runs[0].amount == runs[1].amount
    assert runs[0].amount > 20.0
    assert len(runs[0].product) == 230


def test_broken_bounds_are_told_with_their_numbers() -> None:
    told = [campaigns.run(campaigns.Task(PROCESS, "recipe", seed)) for seed in (0, 1, 2, 3)]
    short = [o for o in told if o.violations]
    assert short  # the plain recipe runs out of precursor in many batches
    assert all("precursor fell to" in o.violations[0] for o in short)


def test_the_tuned_recipe_makes_more_than_the_plain_one_of_a_nominal_batch(plant: Any) -> None:
    settings, made = plant
    hours, pumps = tuned.timetable(settings, made)
    assert hours[0] == 0.0
    assert all(0.035 <= p["FIC201"] <= 0.045 for p in pumps)
    recipe = tuned.Timed(Batch(PENICILLIN, None).recipe, hours, pumps, "FIC201")
    assert recipe.local(PlantPhase.GROWTH, 100.0)["FIC201"] == 0.0
    assert recipe.local(PlantPhase.PRODUCTION, 100.0)["FIC201"] > 0.0
    amounts = []
    for batch in (Batch(PENICILLIN, None, scan_s=100.0), Batch(PENICILLIN, None, recipe=recipe, scan_s=100.0)):
        batch.advance(3600.0 * 230.0)
        amounts.append(batch.truth()["product"] * batch.truth()["volume"])
    assert amounts[1] > 1.1 * amounts[0]


def test_wide_units_write_a_quadratic_to_within_a_hundredth() -> None:
    _, project, states = _wide(PROCESS.coded)
    low, high = (np.array(side) for side in zip(*PROCESS.coded.values(), strict=True))
    z = 2.0 * (states - low) / (high - low) - 1.0
    values = (0.3 - 0.2 * z[:, 0] + 0.1 * z[:, 1] * z[:, 3] - 0.3 * z[:, 2] ** 2)[:, None]
    population, _, _ = _wide(PROCESS.coded)
    centres = np.array(population.centres)
    activity = np.exp(
        -0.5 * np.sum((((states - low) / (high - low))[:, None] - centres) ** 2, axis=2) / population.width**2
    )
    assert np.abs(activity @ (project @ values) - values).max() < 0.01


def test_what_quadratic_rls_learned_can_be_handed_on(plant: Any) -> None:
    settings, made = plant
    learners = [Quadratic(made.model, made.parts.plant, PROCESS.learned, dict(PROCESS.coded)) for _ in range(2)]
    learners[1].begin(learners[0].learned())
    reader = closed_loop.Reader(settings, closed_loop.simulated(settings, 1))
    snapshot, _ = reader.read()
    estimate = made.parts.engine.assimilate(None, snapshot).now
    assert learners[1].learn(None, snapshot, estimate)[0].correction.multiplier_names == PROCESS.learned


def test_pairs_are_compared_on_the_same_seeds() -> None:
    found = statistics.pairs({"neuro": [110.0, 120.0, 99.0], "recipe": [100.0, 100.0, 100.0]})["neuro-recipe"]
    assert found["mean_percent"] == pytest.approx(9.6667, abs=1e-3)
    assert found["worst_percent"] == pytest.approx(-1.0)
    assert found["low_percent"] <= found["mean_percent"] <= found["high_percent"]


def test_unknown_strategies_and_taught_seeds_are_refused_in_a_sentence() -> None:
    with pytest.raises(UserError, match="no strategy is called 'magic'"):
        campaigns.campaign(PROCESS, strategies=("magic",))
    with pytest.raises(UserError, match="taught on"):
        campaigns.campaign(PROCESS, seeds=(450,), strategies=("neuro",))


def test_the_command_prints_one_object_and_draws_the_picture(tmp_path: Path) -> None:
    from controller.cli import app

    asked = ["campaign", "--batches", "2", "--strategies", "recipe", "--workers", "1", "--json", "--out", str(tmp_path)]
    answer = CliRunner().invoke(app, asked)
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert found["seeds"] == [0, 1]
    assert set(found["strategies"]["recipe"]) >= {"mean", "sd", "min", "unit", "violations"}
    assert (tmp_path / "campaign.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "campaign.md").read_text().startswith("| strategy |")
    assert campaign_figure.COLOURS.keys() == set(campaigns.STRATEGIES)


@pytest.mark.benchmark
def test_the_closed_loop_makes_more_than_the_recipe_on_batches_to_develop_on() -> None:
    found, _ = campaigns.campaign(PROCESS, seeds=range(4), strategies=("recipe", "twin"), history=())
    assert found["paired"]["twin-recipe"]["mean_percent"] > 14.0
    assert found["strategies"]["twin"]["violations"] == 0
