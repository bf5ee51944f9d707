"""The oracle's antibody vessel is the simulated one, by numba and by CasADi, where its loops hold it."""

from __future__ import annotations

import numpy as np
import pytest

from controller.assembly import envelope_of
from controller.campaign import closed_loop, oracle
from controller.processes import find
from controller.processes.mab import truth
from controller.processes.mab import vessel as mab
from controller.processes.mab.vessel import STATES, Initial, Inputs, Parameters
from controller.settings import load
from twin.check import check
from twin.model import parameter_values
from twin.numeric import numeric
from twin.symbolic import symbolic

SHARED = ("Xv", "P", "G", "Q", "L", "A", "Ci", "V")
IN_MILLIONS = np.array([1e-9, *[1.0] * 8])


def disturbed(q: Parameters, m: np.ndarray) -> Parameters:
    """What the oracle's multipliers make of the constants: growth, production, uptake, and both feeds' strength."""
    growth, production, uptake, sugar, amino = m.tolist()
    return q._replace(
        mu_max=growth * q.mu_max,
        alpha0=production * q.alpha0,
        beta=production * q.beta,
        mG=uptake * q.mG,
        YXG=q.YXG / uptake,
        SG=sugar * q.SG,
        SQ=amino * q.SQ,
    )


def test_the_rates_are_the_vessels_at_many_states() -> None:
    rng, model = np.random.default_rng(4), truth.model_of(Parameters())
    assert check(model) == ()
    fast, slow = numeric(model), symbolic(model)
    for _ in range(100):
        q = Parameters(mu_max=rng.uniform(0.04, 0.06), osm_half=rng.uniform(340.0, 400.0), mL=rng.uniform(1e-10, 3e-10))
        m = rng.uniform(0.8, 1.2, 5)
        bicarbonate = rng.uniform(2.0, 20.0)
        y = mab.inoculated(
            Initial(
                Xv=rng.uniform(0.2e9, 5e9),
                G=rng.uniform(0.0, 40.0),
                Q=rng.uniform(0.0, 6.0),
                L=rng.uniform(0.0, 25.0),
                A=rng.uniform(0.0, 6.0),
                Ci=rng.uniform(0.0, 120.0),
                P=rng.uniform(0.0, 400.0),
                V=rng.uniform(6.0, 10.0),
                O2=truth.OXYGEN * q.C_star,
                B=bicarbonate,
                CO2=bicarbonate / 10 ** (q.pH_opt - q.pKa),
                T=q.T_opt,
                salt=rng.uniform(240.0, 320.0),
            )
        )
        u = Inputs(F=rng.uniform(0.0, 0.01), Fq=rng.uniform(0.0, 0.01), Fb=rng.uniform(0.0, 0.002))
        vessel = dict(zip(STATES, mab.rates(y, u, disturbed(q, m)), strict=True))
        x = np.append([y[STATES.index(name)] for name in SHARED], mab.osmolality(y)) * IN_MILLIONS
        flows, p = (u.F, u.Fq, u.Fb), parameter_values(truth.model_of(q))
        by_numba = np.array(fast.rhs(tuple(x), flows, tuple(p), tuple(m)))
        by_casadi = np.array(slow.rhs(x, flows, p, m)).ravel()
        expected = np.array([vessel[name] for name in SHARED]) * IN_MILLIONS[:8]
        np.testing.assert_allclose(by_numba[:8], expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(by_numba, by_casadi, rtol=1e-9, atol=1e-9)


def test_osmolality_is_the_vessels_but_for_what_little_bicarbonate_slows_its_own_loss() -> None:
    q = Parameters(mu_max=0.05, osm_half=350.0)
    state = {"Xv": 3e9, "G": 12.0, "Q": 2.0, "L": 14.0, "A": 4.0, "Ci": 40.0, "P": 150.0, "V": 8.5, "B": 4.0}
    state |= {"O2": truth.OXYGEN * q.C_star, "CO2": 4.0 / 10 ** (q.pH_opt - q.pKa), "salt": 300.0}
    y, u = mab.inoculated(Initial(**state)), Inputs(F=0.004, Fq=0.006, Fb=0.001)
    vessel = dict(zip(STATES, mab.rates(y, u, q), strict=True))
    model = truth.model_of(q)
    x = (3.0, 150.0, 12.0, 2.0, 14.0, 4.0, 40.0, 8.5, mab.osmolality(y))
    rates = numeric(model).rhs(x, (u.F, u.Fq, u.Fb), tuple(parameter_values(model).tolist()), (1.0,) * 5)
    assert rates[8] == pytest.approx(sum(vessel[name] for name in ("G", "Q", "L", "A", "B", "salt")), rel=0.05)


def test_the_oracle_keeps_the_bounds_of_an_antibody_batch_and_makes_more_than_its_recipe() -> None:
    settings = load(find("mab").configuration)
    batches = [closed_loop.simulated(settings, 4) for _ in range(2)]
    alone = list(closed_loop.alone(settings, batches[0]))[-1].truth
    steered = list(oracle.steered(settings, batches[1], envelope_of(settings)))
    assert steered[-1].truth["product"] * steered[-1].truth["volume"] > 1.04 * alone["product"] * alone["volume"]
    assert max(scan.truth["osmolality"] for scan in steered) < 352.0
