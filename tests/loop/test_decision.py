"""One decision holds all of a turn: what was seen, said, asked and answered, and in which order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.loop.alarm_records import AlarmState, Priority
from controller.loop.alarms import AlarmRules, Definition, Kind
from controller.loop.batch import Condition, Phase, Range, Recipe
from controller.loop.batch_records import BatchState, Sample
from controller.loop.envelope import Interlock
from controller.loop.mode_ladder import Gates
from controller.loop.records import Mode
from controller.loop.turn import Cadence, what_if
from twin.records import Step
from twin.signals import Assay, Quality

HOUR, SCAN, DAY = timedelta(hours=1), timedelta(minutes=5), timedelta(days=1)


@pytest.fixture
def bench(bench_of: Any) -> Any:
    return bench_of(Mode.ADVISORY)


def alarm(signal: str, kind: Kind = Kind.CONDITION, **more: Any) -> Definition:
    return Definition("watched", "Watched", signal, kind, Priority.HIGH, "c", "r", **more)


def test_a_decision_is_of_its_plant_its_instant_and_its_mode(bench: Any) -> None:
    decision = bench.scan()
    assert (decision.time, decision.plant) == (bench.time, "R1")
    assert (decision.mode, decision.mode_reason) == (Mode.ADVISORY, "test")
    assert decision.estimate == replace(bench.world.estimate, time=bench.time)
    assert decision.insight == bench.world.insight
    assert decision.snapshot == bench.script.given[-1]
    assert decision.situation.setpoints == bench.local
    assert (decision.notes, decision.rulings, decision.batch) == ((), (), None)


def test_a_decision_shows_what_is_remembered(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY, recipe=Recipe(), alarms=(alarm("loop.fault"),))
    bench.scan()
    decision = bench.scan(bench.asks("accept"), conditions={"loop.fault": "it leaks"})
    memory = bench.memory
    assert decision.command == memory.standing is not None
    assert decision.batch == memory.batch is not None
    assert decision.alarms == memory.alarms
    assert decision.alarms.find("watched") is not None
    assert decision.ledger == memory.ledger
    assert decision.ledger.accepted == 1


def test_the_next_turn_goes_on_from_the_belief_of_the_last(bench: Any) -> None:
    for _ in range(3):
        bench.scan()
    assert len(bench.memory.track.past) == 2


def test_rulings_are_told_in_the_order_in_which_they_are_judged(bench_of: Any) -> None:
    bench = bench_of(Mode.SHADOW, recipe=Recipe(), alarms=(alarm("loop.link"),))
    bench.scan(conditions={"loop.link": "the cable is out"})
    kinds = ("ack", "accept", "hold", "note", "mode")
    decision = bench.scan(*(bench.asks(kind, alarm="watched", mode=Mode.ADVISORY) for kind in kinds))
    assert [r.intent.kind for r in decision.rulings] == ["mode", "note", "hold", "accept", "ack"]


def test_requests_for_modes_are_judged_one_after_the_other(bench_of: Any) -> None:
    bench = bench_of(Mode.OFF)
    up = [bench.asks("mode", mode=mode) for mode in (Mode.SHADOW, Mode.ADVISORY, Mode.AUTO, None)]
    decision = bench.scan(*up)
    assert [r.granted for r in decision.rulings] == [True, True, True, False]
    assert decision.mode is Mode.AUTO
    assert decision.mode_reason == "ada: because"


def test_a_plant_that_is_only_advised_is_not_driven_by_asking(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY, plant={"advisory_only": True})
    decision = bench.scan(bench.asks("mode", mode=Mode.AUTO))
    assert decision.rulings[0].reason == "auto is refused: this plant is advisory only"


def test_a_request_for_advisory_or_auto_is_held_to_its_gates(bench_of: Any) -> None:
    bench = bench_of(Mode.SHADOW)
    bench.world.insight = replace(bench.world.insight, novelty=1.0)
    asked = [bench.asks("mode", mode=mode) for mode in (Mode.ADVISORY, Mode.AUTO)]
    assert [r.granted for r in bench.scan(*asked).rulings] == [True, False]
    blind = bench_of(Mode.SHADOW)
    blind.quality = Quality.BAD
    (ruling,) = blind.scan(blind.asks("mode", mode=Mode.ADVISORY), faults=("it leaks",)).rulings
    assert ruling.reason == "advisory is refused: it leaks; dissolved_oxygen is bad: not a number"


def test_a_demotion_is_the_first_note_and_what_the_batch_did_the_next(bench_of: Any) -> None:
    phases = [Phase(name, name, (Condition("phase_h", ">=", 0.25),)) for name in ("a", "b")]
    bench = bench_of(Mode.AUTO, recipe=Recipe(tuple(phases)))
    for _ in range(3):
        bench.scan()
    differs = "precursor_feed: 0.001 was written, and 0.0011 was read back"
    bench.setpoints["precursor_feed"] = 0.0011
    bench.script.fault = ArithmeticError("the step size vanished")
    decision = bench.scan(conditions={"loop.readback": differs})
    assert decision.notes == (
        f"demoted from auto: {differs}",
        "phase a is over; b begins",
        "no look ahead was possible: the step size vanished",
        "precursor_feed is 0.0011 L/h at the plant, not the commanded 0.001: the command is dropped",
    )


# ---- faults and obstacles


def test_a_pump_that_does_not_deliver_is_a_fault_an_alarm_and_the_end_of_auto(bench_of: Any) -> None:
    bench = bench_of(Mode.AUTO, alarms=(alarm("diagnosis.delivery"),), gates=Gates(0.99, 3.0, 1))
    bench.script.proposal = None
    bench.readings = {"feed": 0.03}
    sentence = "feed is 0.03 L/h where 0.042 is in force: the actuator does not do what it is told"
    faults = [bench.scan().situation.faults for _ in range(3)]
    assert faults == [(), (), (sentence,)]
    assert bench.decision.mode is Mode.ADVISORY
    assert bench.decision.alarms.find("watched").text == sentence
    told = bench.scan(faults=(sentence, "it leaks"))
    assert told.situation.faults == (sentence, "it leaks"), "what the edge has told already is not told twice"


def test_a_result_that_is_doubted_is_an_alarm_and_no_fault(bench_of: Any) -> None:
    bench = bench_of(Mode.AUTO, alarms=(alarm("diagnosis.assay"),))
    bench.world.estimate = replace(bench.world.estimate, names=("product",), mean=(1.0,))
    for _ in range(3):
        bench.scan()
    wild = Assay("product", 49.0, "g/L", bench.time - SCAN, bench.time)
    decision = bench.scan(assays=(wild,))
    assert decision.alarms.find("watched").state is AlarmState.UNACKNOWLEDGED
    assert (decision.situation.faults, decision.mode) == ((), Mode.AUTO)


def test_a_fault_keeps_the_lease_from_being_renewed_and_is_an_alarm(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY, alarms=(alarm("loop.lease"),))
    bench.scan()
    taken = bench.scan(bench.asks("accept"))
    decision = bench.scan(faults=("it leaks",))
    assert decision.command == taken.command
    assert decision.notes == ("the lease is not renewed: it leaks",)
    assert decision.alarms.find("watched").text == "the lease is not renewed: it leaks"


def test_an_interlock_that_trips_keeps_the_lease_from_being_renewed(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY)
    lock = Interlock("precursor_feed", "up", "dissolved_oxygen", "%", 30.0, 90.0, ("production",))
    bench.parts = replace(bench.parts, envelope=replace(bench.world.envelope, interlocks=(lock,)))
    bench.scan()
    taken = bench.scan(bench.asks("accept"))
    assert taken.command is not None
    bench.readings = {"dissolved_oxygen": 20.0}
    decision = bench.scan()
    assert decision.command == taken.command
    told = "precursor_feed must not be raised: dissolved_oxygen is 20 %, outside [30, 90]"
    assert decision.notes == (f"the lease is not renewed: {told}",)


def test_a_reading_that_is_needed_and_absent_is_evidence_that_is_missing(bench: Any) -> None:
    bench.world.snapshot = replace(bench.world.snapshot, readings={})
    decision = bench.scan()
    assert decision.snapshot.readings["dissolved_oxygen"].reason == "it was not read"
    assert "dissolved_oxygen is bad: it was not read" in decision.verdict.refusals


def test_a_setpoint_that_cannot_be_is_not_known(bench: Any) -> None:
    bench.setpoints["feed"] = 9.0
    assert bench.scan().situation.setpoints == {"precursor_feed": 0.0005}


def test_a_batch_is_looked_ahead_for_no_longer_than_is_set(bench: Any) -> None:
    assert bench.scan(batch_end=bench.time + 900 * DAY).situation.batch_end == bench.time + 45 * DAY


# ---- a clock that is not believed


def test_while_the_clock_is_not_believed_the_turn_stands_still_and_that_is_a_fault(bench: Any) -> None:
    believed = bench.scan().time
    taken = bench.scan(bench.asks("accept"))
    bench.time += 10 * DAY
    decision = bench.scan()
    why = f"the plant's clock went ahead from {believed + SCAN} to {bench.time}"
    assert (decision.time, decision.snapshot.time) == (believed + SCAN, believed + SCAN)
    assert decision.situation.faults == (why,)
    assert decision.notes == (why, f"the lease is not renewed: {why}")
    assert decision.command == taken.command


def test_a_fault_of_the_clock_is_told_after_those_that_are_known(bench: Any) -> None:
    bench.scan()
    bench.time += 10 * DAY
    assert bench.scan(faults=("it leaks",)).situation.faults[0] == "it leaks"


@pytest.mark.parametrize("leap", [-10 * DAY, 10 * DAY])
def test_a_clock_that_goes_on_elsewhere_begins_anew_and_gives_the_setpoints_back(
    bench_of: Any, leap: timedelta
) -> None:
    bench = bench_of(Mode.AUTO, gates=Gates(0.99, 3.0, 99))
    bench.scan()
    assert bench.memory.standing is not None
    bench.time += leap
    for _ in range(3):
        assert bench.scan().mode is Mode.AUTO
    looks = bench.script.looks
    bench.script.proposal = None
    decision = bench.scan()
    when = f"{bench.time:%Y-%m-%d %H:%M}"
    note = f"the plant's clock goes on from {when}: the twin begins anew, and setpoints are given back"
    assert decision.notes[0] == note
    assert (decision.mode, decision.mode_reason) == (Mode.ADVISORY, f"demoted from auto: {note}")
    assert (decision.time, decision.command) == (bench.time, None)
    assert bench.memory.track.past == ()
    assert bench.script.looks == looks + 1
    assert bench.scan().notes == ()


def test_a_gap_of_two_days_is_no_jump(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY, cadence=Cadence(HOUR, HOUR))
    bench.scan()
    assert bench.scan(after=2 * DAY).situation.faults == ()


# ---- the batch in the decision


def test_what_the_batch_was_fed_is_known_to_safety(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY, recipe=Recipe())
    bench.scan()
    decision = bench.scan(after=HOUR)
    assert decision.situation.fed == decision.batch.fed
    assert decision.situation.fed["feed"] == pytest.approx(0.042)


def test_a_phase_ends_by_what_the_twin_believes(bench_of: Any) -> None:
    phases = (
        Phase("a", "a", (Condition("estimate.biomass", ">", 9.0),)),
        Phase("b", "b", (Condition("batch_h", ">=", 99.0),)),
    )
    bench = bench_of(Mode.ADVISORY, recipe=Recipe(phases))
    assert bench.scan().batch.phase == "b"


def narrowing(bench_of: Any, mode: Mode) -> Any:
    phases = (Phase("a", "a", (Condition("batch_h", ">=", 99.0),), limits=(Range("precursor_feed", 0.0, 0.0008),)),)
    return bench_of(mode, recipe=Recipe(phases))


def test_a_phase_narrows_what_is_proposed(bench_of: Any) -> None:
    decision = narrowing(bench_of, Mode.ADVISORY).scan()
    assert decision.open
    assert decision.verdict.moves[0].value == 0.0008


def test_a_phase_narrows_what_auto_takes(bench_of: Any) -> None:
    decision = narrowing(bench_of, Mode.AUTO).scan()
    assert decision.command.moves[0].value == 0.0008
    assert decision.verdict.narrowed[0].reason == "held to [0, 0.0008] L/h"


def test_a_phase_narrows_what_is_asked_by_hand_and_what_is_looked_at(bench_of: Any) -> None:
    bench = narrowing(bench_of, Mode.ADVISORY)
    bench.scan()
    decision = bench.scan(bench.asks("propose", "", moves={"precursor_feed": 0.001}))
    assert decision.command.moves[0].value == 0.0008
    bench = narrowing(bench_of, Mode.ADVISORY)
    decision = bench.scan()
    found = what_if(bench.memory, decision, (Step(decision.time, {"precursor_feed": 0.001}),), bench.parts)
    assert found.verdict.moves[0].value == 0.0008


def test_only_samples_that_were_taken_are_booked(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY, recipe=Recipe())
    bench.scan()
    volumes = (0.02, -1.0, 0.03)
    asked = [bench.asks("sample", sample=Sample(bench.time, volume)) for volume in volumes]
    decision = bench.scan(bench.asks("note"), *asked)
    assert [r.granted for r in decision.rulings] == [True, True, False, True]
    assert decision.batch.sampled_l == pytest.approx(0.05)


def test_a_plant_without_a_recipe_has_no_batch_and_answers_no_request_of_one(bench: Any) -> None:
    decision = bench.scan(bench.asks("hold"))
    assert (decision.batch, decision.rulings, decision.situation.fed) == (None, (), {})


def test_another_batch_begins_another_ledger(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY, recipe=Recipe())
    bench.scan()
    assert bench.scan(bench.asks("reject")).ledger.rejected == 1
    bench.script.proposal = None
    assert bench.scan().ledger.rejected == 1
    assert bench.scan(batch="B2").ledger.rejected == 0
    assert bench.decision.batch.id == "B2"


def test_a_plant_without_batches_keeps_its_ledger(bench: Any) -> None:
    bench.scan()
    bench.scan(bench.asks("reject"))
    assert bench.scan(batch="B2").ledger.rejected == 1


@pytest.mark.parametrize("mode", list(Mode))
def test_a_batch_that_waits_is_watched_in_every_mode_and_nothing_is_proposed(bench_of: Any, mode: Mode) -> None:
    bench = bench_of(mode, recipe=Recipe())
    decision = bench.scan(phase="")
    assert decision.batch.state is BatchState.IDLE
    assert (decision.open, decision.command) == (False, None)


def test_while_the_batch_runs_a_command_stands_as_it_was_given(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY, recipe=Recipe(hold={"precursor_feed": 0.0002}))
    bench.scan()
    bench.scan(bench.asks("hold"))
    while bench.scan().batch.state is BatchState.HOLDING:
        pass
    bench.scan(bench.asks("restart"))
    while bench.scan().batch.state is BatchState.RESTARTING:
        pass
    taken = bench.scan(bench.asks("propose", "", moves={"precursor_feed": 0.0008}), after=HOUR / 4).command
    assert taken.moves[0].value > 0.0005
    later = bench.scan()
    assert later.command == replace(taken, valid_until=later.time + HOUR / 2)


# ---- what alarms see


@pytest.mark.parametrize(
    "definition",
    [
        alarm("estimate.biomass", Kind.HIGH, limit=9.0),
        alarm("setpoint.feed", Kind.HIGH, limit=0.04),
        alarm("neurocore.novelty", Kind.HIGH, limit=0.05),
        alarm("process.dissolved_oxygen", Kind.HIGH, limit=50.0),
        alarm("batch.volume", Kind.HIGH, limit=-1.0),
        alarm("forecast.dissolved_oxygen", Kind.PREDICTED_LOW, limit=100.0),
        alarm("loop.link", Kind.CONDITION),
        alarm("process.dissolved_oxygen", Kind.HIGH, limit=50.0, phases=("production",)),
        alarm("process.dissolved_oxygen", Kind.HIGH, limit=50.0, phases=("a",)),
    ],
)
def test_an_alarm_sees_all_there_is_of_a_turn(bench_of: Any, definition: Definition) -> None:
    phases = (Phase("a", "a", (Condition("batch_h", ">=", 99.0),)),)
    bench = bench_of(Mode.ADVISORY, recipe=Recipe(phases, volume="volume"), alarms=(definition,))
    bench.world.estimate = replace(
        bench.world.estimate, names=("biomass", "volume"), mean=(10.0, 60.0), covariance=((1.0,) * 3,) * 3
    )
    bench.scan(conditions={"loop.link": "the cable is out"})
    assert bench.memory.alarms.find("watched").state is AlarmState.UNACKNOWLEDGED


@pytest.mark.parametrize(("hours", "granted"), [(2.0, True), (2.5, False)])
def test_an_alarm_is_put_away_by_the_rules_of_its_plant(bench_of: Any, hours: float, granted: bool) -> None:
    rules = AlarmRules(shelve_at_most=2 * HOUR)
    bench = bench_of(Mode.ADVISORY, alarms=(alarm("loop.link"),), alarm_rules=rules)
    (ruling,) = bench.scan(bench.asks("shelve", alarm="watched", hours=hours)).rulings
    assert ruling.granted is granted


def test_before_the_first_look_ahead_a_predictive_alarm_is_silent(bench_of: Any) -> None:
    watched = alarm("forecast.dissolved_oxygen", Kind.PREDICTED_LOW, limit=100.0)
    bench = bench_of(Mode.OFF, alarms=(watched,))
    assert bench.scan().alarms.find("watched") is None


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("loop.novelty", "the readings are unusual: novelty 1.000 above 0.99, most of it dissolved_oxygen"),
        ("loop.misfit", "the twin does not fit: innovation ratio 10.90 above 3"),
        ("loop.demoted", "demoted from auto: it differs"),
    ],
)
def test_what_the_loop_says_of_itself_is_an_alarm(bench_of: Any, name: str, sentence: str) -> None:
    bench = bench_of(Mode.AUTO, alarms=(alarm(name),))
    bench.world.insight = replace(bench.world.insight, novelty=1.0)
    bench.world.estimate = replace(bench.world.estimate, nis=300.0, nis_dof=3)
    decision = bench.scan(conditions={"loop.readback": "it differs"})
    assert decision.alarms.find("watched").text == sentence


# ---- what SHADOW's advice is worth


@pytest.fixture
def shadow(bench_of: Any) -> Any:
    """A batch in SHADOW, looked at each scan, with advice from the first on."""
    return bench_of(Mode.SHADOW, recipe=Recipe(), cadence=Cadence(SCAN, HOUR))


def test_advice_in_shadow_is_worth_what_the_twin_says(shadow: Any) -> None:
    ledger = shadow.scan().ledger
    assert (ledger.gain, ledger.gain_low, ledger.gain_high) == pytest.approx((5.0, 5.0, 5.0))
    assert (ledger.gain_unit, ledger.since) == ("g", shadow.time)
    first = shadow.time
    assert shadow.scan().ledger.since == first


def test_it_is_reckoned_at_each_look_ahead_and_not_between(bench_of: Any) -> None:
    bench = bench_of(Mode.SHADOW)
    bench.scan()
    plans = len(bench.script.plans)
    bench.scan()
    assert len(bench.script.plans) == plans
    assert bench.memory.shadowed is not None
    bench.scan(after=HOUR)
    assert len(bench.script.plans) == plans + 4


def test_out_of_shadow_it_is_not_followed_and_the_last_figure_stands(shadow: Any) -> None:
    shadow.scan()
    decision = shadow.scan(shadow.asks("mode", mode=Mode.ADVISORY))
    assert decision.ledger.gain == pytest.approx(5.0)
    assert shadow.memory.shadowed is None


def test_another_batch_is_followed_from_its_own_beginning(shadow: Any) -> None:
    shadow.scan()
    decision = shadow.scan(batch="B2")
    assert decision.ledger.since == shadow.time
    assert shadow.memory.shadowed.start.time == shadow.time


def test_without_advice_there_is_no_figure(shadow: Any) -> None:
    shadow.script.proposal = None
    assert shadow.scan().ledger.gain is None
    assert shadow.memory.shadowed is None


def test_a_twin_that_cannot_tell_leaves_the_last_figure(shadow: Any) -> None:
    shadow.scan()
    forecast = shadow.script.forecast

    def back_then_only_now(estimate: Any, correction: Any, plan: Any) -> Any:
        if estimate.time < shadow.time:
            raise ArithmeticError("the step size vanished")
        return forecast(estimate, correction, plan)

    shadow.script.forecast = back_then_only_now
    shadow.script.proposal = None
    shadow.local["precursor_feed"] = shadow.setpoints["precursor_feed"] = 0.0008
    decision = shadow.scan()
    assert decision.ledger.gain == pytest.approx(5.0)
    assert decision.notes == ()
    assert len(shadow.memory.shadowed.actual) == 2, "it is still followed"


# ---- setpoints that are given back


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        (BatchState.IDLE, ""),
        (BatchState.STOPPED, "production"),
        (BatchState.ABORTING, "production"),
        (BatchState.ABORTED, "production"),
        (BatchState.COMPLETE, "production"),
    ],
)
def test_a_batch_at_rest_holds_no_setpoint(bench_of: Any, state: BatchState, phase: str) -> None:
    bench = bench_of(Mode.AUTO, recipe=Recipe())
    bench.scan()
    rest = replace(bench.memory.batch, state=state)
    bench.memory = replace(bench.memory, batch=rest)
    wide = tuple(replace(limit, phases=(*limit.phases, phase)) for limit in bench.world.envelope.limits)
    bench.parts = replace(bench.parts, envelope=replace(bench.world.envelope, limits=wide))
    decision = bench.scan(phase=phase)
    assert decision.command is None
    assert decision.notes == (f"the setpoints were given back at once: the batch is {state}",)
    assert bench.scan(phase=phase).notes == ()


def test_a_handback_is_told_when_it_is_done_and_says_why(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY, recipe=Recipe())
    bench.standing(0.0015)
    bench.scan()
    decision = bench.scan(bench.asks("mode", mode=Mode.SHADOW))
    assert (decision.command.purpose, decision.command.authority) == ("handback", "the mode is shadow")
    assert decision.notes == ()
    while decision.command is not None:
        decision = bench.scan()
    assert decision.notes == ("the setpoints were given back to the plant's own recipe: the mode is shadow",)
    assert bench.scan().notes == ()
    assert decision.batch.state is BatchState.RUNNING


def test_a_stop_hands_back_in_the_name_of_the_batch(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY, recipe=Recipe())
    bench.standing(0.0015)
    bench.scan()
    decision = bench.scan(bench.asks("stop"))
    assert (decision.command.purpose, decision.command.authority) == ("handback", "the batch is stopping")
    while decision.command is not None:
        decision = bench.scan()
    assert decision.batch.state is BatchState.STOPPED
    assert decision.notes == ("the setpoints were given back to the plant's own recipe: the batch is stopping",)


def test_a_hold_and_a_restart_are_commanded_in_the_words_of_who_asked(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY, recipe=Recipe(hold={"precursor_feed": 0.0002}))
    bench.standing(0.0019)
    bench.scan()
    held = bench.scan(bench.asks("hold")).command
    assert (held.purpose, held.authority) == ("hold", "hold by ada: because")
    assert held.moves[0].value < 0.0019
    while bench.scan().batch.state is BatchState.HOLDING:
        pass
    assert bench.feed == pytest.approx(0.0002)
    bench.scan(bench.asks("restart"))
    restarted = bench.scan().command
    assert (restarted.purpose, restarted.authority) == ("restart", "restart by ada: because")
    assert bench.memory.batch.state is BatchState.RESTARTING


def test_a_hold_that_lapsed_while_nothing_was_known_is_wanted_still(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY, recipe=Recipe(hold={"precursor_feed": 0.0}))
    bench.script.proposal = None
    bench.standing(0.0019)
    bench.scan()
    assert bench.scan(bench.asks("hold")).batch.state is BatchState.HOLDING
    bench.quality = Quality.BAD
    assert bench.scan(after=HOUR).batch.state is BatchState.HOLDING
    bench.quality = Quality.GOOD
    while bench.scan().batch.state is BatchState.HOLDING:
        assert bench.decision.command.purpose == "hold"
    assert (bench.decision.batch.state, bench.feed) == (BatchState.HELD, 0.0)


def test_a_command_that_is_dropped_ends_auto(bench_of: Any) -> None:
    bench = bench_of(Mode.AUTO)
    bench.scan()
    bench.script.proposal = None
    decision = bench.scan(after=HOUR)
    told = "the lease of the command ran out; the plant is on its own recipe"
    assert (decision.mode, decision.mode_reason) == (Mode.ADVISORY, f"demoted from auto: {told}")
    assert decision.notes == (told,)
    assert decision.command is None
