"""One engine, core and loop that do as a test says, and a plant that obeys: what is under test is the turn between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from controller.loop.mode_ladder import Gates, Ladder
from controller.loop.records import Abstention, Command, Decision, Intent, Mode, Move, Proposal
from controller.loop.turn import Cadence, Memory, Parts, turn
from twin.records import Plan, Step, Track
from twin.signals import Quality, Role, Snapshot, Variable

HOUR, SCAN = timedelta(hours=1), timedelta(minutes=5)


@dataclass
class Script:
    """Engine, core and loop in one: 100 g of product and 10 more for each mL/h of precursor that a plan ends with."""

    world: Any
    proposal: Any = None  # what is proposed at each look ahead, made anew; None: an abstention
    foreseen: Any = None  # the forecast that the loop hands over with its proposal
    fault: ArithmeticError | None = None  # what the twin says instead of a forecast
    looks: int = 0
    given: list[Snapshot] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)

    def assimilate(self, track: Track | None, snapshot: Snapshot) -> Track:
        self.given.append(snapshot)
        past = () if track is None else (*track.past, (track.now, snapshot))
        return Track(replace(self.world.estimate, time=snapshot.time), past)

    def forecast(self, estimate: Any, correction: Any, plan: Plan) -> Any:
        if self.fault is not None:
            raise self.fault
        assert correction is self.world.insight.correction
        self.plans.append(plan)
        grams = 100.0 + 1e4 * plan.steps[-1].inputs.get("precursor_feed", 0.0)
        return replace(self.world.proposed, made_at=estimate.time, plan=plan, objective=(grams,) * 8)

    def learn(self, learned: object, snapshot: Snapshot, estimate: Any) -> tuple[Any, object]:
        assert estimate.time == snapshot.time
        return self.world.insight, (*(learned or ()), snapshot.time)  # type: ignore[misc]

    def hold(self, estimate: Any, situation: Any) -> Plan:
        return Plan((Step(estimate.time, dict(situation.setpoints)),), self.world.end)

    def propose(self, estimate: Any, insight: Any, baseline: Any, situation: Any, remembered: object) -> Proposal:
        assert insight is self.world.insight
        assert baseline.plan == self.hold(estimate, situation)
        self.looks += 1
        if self.proposal is None:
            return Proposal(Abstention(estimate.time, "nothing better"), remembered=remembered)
        made, remembered = estimate.time, (*(remembered or ()), estimate.time)  # type: ignore[misc]
        suggestion = replace(self.proposal, id=f"S{self.looks}", made_at=made, expires_at=made + 4 * HOUR)
        return Proposal(suggestion, self.foreseen, remembered)


class Bench:
    """A loop over a plant that follows what is commanded, and its own recipe when nothing is."""

    def __init__(self, world: Any, mode: Mode = Mode.ADVISORY, plant: Any = None, **parts: Any) -> None:
        self.world = world
        self.script = Script(world, world.proposal)
        assayed = Variable("product", "g/L", 0.0, 5.0, Role.ASSAYED)
        self.parts = Parts(
            **{
                "plant": replace(world.plant, variables=(*world.plant.variables, assayed), **(plant or {})),
                "engine": self.script,
                "core": self.script,
                "loop": self.script,
                "envelope": world.envelope,
                "gates": Gates(0.99, 3.0, 3),
                "cadence": Cadence(HOUR, HOUR / 2),
                **parts,
            }
        )
        self.memory = Memory(Ladder(mode, "test"))
        self.time: datetime = world.now
        self.local = dict(world.situation.setpoints)
        self.setpoints = dict(self.local)
        self.readings: dict[str, float] = {}  # what is read instead of the usual
        self.quality = Quality.GOOD
        self.decision: Decision | None = None

    def scan(
        self, *intents: Intent, after: timedelta = SCAN, phase: str = "production", assays: Any = (), **known: Any
    ) -> Decision:
        self.time += after
        values = {**self.setpoints, **self.readings}
        readings = {
            name: replace(reading, value=values.get(name, reading.value), time=self.time, quality=self.quality)
            for name, reading in self.world.snapshot.readings.items()
        }
        snapshot = Snapshot(self.time, readings, assays)
        situation = replace(
            self.world.situation,
            **{
                "intents": intents,
                "phase": phase,
                "setpoints": dict(self.setpoints),
                "local": dict(self.local),
                **known,
            },
        )
        before = self.memory.batch
        decision, self.memory = turn(self.memory, snapshot, situation, self.parts)
        self.decision = decision
        assert all(ruling.intent in intents and isinstance(ruling.granted, bool) for ruling in decision.rulings)
        assert isinstance(decision.open, bool)
        if before is not None and decision.batch.state is not before.state:
            assert decision.batch.since == decision.time
        commanded = {m.variable: m.value for m in decision.command.moves} if decision.command else {}
        self.setpoints = {**self.local, **commanded}
        return decision

    def asks(self, kind: str, suggestion: str = "S1", **more: Any) -> Intent:
        return Intent(kind, "ada", self.time, suggestion, **{"reason": "because", **more})

    def standing(self, value: float) -> None:
        """As if this much precursor had been commanded two hours ago."""
        move = Move("precursor_feed", value, "L/h", value)
        command = Command("S0", (move,), self.time - 2 * HOUR, self.time + HOUR, "ada")
        self.memory = replace(self.memory, standing=command)
        self.setpoints["precursor_feed"] = value

    @property
    def feed(self) -> float:
        return self.setpoints["precursor_feed"]


@pytest.fixture
def bench_of(world: SimpleNamespace) -> Callable[..., Bench]:
    """Builds a bench: `bench_of(mode, plant={...}, recipe=..., alarms=...)`."""
    return lambda *args, **kwargs: Bench(world, *args, **kwargs)
