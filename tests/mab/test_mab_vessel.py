"""The mAb vessel: the published course, what is conserved, and a batch as the instruments see it."""

# ruff: noqa: N806 - symbols as in the papers

from __future__ import annotations

import numpy as np
import pytest

from controller.processes.mab import vessel as mab
from controller.processes.mab.plant import BOLUS
from controller.processes.mab.plant import DESIGN as MAB
from controller.processes.mab.variation import CHARGED, Spread, Wander, vary
from controller.processes.mab.vessel import STATES, Initial, Inputs, Parameters
from controller.processes.penicillin.plant import DESIGN as PENICILLIN
from plant_sim.batch import Batch

H = 3600.0
PUBLISHED = {  # cells/L, mM, L, mg/L: the equations of Craven 2014 and de Tremblay 1992, integrated independently
    44: {"Xv": 1.16e9, "G": 10.5, "Q": 2.93, "L": 39.0, "A": 2.48, "Ci": 10.1, "V": 7.00, "P": 34},
    96: {"Xv": 2.76e9, "G": 68.0, "Q": 7.62, "L": 85.3, "A": 4.47, "Ci": 42.6, "V": 8.04, "P": 143},
    145: {"Xv": 2.84e9, "G": 105, "Q": 10.9, "L": 129, "A": 6.09, "Ci": 86.5, "V": 9.02, "P": 281},
}


def test_without_its_additions_the_vessel_follows_the_published_fed_batch():
    q, y, u = mab.published(), mab.inoculated(Initial(L=20.0)), Inputs()
    for hour in range(1, 146):
        if hour > 44:
            u = Inputs(F=0.01, Fq=0.01)
        y = mab.advance(y, u, q, H)
        for name, value in PUBLISHED.get(hour, {}).items():
            assert y[STATES.index(name)] == pytest.approx(value, rel=0.02), (hour, name)


def fed_course(q: Parameters) -> tuple[np.ndarray, np.ndarray, Inputs]:
    """Hours and states of 100 h under all three feeds."""
    u, y, hours = Inputs(F=0.006, Fq=0.005, Fb=0.001, N=150.0), mab.inoculated(Initial()), np.arange(0, 100.01, 0.05)
    states = [y]
    for dt in np.diff(hours):
        states.append(y := mab.advance(y, u, q, dt * H))
    return hours, np.array(states), u


def test_volume_glucose_glutamine_and_ammonium_leave_the_vessel_only_as_the_cells_take_them():
    q = Parameters()
    hours, y, u = fed_course(q)
    total = {name: y[:, i] * y[:, STATES.index("V")] for i, name in enumerate(STATES)}
    specific = np.array([mab.kinetics(state, q) for state in y])

    def integral(rate: np.ndarray) -> float:
        return float(np.trapezoid(rate, hours))

    taken_G, taken_Q = (integral(specific[:, k] * total["Xv"]) for k in (2, 3))
    decayed = integral(q.kdQ * total["Q"])
    gained = {name: float(amount[-1] - amount[0]) for name, amount in total.items()}
    span = hours[-1]
    assert y[-1, STATES.index("V")] - 7.0 == pytest.approx(span * (u.F + u.Fq + u.Fb), rel=1e-9)
    assert gained["G"] == pytest.approx(u.F * q.SG * span - taken_G, abs=1e-3 * taken_G)
    assert gained["Q"] == pytest.approx(u.Fq * q.SQ * span - taken_Q - decayed, abs=1e-3 * taken_Q)
    assert gained["A"] == pytest.approx(q.YAQ * taken_Q + decayed, rel=1e-3)
    assert gained["salt"] == pytest.approx((u.Fq * q.salt_feed + u.Fb * q.base) * span, rel=1e-6)
    assert gained["Xt"] == pytest.approx(gained["Xv"] + gained["Xd"], rel=1e-6)


def test_no_carbon_is_made_from_nothing_even_while_lactate_turns():
    q = Parameters()
    hours, y, u = fed_course(q)
    V = y[:, STATES.index("V")]

    def carbon(name: str, atoms: float) -> np.ndarray:
        return atoms * (y[:, STATES.index(name)] * V)

    dissolved = carbon("CO2", 1) + carbon("B", 1)
    stripped = np.array([mab.off_gas(state, u, q)[1] for state in y]) * V
    gone = np.concatenate(([0.0], np.cumsum(0.5 * (stripped[1:] + stripped[:-1]) * np.diff(hours))))
    found = carbon("G", 6) + carbon("Q", 5) + carbon("L", 3) + dissolved + gone
    fed = hours * (6 * u.F * q.SG + 5 * u.Fq * q.SQ + u.Fb * q.base)
    rest = found[0] + fed - found  # what is neither sugar, lactate nor gas: cells and their products
    assert np.all(np.diff(rest) > -1e-9)
    assert rest[-1] > 0.0


