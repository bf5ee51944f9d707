"""A batch as an operator sees it: a scan every five minutes, and people who ask things of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from controller.loop.batch import Condition, Phase, Range, Recipe, advance, settled
from controller.loop.batch_records import BatchRecord, BatchState
from controller.loop.records import Intent, Ruling
from twin.signals import Quality, Reading

MINUTES = timedelta(minutes=5)
RECIPE = Recipe(
    (
        Phase("growth", "Growth", (Condition("estimate.substrate", "<", 0.3), Condition("batch_h", ">=", 60.0))),
        Phase("production", "Production", (Condition("plant.phase", "==", name="complete"),), {"feed": 0.042},
              (Range("feed", 0.04, 0.05),)),
        Phase("harvest", "Harvest", (Condition("phase_h", ">=", 1.0),)),
    ),
    hold={"feed": 0.036},
    volume="volume",
)  # fmt: skip


class Floor:
    """The process as it is seen scan by scan; by default its batch began at the first."""

    def __init__(self, world: Any, recipe: Recipe = RECIPE, phase: str = "growth") -> None:
        self.world, self.recipe, self.phase = world, recipe, phase
        self.time: datetime = world.now
        self.began: datetime | None = world.now
        self.record: BatchRecord | None = None
        self.rulings: tuple[Ruling, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.setpoints: dict[str, float] = {"feed": 0.042, "precursor_feed": 0.0005}
        self.substrate = 5.0
        self.volume = 100.0
        self.flow: float | None = 0.042
        self.plant = world.plant

    def scan(self, *kinds: str, after: timedelta = MINUTES, by: str = "because") -> BatchState:
        self.time += after
        intents = tuple(Intent(kind, "ada", self.time, reason=by) for kind in kinds)
        quality = Quality.GOOD if self.flow is not None else Quality.BAD
        reading = Reading(self.flow, "L/h", self.time, quality)
        snapshot = replace(self.world.snapshot, time=self.time, readings={"feed": reading})
        situation = replace(
            self.world.situation, phase=self.phase, setpoints=self.setpoints, intents=intents, batch_start=self.began
        )
        seen = {"estimate.substrate": self.substrate, "estimate.volume": self.volume}
        self.record, self.rulings, self.notes = advance(self.record, self.recipe, situation, snapshot, seen, self.plant)
        return self.record.state

    def done(self) -> BatchState:
        assert self.record is not None
        self.record = settled(self.record, self.time)
        return self.record.state


@pytest.fixture
def recipe() -> Recipe:
    """Growth until the sugar is gone or 60 h, production until the plant is complete, an hour of harvest."""
    return RECIPE


@pytest.fixture
def floor_of(world: SimpleNamespace) -> Callable[..., Floor]:
    """Builds a floor: `floor_of(recipe, phase="")`."""
    return lambda *args, **kwargs: Floor(world, *args, **kwargs)


@pytest.fixture
def floor(floor_of: Callable[..., Floor]) -> Floor:
    """A batch that follows the recipe, on a plant that runs it already."""
    return floor_of()
