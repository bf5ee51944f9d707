"""Samples and notes entered by hand: taken with thanks, or refused with the reason, and never twice."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.loop.batch_records import Sample
from controller.loop.manual_entries import entered
from controller.loop.records import Intent, Ruling
from twin.signals import Assay, Role, Variable

HOUR = timedelta(hours=1)


@pytest.fixture
def laboratory(world: Any) -> Any:
    """What becomes of entries at a plant that assays product and biomass."""
    assayed = (Variable("product", "g/L", 0.0, 5.0, Role.ASSAYED), Variable("biomass", "g/L", 0.0, 60.0, Role.ASSAYED))
    plant = replace(world.plant, variables=(*world.plant.variables, *assayed))

    def enter(*intents: Intent, **known: Any) -> tuple[Any, tuple[Ruling, ...]]:
        snapshot = replace(world.snapshot, assays=known.pop("assays", ()))
        return entered(snapshot, replace(world.situation, intents=intents, **known), plant)

    return enter


def asked(world: Any, kind: str, sample: Sample | None = None, reason: str = "") -> Intent:
    return Intent(kind, "ada", world.now, reason=reason, sample=sample)


def result(world: Any, value: float = 1.2, variable: str = "product", unit: str = "g/L") -> Assay:
    return Assay(variable, value, unit, world.now - HOUR, world.now)


def test_without_entries_the_snapshot_is_as_it_was(world: Any, laboratory: Any) -> None:
    assert laboratory(asked(world, "accept")) == (world.snapshot, ())


def test_a_note_is_taken_when_it_says_something(world: Any, laboratory: Any) -> None:
    said, silent = asked(world, "note", reason="foam on top"), asked(world, "note")
    snapshot, rulings = laboratory(said, silent)
    assert rulings == (Ruling(said, True, "noted: foam on top"), Ruling(silent, False, "the note says nothing"))
    assert snapshot == world.snapshot


def test_a_sample_is_taken_with_its_volume_and_its_results(world: Any, laboratory: Any) -> None:
    results = (result(world), result(world, 30.0, "biomass"))
    intent = asked(world, "sample", Sample(world.now - HOUR, 0.02, results))
    snapshot, rulings = laboratory(intent)
    told = "sample of 2026-01-03 11:00: 20 mL taken, product 1.2 g/L, biomass 30 g/L"
    assert rulings == (Ruling(intent, True, told),)
    assert snapshot == replace(world.snapshot, assays=results)


def test_a_sample_may_have_only_a_volume_or_only_results(world: Any, laboratory: Any) -> None:
    volume = asked(world, "sample", Sample(world.now, 0.05))
    results = asked(world, "sample", Sample(world.now, 0.0, (result(world),)))
    _, rulings = laboratory(volume, results)
    assert [r.reason for r in rulings] == [
        "sample of 2026-01-03 12:00: 50 mL taken",
        "sample of 2026-01-03 12:00: product 1.2 g/L",
    ]


def test_results_are_added_to_those_of_the_laboratory_and_none_twice(world: Any, laboratory: Any) -> None:
    lab, own = result(world, 30.0, "biomass"), result(world)
    intent = asked(world, "sample", Sample(world.now - HOUR, 0.02, (own, lab)))
    snapshot, _ = laboratory(intent, assays=(lab,))
    assert snapshot.assays == (lab, own)
    again, rulings = laboratory(intent, intent, assays=snapshot.assays)
    assert again.assays == (lab, own)
    assert [r.granted for r in rulings] == [True, True]


def test_a_refused_entry_keeps_no_other_from_being_taken(world: Any, laboratory: Any) -> None:
    wrong = asked(world, "sample", Sample(world.now, 0.0, (result(world, 9.0),)))
    right = asked(world, "sample", Sample(world.now, 0.0, (result(world),)))
    snapshot, rulings = laboratory(asked(world, "mode"), wrong, right)
    assert [r.granted for r in rulings] == [False, True]
    assert snapshot.assays == right.sample.assays  # type: ignore[union-attr]


@pytest.mark.parametrize("volume_l", [-0.001, math.nan, math.inf])
def test_a_volume_that_cannot_be_is_refused(world: Any, laboratory: Any, volume_l: float) -> None:
    intent = asked(world, "sample", Sample(world.now, volume_l, (result(world),)))
    snapshot, rulings = laboratory(intent)
    assert rulings == (Ruling(intent, False, f"a sample of {volume_l} L cannot be"),)
    assert snapshot.assays == ()


@pytest.mark.parametrize(
    ("drawn_h", "told"),
    [
        (0.0, ""),
        (-2.0, ""),
        (0.5, "the sample is dated 2026-01-03 12:30, after the present 2026-01-03 12:00"),
        (-2.5, "the sample is dated before the batch began, 2026-01-03 10:00"),
    ],
)
def test_a_sample_is_of_this_batch_and_not_of_the_future(
    world: Any, laboratory: Any, drawn_h: float, told: str
) -> None:
    intent = asked(world, "sample", Sample(world.now + drawn_h * HOUR, 0.02))
    _, (ruling,) = laboratory(intent, batch_start=world.now - 2 * HOUR)
    assert (ruling.granted, ruling.reason if told else "") == (not told, told)


def test_a_sample_of_a_batch_whose_beginning_is_not_known_may_be_of_any_time_before_now(
    world: Any, laboratory: Any
) -> None:
    _, (ruling,) = laboratory(asked(world, "sample", Sample(world.now - 1000 * HOUR, 0.02)), batch_start=None)
    assert ruling.granted


def test_a_sample_without_anything_in_it_says_nothing(world: Any, laboratory: Any) -> None:
    _, rulings = laboratory(asked(world, "sample"), asked(world, "sample", Sample(world.now, 0.0)))
    assert [(r.granted, r.reason) for r in rulings] == [
        (False, "the sample says nothing"),
        (False, "the sample has neither a volume nor a result"),
    ]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (("moon", 1.0, "g/L"), "moon is not assayed here; product, biomass is"),
        (("dissolved_oxygen", 50.0, "%"), "dissolved_oxygen is not assayed here; product, biomass is"),
        (("product", 1.0, "mg/L"), "product is given in mg/L, and kept in g/L"),
        (("product", 5.01, "g/L"), "product of 5.01 g/L is not within 0 to 5"),
        (("product", -0.01, "g/L"), "product of -0.01 g/L is not within 0 to 5"),
        (("product", math.nan, "g/L"), "product of nan g/L is not within 0 to 5"),
    ],
)
def test_a_result_that_cannot_be_refuses_the_whole_sample(
    world: Any, laboratory: Any, found: tuple[str, float, str], told: str
) -> None:
    variable, value, unit = found
    results = (result(world, 30.0, "biomass"), result(world, value, variable, unit))
    snapshot, (ruling,) = laboratory(asked(world, "sample", Sample(world.now, 0.02, results)))
    assert (ruling.granted, ruling.reason) == (False, told)
    assert snapshot.assays == ()


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_a_result_at_the_end_of_its_span_is_taken(world: Any, laboratory: Any, value: float) -> None:
    _, (ruling,) = laboratory(asked(world, "sample", Sample(world.now, 0.02, (result(world, value),))))
    assert ruling.granted


def test_a_plant_without_a_laboratory_takes_no_results(world: Any, laboratory: Any) -> None:
    situation = replace(world.situation, intents=(asked(world, "sample", Sample(world.now, 0.0, (result(world),))),))
    _, (ruling,) = entered(world.snapshot, situation, world.plant)
    assert (ruling.granted, ruling.reason) == (False, "product is not assayed here; nothing is")
