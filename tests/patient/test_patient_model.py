"""The twin's patient: textbook pharmacokinetics, two bindings of the same equations, a prior that fits Table 1."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from controller.patient import model as patient
from controller.patient.simulated import TABLE_1
from twin.integrate import simulate
from twin.model import parameter_values
from twin.numeric import numeric
from twin.symbolic import symbolic

HOURS = np.arange(0.0, 246.0, 6.0)
DAILY = np.array([[10.0 if k % 4 == 0 else 0.0] for k in range(len(HOURS))])


def _start(model: patient.Model) -> np.ndarray:
    return np.array([[s.initial for s in model.states]])


@pytest.mark.parametrize("pk", [patient.E1, patient.E2])
def test_concentrations_are_the_superposition_of_the_doses_before(pk: patient.Pharmacokinetics) -> None:
    model = patient.model(pk)
    central = simulate(model, _start(model), HOURS, DAILY)[0, :, 1]
    ka, ke = pk.absorption_per_h, pk.clearance_l_per_h / pk.volume_l
    for k, hour in enumerate(HOURS):
        t = hour - HOURS[:k:4]
        expected = np.sum(10.0 * ka / (ka - ke) * (np.exp(-ke * t) - np.exp(-ka * t)))
        assert central[k] == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize(("pk", "average"), [(patient.E1, 25.6), (patient.E2, 18.0)])
def test_the_average_at_steady_state_is_dose_over_clearance(pk: patient.Pharmacokinetics, average: float) -> None:
    model = patient.model(pk)
    hours = np.arange(0.0, 24 * 20 + 1.0)
    daily = np.array([[10.0 if k % 24 == 0 else 0.0] for k in range(len(hours))])
    central = simulate(model, _start(model), hours, daily)[0, -25:, 1]
    assert 1000 * np.trapezoid(central) / 24 / pk.volume_l == pytest.approx(average, rel=0.01)


def test_the_drive_of_the_typical_patient_is_the_published_one() -> None:
    """CL 16.3 L/h and V 815 L give 8.9, 14.3, 19.8, 22.4 and 23.0 ng/mL at samples 3, 7, 15, 27 and 39."""
    model = patient.model(patient.E1)
    central = simulate(model, _start(model), HOURS, DAILY)[0, :, 1]
    assert 1000 * central[[3, 7, 15, 27, 39]] / 815.0 == pytest.approx([8.9, 14.3, 19.8, 22.4, 23.0], abs=0.05)


def test_a_swallowed_dose_is_followed_as_lsoda_follows_it() -> None:
    model = patient.MODEL
    start = _start(model)[0]
    start[:2] = 10.0, 5.0
    p = parameter_values(model)
    exact = solve_ivp(lambda t, x: model.rhs(x, (0.0,), p, (1.0, 1.0)), (0, 6), start, "LSODA", rtol=1e-10, atol=1e-12)
    stepped = simulate(model, start[None], np.array([0.0, 6.0]), np.zeros((2, 1)))[0, -1]
    assert stepped == pytest.approx(exact.y[:, -1], abs=1e-3)  # mg: a ten-thousandth of the dose


def test_the_numeric_and_the_symbolic_binding_are_the_same_equations() -> None:
    model = patient.MODEL
    bound, symbols, p = numeric(model), symbolic(model), parameter_values(model)
    random = np.random.default_rng(0)
    for _ in range(20):
        x = tuple(random.normal([5, 10, 0.5, 0.5, 6, 8, 5, 0, 0], [2, 3, 0.2, 0.2, 1, 2, 1, 0.1, 0.3]))
        u, m = (10.0,), tuple(random.uniform(0.2, 2, 2).tolist())
        for name in ("rhs", "observe"):
            numbers = getattr(bound, name)(x, u, tuple(p), m)
            assert numbers == pytest.approx(np.array(getattr(symbols, name)(x, u, p, m)).ravel(), rel=1e-12)
        assert bound.jump(x, u) == pytest.approx(np.array(symbols.jump(x, u)).ravel())
        assert bound.objective(x) == pytest.approx(float(symbols.objective(x)))


def test_the_typical_patient_at_first_looks_like_table_1() -> None:
    """Within the prior's own spread, before anything was learned."""
    model = patient.model(patient.E1)
    states = simulate(model, _start(model), HOURS[:10], DAILY[:10])[0]
    p = parameter_values(model)
    shown = np.array([model.observe(x, (0.0,), p, (1.0, 1.0))[:3] for x in states])
    assert np.abs(shown - np.array(TABLE_1)).mean(axis=0) == pytest.approx([0.0, 0.0, 0.0], abs=1.0)


def test_more_benefit_calms_and_more_activation_disturbs() -> None:
    model = patient.MODEL
    p = parameter_values(model)

    def shown(effect: float, tolerance: float) -> tuple[float, ...]:
        x = (0.0, 18.0, effect, tolerance, 6.5, 6.8, 4.8, 0.0, 0.0)
        return tuple(model.observe(x, (0.0,), p, (1.0, 1.0)))

    before, better, disturbed = shown(0.1, 0.7), shown(0.6, 0.7), shown(0.1, 0.0)
    assert better[0] < before[0] and better[1] > before[1] and better[2] > before[2]
    assert disturbed[0] > before[0] and disturbed[1] < before[1]


def test_every_number_says_where_it_is_from() -> None:
    for model in (patient.model(patient.E1), patient.model(patient.E2)):
        assert all(len(p.source) >= 6 for p in model.parameters)
    assert "Courlet 2019" in patient.MODEL.parameters[0].source
