"""One batched read of a real server gives every value with its quality, its age and the reason for both."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from asyncua import ua
from hypothesis import given
from hypothesis import strategies as st

from controller.edge import check
from controller.edge.opcua import PlantLink, PlantLost, PlantMismatch, Scan
from controller.edge.opcua.raw import Raw
from controller.edge.opcua.scanning import aged, judge
from controller.settings import Settings
from twin.signals import Quality, Role, Variable

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
BAD, UNSURE = ua.StatusCodes.BadSensorFailure, ua.StatusCodes.UncertainSensorNotAccurate
T = TypeVar("T")


def linked(settings: Settings, work: Callable[[PlantLink], Awaitable[T]]) -> T:
    """Connect, work, close."""

    async def run() -> T:
        link = PlantLink(settings)
        try:
            await link.connect(10.0)
            return await work(link)
        finally:
            await link.close()

    return asyncio.run(run())


def scan_of(plant: Any) -> Scan:
    return linked(plant.settings, lambda link: link.read())


def test_a_scan_holds_every_reading_with_its_unit_and_the_batch(plant: Any) -> None:
    scan = scan_of(plant)
    assert scan.snapshot.time == NOW
    assert set(scan.snapshot.readings) == {
        v.name for v in plant.settings.plant_record().having(Role.MEASURED, Role.MANIPULATED)
    }
    assert all(r.usable and r.time == NOW for r in scan.snapshot.readings.values())
    assert scan.snapshot.readings["oxygen_uptake_rate"].unit == "g/(L.h)"
    assert scan.snapshot.assays == ()
    assert (scan.batch, scan.phase, scan.batch_start) == ("B-001", "production", datetime(2026, 1, 1, tzinfo=UTC))
    assert scan.setpoints == {"feed": 0.042, "precursor_feed": 0.0005}
    assert (scan.in_control, scan.lapses) == (False, 0)


def test_each_way_of_being_unusable_is_told_apart_in_one_scan(plant: Any) -> None:
    plant.show("AIC102.PV", 55.0, BAD)
    plant.show("AIC101.PV", 5.1, UNSURE)
    plant.show("TIC101.PV", math.nan)
    plant.show("WI101.PV", 100.0, time=NOW - timedelta(seconds=901))
    plant.show("AI302.PV", 3.0, time=None)
    plant.show("AI301.PV", 9.0)
    plant.show("JIC101.PV", 30.0, time=NOW - timedelta(seconds=900))
    readings = scan_of(plant).snapshot.readings
    found = {name: (r.quality, r.value, r.reason) for name, r in readings.items() if r.quality is not Quality.GOOD}
    assert found == {
        "dissolved_oxygen": (Quality.BAD, None, "BadSensorFailure"),
        "ph": (Quality.UNCERTAIN, 5.1, "UncertainSensorNotAccurate"),
        "temperature": (Quality.BAD, None, "not a finite number: nan"),
        "weight": (Quality.UNCERTAIN, 100.0, "stale: 901 s old, 900 s allowed"),
        "oxygen_uptake_rate": (Quality.UNCERTAIN, 3.0, "age unknown: no source time"),
        "carbon_dioxide_evolution_rate": (Quality.BAD, 9.0, "outside span: 9 is not in 0 to 5 mmol/(L.h)"),
    }
    assert readings["agitator_power"].usable


def test_process_time_is_the_newest_of_the_readings_that_are_not_bad(plant: Any) -> None:
    plant.show("AIC102.PV", 55.0, BAD, NOW + timedelta(hours=5))
    plant.show("AIC101.PV", 5.1, UNSURE, NOW + timedelta(minutes=5))
    assert scan_of(plant).snapshot.time == NOW + timedelta(minutes=5)


def test_when_all_is_bad_time_still_goes_on(plant: Any) -> None:
    for variable in plant.settings.variables:
        if variable.role is not Role.ASSAYED:
            plant.show(variable.node, 1.0, BAD, NOW + timedelta(minutes=7))
    scan = scan_of(plant)
    assert scan.snapshot.time == NOW + timedelta(minutes=7)
    assert not any(r.usable for r in scan.snapshot.readings.values())


def test_a_plant_without_any_source_time_is_no_plant_to_control(plant: Any) -> None:
    for variable in plant.settings.variables:
        plant.show(variable.node, 1.0, time=None)
    with pytest.raises(PlantLost, match="no on-line reading carries a source time"):
        scan_of(plant)


def test_an_assay_is_reported_once_with_the_time_of_its_sample(plant: Any) -> None:
    async def work(link: PlantLink) -> None:
        assert (await link.read()).snapshot.assays == ()
        plant.show("LAB.BIOMASS", 6.5, time=NOW - timedelta(hours=4))
        plant.show("LAB.PRODUCT", 0.3, UNSURE, NOW - timedelta(hours=4))
        (first,) = (await link.read()).snapshot.assays
        assert (first.variable, first.value, first.unit) == ("biomass", 6.5, "g/L")
        assert (first.sampled_at, first.reported_at) == (NOW - timedelta(hours=4), NOW)
        assert first.quality is Quality.GOOD
        assert (await link.read()).snapshot.assays == ()
        plant.show("LAB.BIOMASS", 600.0, time=NOW - timedelta(hours=1))
        plant.show("LAB.PRODUCT", 0.4, time=NOW + timedelta(hours=1))
        beyond, early = (await link.read()).snapshot.assays
        assert (beyond.value, beyond.quality) == (600.0, Quality.BAD)
        assert (early.variable, early.quality) == ("product", Quality.BAD)

    linked(plant.settings, work)


def test_a_restarted_controller_can_be_told_which_assays_it_has_seen(plant: Any) -> None:
    plant.show("LAB.BIOMASS", 6.5, time=NOW - timedelta(hours=4))

    async def work(link: PlantLink) -> Scan:
        link.assays_seen["biomass"] = NOW - timedelta(hours=4)
        return await link.read()

    assert linked(plant.settings, work).snapshot.assays == ()


def test_a_plant_that_answers_but_stands_still_is_noticed(plant: Any) -> None:
    async def work(link: PlantLink) -> tuple[float, float]:
        await link.read()
        await asyncio.sleep(0.3)
        standing = (await link.read()).stalled_s
        plant.show("AIC102.PV", 55.0, time=NOW + timedelta(seconds=1))
        return standing, (await link.read()).stalled_s

    standing, moving = linked(plant.settings, work)
    assert standing >= 0.3
    assert moving < 0.1


def test_a_plant_that_runs_by_itself_is_not_advanced(plant: Any) -> None:
    async def work(link: PlantLink) -> datetime | None:
        await link.read()
        return await link.advance(300.0)

    assert linked(plant.settings, work) == NOW


WRONG: dict[str, tuple[Callable[[Any], None], str]] = {
    "unit": (
        lambda p: p.state_unit("AIC102.PV", "mg/L"),
        "tag 'AIC102.PV' must be in '%', and it is in 'mg/L': mend unit or node of [[variable]] 'dissolved_oxygen'",
    ),
    "range": (
        lambda p: p.state_range("WI101.PV", 0.0, 150.0),
        "tag 'WI101.PV' must range over 0 to 200 kg, and it ranges over 0 to 150: "
        "mend low and high of [[variable]] 'weight'",
    ),
    "setpoint range": (
        lambda p: p.state_range("FIC201.SP", 0.0, 0.04),
        "tag 'FIC201.SP' must range over 0.035 to 0.045 L/h, and it ranges over 0 to 0.04: mend [limits.feed]",
    ),
    "lease": (
        lambda p: p.show("SUPERVISOR.LEASE_S", 600.0),
        "tag 'SUPERVISOR.LEASE_S' must be 3600 s, and it is 600 s: mend lease_s in [supervisor]",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_plant_that_is_not_as_configured_is_refused_and_nothing_is_written(case: str, plant: Any) -> None:
    spoil, sentence = WRONG[case]
    spoil(plant)
    with pytest.raises(PlantMismatch) as refused:
        scan_of(plant)
    assert str(refused.value) == sentence
    assert plant.writes == []


def test_a_missing_tag_is_named_and_the_check_lists_every_fault(plant: Any) -> None:
    plant.stop()
    plant.start(without=("AIC101.PV", "FIC201.VALID_UNTIL"))
    with pytest.raises(PlantMismatch) as refused:
        scan_of(plant)
    assert str(refused.value) == (
        "the server has no tag 'AIC101.PV': mend node of [[variable]] 'ph' "
        "(1 more: neurotwin check --connect lists them)"
    )
    rows = asyncio.run(check.rows_connected(plant.settings))
    faulty = {row["tag"]: row["verdict"] for row in rows if row["verdict"] != "ok"}
    assert set(faulty) == {"ph", "feed.valid_until"}
    assert faulty["feed.valid_until"] == (
        "the server has no tag 'FIC201.VALID_UNTIL': mend valid_until of [[variable]] 'feed'"
    )
    assert [row["tag"] for row in rows] == [row["tag"] for row in check.rows(plant.settings)]
    assert rows[0]["value"] == "60"
    assert rows[0]["quality"] == "good"
    assert plant.writes == []


def test_a_foreign_namespace_is_refused_with_those_that_are_there(plant: Any, at: Callable[..., Settings]) -> None:
    with pytest.raises(PlantMismatch, match=r"no namespace 'urn:other' but .*'urn:neurotwin:plant': mend namespace"):
        linked(at(plant.port, namespace="urn:other"), lambda link: link.read())


def test_a_plant_that_is_not_there_is_given_up_in_time(at: Callable[..., Settings], unused_port: int) -> None:
    async def run() -> float:
        link = PlantLink(at(unused_port))
        began = time.monotonic()
        with pytest.raises(PlantLost) as lost:
            await link.connect(1.5)
        sentence = str(lost.value)
        assert f"the plant at opc.tcp://127.0.0.1:{unused_port}/neurotwin is not reachable" in sentence
        assert "refused" in sentence
        assert "gave up after 1.5 s: start the plant, or mend endpoint in [connection]" in sentence
        return time.monotonic() - began

    assert asyncio.run(run()) < 30.0


SPAN = Variable("x", "g/L", -1.0, 1.0, Role.MEASURED)
VALUES = st.one_of(st.floats(), st.integers(-3, 3), st.none(), st.booleans(), st.text(max_size=2))
TIMES = st.one_of(st.none(), st.datetimes(datetime(2026, 1, 1), NOW.replace(tzinfo=None), timezones=st.just(UTC)))


@given(value=VALUES, status=st.sampled_from(Quality), source=TIMES, max_age_s=st.floats(1.0, 1e6))
def test_only_a_good_fresh_finite_number_within_the_span_is_usable(
    value: object, status: Quality, source: datetime | None, max_age_s: float
) -> None:
    reading = aged(judge(SPAN, Raw(value, status, "Status", source)), NOW, max_age_s)
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and -1.0 <= value <= 1.0
    fresh = source is not None and (NOW - source).total_seconds() <= max_age_s
    assert reading.usable == (number and status is Quality.GOOD and fresh)
    assert (reading.reason == "") == (reading.quality is Quality.GOOD)
    assert reading.quality >= status
