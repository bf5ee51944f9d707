"""The look ahead: what is proposed anew, what people know already, what they may answer, and what is counted of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.loop.batch import Condition, Phase, Recipe
from controller.loop.batch_records import BatchState
from controller.loop.records import Abstention, Command, Ledger, Mode, Move, Suggestion, Verdict
from controller.loop.turn import Cadence
from twin.records import Plan, Step
from twin.signals import Quality

HOUR, SCAN = timedelta(hours=1), timedelta(minutes=5)


@pytest.fixture
def advisory(bench_of: Any) -> Any:
    return bench_of(Mode.ADVISORY)


def propose(bench: Any, *moves: Move, **changed: Any) -> None:
    """What is proposed from the next look ahead on."""
    bench.script.proposal = replace(bench.world.proposal, moves=moves or bench.world.proposal.moves, **changed)


def precursor(value: float, previous: float = 0.0005) -> Move:
    return Move("precursor_feed", value, "L/h", previous)


def test_both_futures_are_told_what_is_held_and_what_is_proposed(advisory: Any) -> None:
    decision = advisory.scan()
    assert decision.baseline.plan == Plan((Step(advisory.time, advisory.local),), advisory.world.end)
    assert decision.proposed.plan == decision.proposal.plan == advisory.world.proposal.plan
    assert (decision.baseline.made_at, decision.proposed.made_at) == (advisory.time, advisory.time)
    assert decision.verdict.moves == decision.proposal.moves


def test_when_nothing_is_better_that_is_told_and_nothing_is_open(advisory: Any) -> None:
    advisory.script.proposal = None
    decision = advisory.scan()
    assert decision.proposal == Abstention(advisory.time, "nothing better")
    assert decision.verdict == Verdict((), (), ("nothing is proposed: nothing better",))
    assert (decision.proposed, decision.open) == (None, False)
    assert decision.baseline is not None


def test_what_safety_refuses_is_shown_with_its_reasons_and_is_not_open(advisory: Any) -> None:
    propose(advisory, Move("agitation", 30.0, "W", 20.0))
    decision = advisory.scan()
    assert isinstance(decision.proposal, Suggestion)
    assert decision.verdict.refusals == ("agitation has no limits configured, so it is never written",)
    assert not decision.open
    assert not advisory.scan(advisory.asks("accept")).rulings[0].granted


@pytest.mark.parametrize("value", [0.00105, 0.00095, 0.0011, 0.00092])
def test_a_plan_that_asks_for_much_the_same_is_the_one_that_is_known(advisory: Any, value: float) -> None:
    advisory.scan()
    fresh = Plan((Step(advisory.time, {"precursor_feed": value}),), advisory.world.end)
    propose(advisory, precursor(value), plan=fresh)
    known = advisory.scan(after=HOUR)
    assert (known.proposal.id, known.proposal.moves) == ("S1", (precursor(0.001),))
    assert known.proposed.plan == known.proposal.plan == advisory.world.proposal.plan


@pytest.mark.parametrize(
    "moves",
    [
        (precursor(0.001185),),  # by 27 % of what it changes
        (precursor(0.00075),),
        (precursor(0.001, previous=0.0006),),
        (Move("feed", 0.001, "L/h", 0.0005),),
        (precursor(0.001), Move("feed", 0.043, "L/h", 0.042)),
        (Move("feed", 0.043, "L/h", 0.042), precursor(0.001)),
    ],
)
def test_a_plan_that_asks_for_something_else_is_another_suggestion(advisory: Any, moves: tuple[Move, ...]) -> None:
    advisory.scan()
    propose(advisory, *moves)
    assert advisory.scan(after=HOUR).proposal.id == "S2"


def test_a_quarter_of_the_change_is_still_the_same_plan(advisory: Any) -> None:
    wide = tuple(replace(x, low=0.0, high=0.1, max_step=0.1) for x in advisory.world.envelope.limits)
    advisory.parts = replace(advisory.parts, envelope=replace(advisory.world.envelope, limits=wide))
    propose(advisory, Move("feed", 0.0546875, "L/h", 0.03125))
    assert advisory.scan().open
    propose(advisory, Move("feed", 0.0625, "L/h", 0.03125))  # further by 0.0078125, a quarter of 0.03125
    assert advisory.scan(after=HOUR).proposal.id == "S1"


def test_a_suggestion_of_another_kind_is_another_suggestion(advisory: Any) -> None:
    advisory.scan()
    propose(advisory, kind="schedule")
    assert advisory.scan(after=HOUR).proposal.id == "S2"


def test_what_was_refused_or_done_is_not_known_any_more(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY)
    bench.quality = Quality.BAD
    assert not bench.scan().open
    bench.quality = Quality.GOOD
    assert bench.scan(after=HOUR).proposal.id == "S2"


def test_what_was_rejected_stays_rejected_though_it_drifts(advisory: Any) -> None:
    advisory.scan()
    advisory.scan(advisory.asks("reject"))
    propose(advisory, precursor(0.00105))
    again = advisory.scan(after=HOUR)
    assert (again.proposal.id, again.open) == ("S1", False)
    assert again.verdict.admitted
    propose(advisory, precursor(0.0006))
    other = advisory.scan(after=HOUR)
    assert (other.proposal.id, other.open) == ("S3", True)


def test_a_known_suggestion_is_forecast_and_judged_anew(advisory: Any) -> None:
    advisory.scan()
    advisory.quality = Quality.BAD
    again = advisory.scan(after=HOUR)
    assert again.proposal.id == "S1"
    assert again.proposed.made_at == advisory.time
    assert again.verdict.refusals == ("dissolved_oxygen is bad: not a number",)
    assert not again.open


@pytest.fixture
def adviser(bench_of: Any) -> Any:
    """A plant that is only advised, in words."""
    bench = bench_of(Mode.ADVISORY, plant={"advisory_only": True})
    bench.script.proposal = replace(bench.world.proposal, moves=(), kind="monitoring")
    return bench


def test_advice_in_words_is_known_by_its_reason_and_goes_by_the_clock(adviser: Any) -> None:
    adviser.scan()
    later = Plan((Step(adviser.time + HOUR, {"feed": 0.04}),), adviser.world.end)
    adviser.script.proposal = replace(adviser.script.proposal, plan=later)
    again = adviser.scan(after=HOUR)
    assert (again.proposal.id, again.open) == ("S1", True)
    assert again.proposed.plan == later
    adviser.script.proposal = replace(adviser.script.proposal, reason="Measure the glucose.")
    assert adviser.scan(after=HOUR).proposal.id == "S3"


def test_words_and_moves_are_never_the_same_advice(adviser: Any) -> None:
    adviser.scan()
    adviser.script.proposal = replace(adviser.script.proposal, moves=adviser.world.proposal.moves)
    assert adviser.scan(after=HOUR).proposal.id == "S2"
    adviser.script.proposal = replace(adviser.script.proposal, moves=())
    assert adviser.scan(after=HOUR).proposal.id == "S3"


def test_advice_is_open_though_nothing_could_be_written_and_is_noted(adviser: Any) -> None:
    assert adviser.scan().open
    noted = adviser.scan(adviser.asks("accept"))
    assert (noted.rulings[0].granted, noted.rulings[0].reason) == (True, "noted; nothing is ever written")
    assert (noted.open, noted.command) == (False, None)


def test_advice_that_was_rejected_is_not_open_again(adviser: Any) -> None:
    adviser.scan()
    rejected = adviser.scan(adviser.asks("reject"))
    assert rejected.rulings[0].reason == "rejected; nothing is written"
    assert not adviser.scan(after=HOUR).open


@pytest.mark.parametrize("kind", ["accept", "modify", "reject"])
def test_only_the_current_suggestion_can_be_answered(advisory: Any, kind: str) -> None:
    advisory.scan()
    decision = advisory.scan(advisory.asks(kind, "S9", moves={"precursor_feed": 0.0009}))
    (ruling,) = decision.rulings
    assert (ruling.granted, ruling.reason) == (False, "suggestion S9 is no longer the current one")
    assert (decision.open, decision.command) == (True, None)


@pytest.mark.parametrize("mode", [Mode.ADVISORY, Mode.OFF])
def test_where_nothing_is_proposed_nothing_can_be_answered(bench_of: Any, mode: Mode) -> None:
    bench = bench_of(mode)
    bench.script.proposal = None
    bench.scan()
    (ruling,) = bench.scan(bench.asks("accept")).rulings
    assert (ruling.granted, ruling.reason) == (False, "suggestion S1 is no longer the current one")


@pytest.mark.parametrize("kind", ["accept", "modify", "reject"])
def test_what_has_been_answered_cannot_be_answered_again(advisory: Any, kind: str) -> None:
    advisory.scan()
    advisory.scan(advisory.asks("reject"))
    (ruling,) = advisory.scan(advisory.asks(kind, moves={"precursor_feed": 0.0009})).rulings
    assert (ruling.granted, ruling.reason) == (False, "suggestion S1 is not open any more")


@pytest.fixture
def patient(bench_of: Any) -> Any:
    """A bench that looks ahead so seldom that a suggestion expires in between."""
    return bench_of(Mode.ADVISORY, cadence=Cadence(40 * HOUR, HOUR / 2))


def test_a_suggestion_that_expires_closes_by_itself(patient: Any) -> None:
    patient.scan()
    assert patient.scan(after=4 * HOUR - SCAN).open
    assert not patient.scan().open


@pytest.mark.parametrize("kind", ["accept", "modify", "reject"])
def test_a_suggestion_that_has_expired_cannot_be_answered(patient: Any, kind: str) -> None:
    patient.scan()
    decision = patient.scan(patient.asks(kind, moves={"precursor_feed": 0.0009}), after=4 * HOUR)
    (ruling,) = decision.rulings
    assert (ruling.granted, ruling.reason) == (False, "suggestion S1 is not open any more")
    assert (decision.open, decision.command) == (False, None)


@pytest.mark.parametrize("kind", ["accept", "modify"])
@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW])
def test_who_steps_down_and_accepts_in_one_breath_gets_nothing_written(advisory: Any, mode: Mode, kind: str) -> None:
    advisory.scan()
    asked = advisory.asks(kind, moves={"precursor_feed": 0.0009})
    decision = advisory.scan(advisory.asks("mode", mode=mode), asked)
    assert decision.rulings[1].intent.kind == kind
    assert (decision.rulings[1].granted, decision.rulings[1].reason) == (
        False, f"the mode is {mode}: nothing is written",
    )  # fmt: skip
    assert (decision.command, decision.open) == (None, False)


def test_an_accepted_suggestion_is_a_command_with_all_that_is_known_of_it(advisory: Any) -> None:
    advisory.scan()
    decision = advisory.scan(advisory.asks("accept"))
    assert decision.rulings[0].reason == "accepted; it is being written"
    assert decision.command == Command(
        "S1", (precursor(0.001),), advisory.time, advisory.time + HOUR / 2, "ada", "setpoints"
    )
    assert not decision.open


def test_what_safety_narrows_is_written_narrowed(advisory: Any) -> None:
    propose(advisory, precursor(0.0019))
    advisory.scan()
    decision = advisory.scan(advisory.asks("accept"))
    assert decision.command.moves[0].value == pytest.approx(0.001)
    assert decision.verdict.narrowed[0].asked == 0.0019


def test_what_was_moved_lately_is_judged_by_its_rate_while_it_is_still_a_suggestion(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY, cadence=Cadence(HOUR / 4, HOUR))
    bench.scan()
    bench.scan(bench.asks("accept"))
    propose(bench, precursor(0.002, previous=0.001))
    decision = bench.scan(after=HOUR / 4)
    assert decision.open
    assert decision.verdict.moves[0].value == pytest.approx(0.00125)


def test_a_refused_acceptance_tells_every_reason_and_shows_the_verdict(advisory: Any) -> None:
    advisory.scan()
    advisory.quality = Quality.BAD
    decision = advisory.scan(advisory.asks("accept"), faults=("the link is down",))
    (ruling,) = decision.rulings
    assert (ruling.granted, ruling.reason) == (
        False,
        "refused: the link is down; dissolved_oxygen is bad: not a number",
    )
    assert decision.verdict.refusals == ("the link is down", "dissolved_oxygen is bad: not a number")


def test_auto_takes_nothing_that_safety_refuses_at_that_moment(bench_of: Any) -> None:
    bench = bench_of(Mode.AUTO, cadence=Cadence(40 * HOUR, HOUR / 2))
    bench.quality = Quality.BAD
    assert bench.scan().command is None
    bench.quality = Quality.GOOD
    assert bench.scan().command is None  # it is closed until the next look ahead


def test_in_auto_a_person_may_reject_before_it_is_taken(bench_of: Any) -> None:
    bench = bench_of(Mode.AUTO)
    decision = bench.scan(bench.asks("reject"))
    assert decision.rulings[0].granted
    assert (decision.command, decision.open) == (None, False)


# ---- the setpoints of a phase


def phased(bench_of: Any, mode: Mode = Mode.ADVISORY, **setpoints: float) -> Any:
    """A batch whose second phase begins with these setpoints after an hour; the bench stands one scan before it."""
    phases = (
        Phase("first", "First", (Condition("phase_h", ">=", 1.0),)),
        Phase("second", "Second", (Condition("batch_h", ">=", 99.0),), setpoints),
    )
    bench = bench_of(mode, recipe=Recipe(phases))
    bench.script.proposal = None
    for _ in range(12):
        bench.scan()
    return bench


def test_a_phase_that_begins_proposes_what_is_not_in_force_yet(bench_of: Any) -> None:
    bench = phased(bench_of, feed=0.042, precursor_feed=0.0009)
    decision = bench.scan()
    now = bench.time
    assert decision.batch.phase == "second"
    assert decision.proposal == Suggestion(
        id=f"R{now:%Y%m%d-%H%M%S}",
        made_at=now,
        expires_at=now + 8 * HOUR,
        kind="recipe",
        moves=(precursor(0.0009),),
        plan=Plan((Step(now, {"feed": 0.042, "precursor_feed": 0.0009}),), bench.world.end),
        reason="Phase second begins, and the recipe sets precursor_feed from 0.0005 to 0.0009 L/h.",
        effect=None,
    )
    assert decision.open


def test_a_phase_tells_all_that_it_sets(bench_of: Any) -> None:
    bench = phased(bench_of, feed=0.044, precursor_feed=0.0009)
    told = "the recipe sets feed from 0.042 to 0.044 L/h, precursor_feed from 0.0005 to 0.0009 L/h."
    assert bench.scan().proposal.reason.endswith(told)


def test_the_setpoints_of_a_phase_wait_for_an_answer(bench_of: Any) -> None:
    bench = phased(bench_of, precursor_feed=0.0009)
    key = bench.scan().proposal.id
    bench.scan()
    decision = bench.scan(bench.asks("accept", key))
    assert decision.command.moves == (precursor(0.0009),)


@pytest.mark.parametrize("setpoints", [{}, {"feed": 0.042}, {"feed": 0.042 * (1 + 5e-7)}, {"agitation": 30.0}])
def test_a_phase_that_changes_nothing_leaves_the_word_to_the_loop(bench_of: Any, setpoints: dict[str, float]) -> None:
    bench = phased(bench_of, **setpoints)
    assert bench.scan().proposal.reason == "nothing better"
    assert bench.decision.batch.phase == "second"


def test_a_phase_that_sets_nothing_where_nothing_is_set_leaves_the_word_to_the_loop(bench_of: Any) -> None:
    bench = phased(bench_of, precursor_feed=0.0)
    bench.local["precursor_feed"] = bench.setpoints["precursor_feed"] = 0.0
    assert bench.scan().proposal.reason == "nothing better"


def test_a_phase_that_sets_what_differs_by_little_is_still_proposed(bench_of: Any) -> None:
    bench = phased(bench_of, feed=0.042 * (1 + 2e-6))
    assert bench.scan().proposal.kind == "recipe"
    lower = phased(bench_of, feed=0.042 * (1 - 2e-6))
    assert lower.scan().proposal.kind == "recipe"


def test_a_phase_proposes_at_its_beginning_only(bench_of: Any) -> None:
    bench = phased(bench_of, precursor_feed=0.0009)
    bench.scan()
    assert bench.scan(after=HOUR).proposal.reason == "nothing better"


@pytest.mark.parametrize(
    ("asked", "state", "reason"),
    [("hold", BatchState.HOLDING, "hold by ada: because"), ("stop", BatchState.STOPPING, "stop by ada: because")],
)
def test_while_the_batch_does_not_run_nothing_is_proposed(
    bench_of: Any, asked: str, state: BatchState, reason: str
) -> None:
    bench = bench_of(recipe=Recipe(hold={"precursor_feed": 0.0}))
    bench.scan()
    decision = bench.scan(bench.asks(asked))
    assert decision.proposal == Abstention(bench.time, f"the batch is {state}: {reason}")
    assert not decision.open


def test_a_hold_closes_what_was_open_though_the_loop_looks_no_more(bench_of: Any) -> None:
    bench = bench_of(recipe=Recipe())
    assert bench.scan().open
    decision = bench.scan(bench.asks("mode", mode=Mode.OFF), bench.asks("hold"))
    assert (decision.mode, decision.open) == (Mode.OFF, False)


def test_while_the_batch_does_not_run_every_answer_is_refused_and_only_those(bench_of: Any) -> None:
    bench = bench_of(Mode.AUTO, recipe=Recipe())
    bench.script.proposal = None
    bench.scan()
    bench.scan(bench.asks("abort"))
    kinds = ("accept", "modify", "reject", "propose")
    decision = bench.scan(*(bench.asks(kind, moves={"feed": 0.043}) for kind in kinds), bench.asks("note"))
    found = [(r.intent.kind, r.granted, r.reason) for r in decision.rulings]
    assert found == [
        ("note", True, "noted: because"),
        *((kind, False, "refused: the batch is aborted") for kind in kinds),
    ]
    assert decision.command is None


# ---- what is counted


def counts(ledger: Ledger) -> tuple[int, int, int, int]:
    return ledger.opened, ledger.accepted, ledger.rejected, ledger.unanswered


def test_a_suggestion_is_counted_once_while_it_is_open(advisory: Any) -> None:
    assert counts(advisory.scan().ledger) == (1, 0, 0, 0)
    assert counts(advisory.scan().ledger) == (1, 0, 0, 0)
    assert counts(advisory.scan(after=HOUR).ledger) == (1, 0, 0, 0)


@pytest.mark.parametrize(
    ("kind", "counted"), [("accept", (1, 1, 0, 0)), ("modify", (1, 1, 0, 0)), ("reject", (1, 0, 1, 0))]
)
def test_an_answer_is_counted_as_what_it_was(advisory: Any, kind: str, counted: tuple[int, ...]) -> None:
    advisory.scan()
    assert counts(advisory.scan(advisory.asks(kind, moves={"precursor_feed": 0.0009})).ledger) == counted
    assert counts(advisory.scan().ledger) == counted


def test_an_answer_that_was_refused_is_none(advisory: Any) -> None:
    advisory.scan()
    advisory.scan(advisory.asks("accept", "S9"), advisory.asks("reject", "S9"))
    assert counts(advisory.memory.ledger) == (1, 0, 0, 0)


def test_a_suggestion_that_is_replaced_went_unanswered(advisory: Any) -> None:
    advisory.scan()
    propose(advisory, Move("feed", 0.044, "L/h", 0.042))
    assert counts(advisory.scan(after=HOUR).ledger) == (2, 0, 0, 1)
    advisory.script.proposal = None
    propose_nothing = advisory.scan(after=HOUR)
    assert counts(propose_nothing.ledger) == (2, 0, 0, 2)


def test_a_suggestion_that_expires_went_unanswered(patient: Any) -> None:
    patient.scan()
    assert counts(patient.scan(after=5 * HOUR).ledger) == (1, 0, 0, 1)
    assert counts(patient.scan().ledger) == (1, 0, 0, 1)


def test_answers_of_another_day_add_up(advisory: Any) -> None:
    advisory.scan()
    advisory.scan(advisory.asks("reject"))
    propose(advisory, Move("feed", 0.044, "L/h", 0.042))
    advisory.scan(after=HOUR)
    advisory.scan(advisory.asks("accept", "S2"))
    propose(advisory, Move("feed", 0.045, "L/h", 0.044))
    advisory.scan(after=HOUR)
    advisory.scan(advisory.asks("reject", "S3"))
    assert counts(advisory.memory.ledger) == (3, 1, 2, 0)
    assert advisory.memory.ledger.acceptance == pytest.approx(1 / 3)


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW, Mode.AUTO])
def test_where_nobody_is_asked_nothing_is_counted(bench_of: Any, mode: Mode) -> None:
    bench = bench_of(mode, cadence=Cadence(HOUR / 4, HOUR))
    bench.scan()
    propose(bench, Move("feed", 0.044, "L/h", 0.042))
    bench.scan(after=HOUR / 2)
    assert bench.memory.ladder.mode is mode
    assert counts(bench.memory.ledger) == (0, 0, 0, 0)
    assert bench.memory.ledger.acceptance is None


def test_a_step_up_to_auto_leaves_nothing_unanswered(advisory: Any) -> None:
    advisory.scan()
    decision = advisory.scan(advisory.asks("mode", mode=Mode.AUTO))
    assert decision.command.authority == "auto"
    assert counts(decision.ledger) == (1, 0, 0, 0)
