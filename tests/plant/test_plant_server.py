"""The simulated plant over OPC UA, as a controller meets it."""

from __future__ import annotations

import asyncio
import csv
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asyncua import ua

from controller.processes.penicillin.plant import DESIGN as PENICILLIN
from plant_sim.server import START
from plant_sim.tags import tags_of

H = 3600.0
TAGS = tags_of(PENICILLIN)
POINTS, PLAIN, WRITABLE = TAGS.points, TAGS.plain, TAGS.writable
CONTRACT = {  # tag: unit, low, high
    "AIC102.PV": ("%", 0, 120),
    "AIC101.PV": ("pH", 2, 12),
    "TIC101.PV": ("degC", 0, 60),
    "WI101.PV": ("kg", 0, 200),
    "AI302.PV": ("g/(L.h)", 0, 60),
    "AI301.PV": ("mmol/(L.h)", 0, 5),
    "FIC101.PV": ("L/h", 0, 20),
    "JIC101.PV": ("W", 0, 100),
    "FI203.PV": ("L/h", 0, 0.2),
    "FI204.PV": ("L/h", 0, 1e-4),
    **{f"FIC201.{kind}": ("L/h", 0, 0.1) for kind in ("PV", "SP", "SP_ACTIVE", "SP_LOCAL")},
    **{f"FIC202.{kind}": ("L/h", 0, 0.005) for kind in ("PV", "SP", "SP_ACTIVE", "SP_LOCAL")},
    **{f"AIC101.{kind}": ("pH", 4, 6.5) for kind in ("SP", "SP_ACTIVE", "SP_LOCAL")},
    **{f"TIC101.{kind}": ("degC", 20, 30) for kind in ("SP", "SP_ACTIVE", "SP_LOCAL")},
    **{f"AIC102.{kind}": ("%", 10, 90) for kind in ("SP", "SP_ACTIVE", "SP_LOCAL")},
    "FIC102.PV": ("L/h", 0, 5),
    "LI102.PV": ("%", 0, 100),
    "FI205.PV": ("L/h", 0, 0.1),
}
ASSAYS = {
    "LAB.BIOMASS": "g/L",
    "LAB.PRODUCT": "g/L",
    "LAB.SUBSTRATE": "g/L",
    "LAB.PRECURSOR": "mg/L",
    "LAB.VISCOSITY": "cP",
}
ONLINE = [tag for tag in CONTRACT if tag.endswith(".PV")]


