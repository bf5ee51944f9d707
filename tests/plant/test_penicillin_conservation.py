"""What the penicillin vessel may not create or lose: volume, sugar, carbon and precursor."""

# ruff: noqa: N806 - symbols as in the papers

from __future__ import annotations

import numpy as np
import pytest

from controller.processes.penicillin import vessel as penicillin
from controller.processes.penicillin.vessel import STATES, Initial, Inputs, Parameters

CARBON = {"S": 1 / 30.03, "X": 1 / 25.6, "P": 16 / 334.4}  # mol C/g: glucose, biomass CH1.8O0.5N0.2 and ash, penicillin


def course(q: Parameters, u: Inputs) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """Hours, totals in the vessel (concentration times volume; V itself), and specific rates over 120 h."""
    y, hours = penicillin.inoculated(Initial()), np.arange(0.0, 120.01, 0.05)
    states = [y]
    for at, dt in zip(hours, np.diff(hours), strict=False):
        states.append(y := penicillin.advance(float(at), y, u, q, dt * 3600.0))
    rows = np.array(states)
    V = rows[:, STATES.index("V")]
    totals = {name: rows[:, i] * V for i, name in enumerate(STATES)} | {"V": V}
    return hours, totals, np.array([penicillin.kinetics(row, q) for row in rows])


def integral(rate: np.ndarray, hours: np.ndarray) -> float:
    return float(np.trapezoid(rate, hours))


@pytest.mark.parametrize("feed", [0.0, 0.042])
def test_volume_sugar_and_precursor_leave_only_by_growth_production_maintenance_and_evaporation(feed):
    q = Parameters()._replace(k1=0.0, k2=0.0)
    u = Inputs(F=feed, Fpaa=0.0005)
    hours, total, rates = course(q, u)
    growth, production = rates[:, 0] * total["X"], rates[:, 1] * total["X"]
    T = total["T"] / total["V"]
    loss = q.lam * (np.exp(5.0 * (T - q.T0) / (q.Tv - q.T0)) - 1.0)
    assert total["V"][-1] - total["V"][0] == pytest.approx(
        120.0 * (u.F + u.Fpaa) - integral(loss * total["V"], hours), rel=1e-3
    )
    S = total["S"] / total["V"]
    eaten = integral(growth / q.Yxs + production / q.Yps + q.mx * total["X"] * S / (S + 1e-3), hours)
    assert total["S"][-1] - total["S"][0] == pytest.approx(120.0 * u.F * q.sf - eaten, abs=2e-3 * eaten)
    acid = total["PAA"] / total["V"]
    used = q.Y_PAA_P * production + q.Y_PAA_X * growth + q.m_PAA * total["P"]
    taken = integral(used * acid / (acid + penicillin.PAA_GUARD), hours)
    assert total["PAA"][-1] - total["PAA"][0] == pytest.approx(120.0 * u.Fpaa * q.c_PAA - taken, abs=2e-3 * taken)


def test_biomass_and_penicillin_hold_less_carbon_than_the_sugar_that_is_gone():
    u = Inputs(F=0.042, Fpaa=0.0005)
    hours, total, _ = course(Parameters(), u)
    gone = CARBON["S"] * (total["S"][0] + u.F * Parameters().sf * hours - total["S"])
    made = sum(CARBON[name] * (total[name] - total[name][0]) for name in ("X", "P"))
    other = gone - made
    assert np.all(np.diff(other) > -1e-9)
    assert other[-1] > 0.0


def test_with_everything_alive_switched_off_what_is_fed_is_what_is_found():
    q = Parameters()._replace(mu_x=0.0, mu_p=0.0, mx=0.0, m_PAA=0.0, K=0.0)
    u = Inputs(F=0.05, Fpaa=0.001)
    _, total, _ = course(q, u)
    assert total["S"][-1] - total["S"][0] == pytest.approx(120.0 * u.F * q.sf, rel=1e-9)
    assert total["PAA"][-1] - total["PAA"][0] == pytest.approx(120.0 * u.Fpaa * q.c_PAA, rel=1e-9)
    assert total["X"][-1] == pytest.approx(total["X"][0], rel=1e-9)
