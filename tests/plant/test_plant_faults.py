"""What goes wrong in the simulated plant: each fault does what it says, when it says, and can be scripted."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from asyncua import ua

from controller.processes.penicillin.plant import DESIGN as PENICILLIN
from plant_sim.batch import Batch
from plant_sim.faults import Fault, FaultKind, load
from plant_sim.instruments import Status
from plant_sim.server import START

H = 3600.0


def at(batch: Batch, hours: float) -> dict[str, float | None]:
    batch.advance(hours * H - batch.elapsed_s)
    return {tag: signal.value for tag, signal in batch.signals.items()}


def pair(hours: float, *faults: Fault, seed: int | None = None) -> tuple[dict, dict, Batch]:
    """What a healthy batch and one with these faults show at this hour."""
    healthy, broken = Batch(PENICILLIN, seed, scan_s=100.0), Batch(PENICILLIN, seed, scan_s=100.0)
    for fault in faults:
        broken.break_(fault)
    return at(healthy, hours), at(broken, hours), broken


def test_a_drift_grows_by_the_hour_and_ends_when_it_is_scripted_to_end():
    healthy, broken, batch = pair(4.0, Fault(FaultKind.DRIFT, "TIC101.PV", 0.5, at_s=2 * H, until_s=5 * H))
    assert broken["TIC101.PV"] - healthy["TIC101.PV"] == pytest.approx(1.0, abs=0.3)
    assert at(batch, 5.5)["TIC101.PV"] == pytest.approx(24.85, abs=0.6)


def test_noise_and_drop_out_repeat_by_seed():
    faults = (Fault(FaultKind.NOISE, "WI101.PV", 5.0), Fault(FaultKind.DROP_OUT, "AIC102.PV", 0.5))
    seen = []
    for _ in range(2):
        batch = Batch(PENICILLIN, 3)
        for fault in faults:
            batch.break_(fault)
        rows = []
        for _ in range(60):
            batch.advance(30.0)
            rows.append((batch.signals["WI101.PV"].value, batch.signals["AIC102.PV"].status))
        seen.append(rows)
    assert seen[0] == seen[1]
    lost = sum(status is Status.BAD for _, status in seen[0])
    assert 15 < lost < 45
    assert max(w for w, _ in seen[0]) - min(w for w, _ in seen[0]) > 10.0


def test_a_pump_that_delivers_less_shows_less_and_a_stuck_one_stays():
    _, broken, _ = pair(1.0, Fault(FaultKind.UNDER_DELIVERY, "FIC202", 0.4))
    assert broken["FIC202.PV"] == pytest.approx(0.6 * 0.00045, rel=0.03)
    _, broken, _ = pair(1.0, Fault(FaultKind.STUCK_VALVE, "FIC202", 0.001))
    assert broken["FIC202.PV"] == pytest.approx(0.001, rel=0.03)


def test_a_base_valve_stuck_shut_lets_the_broth_turn_sour():
    healthy, broken, _ = pair(30.0, Fault(FaultKind.STUCK_VALVE, "base", 0.0, at_s=20 * H))
    assert broken["FI203.PV"] == 0.0
    assert healthy["AIC101.PV"] - broken["AIC101.PV"] > 0.2


@pytest.mark.parametrize(("utility", "tag"), [("air", "FIC101.PV"), ("power", "JIC101.PV")])
def test_without_air_or_power_the_broth_suffocates(utility, tag):
    healthy, broken, _ = pair(40.5, Fault(FaultKind.UTILITY_FAILURE, utility, at_s=40 * H))
    assert broken[tag] < 0.01
    assert broken["AIC102.PV"] < 0.5 * healthy["AIC102.PV"]


def test_lost_transfer_is_made_up_by_agitation_then_air_then_oxygen():
    _, little, _ = pair(60.0, Fault(FaultKind.KLA_LOSS, "R1", 0.6, at_s=40 * H))
    _, much, _ = pair(60.0, Fault(FaultKind.KLA_LOSS, "R1", 0.7, at_s=40 * H))
    assert little["JIC101.PV"] > 22.0
    assert little["FIC102.PV"] == 0.0
    assert much["JIC101.PV"] == pytest.approx(50.0, rel=0.03)
    assert much["FIC101.PV"] == pytest.approx(10.0, rel=0.03)
    assert much["FIC102.PV"] > 0.05
    assert much["AIC102.PV"] == pytest.approx(60.0, abs=8.0)


def test_foam_rises_is_fought_with_antifoam_and_leaves_by_the_gas_outlet_when_that_is_not_enough():
    healthy, broken, batch = pair(33.0, Fault(FaultKind.FOAM, "R1", 60.0, at_s=30 * H))
    assert broken["LI102.PV"] > 2 * healthy["LI102.PV"]
    assert batch.truth()["volume"] == pytest.approx(Batch(PENICILLIN, None).truth()["volume"], abs=5.0)
    healthy, broken, _ = pair(40.0, Fault(FaultKind.FOAM, "R1", 1000.0, at_s=30 * H))
    assert broken["LI102.PV"] == pytest.approx(100.0, abs=2.0)
    assert broken["WI101.PV"] < healthy["WI101.PV"] - 5.0


def test_a_contaminant_takes_sugar_and_oxygen():
    fault = Fault(FaultKind.CONTAMINATION, "R1", 0.02, at_s=20 * H)
    healthy, broken, batch = pair(34.0, fault)
    assert batch.truth()["contaminant"] > 0.2
    assert broken["AI302.PV"] > 1.2 * healthy["AI302.PV"]
    assert batch.truth()["substrate"] < 14.0


def test_a_wrong_assay_is_off_by_its_factor():
    healthy, broken = Batch(PENICILLIN, 4, scan_s=100.0), Batch(PENICILLIN, 4, scan_s=100.0)
    broken.break_(Fault(FaultKind.WRONG_ASSAY, "LAB.SUBSTRATE", 2.0))
    for batch in (healthy, broken):
        batch.advance(17 * H)
    right, wrong = (b.laboratory.results["LAB.SUBSTRATE"].signal.value for b in (healthy, broken))
    assert wrong == pytest.approx(2.0 * right)


def test_a_remote_setpoint_moves_a_local_loop_while_its_lease_lasts():
    batch = Batch(PENICILLIN, None, lease_s=3 * H)
    batch.lease.beat(1, 0.0)
    batch.lease.remote["TIC101"], batch.lease.valid_until_s["TIC101"] = 26.0, 10 * H
    batch.advance(2.9 * H)
    assert batch.active_setpoints()["TIC101"] == 26.0
    assert batch.signals["TIC101.PV"].value == pytest.approx(26.0, abs=0.4)
    batch.advance(6 * H)  # nobody beats any more
    assert batch.active_setpoints()["TIC101"] == batch.local_setpoints()["TIC101"]
    assert batch.signals["TIC101.PV"].value == pytest.approx(24.85, abs=0.5)


SCRIPT = """
[[fault]]
kind = "drift"
tag = "AIC102.PV"
value = -2.0
at_h = 60.0
until_h = 90.0

