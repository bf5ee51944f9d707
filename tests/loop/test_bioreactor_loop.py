"""PharmacoLoop for a bioreactor on the real twin: it finds what helps, says why, and abstains when nothing does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.assembly import envelope_of
from controller.loop.records import Abstention, Situation, Suggestion
from controller.pharmacoloop.bioreactor import BioreactorLoop
from controller.pharmacoloop.planning import Planner
from controller.processes import find
from controller.processes.penicillin import model as penicillin
from controller.settings import load
from twin.correction import none
from twin.engine import TwinEngine
from twin.signals import Quality, Reading, Snapshot

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def bench() -> Any:
    """The loop as it is shipped, and a belief of the first hour of a batch."""
    from types import SimpleNamespace

    settings = load(find("penicillin").configuration)
    plant = settings.plant_record()
    engine = TwinEngine(plant, penicillin.MODEL)
    envelope, latch = envelope_of(settings), find("penicillin").latch
    planner = Planner(penicillin.MODEL, envelope, settings.recipe, latch)
    loop = BioreactorLoop(plant, engine, envelope, settings.recipe, latch, timedelta(hours=8), 0.5, planner)
    values = {"dissolved_oxygen": 100.0, "weight": 100.0, "air_flow": 8.6, "agitator_power": 30.0}
    values |= {"feed": 0.0, "precursor_feed": 0.00045, "base_flow": 0.0, "acid_flow": 0.0}
    readings = {name: Reading(value, plant.variable(name).unit, START, Quality.GOOD) for name, value in values.items()}
    estimate = engine.assimilate(None, Snapshot(START, readings)).now
    situation = Situation("B", "growth", START + timedelta(hours=230), {"feed": 0.0, "precursor_feed": 0.00045})
    return SimpleNamespace(loop=loop, engine=engine, estimate=estimate, situation=situation)


def proposed(bench: Any, world: Any, **changes: Any) -> Suggestion | Abstention:
    insight = replace(world.insight, correction=none([m.name for m in penicillin.MODEL.multipliers]))
    situation = replace(bench.situation, **changes)
    baseline = bench.engine.forecast(bench.estimate, insight.correction, bench.loop.hold(bench.estimate, situation))
    return bench.loop.propose(bench.estimate, insight, baseline, situation).answer


def test_a_recipe_that_runs_out_of_precursor_is_seen_and_mended(bench: Any, world: Any) -> None:
    suggestion = proposed(bench, world)
    assert isinstance(suggestion, Suggestion)
    assert [m.variable for m in suggestion.moves] == ["precursor_feed"]
    assert suggestion.moves[0].value > suggestion.moves[0].previous == 0.00045
    assert suggestion.effect.gain > 0.0
    assert suggestion.effect.gain_low < suggestion.effect.gain < suggestion.effect.gain_high
    assert suggestion.effect.proposed == pytest.approx(suggestion.effect.baseline + suggestion.effect.gain)
    assert suggestion.reason.startswith("Raise precursor feed from 0.00045 to 0.0006")
    assert "product at the end of the batch" in suggestion.reason
    assert "if the plan is followed" in suggestion.reason
    assert "not to gain" not in suggestion.reason
    assert "Planned: sugar feed" in suggestion.reason
    assert "Harvest at the planned end." in suggestion.reason


def test_with_enough_precursor_it_abstains_and_says_why(bench: Any, world: Any) -> None:
    answer = proposed(bench, world, setpoints={"feed": 0.0, "precursor_feed": 0.0013})
    assert isinstance(answer, Abstention)
    assert "product" in answer.reason


def test_it_takes_precursor_away_before_it_poisons_growth(bench: Any, world: Any) -> None:
    suggestion = proposed(bench, world, setpoints={"feed": 0.0, "precursor_feed": 0.003})
    assert isinstance(suggestion, Suggestion)
    assert suggestion.moves[0].value == pytest.approx(0.0026)
    assert "precursor feed: one step is 0.0004 L/h" in suggestion.bounded_by


def test_the_feed_is_not_moved_before_its_phase_and_is_planned_as_the_recipe_will(bench: Any, world: Any) -> None:
    suggestion = proposed(bench, world)
    assert isinstance(suggestion, Suggestion)
    assert suggestion.plan.steps[0].inputs["feed"] == 0.042
    assert all(0.035 <= step.inputs["feed"] <= 0.045 for step in suggestion.plan.steps)
    assert suggestion.plan.latch == find("penicillin").latch


@pytest.mark.parametrize("phase", ["complete", ""])
def test_where_nothing_may_be_moved_nothing_is_proposed(bench: Any, world: Any, phase: str) -> None:
    answer = proposed(bench, world, phase=phase)
    assert isinstance(answer, Abstention)
    assert answer.reason.startswith("nothing may be moved in phase")


def test_after_the_end_of_the_batch_nothing_is_proposed(bench: Any, world: Any) -> None:
    baseline = bench.engine.forecast(bench.estimate, none([]), bench.loop.hold(bench.estimate, bench.situation))
    over = replace(bench.situation, batch_end=bench.estimate.time)
    answer = bench.loop.propose(bench.estimate, world.insight, baseline, over).answer
    assert answer == Abstention(bench.estimate.time, "the batch has reached its end")
