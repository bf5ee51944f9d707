"""The vessel's equations against reference figures, made by another integrator from the same equations."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from controller.processes.penicillin import vessel as penicillin
from controller.processes.penicillin.vessel import Initial, Inputs, Parameters

# Acidity and temperature held: no protons from growth, no heat, feed as warm as the broth.
HELD = Parameters(gamma=0.0, rq1=0.0, rq2=0.0, Tf=298.0)
BACKBONE = {"A50": math.inf, "PAA_low": -math.inf, "PAA_high": math.inf, "n_vis": 0.0, "alpha": 70.0}
PRECURSOR = {"PAA_low": 200.0, "PAA_high": 2400.0}
ALL = {**PRECURSOR, "A50": 300.0, "n_vis": 0.38, "alpha": 35.0}


def run(hours: float, changes: dict[str, float], precursor: float = 0.0):
    """A batch by the recipe, looked at every 0.2 h: (hour the feed began, lowest oxygen in %, every state)."""
    q, y = HELD._replace(**{**BACKBONE, **changes}), penicillin.inoculated(Initial())
    fed_at, lowest, states = math.inf, math.inf, [y]
    for k in range(round(hours / 0.2)):
        if y[2] < 0.3:
            fed_at = min(fed_at, 0.2 * k)
        u = Inputs(F=0.042 if fed_at < math.inf else 0.0, Fpaa=precursor)
        y = penicillin.advance(0.2 * k, y, u, q, 720.0)
        lowest = min(lowest, 100.0 * y[3] / q.CL_star)
        states.append(y)
    return fed_at, lowest, np.array(states)


def close(printed: float, found: float) -> bool:
    """Within 2 %, or within the last digit of a figure printed with two decimals."""
    return abs(found - printed) <= max(0.02 * abs(printed), 0.0051)


@pytest.mark.parametrize(
    ("changes", "precursor", "product_230", "product_400"),
    [
        ({}, 0.0, 1.22, 1.66),
        ({"lam": 1.0039e-4}, 0.0, 1.15, 1.46),
        (PRECURSOR, 0.0, 0.10, 0.00),
        (PRECURSOR, 0.0005, 1.09, 0.27),
        (PRECURSOR, 0.0010, 1.22, 0.63),
        (PRECURSOR, 0.0015, 1.22, 1.65),
        (PRECURSOR, 0.0020, 1.22, 1.65),
        (PRECURSOR, 0.0025, 0.05, 0.01),
        ({"A50": 150.0}, 0.0, 0.67, 0.17),
        ({"A50": 200.0}, 0.0, 0.95, 0.39),
        ({"A50": 300.0}, 0.0, 1.15, 0.92),
        ({"A50": 400.0}, 0.0, 1.20, 1.29),
        ({"n_vis": 0.38, "alpha": 70.0}, 0.0, 1.21, 1.64),
        ({"n_vis": 0.38, "alpha": 35.0}, 0.0, 1.17, 1.52),
        ({"n_vis": 0.38, "alpha": 30.0}, 0.0, 1.14, 1.35),
        (ALL, 0.0015, 1.09, 0.80),
        (ALL, 0.00045, 1.00, 0.21),
        (ALL, 0.0004, 0.84, 0.18),
    ],
)
def test_product_agrees_with_the_reference_run(changes, precursor, product_230, product_400):
    _, _, states = run(400.0, changes, precursor)
    assert close(product_230, states[1150, 1])
    assert close(product_400, states[2000, 1])


def test_the_backbone_agrees_in_feed_start_biomass_volume_and_oxygen():
    fed_at, lowest, states = run(400.0, {})
    assert fed_at == pytest.approx(44.2, abs=0.21)
    assert states[1150, 0] == pytest.approx(13.4, rel=0.02)
    assert states[2000, 0] == pytest.approx(15.1, rel=0.02)
    assert states[2000, 4] == pytest.approx(91.4, rel=0.002)
    assert lowest == pytest.approx(92.0, abs=0.5)
    _, _, slower = run(400.0, {"lam": 1.0039e-4})
    assert slower[2000, 4] == pytest.approx(104.8, rel=0.002)


@pytest.mark.parametrize(("alpha", "lowest"), [(70.0, 69.0), (35.0, 38.0), (30.0, 28.0)])
def test_viscosity_takes_oxygen_as_far_as_in_the_reference_run(alpha, lowest):
    assert run(400.0, {"n_vis": 0.38, "alpha": alpha})[1] == pytest.approx(lowest, abs=0.6)


def test_too_much_precursor_stops_growth_and_sugar_piles_up():
    _, _, states = run(400.0, PRECURSOR, 0.0025)
    hour = 0.2 * int(np.argmax(states[:, 9] > 2400.0))
    assert hour == pytest.approx(139.0, abs=1.5)
    assert states[2000, 2] == pytest.approx(27.0, rel=0.02)


def test_the_shipped_vessel_is_the_one_with_all_effects():
    assert {name: getattr(Parameters(), name) for name in ALL} == ALL
    assert Parameters().vis0 == 4.0


def test_compiled_steps_follow_an_adaptive_stiff_integrator_through_every_state():
    q, u = Parameters(), Inputs(F=0.042, Fpaa=0.00045, Fb=1e-4, Fc=0.2, Fh=0.01, Pw=35.0)
    y = penicillin.inoculated(Initial(X=6.0, P=0.2, S=0.3, CL=0.7, pH=5.1, A=20.0, vis=40.0))
    exact = solve_ivp(lambda t, y: penicillin.rates(t, y, u, q), (50.0, 62.0), y, "LSODA", rtol=1e-10, atol=1e-13)
    mine = penicillin.advance(50.0, y, u, q, 12 * 3600.0)
    assert mine == pytest.approx(exact.y[:, -1], rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(("feed", "exhausted"), [(0.0, 2), (0.042, 9)])
def test_what_is_exhausted_stops_at_nothing(feed, exhausted):
    q = Parameters(alpha=0.5)  # oxygen runs out too
    y = penicillin.inoculated(Initial(X=12.0, P=4.0, S=0.05, CL=0.4, PAA=20.0))
    for k in range(150):
        y = penicillin.advance(0.2 * k, y, Inputs(F=feed), q, 720.0)
        assert np.all(np.isfinite(y))
        assert min(y[2], y[3], y[9]) >= 0.0
    assert y[exhausted] < 0.5
    assert y[3] < 0.02


def test_acid_lowers_ph_and_base_raises_it_by_what_the_balance_says():
    q, y = Parameters(mu_x=0.0, lam=0.0), penicillin.inoculated(Initial())
    for u, sign in ((Inputs(Fa=1e-4), 1.0), (Inputs(Fb=1e-4), -1.0)):
        after = penicillin.advance(0.0, y, u, q, 60.0)
        assert after[5] - y[5] == pytest.approx(sign * 3.0 * 1e-4 / 100.0 / 60.0, rel=1e-3)
    assert penicillin.hydrogen(-1e-3) == pytest.approx(1e-11, rel=1e-6)  # alkaline, where the plain root fails


def test_a_day_takes_a_small_part_of_two_seconds():
    y = penicillin.inoculated(Initial())
    penicillin.advance(0.0, y, Inputs(), Parameters(), 30.0)
    began = time.process_time()
    penicillin.advance(0.0, y, Inputs(), Parameters(), 86400.0)
    assert time.process_time() - began < 1.0
