"""Setpoints are walked, never thrown: held, restarted, handed back to the plant; only an abort lets go at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from controller.loop.alarm_records import AlarmState, Priority
from controller.loop.alarms import Definition, Kind
from controller.loop.batch import Condition, Phase, Recipe
from controller.loop.batch_records import BatchState, Sample
from controller.loop.mode_ladder import Gates, Ladder
from controller.loop.records import Abstention, Command, Decision, Intent, Mode, Move
from controller.loop.turn import Cadence, Memory, Parts, turn
from twin.records import Track
from twin.signals import Assay, Quality, Role, Variable

HOUR, SCAN = timedelta(hours=1), timedelta(minutes=5)
S = BatchState
STEP = 0.0005  # of the precursor feed: one command's largest change; its rate allows 0.001 an hour


@dataclass
class Script:
    """Engine, core and loop that do as the test says; the objective is what the precursor feed is set to, in mL/h."""

    world: Any
    proposal: Any = None
    given: list[Any] = field(default_factory=list)

    def assimilate(self, track: Track | None, snapshot: Any) -> Track:
        self.given.append(snapshot)
        return Track(replace(self.world.estimate, time=snapshot.time), ())

    def forecast(self, estimate: Any, correction: Any, plan: Any) -> Any:
        gain = sum(1000.0 * step.inputs.get("precursor_feed", 0.0) for step in plan.steps[-1:])
        return replace(self.world.proposed, made_at=estimate.time, plan=plan, objective=(gain,) * 8)

    def step(self, snapshot: Any, estimate: Any) -> Any:
        return self.world.insight

    def hold(self, estimate: Any, situation: Any) -> Any:
        inputs = dict(situation.setpoints)
        return replace(self.world.baseline.plan, steps=(replace(self.world.baseline.plan.steps[0], inputs=inputs),))

    def propose(self, estimate: Any, insight: Any, baseline: Any, situation: Any) -> Any:
        if self.proposal is None:
            return Abstention(estimate.time, "nothing better")
        made = estimate.time
        return replace(self.proposal, id="S1", made_at=made, expires_at=made + 4 * HOUR)


class Plant:
    """A loop over a plant that follows what is commanded, and its own recipe when nothing is."""

    def __init__(self, world: Any, mode: Mode = Mode.ADVISORY, recipe: Recipe | None = None, **parts: Any) -> None:
        self.world = world
        self.script = Script(world)
        assayed = Variable("product", "g/L", 0.0, 5.0, Role.ASSAYED)
        self.parts = Parts(
            plant=replace(world.plant, variables=(*world.plant.variables, assayed)),
            engine=self.script,
            core=self.script,
            loop=self.script,
            envelope=world.envelope,
            gates=Gates(0.99, 3.0, 3),
            cadence=Cadence(HOUR, HOUR / 2),
            recipe=recipe or Recipe(hold={"precursor_feed": 0.0002}),
            **parts,
        )
        self.memory = Memory(Ladder(mode, "test"))
        self.time = world.now
        self.local = dict(world.situation.setpoints)
        self.setpoints = dict(self.local)
        self.quality = Quality.GOOD

    def scan(self, *intents: Intent, phase: str = "production", **known: Any) -> Decision:
        self.time += SCAN
        readings = {
            n: replace(r, time=self.time, quality=self.quality, value=self.setpoints.get(n, r.value))
            for n, r in self.world.snapshot.readings.items()
        }
        snapshot = replace(self.world.snapshot, time=self.time, readings=readings)
        situation = replace(
            self.world.situation,
            intents=intents,
            phase=phase,
            setpoints=dict(self.setpoints),
            local=dict(self.local),
            **known,
        )
        decision, self.memory = turn(self.memory, snapshot, situation, self.parts)
        commanded = {m.variable: m.value for m in decision.command.moves} if decision.command else {}
        self.setpoints = {**self.local, **commanded}
        return decision

    def asks(self, kind: str, **more: Any) -> Intent:
        return Intent(kind, "ada", self.time, reason="because", **more)

    def standing(self, value: float) -> None:
        """As if this much precursor had been commanded two hours ago."""
        move = Move("precursor_feed", value, "L/h", value)
        self.memory = replace(
            self.memory, standing=Command("S0", (move,), self.time - 2 * HOUR, self.time + HOUR, "ada")
        )
        self.setpoints["precursor_feed"] = value

    @property
    def feed(self) -> float:
        return self.setpoints["precursor_feed"]


@pytest.fixture
def plant(world: SimpleNamespace) -> Plant:
    return Plant(world)


def test_a_hold_walks_to_the_safe_values_and_a_restart_walks_back(plant: Plant) -> None:
    plant.standing(0.0015)
    plant.scan()
    course = [0.0015]
    states = [plant.scan(plant.asks("hold")).batch.state]
    course.append(plant.feed)
    while states[-1] is S.HOLDING and len(states) < 100:
        states.append(plant.scan().batch.state)
        course.append(plant.feed)
    assert states[-1] is S.HELD
    assert plant.feed == pytest.approx(0.0002)
    assert max(abs(b - a) for a, b in pairwise(course)) <= STEP * 1.000001
    assert len(course) > 5, "the rate is kept, not only the step"
    plant.scan(plant.asks("restart"))
    for _ in range(100):
        state = plant.scan().batch.state
        if state is S.RUNNING:
            break
    assert state is S.RUNNING
    assert plant.feed == pytest.approx(0.0015)


def test_while_it_is_held_nothing_is_proposed_and_nothing_can_be_accepted(plant: Plant) -> None:
    plant.script.proposal = plant.world.proposal
    assert plant.scan().open
    held = plant.scan(plant.asks("hold"), plant.asks("accept", suggestion="S1"))
    assert not held.open
    assert isinstance(held.proposal, Abstention)
    assert held.proposal.reason.startswith("the batch is holding")
    assert [r.reason for r in held.rulings if r.intent.kind == "accept"] == ["refused: the batch is held"]


def test_a_hold_keeps_to_the_lease_without_good_evidence_the_plant_takes_over(plant: Plant) -> None:
    plant.scan()
    plant.scan(plant.asks("hold"))
    assert plant.memory.standing is not None
    plant.quality = Quality.BAD
    for _ in range(8):
        last = plant.scan()
    assert last.command is None
    assert plant.feed == plant.local["precursor_feed"]
    assert last.batch.state is S.HELD


def test_a_hold_in_shadow_writes_nothing(world: SimpleNamespace) -> None:
    plant = Plant(world, Mode.SHADOW)
    plant.scan()
    decision = plant.scan(plant.asks("hold"))
    assert decision.command is None


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.OFF])
def test_a_step_down_hands_back_without_a_jump(plant: Plant, mode: Mode) -> None:
    plant.standing(0.0019)
    plant.scan()
    course = [plant.feed]
    plant.scan(plant.asks("mode", mode=mode))
    course.append(plant.feed)
    for _ in range(60):
        decision = plant.scan()
        course.append(plant.feed)
        if decision.command is None:
            break
    assert decision.command is None
    assert decision.mode is mode
    assert plant.feed == plant.local["precursor_feed"]
    assert max(abs(b - a) for a, b in pairwise(course)) <= STEP * 1.000001
    assert len(course) > 4
    assert "given back to the plant's own recipe" in decision.notes[-1]


def test_a_promotion_starts_from_the_setpoint_in_force(world: SimpleNamespace) -> None:
    plant = Plant(world, Mode.SHADOW)
    plant.script.proposal = world.proposal
    plant.setpoints["precursor_feed"] = plant.local["precursor_feed"] = 0.0008
    plant.scan()
    plant.scan(plant.asks("mode", mode=Mode.ADVISORY))
    decision = plant.scan(plant.asks("mode", mode=Mode.AUTO))
    assert decision.command is not None
    assert decision.command.moves[0].previous == 0.0008


def test_automatic_demotion_leaves_the_setpoints_where_they_are(world: SimpleNamespace) -> None:
    plant = Plant(world, Mode.AUTO)
    plant.standing(0.0012)
    plant.scan()
    plant.world.insight = replace(world.insight, novelty=0.9999)
    for _ in range(3):
        decision = plant.scan()
    assert decision.mode is Mode.ADVISORY
    assert decision.mode_reason.startswith("demoted from auto: the readings are unusual")
    assert plant.feed == 0.0012


def test_a_setpoint_that_reads_back_differently_is_an_alarm_and_demotes_at_once(world: SimpleNamespace) -> None:
    differs = Definition("readback", "A setpoint", "loop.readback", Kind.CONDITION, Priority.HIGH, "c", "r")
    plant = Plant(world, Mode.AUTO, alarms=(differs,))
    plant.standing(0.0012)
    assert plant.scan().mode is Mode.AUTO
    told = "precursor_feed: 0.0012 was written, and 0.0011 was read back"
    decision = plant.scan(faults=(told,), conditions={"loop.readback": told})
    assert (decision.mode, decision.mode_reason) == (Mode.ADVISORY, f"demoted from auto: {told}")
    record = decision.alarms.find("readback")
    assert record is not None
    assert (record.state, record.text) == (AlarmState.UNACKNOWLEDGED, told)


def test_an_abort_gives_everything_back_at_once(plant: Plant) -> None:
    plant.standing(0.0019)
    plant.scan()
    decision = plant.scan(plant.asks("abort"))
    assert decision.command is None
    assert decision.batch.state is S.ABORTED
    assert decision.notes[-1] == "the setpoints were given back at once: the batch is aborting"


def test_a_stop_hands_back_first_and_is_stopped_then(plant: Plant) -> None:
    plant.standing(0.0019)
    plant.scan()
    states = [plant.scan(plant.asks("stop")).batch.state]
    while states[-1] is S.STOPPING and len(states) < 60:
        states.append(plant.scan().batch.state)
    assert states[-1] is S.STOPPED
    assert len(states) > 3


def test_a_phase_that_begins_proposes_its_setpoints(world: SimpleNamespace) -> None:
    phases = (
        Phase("first", "First", (Condition("phase_h", ">=", 1.0),)),
        Phase("second", "Second", (Condition("batch_h", ">=", 99.0),), {"precursor_feed": 0.0009}),
    )
    plant = Plant(world, Mode.AUTO, Recipe(phases))
    for _ in range(13):
        plant.scan()
    decision = plant.scan()
    assert decision.batch.phase == "second"
    assert plant.feed == 0.0009
    assert decision.proposal.kind == "recipe"


def test_a_sample_entered_by_hand_corrects_the_estimate_at_its_time_and_the_book(plant: Plant) -> None:
    plant.scan()
    drawn = plant.time - HOUR
    assay = Assay("product", 1.2, "g/L", drawn, plant.time)
    decision = plant.scan(plant.asks("sample", sample=Sample(drawn, 0.02, (assay,))))
    assert decision.rulings[0].granted
    assert plant.script.given[-1].assays == (assay,)
    assert decision.batch.sampled_l == 0.02
    again, _ = turn(plant.memory, decision.snapshot, decision.situation, plant.parts)
    assert again.snapshot.assays == (assay,), "a replay does not enter it twice"


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        (Sample(timedelta(hours=1), 0.02), "the sample is dated"),
        (Sample(timedelta(0), -1.0), "a sample of -1.0 L cannot be"),
        (Sample(timedelta(0), 0.0), "the sample has neither a volume nor a result"),
        (("moon", 1.0, "g/L"), "moon is not assayed here; product is"),
        (("product", 1.0, "mg/L"), "product is given in mg/L, and kept in g/L"),
        (("product", 9.0, "g/L"), "product of 9 g/L is not within 0 to 5"),
    ],
)
def test_a_sample_that_cannot_be_is_refused(plant: Plant, sample: Any, sentence: str) -> None:
    plant.scan()
    if isinstance(sample, tuple):
        sample = Sample(plant.time, 0.0, (Assay(*sample, plant.time, plant.time),))
    else:
        sample = replace(sample, drawn_at=plant.time + sample.drawn_at)
    decision = plant.scan(plant.asks("sample", sample=sample))
    assert not decision.rulings[0].granted
    assert decision.rulings[0].reason.startswith(sentence)
    assert decision.batch.sampled_l == 0.0


def test_the_answers_people_give_are_counted(plant: Plant) -> None:
    plant.script.proposal = plant.world.proposal
    plant.scan()
    accepted = plant.scan(plant.asks("accept", suggestion="S1"))
    assert (accepted.ledger.opened, accepted.ledger.accepted, accepted.ledger.acceptance) == (1, 1, 1.0)
    other = Plant(plant.world)
    other.script.proposal = plant.world.proposal
    other.scan()
    rejected = other.scan(other.asks("reject", suggestion="S1"))
    assert (rejected.ledger.rejected, rejected.ledger.acceptance) == (1, 0.0)


def test_shadow_reckons_what_following_it_would_have_brought(world: SimpleNamespace) -> None:
    plant = Plant(world, Mode.SHADOW)
    assert plant.scan().ledger.gain is None
    plant.script.proposal = world.proposal  # 0.001 instead of 0.0005 L/h
    for _ in range(13):
        decision = plant.scan()
    assert decision.ledger.gain == pytest.approx(0.5)
    assert decision.ledger.since is not None
    assert decision.command is None
    plant.setpoints["precursor_feed"] = plant.local["precursor_feed"] = 0.001  # an operator does it by hand
    plant.script.proposal = None
    for _ in range(13):
        decision = plant.scan()
    assert decision.ledger.gain == pytest.approx(0.0)


def test_an_alarm_of_the_loop_is_part_of_the_decision(world: SimpleNamespace) -> None:
    given_up = Definition("given_up", "Auto", "loop.demoted", Kind.CONDITION, Priority.HIGH, "c", "r", latched=True)
    plant = Plant(world, Mode.AUTO, alarms=(given_up,))
    plant.quality = Quality.BAD
    found = [plant.scan().alarms for _ in range(4)]
    states = [book.find("given_up").state if book.find("given_up") else None for book in found]
    assert states == [None, None, AlarmState.UNACKNOWLEDGED, AlarmState.LATCHED]
    acked = plant.scan(plant.asks("ack", alarm="given_up"))
    assert acked.alarms.find("given_up").state is AlarmState.LATCHED_ACKNOWLEDGED
