"""A batch as a whole: recipe, lease, variation, and a memory good enough to go on from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from controller.processes.penicillin.plant import DESIGN as PENICILLIN
from controller.processes.penicillin.recipe import PUMPS
from controller.processes.penicillin.variation import Wander, vary
from controller.processes.penicillin.vessel import Initial, Parameters
from plant_sim import checkpoint
from plant_sim.batch import Batch
from plant_sim.faults import Fault, FaultKind
from plant_sim.recipe import Lease, PlantPhase

H = 3600.0


def test_the_nominal_batch_follows_its_recipe_to_the_end():
    batch, changes = Batch(PENICILLIN, None), {}
    peak = 0.0
    for k in range(2 * 231):
        changes.setdefault(batch.phase, k / 2)
        batch.advance(H / 2)
        peak = max(peak, batch.truth()["product"])
    assert 43.5 <= changes[PlantPhase.PRODUCTION] <= 45.0
    assert changes[PlantPhase.COMPLETE] == 230.0
    assert batch.active_setpoints() == {"FIC201": 0.0, "FIC202": 0.0, **batch.design.loops}
    assert 0.9 < peak < 1.15
    assert batch.truth()["biomass"] == pytest.approx(13.5, rel=0.05)


def test_sugar_is_fed_only_once_its_charge_is_eaten_and_precursor_from_the_start():
    batch = Batch(PENICILLIN, None)
    assert batch.local_setpoints() == {"FIC201": 0.0, "FIC202": 0.00045, **batch.design.loops}
    batch.advance(46 * H)
    assert batch.local_setpoints() == {"FIC201": 0.042, "FIC202": 0.00045, **batch.design.loops}
    assert batch.signals["FIC201.PV"].value == pytest.approx(0.042, rel=0.03)


def test_precursor_fed_by_need_beats_the_recipe():
    recipe, fed = Batch(PENICILLIN, None), Batch(PENICILLIN, None)
    fed.lease.lease_s = 1e9
    fed.lease.beat(1, 0.0)
    fed.lease.remote["FIC202"], fed.lease.valid_until_s["FIC202"] = 0.0015, 1e9
    for batch in (recipe, fed):
        batch.advance(229.9 * H)
    assert fed.signals["FIC202.PV"].value == pytest.approx(0.0015, rel=0.03)
    assert fed.truth()["product"] > 1.05 * recipe.truth()["product"]


def test_a_command_needs_a_heartbeat_and_its_own_time():
    lease = Lease(60.0, dict.fromkeys(PUMPS, 0.0), dict.fromkeys(PUMPS))
    lease.valid_until_s["FIC201"] = 100.0
    assert not lease.in_force("FIC201", 0.0)
    lease.beat(7, 0.0)
    assert lease.in_force("FIC201", 60.0)
    assert not lease.in_force("FIC201", 60.5)
    assert not lease.in_force("FIC202", 0.0)
    lease.beat(8, 60.0)
    assert lease.in_force("FIC201", 100.0)
    assert not lease.in_force("FIC201", 100.5)


def test_a_lapse_counts_once_and_leaves_nothing_that_could_revive():
    lease = Lease(60.0, dict.fromkeys(PUMPS, 0.0), dict.fromkeys(PUMPS))
    lease.beat(1, 0.0)
    lease.valid_until_s["FIC201"] = 1e6
    for now_s in (30.0, 61.0, 90.0, 120.0):
        lease.lapse(now_s)
    assert lease.lapses == 1
    lease.valid_until_s["FIC201"] = 1e6  # written into the silence, without a heartbeat
    lease.lapse(150.0)
    lease.beat(2, 160.0)
    assert not lease.in_force("FIC201", 160.0)
    lease.valid_until_s["FIC201"] = 1e6
    assert lease.in_force("FIC201", 160.0)
    lease.lapse(300.0)
    assert lease.lapses == 2


def test_an_unchanged_heartbeat_is_no_heartbeat():
    lease = Lease(60.0, dict.fromkeys(PUMPS, 0.0), dict.fromkeys(PUMPS))
    lease.beat(1, 0.0)
    lease.valid_until_s["FIC201"] = 1e6
    lease.beat(1, 50.0)
    assert not lease.in_force("FIC201", 70.0)


def test_the_lease_ends_within_a_long_advance_at_its_own_time():
    batch = Batch(PENICILLIN, None, lease_s=H)
    batch.lease.beat(1, 0.0)
    batch.lease.remote["FIC202"], batch.lease.valid_until_s["FIC202"] = 0.005, 1e9
    untouched = Batch(PENICILLIN, None)
    for each in (batch, untouched):
        each.advance(20 * H)
    extra = batch.truth()["precursor"] - untouched.truth()["precursor"]
    assert extra == pytest.approx((0.005 - 0.00045) * 530_000.0 / 99.0, rel=0.05)  # one hour's, no more
    assert batch.lease.lapses == 1


def test_batches_differ_by_seed_and_repeat_by_seed():
    runs = {}
    for name, seed in (("a", 3), ("again", 3), ("b", 4)):
        batch = Batch(PENICILLIN, seed)
        batch.advance(30 * H)
        runs[name] = (batch.truth(), batch.signals)
    assert runs["a"] == runs["again"]
    assert runs["a"][0]["biomass"] != pytest.approx(runs["b"][0]["biomass"], rel=1e-3)


def test_the_way_time_is_cut_does_not_change_what_happens():
    whole, cut = Batch(PENICILLIN, 3), Batch(PENICILLIN, 3)
    whole.advance(10 * H)
    for _ in range(60):
        cut.advance(600.0)
    assert whole.truth() == cut.truth()
    assert whole.signals == cut.signals


def test_a_nominal_batch_has_noise_but_no_variation():
    one, other = Batch(PENICILLIN, 3, nominal=True), Batch(PENICILLIN, 4, nominal=True)
    assert one.truth() == other.truth() == Batch(PENICILLIN, None).truth()
    assert one.signals != other.signals


def test_drawn_batches_have_the_declared_spread():
    drawn = [vary(Parameters(), Initial(), np.random.default_rng([7, k])) for k in range(2000)]
    q, initial = Parameters(), Initial()
    for name, sd in (("mu_x", 0.06 * q.mu_x), ("mu_p", 0.06 * q.mu_p), ("alpha", 0.12 * q.alpha), ("c_PAA", 2e4)):
        values = [getattr(parameters, name) for parameters, _ in drawn]
        assert np.std(values) == pytest.approx(sd, rel=0.06)
        assert np.mean(values) == pytest.approx(getattr(q, name), abs=4 * sd / 2000**0.5)
    assert np.std([i.PAA for _, i in drawn]) == pytest.approx(50.0, rel=0.06)
    assert np.std([i.S for _, i in drawn]) == pytest.approx(0.1 * initial.S, rel=0.06)


def test_disturbances_wander_with_the_published_spread_and_never_warm_the_coolant_too_far():
    wander, q = Wander(np.random.default_rng(8)), Parameters()
    seen = []
    for k in range(1, 60_000):
        wander.until(0.2 * k)
        if k % 50 == 0:
            seen.append(wander.applied(q))
    for name, sd in (("mu_p", 0.0015 * 0.005 / 0.041), ("sf", 15.0), ("c_PAA", 15_000.0), ("Cab", 0.06)):
        assert np.std([getattr(s, name) for s in seen]) == pytest.approx(sd, rel=0.15)
    assert max(s.Tc for s in seen) <= q.Tc + 5.0


def test_a_batch_goes_on_from_its_memory_as_if_nothing_had_happened(tmp_path: Path):
    batch = Batch(PENICILLIN, 5)
    batch.break_(Fault(FaultKind.FREEZE, "AIC101.PV"))
    batch.break_(Fault(FaultKind.NOISE, "WI101.PV", 2.0))
    batch.break_(Fault(FaultKind.CONTAMINATION, "R1", 0.01, at_s=40 * H))
    batch.break_(Fault(FaultKind.FOAM, "R1", 60.0, at_s=H))
    batch.lease.beat(3, 0.0)
    batch.lease.remote["FIC201"], batch.lease.valid_until_s["FIC201"] = 0.03, 60 * H
    batch.advance(25.5 * H)  # between a sample and its result
    checkpoint.save(tmp_path / "batch.json", batch.memory())
    again = Batch(PENICILLIN, 5)
    again.recall(checkpoint.load(tmp_path / "batch.json"))
    assert again.memory() == batch.memory()
    for each in (batch, again):
        each.lease.beat(4, each.elapsed_s)
        each.advance(30 * H)
    assert json.dumps(again.memory()) == json.dumps(batch.memory())
    assert again.laboratory.results == batch.laboratory.results != {}


def test_a_memory_of_another_batch_is_refused():
    with pytest.raises(ValueError, match=r"another batch \(seed 5\), not of SIM-006"):
        Batch(PENICILLIN, 6).recall(Batch(PENICILLIN, 5).memory())


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 99}'])
def test_a_file_that_is_no_checkpoint_is_refused_by_name(tmp_path: Path, text):
    path = tmp_path / "batch.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"batch\.json"):
        checkpoint.load(path)


def test_no_checkpoint_is_a_new_batch(tmp_path: Path):
    assert checkpoint.load(tmp_path / "none.json") is None


def test_the_truth_log_forgets_what_a_restart_undid(tmp_path: Path):
    path = tmp_path / "truth.csv"
    with checkpoint.TruthLog(path, 0.0) as log:
        for hours in (0.0, 1.0, 2.0):
            log.write("t", hours, {"biomass": hours})
    with checkpoint.TruthLog(path, 1.0) as log:
        log.write("t", 1.0, {"biomass": 1.5})
    assert path.read_text().splitlines() == ["time,hours,biomass", "t,0.000000,0", "t,1.000000,1.5"]
