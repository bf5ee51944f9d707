"""From settings to the parts of a loop: the one place that says which engine, core and loop serve which model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from controller.fitting.parameters_file import with_fitted
from controller.loop.alarms import BUILT_IN, AlarmRules, Definition
from controller.loop.batch import Phase, Range, Recipe
from controller.loop.envelope import Bound, Envelope, Interlock
from controller.loop.mode_ladder import Gates
from controller.loop.plausibility import Checks
from controller.loop.turn import Cadence, Parts
from controller.neurocore.core import NeuroCore, bioreactor_core
from controller.pharmacoloop.bioreactor import BioreactorLoop
from controller.pharmacoloop.planning import Planner
from controller.settings import Settings, process_of
from twin.engine import TwinEngine
from twin.model import Model


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts of one reactor's loop, and how to make its NeuroCore again."""

    model: Model
    parts: Parts
    core: NeuroCore
    rebuild_core: Callable[[], NeuroCore]
    planner: Planner


def assemble(settings: Settings) -> Assembly:
    """Build and warm up everything that serves the configured reactor; compiling takes some seconds."""
    plant = settings.plant_record()
    process, model = process_of(settings), model_of(settings)
    engine = TwinEngine(plant, model)
    engine.warm_up()

    def rebuild() -> NeuroCore:
        return bioreactor_core(
            settings.neurocore.backend, model, process.learned, process.coded, settings.neurocore.seed, plant
        )

    core = rebuild()
    envelope = envelope_of(settings)
    planner = Planner(model, envelope, settings.recipe, process.latch, engine.horizon, sloped=process.sloped)
    loop = BioreactorLoop(
        plant=plant,
        engine=engine,
        envelope=envelope,
        recipe=settings.recipe,
        latch=process.latch,
        suggestion_valid=timedelta(seconds=settings.loop.suggestion_valid_s),
        minimum_gain_percent=settings.loop.minimum_gain_percent,
        planner=planner,
    )
    gates = Gates(settings.gates.novelty_max, settings.gates.nis_ratio_max, settings.gates.patience)
    cadence = Cadence(timedelta(seconds=settings.loop.plan_every_s), timedelta(seconds=settings.loop.command_valid_s))
    alarms, rules = alarms_of(settings)
    parts = Parts(
        plant, engine, core, loop, envelope, gates, cadence, recipe_of(settings), alarms, rules, checks_of(settings)
    )
    return Assembly(model, parts, core, rebuild, planner)


def model_of(settings: Settings) -> Model:
    """The twin's equations for this plant, with the fitted parameters that its configuration includes."""
    model = process_of(settings).model()
    return model if settings.model.parameters is None else with_fitted(model, settings.model.parameters)


def checks_of(settings: Settings) -> Checks:
    """How far things may be off, as configured."""
    table = settings.diagnosis
    return Checks(
        delivery_share=table.delivery_share,
        delivery_scans=table.delivery_scans,
        jump_window=timedelta(hours=table.jump_window_h),
        jumps=dict(table.jumps),
        settle=timedelta(hours=table.settle_h),
        assay_sd=table.assay_sd,
        assay_relative=table.assay_relative,
    )


def recipe_of(settings: Settings) -> Recipe:
    """The recipe as configured; one without phases leaves them to the plant."""
    phases = tuple(
        Phase(
            p.name,
            p.text or p.name,
            p.conditions(),
            dict(p.setpoints),
            tuple(Range(name, r.low, r.high) for name, r in p.limits.items()),
        )
        for p in settings.phase
    )
    return Recipe(phases, dict(settings.hold), process_of(settings).volume)


def alarms_of(settings: Settings) -> tuple[tuple[Definition, ...], AlarmRules]:
    """The alarms as configured, and what holds for all of them."""
    common = settings.alarms
    rules = AlarmRules(timedelta(hours=common.shelve_at_most_h), common.flood_per_10_min, common.chattering_per_hour)
    configured = tuple(alarm.definition() for alarm in settings.alarm)
    missing = tuple(alarm for alarm in BUILT_IN if alarm.signal not in {x.signal for x in configured})
    return (*configured, *missing), rules


def envelope_of(settings: Settings) -> Envelope:
    """The safety envelope as configured."""
    plant = settings.plant_record()
    return Envelope(
        limits=tuple(table.limit(name, plant.variable(name).unit) for name, table in settings.limits.items()),
        bounds=tuple(
            Bound(name, bound.unit, bound.low, bound.high, bound.horizon_h) for name, bound in settings.envelope.items()
        ),
        evidence=tuple(settings.gates.evidence),
        interlocks=tuple(
            Interlock(x.variable, x.way, x.reading, plant.variable(x.reading).unit, x.low, x.high, x.phases)
            for x in settings.interlock
        ),
    )