[[fault]]
kind = "utility_failure"
tag = "air"
"""


def test_a_script_says_what_goes_wrong_and_when(tmp_path: Path):
    (tmp_path / "faults.toml").write_text(SCRIPT)
    drift, air = load(tmp_path / "faults.toml")
    assert drift == Fault(FaultKind.DRIFT, "AIC102.PV", -2.0, 60 * H, 90 * H)
    assert air.kind is FaultKind.UTILITY_FAILURE
    assert air.active(1e9)
    assert not drift.active(90 * H)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("fault = 1", r"must hold \[\[fault\]\] entries"),
        ('[[fault]]\nkind = "melted"\ntag = "R1"', "no fault is called 'melted'"),
        ('[[fault]]\nkind = "bias"', "number 1: give kind and tag"),
        ('[[fault]]\nkind = "bias"\ntag = "R1"\nvalue = "much"', "value, at_h and until_h are numbers"),
        ("[[fault", "cannot be read as a fault script"),
    ],
)
def test_a_script_that_makes_no_sense_is_refused_in_one_sentence(tmp_path: Path, text, sentence):
    (tmp_path / "faults.toml").write_text(text)
    with pytest.raises(ValueError, match=sentence):
        load(tmp_path / "faults.toml")


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault(FaultKind.BIAS, "NIX.PV", 1.0), "bias cannot befall 'NIX.PV'"),
        (Fault(FaultKind.UNDER_DELIVERY, "FIC201", 1.5), "share of the flow that is missing, from 0 to 1"),
        (Fault(FaultKind.KLA_LOSS, "FIC201", 0.5), "it may befall R1"),
        (Fault(FaultKind.BIAS, "WI101.PV", 1.0, 5.0, 5.0), "ends before it begins"),
    ],
)
def test_a_fault_that_this_plant_cannot_have_is_refused(fault, sentence):
    with pytest.raises(ValueError, match=sentence):
        Batch(PENICILLIN, None).break_(fault)


def test_faults_are_injected_and_cleared_over_the_wire(with_plant):
    async def scenario(plant):
        await plant.call("INJECT_FAULT", "under_delivery", "FIC202", 0.5, 1.0)
        await plant.advance(60.0)
        assert await plant.value("FIC202.PV") == pytest.approx(0.000225, rel=0.03)
        await plant.advance(H)
        assert await plant.value("FIC202.PV") == pytest.approx(0.00045, rel=0.03)
        await plant.call("INJECT_FAULT", "bias", "TIC101.PV", 5.0, 0.0)
        assert await plant.call("CLEAR_FAULT", "TIC101.PV") == 1
        with pytest.raises(ua.UaStatusCodeError, match="BadInvalidArgument"):
            await plant.call("INJECT_FAULT", "bias", "NIX.PV", 5.0, 0.0)

    with_plant(scenario)


def test_a_lost_connection_comes_back_with_the_time_that_has_passed(with_plant, connect, tmp_path: Path):
    script = tmp_path / "faults.toml"
    script.write_text('[[fault]]\nkind = "connection_loss"\ntag = "LINK"\nat_h = 1.0\nuntil_h = 3.0\n')

    async def scenario(plant):
        endpoint = plant.client.server_url.geturl()
        await plant.advance(H)
        with pytest.raises((ConnectionError, TimeoutError, ua.UaError)):
            async with asyncio.timeout(20):
                while True:
                    await plant.value("WI101.PV")
                    await asyncio.sleep(0.02)
        async with asyncio.timeout(30):
            while True:
                try:
                    async with connect(endpoint) as again:
                        time = (await again.read("WI101.PV"))["WI101.PV"].SourceTimestamp
                        missed = await again.node("WI101.PV").read_raw_history(START, time)
                        break
                except (OSError, ua.UaError):
                    await asyncio.sleep(0.1)
        assert (time - START).total_seconds() == 3 * H
        assert len(missed) == 2 + 120  # the start, the hour, and each minute of the loss

    with_plant(scenario, faults=script)
