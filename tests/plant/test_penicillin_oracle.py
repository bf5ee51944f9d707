"""The oracle's penicillin vessel is the simulated one, by numba and by CasADi, where pH and temperature are held."""

from __future__ import annotations

import numpy as np

from controller.processes.penicillin import truth
from controller.processes.penicillin import vessel as penicillin
from controller.processes.penicillin.vessel import STATES, Initial, Inputs, Parameters
from twin.check import check
from twin.integrate import course
from twin.model import parameter_values
from twin.numeric import numeric
from twin.symbolic import symbolic

SHARED = ("X", "P", "S", "CL", "V", "PAA", "A", "vis")
STRENGTHS = ("mu_x", "mu_p", "sf", "c_PAA")  # what the oracle's multipliers stand for, in their order


def test_the_rates_are_the_vessels_at_many_states():
    rng, model = np.random.default_rng(4), truth.model_of(Parameters())
    fast, slow = numeric(model), symbolic(model)
    for _ in range(100):
        q = Parameters(mu_x=rng.uniform(0.08, 0.1), A50=rng.uniform(150.0, 400.0), Y_PAA_P=rng.uniform(150.0, 220.0))
        m = rng.uniform(0.8, 1.2, len(STRENGTHS))
        disturbed = q._replace(**{name: k * getattr(q, name) for name, k in zip(STRENGTHS, m.tolist(), strict=True)})
        y = penicillin.inoculated(
            Initial(
                X=rng.uniform(0.1, 20.0),
                P=rng.uniform(0.0, 2.0),
                S=rng.uniform(0.01, 15.0),
                CL=rng.uniform(0.1, 1.2),
                V=rng.uniform(80.0, 120.0),
                PAA=rng.uniform(50.0, 3000.0),
                A=rng.uniform(0.0, 200.0),
                vis=rng.uniform(3.0, 60.0),
                pH=truth.PH,
                T=truth.KELVIN,
            )
        )
        u = Inputs(F=rng.uniform(0.0, 0.08), Fpaa=rng.uniform(0.0, 0.002), Fa=1e-6, Fb=1e-3, fg=9.0, Pw=40.0)
        hours = rng.uniform(0.0, 230.0)
        vessel = dict(zip(STATES, penicillin.rates(hours, y, u, disturbed), strict=True))
        expected = np.array([vessel[name] for name in SHARED] + [1.0])
        to_percent = np.ones(9)
        to_percent[3] = 100.0 / q.CL_star
        x = np.append([y[STATES.index(name)] for name in SHARED], hours) * to_percent
        held, p = (u.F, u.Fpaa, u.Fb, u.Fa, u.fg, u.Pw), parameter_values(truth.model_of(q))
        by_numba = np.array(fast.rhs(tuple(x), held, tuple(p), tuple(m)))
        by_casadi = np.array(slow.rhs(x, held, p, m)).ravel()
        np.testing.assert_allclose(by_numba, expected * to_percent, rtol=1e-6, atol=1e-7)  # all but the guards
        np.testing.assert_allclose(by_numba, by_casadi, rtol=1e-9, atol=1e-9)


def test_the_guards_keep_an_empty_vessel_finite():
    model = truth.model_of(Parameters())
    x, held = np.array([0.0, 0.0, 0.0, 0.0, 100.0, 0.0, 0.0, 4.0, 0.0]), (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert check(model) == ()
    assert np.isfinite(numeric(model).rhs(tuple(x), held, tuple(parameter_values(model)), (1.0,) * 4)).all()
    assert np.isfinite(course(model, x, np.array([0.0, 5.0]), np.zeros((2, 6)), np.ones((2, 4)))).all()
