"""From settings to the parts of a loop: the one place that says which engine, core and loop serve which model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from controller.cycle import Cadence, Parts
from controller.envelope import Bound, Envelope, Limit
from controller.neurocore.core import NeuroCore, bioreactor_core
from controller.pharmacoloop.bioreactor import BioreactorLoop
from controller.settings import Settings
from controller.supervisor import Gates
from twin.engine import TwinEngine
from twin.model import Model
from twin.models import penicillin


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts of one reactor's loop, and how to make its NeuroCore again."""

    model: Model
    parts: Parts
    core: NeuroCore
    rebuild_core: Callable[[], NeuroCore]


def assemble(settings: Settings) -> Assembly:
    """Build and warm up everything that serves the configured reactor; compiling takes some seconds."""
    plant = settings.plant_record()
    model = penicillin.MODEL
    engine = TwinEngine(plant, model)
    engine.warm_up()

    def rebuild() -> NeuroCore:
        return bioreactor_core(settings.neurocore.backend, model, settings.neurocore.seed, plant)

    core = rebuild()
    envelope = envelope_of(settings)
    loop = BioreactorLoop(
        plant=plant,
        engine=engine,
        envelope=envelope,
        recipe=settings.recipe,
        latch=penicillin.FEED_LATCH,
        suggestion_valid=timedelta(seconds=settings.loop.suggestion_valid_s),
        minimum_gain_percent=settings.loop.minimum_gain_percent,
    )
    gates = Gates(settings.gates.novelty_max, settings.gates.nis_ratio_max, settings.gates.patience)
    cadence = Cadence(timedelta(seconds=settings.loop.plan_every_s), timedelta(seconds=settings.loop.command_valid_s))
    return Assembly(model, Parts(plant, engine, core, loop, envelope, gates, cadence), core, rebuild)


def envelope_of(settings: Settings) -> Envelope:
    """The safety envelope as configured."""
    plant = settings.plant_record()
    return Envelope(
        limits=tuple(
            Limit(
                name,
                plant.variable(name).unit,
                limit.low,
                limit.high,
                limit.max_step,
                limit.max_rate_per_h,
                tuple(limit.phases),
            )
            for name, limit in settings.limits.items()
        ),
        bounds=tuple(Bound(name, bound.unit, bound.low, bound.high) for name, bound in settings.envelope.items()),
        evidence=tuple(settings.gates.evidence),
    )
