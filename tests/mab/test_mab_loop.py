"""PharmacoLoop on the antibody process: a culture is led back inside its bounds, overfed or starving."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.assembly import Assembly, assemble
from controller.campaign.closed_loop import Reader, simulated
from controller.loop.records import Abstention, Suggestion
from controller.loop.safety import admit
from controller.pharmacoloop.bioreactor import BioreactorLoop
from controller.processes import find
from controller.settings import Settings, load
from twin.correction import none

OVERFED = {
    "viable_cells": 2.0,
    "product": 75.0,
    "glucose": 36.0,
    "glutamine": 4.0,
    "lactate": 14.0,
    "ammonia": 3.2,
    "osmolality": 318.0,
}


@pytest.fixture(scope="module")
def settings() -> Settings:
    """As shipped, on the reference backend."""
    shipped = load(find("mab").configuration)
    return replace(shipped, neurocore=replace(shipped.neurocore, backend="reference"))


@pytest.fixture(scope="module")
def made(settings: Settings) -> Iterator[Assembly]:
    """Everything that serves the plant."""
    assembled = assemble(settings)
    with assembled.core:
        yield assembled


STARVING = OVERFED | {"glucose": 1.5, "osmolality": 290.0}


def asked(
    settings: Settings,
    made: Assembly,
    world: Any,
    horizon_h: float,
    state: Mapping[str, float] = OVERFED,
    feed: float = 0.01,
) -> tuple[Suggestion | Abstention, Any]:
    """What is proposed for a culture in this state that gets so much glucose, and safety's verdict on it."""
    loop = made.parts.loop
    assert isinstance(loop, BioreactorLoop)
    bounds = tuple(replace(bound, horizon_h=horizon_h) for bound in loop.envelope.bounds)
    envelope = replace(loop.envelope, bounds=bounds)
    made.planner.bounds = tuple(b for b in bounds if b.variable in [s.name for s in made.model.states])
    loop = replace(loop, envelope=envelope)
    snapshot, situation = Reader(settings, simulated(settings, 3)).read()
    estimate = made.parts.engine.assimilate(None, snapshot).now
    values = dict(zip(estimate.names, estimate.mean, strict=True)) | state | {"volume": 7.4}
    fed = {"glucose_feed": feed, "amino_feed": 0.01}
    estimate = replace(
        estimate,
        mean=tuple(values[name] for name in estimate.names),
        covariance=tuple(tuple(0.25 * c for c in row) for row in estimate.covariance),  # surer than before any result
        inputs=dict(estimate.inputs) | fed,
    )
    end = snapshot.time + timedelta(hours=80)
    situation = replace(situation, phase="production", setpoints=fed, batch_end=end)
    nothing = none([m.name for m in made.model.multipliers])
    baseline = made.parts.engine.forecast(estimate, nothing, loop.hold(estimate, situation))
    insight, remembered = replace(world.insight, correction=nothing), None
    for _ in range(2):  # asked again, it knows how uncertain its plan is
        found = loop.propose(estimate, insight, baseline, situation, remembered)
        answer, remembered = found.answer, found.remembered
    proposed = baseline
    if isinstance(answer, Suggestion):
        proposed = made.parts.engine.forecast(estimate, nothing, answer.plan)
    return answer, admit(answer, snapshot, baseline, proposed, envelope, made.parts.plant, situation)


def test_an_overfed_culture_gets_less_glucose_and_safety_lets_it(settings: Settings, made: Assembly, world: Any):
    answer, verdict = asked(settings, made, world, 30.0)
    assert isinstance(answer, Suggestion)
    glucose = next(move for move in answer.moves if move.variable == "glucose_feed")
    assert glucose.value < glucose.previous
    assert "Unchanged, glucose would rise above 40 mmol/L" in answer.reason
    assert answer.effect.gain < 0.0
    assert "This is to keep glucose and osmolality within bounds, not to gain product." in answer.reason
    assert verdict.admitted


def test_a_starving_culture_is_fed_though_it_may_starve_for_a_while_yet(settings: Settings, made: Assembly, world: Any):
    answer, verdict = asked(settings, made, world, 30.0, STARVING, 0.0005)
    assert isinstance(answer, Suggestion)
    glucose = next(move for move in answer.moves if move.variable == "glucose_feed")
    assert glucose.value > glucose.previous
    assert verdict.admitted, verdict.refusals


def test_bounds_without_a_horizon_are_no_reason_to_move_at_a_loss(settings: Settings, made: Assembly, world: Any):
    answer, _ = asked(settings, made, world, math.inf)
    assert isinstance(answer, Abstention) or answer.effect.gain > 0.0
