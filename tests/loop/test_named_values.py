"""Every number and every condition by its name: what batches and alarms are judged by."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.loop.alarms import Sight
from controller.loop.batch_records import BatchRecord, BatchState
from controller.loop.mode_ladder import Ladder
from controller.loop.named_values import conditions, numbers, sight_of
from controller.loop.records import Mode

CALM = Ladder(Mode.AUTO, "ada: try")
UNUSUAL = "the readings are unusual: novelty 1.000 above 0.99, most of it dissolved_oxygen"
MISFIT = "the twin does not fit: innovation ratio 3.30 above 3"


def test_numbers_are_named_by_where_they_come_from(world: Any) -> None:
    assert numbers(world.estimate, world.insight, world.situation) == {
        "estimate.biomass": 10.0,
        "setpoint.feed": 0.042,
        "setpoint.precursor_feed": 0.0005,
        "neurocore.novelty": 0.1,
        "neurocore.stability": 0.9,
    }


def test_an_estimate_whose_names_and_numbers_do_not_pair_is_an_error(world: Any) -> None:
    with pytest.raises(ValueError, match="zip"):
        numbers(replace(world.estimate, names=("biomass", "product")), world.insight, world.situation)


def test_alarms_see_the_plant_the_batch_and_the_forecast(world: Any) -> None:
    batch = BatchRecord("B1", BatchState.RUNNING, world.now, "", "growth", initial_l=100.0, fed={"feed": 2.5})
    situation = replace(world.situation, conditions={"loop.link": "the cable is out"})
    found = sight_of(world.snapshot, situation, {"estimate.biomass": 10.0}, batch, world.baseline, world.plant)
    assert found == Sight(
        time=world.now,
        phases=("growth", "production"),
        readings=world.snapshot.readings,
        numbers={"estimate.biomass": 10.0, "batch.volume": 102.5},
        conditions={"loop.link": "the cable is out"},
        forecast=world.baseline,
        max_age_s={"dissolved_oxygen": 900.0, "feed": 900.0, "precursor_feed": 900.0},
    )


@pytest.mark.parametrize("batch", [None, BatchRecord("B1", BatchState.IDLE, None, "")])  # type: ignore[arg-type]
def test_a_volume_that_nobody_booked_is_not_seen(world: Any, batch: BatchRecord | None) -> None:
    found = sight_of(world.snapshot, world.situation, {"estimate.biomass": 10.0}, batch, None, world.plant)
    assert found.numbers == {"estimate.biomass": 10.0}
    assert found.phases == ("", "production")
    assert found.forecast is None


def test_a_calm_loop_has_nothing_to_say(world: Any) -> None:
    assert conditions(world.situation, CALM, CALM, (), ()) == {}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"faults": ("the link is down", "the pump is off")}, {"loop.fault": "the link is down; the pump is off"}),
        ({"now": replace(CALM, reason="demoted from auto: x")}, {"loop.demoted": "demoted from auto: x"}),
        ({"now": replace(CALM, reason="omar: try")}, {}),
        ({"lease": ("the lease is not renewed: x",)}, {"loop.lease": "the lease is not renewed: x"}),
        ({"lease": ("feed was given back", "x: the command is dropped")}, {"loop.lease": "x: the command is dropped"}),
        ({"lease": ("feed was given back: the phase is harvest",)}, {}),
        ({"objections": ("the probe is bad", MISFIT, UNUSUAL)}, {"loop.novelty": UNUSUAL, "loop.misfit": MISFIT}),
        ({"objections": ("the probe is bad",)}, {}),
    ],
)
def test_what_the_loop_has_to_say_is_told_by_name(world: Any, changed: dict[str, Any], told: dict[str, str]) -> None:
    situation = replace(world.situation, faults=changed.get("faults", ()))
    lease, objections = changed.get("lease", ()), changed.get("objections", ())
    assert conditions(situation, CALM, changed.get("now", CALM), objections, lease) == told


def test_a_demotion_is_told_when_it_happens_and_not_again(world: Any) -> None:
    given_up = replace(CALM, mode=Mode.ADVISORY, reason="demoted from auto: x")
    assert conditions(world.situation, given_up, given_up, (), ()) == {}
    again = replace(given_up, reason="demoted from auto: y")
    assert conditions(world.situation, given_up, again, (), ()) == {"loop.demoted": "demoted from auto: y"}


def test_ages_of_readings_are_those_of_the_plant(world: Any) -> None:
    variables = tuple(replace(v, max_age_s=60.0 * k) for k, v in enumerate(world.plant.variables, 1))
    plant = replace(world.plant, variables=variables)
    found = sight_of(replace(world.snapshot, time=world.now + timedelta(1)), world.situation, {}, None, None, plant)
    assert found.max_age_s == {"dissolved_oxygen": 60.0, "feed": 120.0, "precursor_feed": 180.0}
    assert found.time == world.now + timedelta(1)