def test_bicarbonate_lactic_acid_and_base_keep_the_charge():
    q = Parameters()
    _, y, u = fed_course(q)
    V, B, L = (y[:, STATES.index(name)] for name in ("V", "B", "L"))
    charge = (B + L) * V  # lactate takes bicarbonate's place, one for one
    assert charge[-1] - charge[0] == pytest.approx(100.0 * u.Fb * q.base, rel=0.02)


def test_the_local_loops_hold_acidity_oxygen_and_temperature_through_a_varied_batch():
    batch, seen = Batch(MAB, 3), []
    for _ in range(145):
        batch.advance(H)
        seen.append(batch.truth())
    assert all(6.95 <= t["ph"] <= 7.15 for t in seen)
    assert all(abs(t["temperature"] - 37.0) < 0.2 for t in seen[3:])
    assert all(44.0 <= t["dissolved_oxygen"] <= 110.0 for t in seen)
    assert batch.phase == "complete"
    assert 200.0 < seen[-1]["product"] < 450.0
    lactate = [t["lactate"] for t in seen]
    assert max(lactate) > lactate[-1] + 0.3  # the switch: what was overflow is eaten in the end


def test_a_restart_goes_on_bit_for_bit_and_refuses_a_batch_of_another_process():
    whole, cut = Batch(MAB, 5), Batch(MAB, 5)
    whole.advance(60 * H)
    cut.advance(30 * H)
    again = Batch(MAB, 5)
    again.recall(cut.memory())
    again.advance(30 * H)
    assert again.truth() == whole.truth()
    assert again.signals == whole.signals
    with pytest.raises(ValueError, match="mab"):
        Batch(PENICILLIN, 5).recall(cut.memory())


def test_a_bolus_recipe_feeds_the_same_volume_a_day_in_one_hour():
    steady, bolus = Batch(MAB, None), Batch(MAB, None, recipe=BOLUS)
    most = 0.0
    for _ in range(100):
        steady.advance(H)
        bolus.advance(H)
        most = max(most, bolus.active_setpoints()["FIC201"])
    assert most == pytest.approx(0.24)
    for _ in range(16):  # to 116 h: three whole days of feed
        steady.advance(H)
        bolus.advance(H)
    assert bolus.truth()["volume"] == pytest.approx(steady.truth()["volume"], abs=0.01)


def test_batches_vary_as_published_and_the_walk_has_its_spread():
    drawn = [vary(Parameters(), Initial(), np.random.default_rng([7, k])) for k in range(1500)]
    for name in CHARGED:
        values = np.array([getattr(initial, name) for _, initial in drawn]) / getattr(Initial(), name)
        assert 0.8 <= values.min() < 0.81
        assert 1.19 < values.max() <= 1.2
    growth = np.array([q.mu_max for q, _ in drawn]) / Parameters().mu_max
    assert growth.std() == pytest.approx(0.05, rel=0.1)
    product = np.array([q.alpha0 for q, _ in drawn]) / Parameters().alpha0
    assert product.std() == pytest.approx(0.10, rel=0.1)
    wander, values = Wander(np.random.default_rng(8)), []
    for step in range(60000):
        wander.until(0.2 * step)
        values.append(wander.values.copy())
    assert np.std(values, axis=0) == pytest.approx(np.array(Spread()), rel=0.15)


def test_the_laboratory_answers_daily_and_late_with_the_errors_of_its_methods():
    batch = Batch(MAB, None)
    batch.advance(3.9 * H)
    assert not batch.laboratory.results
    batch.advance(20.1 * H)
    assert all(r.sampled_s < 60.0 for r in batch.laboratory.results.values())  # drawn at inoculation
    then = batch.truth()
    batch.advance(3.9 * H)
    assert all(r.sampled_s < 60.0 for r in batch.laboratory.results.values())
    batch.advance(0.2 * H)
    results = batch.laboratory.results
    assert set(results) == {a.point.tag for a in MAB.analyses}
    assert all(r.sampled_s == 24 * H for r in results.values())
    assert results["LAB.LACTATE"].signal.value == pytest.approx(then["lactate"], abs=2.5)
    assert results["LAB.VIABLE_CELLS"].signal.value == pytest.approx(then["viable_cells"], rel=0.35)


def test_every_measured_tag_has_a_truth_behind_it():
    culture = Batch(MAB, None).culture
    assert set(culture.visible()) == {i.point.tag for i in MAB.instruments} | {p.tag for p in MAB.assays}
