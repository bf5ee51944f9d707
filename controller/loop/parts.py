"""Parts of a loop: engine, core and loop as Protocols, and the Parts that serve one plant."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from controller.loop.alarms import AlarmRules, Definition
from controller.loop.batch import Recipe
from controller.loop.envelope import Envelope
from controller.loop.mode_ladder import Gates
from controller.loop.plausibility import Checks
from controller.loop.records import Insight, Proposal, Situation
from twin.records import Correction, Estimate, Forecast, Plan, Track
from twin.signals import Plant, Snapshot


class Engine(Protocol):
    """The TwinEngine: where is the plant now, and where will it go?"""

    def assimilate(self, track: Track | None, snapshot: Snapshot) -> Track:
        """The belief after this snapshot; late assays rewind and replay."""
        ...

    def forecast(self, estimate: Estimate, correction: Correction, plan: Plan) -> Forecast:
        """The future under this plan, with its uncertainty."""
        ...


class Core(Protocol):
    """NeuroCore: learns online how the plant differs from the twin."""

    def learn(self, learned: object, snapshot: Snapshot, estimate: Estimate) -> tuple[Insight, object]:
        """Learn from this scan, and say what is known and how unusual the present is; and what is learned by then.

        `learned` is what the last call gave, None at the beginning. Only the core itself can read it.
        """
        ...


class Loop(Protocol):
    """A PharmacoLoop: what would be better?"""

    def hold(self, estimate: Estimate, situation: Situation) -> Plan:
        """What happens if nothing is changed."""
        ...

    def propose(
        self, estimate: Estimate, insight: Insight, baseline: Forecast, situation: Situation, remembered: object
    ) -> Proposal:
        """A better plan than the baseline's and why, or why there is none; `remembered`: of the last one, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often the loop looks ahead, and how long a command holds without being renewed."""

    plan_every: timedelta
    command_valid: timedelta
    longest_gap: timedelta = timedelta(hours=48)  # between two scans; a longer one is a jump of the clock (design)
    longest_ahead: timedelta = timedelta(days=45)  # no batch ends later than this from now (design)


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything one plant is served by. Without a recipe it has no batches; alarms may be none."""

    plant: Plant
    engine: Engine
    core: Core
    loop: Loop
    envelope: Envelope
    gates: Gates
    cadence: Cadence
    recipe: Recipe | None = None
    alarms: tuple[Definition, ...] = ()
    alarm_rules: AlarmRules = field(default_factory=AlarmRules)
    checks: Checks = field(default_factory=Checks)
