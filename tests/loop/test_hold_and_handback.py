"""Setpoints are walked, never thrown: held, restarted, handed back to the plant; only an abort lets go at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from controller.loop.alarm_records import AlarmState, Priority
from controller.loop.alarms import Definition, Kind
from controller.loop.batch import Condition, Phase, Recipe
from controller.loop.batch_records import BatchState, Sample
from controller.loop.records import Abstention, Mode
from controller.loop.turn import turn
from twin.signals import Assay, Quality

HOUR, SCAN = timedelta(hours=1), timedelta(minutes=5)
S = BatchState
STEP = 0.0005  # of the precursor feed: one command's largest change; its rate allows 0.001 an hour


@pytest.fixture
def plant_of(bench_of: Any) -> Any:
    """A plant whose batch can be held, and for which nothing is proposed."""

    def build(mode: Mode = Mode.ADVISORY, **parts: Any) -> Any:
        bench = bench_of(mode, **{"recipe": Recipe(hold={"precursor_feed": 0.0002}), **parts})
        bench.script.proposal = None
        return bench

    return build


@pytest.fixture
def plant(plant_of: Any) -> Any:
    return plant_of()


def test_a_hold_walks_to_the_safe_values_and_a_restart_walks_back(plant: Any) -> None:
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


def test_while_it_is_held_nothing_is_proposed_and_nothing_can_be_accepted(plant: Any) -> None:
    plant.script.proposal = plant.world.proposal
    assert plant.scan().open
    held = plant.scan(plant.asks("hold"), plant.asks("accept", suggestion="S1"))
    assert not held.open
    assert isinstance(held.proposal, Abstention)
    assert held.proposal.reason.startswith("the batch is holding")
    assert [r.reason for r in held.rulings if r.intent.kind == "accept"] == ["refused: the batch is holding"]


def test_a_hold_in_shadow_writes_nothing(plant_of: Any) -> None:
    plant = plant_of(Mode.SHADOW)
    plant.scan()
    decision = plant.scan(plant.asks("hold"))
    assert decision.command is None


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.OFF])
def test_a_step_down_hands_back_without_a_jump(plant: Any, mode: Mode) -> None:
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


def test_a_promotion_starts_from_the_setpoint_in_force(plant_of: Any) -> None:
    plant = plant_of(Mode.SHADOW)
    plant.script.proposal = plant.world.proposal
    plant.setpoints["precursor_feed"] = plant.local["precursor_feed"] = 0.0008
    plant.scan()
    plant.scan(plant.asks("mode", mode=Mode.ADVISORY))
    decision = plant.scan(plant.asks("mode", mode=Mode.AUTO))
    assert decision.command is not None
    assert decision.command.moves[0].previous == 0.0008


def test_automatic_demotion_leaves_the_setpoints_where_they_are(plant_of: Any) -> None:
    plant = plant_of(Mode.AUTO)
    plant.standing(0.0012)
    plant.scan()
    plant.world.insight = replace(plant.world.insight, novelty=0.9999)
    for _ in range(3):
        decision = plant.scan()
    assert decision.mode is Mode.ADVISORY
    assert decision.mode_reason.startswith("demoted from auto: the readings are unusual")
    assert plant.feed == 0.0012


def test_a_setpoint_that_reads_back_differently_is_an_alarm_and_demotes_at_once(plant_of: Any) -> None:
    differs = Definition("readback", "A setpoint", "loop.readback", Kind.CONDITION, Priority.HIGH, "c", "r")
    plant = plant_of(Mode.AUTO, alarms=(differs,))
    plant.standing(0.0012)
    assert plant.scan().mode is Mode.AUTO
    told = "precursor_feed: 0.0012 was written, and 0.0011 was read back"
    decision = plant.scan(faults=(told,), conditions={"loop.readback": told})
    assert (decision.mode, decision.mode_reason) == (Mode.ADVISORY, f"demoted from auto: {told}")
    record = decision.alarms.find("readback")
    assert record is not None
    assert (record.state, record.text) == (AlarmState.UNACKNOWLEDGED, told)


def test_an_abort_gives_everything_back_at_once(plant: Any) -> None:
    plant.standing(0.0019)
    plant.scan()
    decision = plant.scan(plant.asks("abort"))
    assert decision.command is None
    assert decision.batch.state is S.ABORTED
    assert decision.notes[-1] == "the setpoints were given back at once: the batch is aborting"


def test_a_stop_hands_back_first_and_is_stopped_then(plant: Any) -> None:
    plant.standing(0.0019)
    plant.scan()
    states = [plant.scan(plant.asks("stop")).batch.state]
    while states[-1] is S.STOPPING and len(states) < 60:
        states.append(plant.scan().batch.state)
    assert states[-1] is S.STOPPED
    assert len(states) > 3


def test_a_phase_that_begins_proposes_its_setpoints(plant_of: Any) -> None:
    phases = (
        Phase("first", "First", (Condition("phase_h", ">=", 1.0),)),
        Phase("second", "Second", (Condition("batch_h", ">=", 99.0),), {"precursor_feed": 0.0009}),
    )
    plant = plant_of(Mode.AUTO, recipe=Recipe(phases))
    for _ in range(13):
        plant.scan()
    decision = plant.scan()
    assert decision.batch.phase == "second"
    assert plant.feed == 0.0009
    assert decision.proposal.kind == "recipe"


def test_a_sample_entered_by_hand_corrects_the_estimate_at_its_time_and_the_book(plant: Any) -> None:
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
def test_a_sample_that_cannot_be_is_refused(plant: Any, sample: Any, sentence: str) -> None:
    plant.scan()
    if isinstance(sample, tuple):
        sample = Sample(plant.time, 0.0, (Assay(*sample, plant.time, plant.time),))
    else:
        sample = replace(sample, drawn_at=plant.time + sample.drawn_at)
    decision = plant.scan(plant.asks("sample", sample=sample))
    assert not decision.rulings[0].granted
    assert decision.rulings[0].reason.startswith(sentence)
    assert decision.batch.sampled_l == 0.0


def test_the_answers_people_give_are_counted(plant: Any, plant_of: Any) -> None:
    plant.script.proposal = plant.world.proposal
    plant.scan()
    accepted = plant.scan(plant.asks("accept", suggestion="S1"))
    assert (accepted.ledger.opened, accepted.ledger.accepted, accepted.ledger.acceptance) == (1, 1, 1.0)
    other = plant_of()
    other.script.proposal = plant.world.proposal
    other.scan()
    rejected = other.scan(other.asks("reject", suggestion="S1"))
    assert (rejected.ledger.rejected, rejected.ledger.acceptance) == (1, 0.0)


def test_shadow_reckons_what_following_it_would_have_brought(plant_of: Any) -> None:
    plant = plant_of(Mode.SHADOW)
    assert plant.scan().ledger.gain is None
    plant.script.proposal = plant.world.proposal  # 0.001 instead of 0.0005 L/h
    for _ in range(13):
        decision = plant.scan()
    assert decision.ledger.gain == pytest.approx(5.0)
    assert decision.ledger.since is not None
    assert decision.command is None
    plant.setpoints["precursor_feed"] = plant.local["precursor_feed"] = 0.001  # an operator does it by hand
    plant.script.proposal = None
    for _ in range(13):
        decision = plant.scan()
    assert decision.ledger.gain == pytest.approx(0.0)


def test_an_alarm_of_the_loop_is_part_of_the_decision(plant_of: Any) -> None:
    given_up = Definition("given_up", "Auto", "loop.demoted", Kind.CONDITION, Priority.HIGH, "c", "r", latched=True)
    plant = plant_of(Mode.AUTO, alarms=(given_up,))
    plant.quality = Quality.BAD
    found = [plant.scan().alarms for _ in range(4)]
    states = [book.find("given_up").state if book.find("given_up") else None for book in found]
    assert states == [None, None, AlarmState.UNACKNOWLEDGED, AlarmState.LATCHED]
    acked = plant.scan(plant.asks("ack", alarm="given_up"))
    assert acked.alarms.find("given_up").state is AlarmState.LATCHED_ACKNOWLEDGED
