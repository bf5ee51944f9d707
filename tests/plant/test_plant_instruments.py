"""Transmitters, laboratory and local loops of the simulated plant."""

from __future__ import annotations

import math

import numpy as np
import pytest

from controller.processes.penicillin.instruments import ANALYSES, DELAY_S, EVERY_S, INSTRUMENTS
from controller.processes.penicillin.plant import DESIGN as PENICILLIN
from plant_sim.batch import Batch
from plant_sim.faults import Fault, FaultKind
from plant_sim.instruments import Panel, Signal, Status
from plant_sim.laboratory import Laboratory
from plant_sim.regulators import Pid, PidTuning

MIDDLE = {i.point.tag: 0.5 * (i.point.low + i.point.high) for i in INSTRUMENTS}
LAB = {"LAB.BIOMASS": 10.0, "LAB.PRODUCT": 1.0, "LAB.SUBSTRATE": 0.1, "LAB.PRECURSOR": 900.0, "LAB.VISCOSITY": 50.0}


def panel(seed: int = 1) -> Panel:
    return Panel(np.random.default_rng(seed), INSTRUMENTS)


def test_noise_has_the_declared_size_and_no_bias():
    instruments = panel()
    seen = {tag: [] for tag in MIDDLE}
    for _ in range(4000):
        for tag, signal in instruments.read(MIDDLE, 30.0).items():
            seen[tag].append(signal.value)
    for instrument in INSTRUMENTS:
        tag, true = instrument.point.tag, MIDDLE[instrument.point.tag]
        sd = instrument.noise + instrument.relative * true
        assert np.std(seen[tag]) == pytest.approx(sd, rel=0.06)
        assert np.mean(seen[tag]) == pytest.approx(true, abs=4 * sd / math.sqrt(4000))


def test_a_step_reaches_the_oxygen_probe_with_its_lag():
    probe = panel()
    probe.read(MIDDLE, 0.0)
    stepped = MIDDLE | {"AIC102.PV": 100.0}
    first = probe.read(stepped, 45.0)["AIC102.PV"].value
    assert first == pytest.approx(60.0 + 40.0 * (1 - math.exp(-1.0)), abs=5 * 1.2)


def test_a_transmitter_shows_no_more_than_its_span():
    shown = panel().read(MIDDLE | {"AIC102.PV": 500.0, "TIC101.PV": -20.0}, 30.0)
    assert shown["AIC102.PV"].value == 120.0
    assert shown["TIC101.PV"].value == 0.0


@pytest.mark.parametrize(
    ("kind", "status", "seen"),
    [
        (FaultKind.BAD, Status.BAD, None),
        (FaultKind.UNCERTAIN, Status.UNCERTAIN, 100.0),
        (FaultKind.NAN, Status.GOOD, math.nan),
        (FaultKind.BIAS, Status.GOOD, 120.0),
    ],
)
def test_a_fault_shows_as_its_kind_says(kind, status, seen):
    instruments = panel()
    signal = instruments.read(MIDDLE, 30.0, {"WI101.PV": Fault(kind, "WI101.PV", 20.0)})["WI101.PV"]
    assert signal.status is status
    assert signal.value == (None if seen is None else pytest.approx(seen, rel=0.006, nan_ok=True))
    assert instruments.read(MIDDLE, 30.0)["WI101.PV"].value == pytest.approx(100.0, rel=0.006)


def test_a_frozen_instrument_repeats_itself_while_the_others_move():
    instruments = panel()
    before = instruments.read(MIDDLE, 30.0)
    frozen = {"AIC101.PV": Fault(FaultKind.FREEZE, "AIC101.PV")}
    after = instruments.read(MIDDLE | {"AIC101.PV": 9.0}, 30.0, frozen)
    assert after["AIC101.PV"] == before["AIC101.PV"]
    assert after["AIC102.PV"] != before["AIC102.PV"]


def test_a_result_speaks_of_the_hour_of_its_sample_and_comes_four_hours_later():
    laboratory = Laboratory(np.random.default_rng(1), ANALYSES, EVERY_S, DELAY_S, EVERY_S)
    first_seen: dict[float, float] = {}
    for k in range(0, 30 * 120 + 1):
        laboratory.visit(30.0 * k, LAB, {})
        for result in laboratory.results.values():
            first_seen.setdefault(result.sampled_s / 3600.0, 30.0 * k / 3600.0)
    assert first_seen == {12.0: 16.0, 24.0: 28.0}


