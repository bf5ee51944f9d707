"""Optimal control on the twin's equations: the published optimum, limits kept, and a safe answer to every question."""

# ruff: noqa: N806 - symbols as in the paper

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from controller.processes.penicillin.model import MODEL
from twin.collocation import Control, Problem
from twin.model import Input, Model, Multiplier, Output, Parameter, State
from twin.optimise import Optimiser, Optimum, Start, later

BANGA = "Banga et al. 2005"
N = 40


def rhs(x: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    X, P, S, V = x
    mu_max, K_x, K_p, sf = p
    mu = m[0] * mu_max * S / (K_x * X + S)
    q_P = 0.0055 * S / (K_p + S * (1.0 + 10.0 * S))
    used = mu * X / 0.47 + q_P * X / 1.2 + X * 0.029 * S / (K_p + S)
    fed = u[0] / sf / V  # u is grams of sugar per hour
    return mu * X - fed * X, q_P * X - 0.01 * P - fed * P, -used + fed * (sf - S), fed * V


def observe(x: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    return (x[1],)


def product(x: Any) -> Any:
    return x[1] * x[3]


BENCHMARK = Model(
    name="penicillin-benchmark",
    states=(
        State("biomass", "g/L", 1.5, 0.1, 0.1),
        State("product", "g/L", 0.0, 0.1, 0.1),
        State("substrate", "g/L", 0.0, 0.1, 0.1),
        State("volume", "L", 7.0, 0.1, 0.1),
    ),
    multipliers=(Multiplier("growth", 0.1, 0.1, 1.0),),
    inputs=(Input("sugar", "g/h", 0.0),),
    outputs=(Output("product", "g/L", 0.1),),
    parameters=(
        Parameter("mu_max", 0.11, "1/h", BANGA),
        Parameter("Kx", 0.006, "g/g", BANGA),
        Parameter("Kp", 1e-4, "g/L", BANGA),
        Parameter("sf", 500.0, "g/L", BANGA),
    ),
    rhs=rhs,
    observe=observe,
    objective=product,
    objective_name="product",
    objective_unit="g",
)


def test_the_published_optimum_of_the_penicillin_benchmark_is_found_within_one_percent() -> None:
    bounded, n = ("biomass", "substrate", "volume"), 60
    optimiser = Optimiser(
        Problem(BENCHMARK, (Control("sugar", 0.0, 50.0, 1e9),), bounded, (), n, 130.0, smoothness=1e-2, wall_s=60.0)
    )
    start = Start(
        state=np.array([1.5, 0.0, 0.0, 7.0]),
        held=np.zeros(1),
        before=np.array([11.0]),
        hours=optimiser.edges(132.0),
        low=np.zeros((n, 1)),
        high=np.full((n, 1), 50.0),
        least=np.full((n, 3), -np.inf),
        most=np.tile([40.0, 25.0, 10.0], (n, 1)),
        factors=np.ones((n, 1)),
        first_step=np.array([50.0]),
        stretch=(0.7, 1.4),  # the end is free
    )
    found = optimiser.solve(start)
    assert found.solved
    assert found.objective == pytest.approx(87.99, rel=0.01)  # by the replay, not by the collocation
    assert found.states[:, 3].max() <= 10.001
    assert found.states[:, 0].max() <= 40.0


def thinned(x: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    P, V = x
    return m[0] * p[0] / V - u[0] / V * P, u[0]


def observe_product(x: Any, u: Any, p: Any, m: Any) -> tuple[Any, ...]:
    return (x[0],)


def amount(x: Any) -> Any:
    return x[0] * x[1]


DILUTED = Model(  # what it makes, ten an hour in the whole vessel, inhibits it; feeding only dilutes
    name="diluted",
    states=(State("product", "g/L", 0.0, 0.1, 0.1), State("volume", "L", 7.0, 0.1, 0.1)),
    multipliers=(Multiplier("production", 0.1, 0.1, 1.0),),
    inputs=(Input("water", "L/h", 0.0),),
    outputs=(Output("product", "g/L", 0.1),),
    parameters=(Parameter("rate", 10.0, "g/h", "made up"),),
    rhs=thinned,
    observe=observe_product,
    objective=amount,
    objective_name="product",
    objective_unit="g",
)


def test_a_plan_knows_the_slope_of_a_rate_and_its_replay_agrees() -> None:
    hours, rise = 40.0, -0.03  # of the logarithm of the rate, per g/L
    problem = Problem(DILUTED, (Control("water", 0.0, 0.2, 0.1),), sloped=("product",), prices={"water": 5.0})
    optimiser = Optimiser(problem)
    start = Start(
        state=np.array([20.0, 7.0]),
        held=np.zeros(1),
        before=np.array([0.1]),
        hours=optimiser.edges(hours),
        low=np.zeros((N, 1)),
        high=np.full((N, 1), 0.2),
        least=np.empty((N, 0)),
        most=np.empty((N, 0)),
        factors=np.ones((N, 1)),
        first_step=np.array([0.2]),
    )
    unknowing = optimiser.solve(start)
    assert unknowing.solved
    assert unknowing.controls.mean() < 0.02  # water costs, and gains nothing
    expected = 0.5 * (unknowing.states[:-1, :1] + unknowing.states[1:, :1])
    factors = np.exp(rise * (expected - 20.0))
    knowing = optimiser.solve(replace(start, factors=factors, slopes=np.full((N, 1, 1), rise), expected=expected))
    assert knowing.solved
    assert knowing.controls[:8].min() > 0.1  # thinned while there is time for it to tell
    assert knowing.controls[-8:].max() < 0.02
    assert knowing.objective == pytest.approx(knowing.promised, rel=5e-3)
    blind = optimiser.replay(start, unknowing.controls, start.hours, factors)[-1]
    assert knowing.objective - 5.0 * hours * knowing.controls.mean() > blind[0] * blind[1] - 5.0 * hours * 0.02


@pytest.fixture(scope="module")
def reactor() -> Optimiser:
    controls = (Control("feed", 0.035, 0.045, 0.002), Control("precursor_feed", 0.0, 0.002, 0.0004))
    bounded = ("dissolved_oxygen", "volume", "precursor")
    return Optimiser(Problem(MODEL, controls, bounded, ("dissolved_oxygen", "precursor"), wall_s=20.0))


def question(optimiser: Optimiser, state: Any, hours: float, before: Any = (0.042, 0.00045), **changes: Any) -> Start:
    start = Start(
        state=np.array(state, dtype=float),
        held=np.array([item.nominal for item in MODEL.inputs]),
        before=np.array(before),
        hours=optimiser.edges(hours),
        low=np.tile([0.035, 0.0], (N, 1)),
        high=np.tile([0.045, 0.002], (N, 1)),
        least=np.tile([20.0, -np.inf, 300.0], (N, 1)),
        most=np.tile([np.inf, 120.0, 2000.0], (N, 1)),
        factors=np.ones((N, len(MODEL.multipliers))),
        first_step=np.array([0.002, 0.0004]),
    )
    return replace(start, **changes)


FED = (9.0, 0.5, 0.02, 80.0, 98.0, 1000.0)


def test_the_plan_beats_holding_the_setpoints_and_keeps_range_rate_and_bounds(reactor: Optimiser) -> None:
    start = question(reactor, FED, 150.0)
    found = reactor.solve(start)
    held = reactor.replay(start, np.tile(start.before, (N, 1)), start.hours)[-1]
    assert found.solved
    assert found.objective > 1.1 * held[1] * held[4]
    assert (found.controls >= start.low - 1e-9).all()
    assert (found.controls <= start.high + 1e-9).all()
    steps = np.abs(np.diff(found.controls, axis=0))
    assert (steps <= np.diff(start.hours)[:-1, None] * np.array([0.002, 0.0004]) + 1e-9).all()
    assert (np.abs(found.controls[0] - start.before) <= start.first_step + 1e-9).all()
    assert found.states[:, 5].min() > 295.0
    assert found.states[:, 5].max() < 2001.0


def test_what_is_not_yet_released_stays_closed_and_opens_anywhere_in_its_range(reactor: Optimiser) -> None:
    hours = reactor.edges(230.0, 48.0)
    closed = hours[:-1] < 48.0 - 1e-9
    assert 48.0 in hours
    low, high = np.tile([0.035, 0.0], (N, 1)), np.tile([0.045, 0.002], (N, 1))
    low[closed, 0] = high[closed, 0] = 0.0
    inoculum = question(reactor, (0.1, 0.0, 15.0, 100.0, 100.0, 1400.0), 230.0, (0.0, 0.00045))
    start = replace(inoculum, hours=hours, low=low, high=high)
    found = reactor.solve(start)
    assert found.solved
    assert (found.controls[closed, 0] == 0.0).all()
    assert (found.controls[~closed, 0] >= 0.035).all()


def test_an_hour_later_the_last_plan_is_a_better_place_to_begin(reactor: Optimiser) -> None:
    first = reactor.solve(question(reactor, FED, 150.0))
    state = first.states[0] + (first.states[1] - first.states[0]) / np.diff(first.hours)[0]
    start = question(reactor, state, 149.0, first.controls[0])
    warm, cold = reactor.solve(start, later(first, 1.0)), reactor.solve(start)
    assert warm.solved
    assert cold.solved
    assert warm.iterations < cold.iterations
    assert warm.objective == pytest.approx(cold.objective, rel=5e-3)


def test_a_lower_price_of_precursor_feeds_more_of_it(reactor: Optimiser) -> None:
    dear = Optimiser(replace(reactor.problem, prices={"precursor_feed": 100.0}))
    start = question(reactor, FED, 150.0)
    cheap_plan, dear_plan = reactor.solve(start), dear.solve(start)
    assert dear_plan.solved
    assert dear_plan.controls[:, 1].mean() < 0.8 * cheap_plan.controls[:, 1].mean()


def test_what_cannot_be_solved_falls_back_on_the_last_plan_and_then_on_what_is_in_force(reactor: Optimiser) -> None:
    start = question(reactor, FED, 150.0)
    good = reactor.solve(start)
    full = replace(start, most=np.tile([np.inf, 50.0, 2000.0], (N, 1)))  # a vessel of 50 L cannot hold 98
    fallen = reactor.solve(full, good)
    assert not fallen.solved
    assert fallen.raw is None
    np.testing.assert_allclose(fallen.controls, good.controls)
    held = reactor.solve(full)
    assert not held.solved
    np.testing.assert_allclose(held.controls, np.tile(start.before, (N, 1)))
    assert np.isfinite(held.objective)


def answers(optimiser: Optimiser, count: int, seed: int) -> list[tuple[Start, Optimum]]:
    """Random states, hours left, setpoints and multipliers, each solved cold."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        log = rng.normal(0.0, [0.15, 0.1, 0.15, 0.1, 0.3])
        low = (0.5, 0.0, 0.002, 20.0, 90.0, 150.0)
        state = rng.uniform(low, (20.0, 2.0, 5.0, 100.0, 115.0, 2300.0))
        before = rng.uniform([0.035, 0.0], [0.045, 0.002])
        start = question(optimiser, state, rng.uniform(4.0, 180.0), before, factors=np.tile(np.exp(log), (N, 1)))
        found.append((start, optimiser.solve(start)))
    return found


@pytest.mark.parametrize("count", [12, pytest.param(200, marks=pytest.mark.benchmark)])
def test_every_random_state_is_answered_by_a_plan_within_its_limits(reactor: Optimiser, count: int) -> None:
    found = answers(reactor, count, 7)
    for start, plan in found:
        assert np.isfinite(plan.states).all()
        assert (plan.controls >= start.low - 1e-9).all()
        assert (plan.controls <= start.high + 1e-9).all()
    assert sum(plan.solved for _, plan in found) >= 0.8 * count


def test_a_problem_about_what_the_model_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no state 'ammonium'"):
        Problem(MODEL, (), ("ammonium",))
    with pytest.raises(ValueError, match="no input 'light'"):
        Problem(MODEL, (Control("light", 0.0, 1.0, 1.0),))
