"""From settings to the parts of a loop: the one place that says which engine, core and loop serve which model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from controller.alarms import AlarmRules, Definition
from controller.batch import Phase, Range, Recipe
from controller.cycle import Cadence, Parts
from controller.diagnosis import Checks
from controller.envelope import Bound, Envelope, Interlock, Limit
from controller.faults import Fault
from controller.fitted import with_fitted
from controller.neurocore.core import BIOREACTOR_LEARNED, BIOREACTOR_RANGES, NeuroCore, bioreactor_core
from controller.pharmacoloop.bioreactor import BioreactorLoop
from controller.pharmacoloop.planning import Planner
from controller.settings import Settings
from controller.supervisor import Gates
from controller.tables import AlarmTable
from twin.engine import TwinEngine
from twin.model import Model
from twin.models import mab, penicillin
from twin.records import Latch


@dataclass(frozen=True, slots=True)
class Served:
    """A bioreactor model, what forecasts must know of its recipe, and what NeuroCore learns over which states."""

    model: Model
    latch: Latch | None
    learned: tuple[str, ...]
    coded: Mapping[str, tuple[float, float]]
    sloped: tuple[str, ...] = ()  # of the coded states, those by which a plan knows the multipliers to change


SERVED = {
    "penicillin": Served(penicillin.MODEL, penicillin.FEED_LATCH, BIOREACTOR_LEARNED, BIOREACTOR_RANGES),
    "mab": Served(mab.MODEL, None, mab.LEARNED, mab.CODED, mab.SLOPED),
}


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
    served = served_by(settings)
    model = served.model if settings.model.parameters is None else with_fitted(served.model, settings.model.parameters)
    engine = TwinEngine(plant, model)
    engine.warm_up()

    def rebuild() -> NeuroCore:
        return bioreactor_core(
            settings.neurocore.backend, model, settings.neurocore.seed, plant, served.learned, served.coded
        )

    core = rebuild()
    envelope = envelope_of(settings)
    planner = Planner(model, envelope, settings.recipe, served.latch, engine.outlook, sloped=served.sloped)
    loop = BioreactorLoop(
        plant=plant,
        engine=engine,
        envelope=envelope,
        recipe=settings.recipe,
        latch=served.latch,
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
    return Recipe(phases, dict(settings.hold))


def alarms_of(settings: Settings) -> tuple[tuple[Definition, ...], AlarmRules]:
    """The alarms as configured, and what holds for all of them."""
    common = settings.alarms
    rules = AlarmRules(timedelta(hours=common.shelve_at_most_h), common.flood_per_10_min, common.chattering_per_hour)
    return tuple(_definition(a) for a in settings.alarm), rules


def _definition(a: AlarmTable) -> Definition:
    return Definition(
        name=a.name,
        text=a.text,
        signal=a.signal,
        kind=a.kind,
        priority=a.priority,
        consequence=a.consequence,
        response=a.response,
        unit=a.unit,
        limit=a.limit or 0.0,
        deadband=a.deadband,
        on_delay=timedelta(seconds=a.on_delay_s),
        off_delay=timedelta(seconds=a.off_delay_s),
        within=None if a.within_min is None else timedelta(minutes=a.within_min),
        latched=a.latched,
        phases=a.phases,
        unless=a.unless,
        of=a.of,
        probability=a.probability,
        horizon=timedelta(hours=a.horizon_h),
    )


def served_by(settings: Settings) -> Served:
    """The model that the configuration names; Fault when it is no bioreactor's."""
    if settings.plant.model not in SERVED:
        raise Fault(f"[plant] model {settings.plant.model!r} is no bioreactor; valid are {', '.join(SERVED)}")
    return SERVED[settings.plant.model]


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
                math.inf if limit.allowance is None else limit.allowance,
            )
            for name, limit in settings.limits.items()
        ),
        bounds=tuple(
            Bound(name, bound.unit, bound.low, bound.high, bound.horizon_h) for name, bound in settings.envelope.items()
        ),
        evidence=tuple(settings.gates.evidence),
        interlocks=tuple(
            Interlock(x.variable, x.way, x.reading, plant.variable(x.reading).unit, x.low, x.high, x.phases)
            for x in settings.interlock
        ),
    )
