"""One turn: what is proposed, who may take it, how long it stands, and when it is given back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.edge.advice import AdviceLog
from controller.loop.records import Mode, Move
from controller.loop.turn import Cadence
from twin.signals import Quality

HOUR = timedelta(hours=1)
SCAN = timedelta(minutes=5)


@pytest.fixture
def advisory(bench_of: Any) -> Any:
    return bench_of(Mode.ADVISORY)


def test_in_advisory_a_suggestion_waits_and_nothing_is_written(advisory: Any) -> None:
    decision = advisory.scan()
    assert decision.open
    assert decision.command is None


def test_an_accepted_suggestion_becomes_a_command_with_a_lease_that_is_renewed(advisory: Any) -> None:
    advisory.scan()
    taken = advisory.scan(advisory.asks("accept"))
    assert taken.rulings[0].granted
    assert taken.command is not None
    assert taken.command.moves == (Move("precursor_feed", 0.001, "L/h", 0.0005),)
    assert taken.command.authority == "ada"
    assert taken.command.valid_until == taken.time + HOUR / 2
    renewed = advisory.scan()
    assert renewed.command == replace(taken.command, valid_until=renewed.time + HOUR / 2)


def test_between_two_looks_ahead_the_last_outlook_is_carried_on(advisory: Any) -> None:
    made = {advisory.scan().proposal.made_at for _ in range(12)}
    assert len(made) == 1
    assert advisory.script.looks == 1
    assert len(advisory.script.given) == 12


def test_a_suggestion_that_is_found_again_keeps_its_name_until_it_expires(advisory: Any) -> None:
    names = [advisory.scan(after=HOUR).proposal.id for _ in range(6)]
    assert names == ["S1", "S1", "S1", "S1", "S5", "S5"]


def test_what_was_rejected_is_not_asked_again_while_it_is_valid(advisory: Any) -> None:
    advisory.scan()
    rejected = advisory.scan(advisory.asks("reject"))
    assert rejected.rulings[0].granted
    assert [advisory.scan(after=HOUR).open for _ in range(5)] == [False, False, False, True, True]
    assert advisory.memory.standing is None


def test_a_different_suggestion_replaces_the_open_one_and_the_old_cannot_be_accepted(advisory: Any) -> None:
    advisory.scan()
    advisory.script.proposal = replace(advisory.script.proposal, moves=(Move("feed", 0.044, "L/h", 0.042),))
    replaced = advisory.scan(after=HOUR)
    assert replaced.proposal.id == "S2"
    answer = advisory.scan(advisory.asks("accept", "S1"))
    assert answer.command is None
    assert answer.rulings[0].reason == "suggestion S1 is no longer the current one"


def test_a_plan_that_drifts_a_little_is_the_suggestion_people_know_and_what_they_read_is_what_is_written(
    advisory: Any,
) -> None:
    advisory.scan()
    for value in (0.00105, 0.00092, 0.0011):  # asked were 0.001 from 0.0005
        advisory.script.proposal = replace(
            advisory.script.proposal, moves=(Move("precursor_feed", value, "L/h", 0.0005),)
        )
        shown = advisory.scan(after=timedelta(hours=0.9))
        assert (shown.proposal.id, shown.proposal.moves[0].value) == ("S1", 0.001)
    taken = advisory.scan(advisory.asks("accept", "S1"))
    assert taken.command is not None
    assert taken.command.moves[0].value == 0.001
    advisory.script.proposal = replace(advisory.script.proposal, moves=(Move("precursor_feed", 0.0014, "L/h", 0.001),))
    assert advisory.scan(after=HOUR).proposal.id != "S1"


def test_an_accepted_suggestion_cannot_be_accepted_twice(advisory: Any) -> None:
    advisory.scan()
    advisory.scan(advisory.asks("accept"))
    again = advisory.scan(advisory.asks("accept"))
    assert not again.rulings[0].granted


def test_acceptance_is_judged_on_the_evidence_of_that_moment(advisory: Any) -> None:
    advisory.scan()
    advisory.quality = Quality.BAD
    decision = advisory.scan(advisory.asks("accept"))
    assert decision.command is None
    assert decision.open
    assert decision.rulings[0].reason.startswith("refused: dissolved_oxygen is bad")


def test_without_good_evidence_the_lease_runs_out_and_the_command_is_dropped(advisory: Any) -> None:
    advisory.scan()
    taken = advisory.scan(advisory.asks("accept"))
    advisory.quality = Quality.BAD
    held = advisory.scan()
    assert held.command == taken.command
    assert "the lease is not renewed" in held.notes[0]
    dropped = advisory.scan(after=HOUR / 2)
    assert dropped.command is None
    assert "ran out" in dropped.notes[0]


@pytest.mark.parametrize("mode", [Mode.SHADOW, Mode.OFF])
def test_leaving_advisory_gives_the_setpoints_back(advisory: Any, mode: Mode) -> None:
    advisory.scan()
    advisory.scan(advisory.asks("accept"))
    decision = advisory.scan(advisory.asks("mode", mode=mode))
    assert decision.mode is mode
    assert decision.command is None
    assert not decision.open


def test_a_setpoint_that_is_not_in_force_drops_the_command_and_demotes_auto(bench_of: Any) -> None:
    bench = bench_of(Mode.AUTO)
    assert bench.scan().command is not None
    bench.setpoints["precursor_feed"] = 0.0003
    decision = bench.scan()
    assert decision.mode is Mode.ADVISORY
    assert "precursor_feed is 0.0003 L/h at the plant, not the commanded 0.001" in decision.notes[0]


def test_the_end_of_the_phase_gives_the_setpoints_back(advisory: Any) -> None:
    advisory.scan()
    advisory.scan(advisory.asks("accept"))
    decision = advisory.scan(phase="complete")
    assert decision.command is None
    assert decision.notes == ("precursor_feed was given back: the phase is complete",)


def test_auto_takes_an_admitted_suggestion_by_itself(bench_of: Any) -> None:
    decision = bench_of(Mode.AUTO).scan()
    assert decision.command is not None
    assert decision.command.authority == "auto"
    assert not decision.open


def test_auto_adds_what_it_takes_to_what_stands(bench_of: Any) -> None:
    bench = bench_of(Mode.AUTO, cadence=Cadence(HOUR / 4, HOUR))
    bench.scan()
    bench.script.proposal = replace(bench.script.proposal, moves=(Move("feed", 0.044, "L/h", 0.042),))
    decision = bench.scan(after=HOUR / 4)
    assert {m.variable: m.value for m in decision.command.moves} == {"precursor_feed": 0.001, "feed": 0.044}
    bench.script.proposal = replace(bench.script.proposal, moves=(Move("feed", 0.045, "L/h", 0.044),))
    held = bench.scan(after=HOUR / 4)
    assert {m.variable: m.value for m in held.command.moves} == {"precursor_feed": 0.001, "feed": 0.045}


def test_shadow_predicts_and_proposes_but_opens_nothing(bench_of: Any) -> None:
    decision = bench_of(Mode.SHADOW).scan()
    assert decision.proposal is not None
    assert decision.proposed is not None
    assert not decision.open
    assert decision.command is None


def test_off_does_not_even_look_ahead(bench_of: Any) -> None:
    bench = bench_of(Mode.OFF)
    assert bench.scan().proposal is None
    assert bench.script.looks == 0


def test_in_shadow_an_acceptance_is_refused(bench_of: Any) -> None:
    bench = bench_of(Mode.SHADOW)
    bench.scan()
    assert not bench.scan(bench.asks("accept")).rulings[0].granted


def test_a_plant_that_is_advisory_only_is_advised_and_never_commanded(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY, plant={"advisory_only": True})
    assert bench.scan().open
    noted = bench.scan(bench.asks("accept"))
    assert noted.rulings[0].reason == "noted; nothing is ever written"
    assert noted.command is None
    assert not bench.scan(bench.asks("mode", mode=Mode.AUTO)).rulings[0].granted


def test_commands_add_up_to_one_standing_command(advisory: Any) -> None:
    advisory.scan()
    advisory.scan(advisory.asks("accept"))
    advisory.script.proposal = replace(advisory.script.proposal, moves=(Move("feed", 0.044, "L/h", 0.042),))
    advisory.scan(after=HOUR / 2 - SCAN)
    for _ in range(6):
        advisory.scan()
    decision = advisory.scan(advisory.asks("accept", "S2"))
    assert {m.variable: m.value for m in decision.command.moves} == {"precursor_feed": 0.001, "feed": 0.044}


def test_the_same_turn_twice_gives_the_same_decision(bench_of: Any) -> None:
    first, second = bench_of(Mode.AUTO), bench_of(Mode.AUTO)
    assert [first.scan() for _ in range(15)] == [second.scan() for _ in range(15)]


@pytest.mark.parametrize(
    ("mode", "became"), [(Mode.AUTO, "in force by auto"), (Mode.ADVISORY, "open"), (Mode.SHADOW, "not answered")]
)
def test_what_became_of_a_suggestion_is_told_from_the_turn_that_made_it(bench_of: Any, mode: Mode, became: str) -> None:
    log = AdviceLog()
    log.follow(bench_of(mode).scan())
    (past,) = log.past()
    assert past.status == became


def test_a_suggestion_that_safety_refused_is_told_as_refused(bench_of: Any) -> None:
    bench, log = bench_of(Mode.AUTO), AdviceLog()
    bench.quality = Quality.BAD
    decision = bench.scan()
    assert decision.verdict is not None and not decision.verdict.admitted
    log.follow(decision)
    assert [past.status for past in log.past()] == ["refused"]


def test_what_core_and_loop_hand_back_is_handed_to_them_at_the_next_turn(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY)
    scans = [bench.scan(after=HOUR).time for _ in range(3)]
    assert bench.memory.learned == tuple(scans)
    assert bench.memory.remembered == tuple(scans)
    between = bench.scan()
    assert bench.memory.learned == (*scans, between.time)
    assert bench.memory.remembered == tuple(scans)  # nothing was looked at, and nothing is forgotten


def test_a_clock_that_jumps_begins_the_belief_anew_and_keeps_what_the_core_learned(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY)
    first = bench.scan()
    bench.scan()
    bench.time -= 30 * HOUR  # the plant begins another batch on an earlier clock
    for _ in range(6):
        last = bench.scan()
        if bench.memory.track.past == ():
            break
    assert last.time < first.time
    assert any("goes on from" in note for note in last.notes)
    assert bench.memory.learned[:2] == (first.time, first.time + SCAN)


def test_a_forecast_that_the_loop_made_is_not_made_twice_and_is_of_its_own_plan_only(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY)
    bench.script.foreseen = bench.world.proposed
    assert bench.scan().proposed is bench.script.foreseen
    bench.script.proposal = replace(bench.script.proposal, plan=replace(bench.script.proposal.plan))
    known = bench.scan(after=HOUR)  # people know the first suggestion already, and it has a plan of its own
    assert known.proposal.id == "S1"
    assert known.proposed is not bench.script.foreseen
    assert known.proposed.plan == known.proposal.plan
