"""The strong baseline: a recipe optimised offline on the twin's nominal parameters, then run open loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from controller.assembly import Assembly
from controller.campaign.closed_loop import START, Reader, simulated
from controller.settings import Settings, process_of
from plant_sim.batch import Batch
from plant_sim.design import Procedure
from plant_sim.recipe import PlantPhase
from twin.correction import none


@dataclass(frozen=True)
class Timed:
    """A recipe whose setpoints change at given hours; phases, and with them the first feed, are the plant's own."""

    own: Procedure
    hours: Sequence[float]  # from each of these on ...
    pumps: Sequence[Mapping[str, float]]  # ... these setpoints hold
    latched: str  # the pump that waits for the production phase, or ""

    def next(self, phase: PlantPhase, hours: float, substrate: float) -> PlantPhase:
        """The phase as the plant's own recipe has it."""
        return self.own.next(phase, hours, substrate)

    def local(self, phase: PlantPhase, hours: float) -> dict[str, float]:
        """The setpoints of this hour."""
        own = self.own.local(phase, hours)
        if phase is PlantPhase.COMPLETE:
            return own
        at = max(k for k, hour in enumerate(self.hours) if hour <= hours + 1e-9 or k == 0)
        waits = (self.latched,) if phase is PlantPhase.GROWTH else ()
        return own | {pump: value for pump, value in self.pumps[at].items() if pump not in waits}


def timetable(settings: Settings, made: Assembly) -> tuple[list[float], list[dict[str, float]]]:
    """Hours and pump setpoints of the plan that the same optimiser makes of the prior belief, margins and all."""
    batch = Batch(process_of(settings).design(), None)
    snapshot, situation = Reader(settings, batch).read()
    estimate = made.parts.engine.assimilate(None, snapshot).now
    nothing = none([m.name for m in made.model.multipliers])
    baseline = made.parts.engine.forecast(estimate, nothing, made.parts.loop.hold(estimate, situation))
    planner = made.planner
    present = {x.variable: settings.recipe.get(x.variable, 0.0) for x in planner.limits}
    course, _ = planner.course(estimate, nothing, baseline, situation, present)
    if course.source:
        raise ArithmeticError(f"no recipe could be optimised: {course.source}")
    tags = {v.name: (v.setpoint or "").partition(".")[0] for v in settings.variable}
    steps = course.plan.steps
    hours = [(step.start - START).total_seconds() / 3600.0 for step in steps]
    return hours, [{tags[name]: value for name, value in step.inputs.items()} for step in steps]


def batch_of(settings: Settings, seed: int, table: tuple[list[float], list[dict[str, float]]], latched: str) -> Batch:
    """A batch under that recipe."""
    tags = {v.name: (v.setpoint or "").partition(".")[0] for v in settings.variable}
    own = process_of(settings).design().recipe
    return simulated(settings, seed, Timed(own, table[0], table[1], tags.get(latched, "")))