def until(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def test_every_tag_has_its_unit_span_type_status_and_process_time(with_plant):
    async def scenario(plant):
        for tag, (unit, low, high) in CONTRACT.items() | {(tag, (unit, 0, None)) for tag, unit in ASSAYS.items()}:
            node = plant.node(tag)
            span = await (await node.get_child("0:EURange")).read_value()
            units = await (await node.get_child("0:EngineeringUnits")).read_value()
            assert units.DisplayName.Text == unit
            assert span.Low == low
            assert high is None or span.High == high
            assert (await node.read_type_definition()).Identifier == ua.ObjectIds.AnalogItemType
        assert set(POINTS) == set(CONTRACT) | set(ASSAYS)
        assert await plant.advance(600.0) == until(1 / 6)
        for tag, value in (await plant.read(*POINTS, *PLAIN, "SIMULATION.SPEED")).items():
            assert value.SourceTimestamp == until(1 / 6), tag
            expected = "BadWaitingForInitialData" if tag in ASSAYS else "Good"
            assert value.StatusCode.name == expected, tag
            if tag in PLAIN:
                assert value.Value.VariantType.name == PLAIN[tag]
        assert await plant.value("SIMULATION.SPEED") == 0.0
        assert await plant.value("BATCH.ID") == "SIM-003"
        assert await plant.value("BATCH.START") == START
        assert await plant.value("BATCH.PHASE") == "growth"

    with_plant(scenario, seed=3)


def test_assays_come_sixteen_hours_in_with_the_time_of_their_sample(with_plant):
    async def scenario(plant):
        await plant.advance(16 * H - 30.0)
        assert (await plant.read("LAB.BIOMASS"))["LAB.BIOMASS"].StatusCode.name == "BadWaitingForInitialData"
        await plant.advance(30.0)
        first = await plant.read(*ASSAYS)
        for value in first.values():
            assert value.StatusCode.is_good()
            assert value.SourceTimestamp == until(12)
        assert first["LAB.SUBSTRATE"].Value.Value == pytest.approx(14.6, rel=0.25)
        await plant.advance(12 * H)
        later = (await plant.read("LAB.BIOMASS"))["LAB.BIOMASS"]
        assert later.SourceTimestamp == until(24)
        assert later.Value.Value > 1.5 * first["LAB.BIOMASS"].Value.Value

    with_plant(scenario)


def test_the_recipe_turns_to_production_when_the_sugar_is_eaten(with_plant):
    async def scenario(plant):
        await plant.advance(24 * H)
        await plant.advance(19.5 * H)
        assert await plant.value("BATCH.PHASE") == "growth"
        assert await plant.value("FIC201.SP_LOCAL") == 0.0
        await plant.advance(1.5 * H)
        assert await plant.value("BATCH.PHASE") == "production"
        assert await plant.value("FIC201.SP_LOCAL") == 0.042
        assert await plant.value("FIC201.SP_ACTIVE") == 0.042
        assert await plant.value("FIC201.PV") == pytest.approx(0.042, rel=0.03)
        for _ in range(2):
            await plant.advance(24 * 3600.0)
        assert await plant.value("WI101.PV") == pytest.approx(96.5, abs=1.0)

    with_plant(scenario)


def test_a_remote_setpoint_drives_the_pump_while_heartbeat_and_validity_last(with_plant):
    async def scenario(plant):
        await plant.advance(H)
        assert (
            await plant.write({"FIC202.SP": 0.002, "FIC202.VALID_UNTIL": until(2), "SUPERVISOR.HEARTBEAT": 1})
            == ["Good"] * 3
        )
        assert await plant.value("FIC202.SP_ACTIVE") == 0.002  # read back before time moves
        assert await plant.value("SUPERVISOR.IN_CONTROL") is True
        await plant.advance(60.0)
        assert await plant.value("FIC202.PV") == pytest.approx(0.002, rel=0.03)
        assert await plant.value("FIC201.SP_ACTIVE") == 0.0  # the other pump keeps the recipe
        await plant.advance(0.5 * H)
        await plant.write({"SUPERVISOR.HEARTBEAT": 2})
        await plant.advance(0.5 * H)  # past its validity, with a living heartbeat
        assert await plant.value("FIC202.SP_ACTIVE") == 0.00045
        assert await plant.value("SUPERVISOR.IN_CONTROL") is False
        assert await plant.value("SUPERVISOR.LEASE_LAPSES") == 0

    with_plant(scenario)


def test_a_lapsed_lease_falls_back_to_the_recipe_and_never_revives(with_plant):
    async def scenario(plant):
        await plant.write({"FIC202.SP": 0.002, "FIC202.VALID_UNTIL": until(100), "SUPERVISOR.HEARTBEAT": 1})
        await plant.advance(1800.0)
        assert await plant.value("FIC202.SP_ACTIVE") == 0.002
        await plant.advance(60.0)
        assert await plant.value("FIC202.SP_ACTIVE") == 0.00045
        assert await plant.value("SUPERVISOR.LEASE_LAPSES") == 1
        assert (await plant.value("FIC202.VALID_UNTIL")).year == 1601
        await plant.write({"SUPERVISOR.HEARTBEAT": 2})
        await plant.advance(60.0)
        assert await plant.value("FIC202.SP_ACTIVE") == 0.00045
        assert await plant.value("SUPERVISOR.LEASE_LAPSES") == 1
        await plant.write({"FIC202.VALID_UNTIL": until(100), "SUPERVISOR.HEARTBEAT": 3})
        assert await plant.value("FIC202.SP_ACTIVE") == 0.002

    with_plant(scenario, lease_s=1800.0)


def test_a_write_is_accepted_only_to_a_setpoint_and_within_its_span(with_plant):
    async def scenario(plant):
        for tag, value, code in (
            ("FIC201.SP", 0.1, "Good"),
            ("FIC201.SP", 0.1001, "BadOutOfRange"),
            ("FIC201.SP", -1e-9, "BadOutOfRange"),
            ("FIC202.SP", 0.0051, "BadOutOfRange"),
            ("FIC202.SP", math.nan, "BadOutOfRange"),
            ("FIC202.SP", math.inf, "BadOutOfRange"),
            ("FIC201.PV", 0.01, "BadUserAccessDenied"),
            ("AIC102.SP", 70.0, "Good"),
            ("AIC102.SP", 95.0, "BadOutOfRange"),
            ("AIC102.SP_ACTIVE", 70.0, "BadUserAccessDenied"),
        ):
            before = await plant.value(tag)
            assert await plant.write({tag: value}) == [code], (tag, value)
            assert await plant.value(tag) == (value if code == "Good" else before)

    with_plant(scenario)


def test_one_refused_write_leaves_the_others_of_its_request_accepted(with_plant):
    async def scenario(plant):
        codes = await plant.write({"FIC201.SP": 5.0, "FIC202.SP": 0.001, "SUPERVISOR.HEARTBEAT": 9})
        assert codes == ["BadOutOfRange", "Good", "Good"]
        assert await plant.value("FIC201.SP") == 0.0
        assert await plant.value("FIC202.SP") == 0.001
        seen = (await plant.read("FIC202.SP"))["FIC202.SP"]
        assert seen.SourceTimestamp == START  # process time, whatever the client's clock says
        wrong = ua.DataValue(ua.Variant(1, ua.VariantType.Int64))
        for tag in sorted(WRITABLE):
            (code,) = await plant.client.write_values([plant.node(tag)], [wrong], raise_on_partial_error=False)
            assert code.name == "BadTypeMismatch"

    with_plant(scenario)


def test_each_kind_of_fault_reaches_the_wire(with_plant):
    async def shown(plant):
        await plant.advance(60.0)
        return (await plant.read("WI101.PV"))["WI101.PV"]

    async def scenario(plant):
        for kind, status, value in (
            ("bad", "BadSensorFailure", None),
            ("uncertain", "UncertainSensorNotAccurate", pytest.approx(100.0, abs=0.6)),
            ("nan", "Good", pytest.approx(math.nan, nan_ok=True)),
            ("bias", "Good", pytest.approx(120.0, abs=0.6)),
        ):
            await plant.call("SET_FAULT", "WI101.PV", kind, 20.0)
            seen = await shown(plant)
            assert seen.StatusCode.name == status
            assert seen.Value.Value == value
        await plant.call("SET_FAULT", "WI101.PV", "none", 0.0)
        healthy = await shown(plant)
        assert healthy.Value.Value == pytest.approx(100.0, abs=0.6)
        await plant.call("SET_FAULT", "WI101.PV", "freeze", 0.0)
        frozen = await shown(plant)
        assert frozen.Value.Value == healthy.Value.Value
        assert frozen.SourceTimestamp == healthy.SourceTimestamp + timedelta(seconds=60)

    with_plant(scenario, seed=3, nominal=True)


def test_nonsense_is_refused_and_moves_nothing(with_plant):
    async def scenario(plant):
        for seconds in (0.0, -1.0, math.nan, math.inf, 86400.1, "60", 60):
            with pytest.raises(ua.UaStatusCodeError, match="BadInvalidArgument"):
                await plant.advance(seconds)
        for arguments in (("NIX.PV", "bad", 0.0), ("WI101.PV", "melted", 0.0), ("WI101.PV", "bias", math.nan)):
            with pytest.raises(ua.UaStatusCodeError, match="BadInvalidArgument"):
                await plant.call("SET_FAULT", *arguments)
        with pytest.raises(ua.UaStatusCodeError, match="BadInvalidArgument"):
            await plant.call("ADVANCE")
        assert (await plant.read("WI101.PV"))["WI101.PV"].SourceTimestamp == START

    with_plant(scenario)


def test_a_plant_with_a_clock_moves_by_itself_at_its_speed_and_by_nobody_else(with_plant):
    async def scenario(plant):
        with pytest.raises(ua.UaStatusCodeError, match="BadInvalidState"):
            await plant.advance(60.0)
        clock, times, began = asyncio.get_running_loop().time, set(), None
        async with asyncio.timeout(30):
            while len(times) < 8:
                times.add((await plant.read("WI101.PV"))["WI101.PV"].SourceTimestamp)
                began = began or clock()
                await asyncio.sleep(0.02)
        assert {(t - START).total_seconds() % 120.0 for t in times} == {0.0}
        passed = (max(times) - min(times)).total_seconds() - 120.0  # the first one may have been about to pass
        assert passed / (clock() - began) <= 1200.0  # slower under load, never faster
        assert await plant.value("SIMULATION.SPEED") == 1200.0

    with_plant(scenario, seed=3, speed=1200.0, scan_s=120.0)


def test_the_truth_is_logged_for_a_judge_and_is_not_on_the_wire(with_plant, tmp_path: Path):
    path = tmp_path / "truth.csv"

    async def scenario(plant):
        for _ in range(3):
            await plant.advance(H)
        names = {(await n.read_browse_name()).Name for n in await plant.node("R1").get_children()}
        assert names == set(POINTS) | set(PLAIN)

    with_plant(scenario, seed=3, truth=path)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [float(row["hours"]) for row in rows] == [0.0, 1.0, 2.0, 3.0]
    assert datetime.fromisoformat(rows[3]["time"]) == until(3)
    assert set(rows[0]) == {
        "time",
        "hours",
        "biomass",
        "product",
        "substrate",
        "precursor",
        "volume",
        "dissolved_oxygen",
        "age",
        "viscosity",
        "contaminant",
    }
    assert 0.05 < float(rows[0]["biomass"]) < float(rows[3]["biomass"])


def test_a_subscriber_hears_of_every_published_value(with_plant):
    class Heard:
        def __init__(self):
            self.times = []

        def datachange_notification(self, node, value, data):
            self.times.append(data.monitored_item.Value.SourceTimestamp)

        def status_change_notification(self, status):
            raise AssertionError(status)

    async def scenario(plant):
        heard = Heard()
        subscription = await plant.client.create_subscription(20, heard)
        await subscription.subscribe_data_change([plant.node("BATCH.PHASE"), plant.node("WI101.PV")])
        await plant.advance(60.0)
        async with asyncio.timeout(10):
            while datetime(2026, 1, 1, 0, 1, tzinfo=UTC) not in heard.times:
                await asyncio.sleep(0.02)
        await subscription.delete()

    with_plant(scenario)