def test_a_first_sample_may_be_drawn_at_the_start():
    laboratory = Laboratory(np.random.default_rng(1), ANALYSES, 86400.0, DELAY_S, 0.0)
    sampled = set[float]()
    for hour in range(0, 53):
        laboratory.visit(3600.0 * hour, LAB, {})
        sampled |= {r.sampled_s / 3600.0 for r in laboratory.results.values()}
    assert sampled == {0.0, 24.0, 48.0}


def test_the_laboratory_errs_by_five_per_cent():
    laboratory = Laboratory(np.random.default_rng(2), ANALYSES, EVERY_S, DELAY_S, EVERY_S)
    ratios = []
    for k in range(1, 1500):
        laboratory.visit(4 * 3600.0 * k, LAB, {})
        if k % 3 == 1 and k > 3:
            ratios += [r.signal.value / LAB[tag] for tag, r in laboratory.results.items()]
    assert np.std(ratios) == pytest.approx(0.05, rel=0.06)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.004)


def test_a_frozen_assay_never_comes_and_a_bad_one_has_no_value():
    laboratory = Laboratory(np.random.default_rng(3), ANALYSES, EVERY_S, DELAY_S, EVERY_S)
    faults = {f.tag: f for f in (Fault(FaultKind.FREEZE, "LAB.BIOMASS"), Fault(FaultKind.BAD, "LAB.PRODUCT"))}
    for k in range(5):
        laboratory.visit(4 * 3600.0 * k, LAB, faults)
    assert "LAB.BIOMASS" not in laboratory.results
    assert laboratory.results["LAB.PRODUCT"].signal == Signal(None, Status.BAD)
    assert laboratory.results["LAB.VISCOSITY"].signal.value == pytest.approx(50.0, rel=0.25)


TANK = PidTuning("x", 10.0, 2.0, 0.5, 0.0, 0.01, 0.0, 8.0, 0.0)


def test_a_loop_leaves_its_limit_as_soon_as_the_error_turns():
    loop = Pid(TANK)
    for _ in range(500):
        assert loop.step(Signal(0.0), 0.02) <= 8.0
    assert loop.step(Signal(0.0), 0.02) == 8.0
    outputs = [loop.step(Signal(14.0), 0.02) for _ in range(60)]
    assert outputs[-1] == 0.0
    assert outputs.index(0.0) * 0.02 < 0.5  # not the ten hours that a wound-up integral would take


def test_a_loop_holds_its_output_without_a_measurement_and_comes_back_without_a_bump():
    loop, level, output = Pid(TANK), 8.0, 0.0
    for _ in range(600):
        output = loop.step(Signal(level), 0.02)
        level += 0.02 * (output - 0.4 * level)
    assert level == pytest.approx(10.0, abs=0.01)
    for missing in (Signal(None, Status.BAD), Signal(math.nan)):
        assert loop.step(missing, 0.02) == output
    assert loop.step(Signal(level + 0.5), 0.02) == pytest.approx(output, abs=0.05)


@pytest.mark.parametrize("seed", [None, 5])
def test_the_local_loops_hold_acidity_temperature_and_oxygen(seed):
    batch = Batch(PENICILLIN, seed)
    batch.advance(40 * 3600.0)  # a batch may start up to 0.3 pH off, and acid is weak
    seen = []
    for _ in range(189):
        batch.advance(3600.0)
        seen.append([batch.signals[tag].value for tag in ("AIC101.PV", "TIC101.PV", "AIC102.PV", "JIC101.PV")])
    acidity, temperature, oxygen, power = np.array(seen).T
    assert np.abs(acidity - 5.0).max() < 0.15
    assert np.abs(temperature - 24.85).max() < 0.25 + 4 * 0.05 + 0.1
    held = power < 48.0  # at its limit the agitator can do no more
    assert oxygen[held].min() > 60.0 - 5 * 1.2
    assert power.max() > 25.0 or oxygen.min() > 60.0
    assert 19.0 < power.min() < power.max() < 52.0
