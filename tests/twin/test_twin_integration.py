"""The integrator against scipy, members against each other, and what the equations must respect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from controller.processes.penicillin.model import MODEL
from twin.integrate import pack, simulate, unpack
from twin.model import parameter_values
from twin.numeric import numeric

X0 = np.array([s.initial for s in MODEL.states])
NAMES = [s.name for s in MODEL.states]
HOURS = np.array([0.0, 20.0, 44.0, 60.0, 120.0, 230.0])
INPUTS = np.tile([0.0, 0.0012, 0.001, 1e-6, 8.6, 30.0], (5, 1))
INPUTS[2:, 0] = 0.042


def test_a_batch_agrees_with_lsoda():
    rhs, p = numeric(MODEL).rhs, tuple(parameter_values(MODEL).tolist())
    ours = simulate(MODEL, X0, HOURS, INPUTS)[0]
    x = X0
    for k in range(len(INPUTS)):
        u, m = tuple(INPUTS[k].tolist()), (1.0,) * len(MODEL.multipliers)
        solved = solve_ivp(
            lambda _t, y, u=u, m=m: rhs(tuple(map(float, y)), u, p, m),
            (HOURS[k], HOURS[k + 1]),
            x,
            method="LSODA",
            rtol=1e-9,
            atol=1e-10,
        )
        x = solved.y[:, -1]
        np.testing.assert_allclose(ours[k + 1], x, rtol=1e-4, atol=1e-6)


def test_a_thousandth_of_the_tolerance_changes_nothing_that_matters():
    coarse = simulate(MODEL, X0, HOURS, INPUTS)[0]
    fine = simulate(replace(MODEL, tolerance=MODEL.tolerance / 1000), X0, HOURS, INPUTS)[0]
    np.testing.assert_allclose(coarse / fine.max(axis=0), fine / fine.max(axis=0), atol=3e-5)


def test_hours_that_are_cut_in_pieces_lead_to_the_same_end():
    pieces = np.unique(np.concatenate((HOURS, np.arange(0.0, 230.0, 0.21))))
    inputs = INPUTS[np.searchsorted(HOURS, pieces[:-1], side="right") - 1]
    whole, cut = simulate(MODEL, X0, HOURS, INPUTS)[0, -1], simulate(MODEL, X0, pieces, inputs)[0, -1]
    np.testing.assert_allclose(whole, cut, rtol=3e-5, atol=1e-6)


def test_members_do_not_touch_each_other():
    rng = np.random.default_rng(3)
    starts = X0 * np.exp(0.1 * rng.standard_normal((37, len(X0))))
    factors = np.exp(0.1 * rng.standard_normal((37, len(MODEL.multipliers))))
    together = simulate(MODEL, starts, HOURS, INPUTS, factors)
    for k in (0, 15, 16, 36):
        np.testing.assert_array_equal(together[k], simulate(MODEL, starts[k], HOURS, INPUTS, factors[k : k + 1])[0])


def test_lanes_are_packed_and_unpacked_without_loss():
    members = np.arange(37 * 5, dtype=np.float64).reshape(37, 5)
    np.testing.assert_array_equal(unpack(pack(members), 37), members)


@pytest.mark.parametrize("name", ["biomass", "substrate", "dissolved_oxygen", "precursor"])
def test_starved_of_everything_no_concentration_falls_below_zero(name):
    nothing = np.tile([0.0, 0.0, 0.0, 0.0, 0.05, 1.0], (5, 1))
    run = simulate(MODEL, X0, HOURS, nothing)[0]
    assert np.isfinite(run).all()
    assert run[:, NAMES.index(name)].min() >= 0.0


def test_oxygen_that_runs_out_stays_at_nothing_and_comes_back():
    hours = np.array([0.0, 40.0, 41.0, 42.0])
    inputs = np.tile(INPUTS[0], (3, 1))
    inputs[1, 5] = 0.0  # nobody stirs for an hour
    oxygen = NAMES.index("dissolved_oxygen")
    run = simulate(MODEL, X0, hours, inputs)[0]
    assert np.isfinite(run).all()
    assert run[1, oxygen] > 50.0
    assert run[2, oxygen] == 0.0
    assert run[3, oxygen] == pytest.approx(run[1, oxygen], abs=15.0)


def test_without_precursor_production_stalls_and_product_is_lost():
    starved, fed = INPUTS.copy(), INPUTS
    starved[:, 1] = 0.0
    product = NAMES.index("product")
    assert simulate(MODEL, X0, HOURS, starved)[0, -1, product] < 0.3 * simulate(MODEL, X0, HOURS, fed)[0, -1, product]


def test_too_much_precursor_stops_growth():
    flooded = INPUTS.copy()
    flooded[:, 1] = 0.005
    biomass = NAMES.index("biomass")
    assert (
        simulate(MODEL, X0, HOURS, flooded)[0, -1, biomass] < 0.7 * simulate(MODEL, X0, HOURS, INPUTS)[0, -1, biomass]
    )


def _explosive(x, u, p, m):
    return x[0] * x[0], 0.0, 0.0, 0.0, 0.0, 0.0


def test_a_run_that_diverges_is_seen_and_ends_while_its_neighbours_go_on():
    model = replace(MODEL, name="explosive", rhs=_explosive)
    starts = np.tile(X0, (3, 1))
    starts[:, 0] = 0.001, 1.0, 0.002  # x' = x^2 is infinite after 1/x hours
    run = simulate(model, starts, np.array([0.0, 0.5, 2.0]), INPUTS[:3])
    assert run[1, 1, 0] == pytest.approx(2.0, rel=1e-4)
    assert not np.isfinite(run[1, 2, 0])
    np.testing.assert_allclose(run[[0, 2], 2, 0], [0.001 / (1 - 0.002), 0.002 / (1 - 0.004)], rtol=1e-6)
