"""What people ask of alarms, state by state as ISA-18.2 has it, and what the book says of who, when and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.loop.alarm_records import AlarmBook, AlarmChange, AlarmRecord, AlarmState, Priority
from controller.loop.alarms import AlarmRules, Definition, Kind, Sight, watch
from controller.loop.records import Intent, Ruling
from twin.signals import Quality, Reading

NOW = datetime(2026, 1, 3, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
S = AlarmState
LOW = Definition(
    "low", "Oxygen low", "process.oxygen", Kind.LOW, Priority.HIGH, "it starves", "add air", unit="%", limit=20.0
)
LATCHED = replace(LOW, latched=True)
STANDS = {S.UNACKNOWLEDGED, S.ACKNOWLEDGED}


def since_an_hour(state: AlarmState, active: bool | None = None, **more: Any) -> AlarmRecord:
    stands = state in STANDS if active is None else active
    raised = NOW - 2 * HOUR
    known = {"raised_at": raised, "announced": (raised,), "text": "it was low", "by": "omar", "reason": "so far"}
    return AlarmRecord("low", state, NOW - HOUR, stands, **{**known, **more})


def seen(value: float, *phases: str, at: datetime = NOW, **sight: Any) -> Sight:
    return Sight(at, phases or ("growth",), {"oxygen": Reading(value, "%", at, Quality.GOOD)}, **sight)


def asks(kind: str, **more: Any) -> Intent:
    return Intent(kind, "ada", NOW, **{"alarm": "low", "reason": "seen", **more})


def after(
    record: AlarmRecord | None, sight: Sight, *intents: Intent, definition: Definition = LOW
) -> tuple[AlarmRecord | None, tuple[Ruling, ...], tuple[AlarmChange, ...]]:
    book = AlarmBook((record,) if record else ())
    book, rulings = watch(book, (definition,), AlarmRules(), sight, intents)
    return book.find("low"), rulings, book.changes


@pytest.mark.parametrize(
    ("definition", "before", "active", "now"),
    [
        (LOW, S.NORMAL, True, S.UNACKNOWLEDGED),
        (LOW, S.UNACKNOWLEDGED, True, S.UNACKNOWLEDGED),
        (LOW, S.UNACKNOWLEDGED, False, S.RETURNED),
        (LOW, S.ACKNOWLEDGED, True, S.ACKNOWLEDGED),
        (LOW, S.ACKNOWLEDGED, False, S.NORMAL),
        (LOW, S.RETURNED, False, S.RETURNED),
        (LOW, S.RETURNED, True, S.UNACKNOWLEDGED),
        (LATCHED, S.NORMAL, True, S.UNACKNOWLEDGED),
        (LATCHED, S.UNACKNOWLEDGED, False, S.LATCHED),
        (LATCHED, S.ACKNOWLEDGED, False, S.LATCHED_ACKNOWLEDGED),
        (LATCHED, S.LATCHED, False, S.LATCHED),
        (LATCHED, S.LATCHED, True, S.UNACKNOWLEDGED),
        (LATCHED, S.LATCHED_ACKNOWLEDGED, False, S.LATCHED_ACKNOWLEDGED),
        (LATCHED, S.LATCHED_ACKNOWLEDGED, True, S.UNACKNOWLEDGED),
        (LOW, S.SHELVED, True, S.UNACKNOWLEDGED),  # its time on the shelf is over
        (LOW, S.SHELVED, False, S.NORMAL),
        (LOW, S.SUPPRESSED, True, S.UNACKNOWLEDGED),
        (LOW, S.SUPPRESSED, False, S.NORMAL),
        (LOW, S.OUT_OF_SERVICE, True, S.OUT_OF_SERVICE),
        (LOW, S.OUT_OF_SERVICE, False, S.OUT_OF_SERVICE),
    ],
)
def test_what_the_matter_makes_of_each_state(
    definition: Definition, before: AlarmState, active: bool, now: AlarmState
) -> None:
    record = since_an_hour(before, until=NOW if before is S.SHELVED else None)
    found, _, changes = after(record, seen(10.0 if active else 50.0), definition=definition)
    assert found is not None
    assert found.state is now
    assert found.active is active
    assert found.since == (NOW - HOUR if now is before else NOW)
    assert [(c.name, c.before, c.after) for c in changes] == ([] if now is before else [("low", before, now)])


@pytest.mark.parametrize(
    ("definition", "before", "kind", "reached", "words"),
    [
        (LOW, S.UNACKNOWLEDGED, "ack", S.ACKNOWLEDGED, "acknowledged"),
        (LOW, S.RETURNED, "ack", S.NORMAL, "normal"),
        (LATCHED, S.LATCHED, "ack", S.LATCHED_ACKNOWLEDGED, "latched acknowledged"),
        (LATCHED, S.LATCHED_ACKNOWLEDGED, "reset", S.NORMAL, "normal"),
    ],
)
def test_an_acknowledgement_or_a_reset_says_who_and_why(
    definition: Definition, before: AlarmState, kind: str, reached: AlarmState, words: str
) -> None:
    value = 10.0 if before in STANDS else 50.0
    found, rulings, changes = after(since_an_hour(before), seen(value), asks(kind), definition=definition)
    assert rulings == (Ruling(asks(kind), True, f"Oxygen low is {words}"),)
    assert found is not None
    assert (found.state, found.since, found.by, found.reason) == (reached, NOW, "ada", "seen")
    assert found.raised_at == NOW - 2 * HOUR
    assert [(c.before, c.after) for c in changes] == [(before, reached)]


ANSWERED = {
    (S.UNACKNOWLEDGED, "ack"), (S.RETURNED, "ack"), (S.LATCHED, "ack"), (S.LATCHED_ACKNOWLEDGED, "reset"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["ack", "reset"])
@pytest.mark.parametrize("state", S)
def test_what_cannot_be_answered_stays_and_is_told(state: AlarmState, kind: str) -> None:
    if (state, kind) in ANSWERED:
        return
    record = since_an_hour(state, until=NOW + HOUR if state is S.SHELVED else None)
    here = seen(10.0 if state in STANDS else 50.0, "harvest" if state is S.SUPPRESSED else "growth")
    definition = replace(LATCHED, phases=("growth",))
    found, rulings, _ = after(record, here, asks(kind), definition=definition)
    told = f"Oxygen low is {str(state).replace('_', ' ')}: nothing to {kind}"
    assert rulings == (Ruling(asks(kind), False, told),)
    assert found is not None
    assert (found.state, found.since) == (state, record.since)


def test_an_alarm_that_never_was_can_be_put_away_and_is_in_the_book_from_then_on() -> None:
    found, rulings, changes = after(None, seen(50.0), asks("shelve", hours=8.0))
    assert found == AlarmRecord("low", S.SHELVED, NOW, until=NOW + 8 * HOUR, by="ada", reason="seen")
    assert rulings == (Ruling(asks("shelve", hours=8.0), True, "Oxygen low is shelved until 2026-01-03 08:00"),)
    assert changes == (AlarmChange("low", S.NORMAL, S.SHELVED, ""),)


def test_a_shelved_alarm_can_be_shelved_for_longer() -> None:
    shelved = since_an_hour(S.SHELVED, until=NOW + MINUTE)
    found, rulings, _ = after(shelved, seen(50.0), asks("shelve", hours=1.5))
    assert rulings[0].granted
    assert found is not None
    assert (found.until, found.since, found.by) == (NOW + 1.5 * HOUR, NOW, "ada")


@pytest.mark.parametrize("hours", [None, 0.0, -1.0, 8.01])
def test_a_time_on_the_shelf_that_is_not_allowed_changes_nothing(hours: float | None) -> None:
    before = since_an_hour(S.UNACKNOWLEDGED)
    found, rulings, _ = after(before, seen(10.0), asks("shelve", hours=hours))
    told = "Oxygen low can be shelved for up to 8 h; say how long"
    assert rulings == (Ruling(asks("shelve", hours=hours), False, told),)
    assert found is not None
    assert (found.state, found.until, found.by) == (S.UNACKNOWLEDGED, None, "omar")


def test_what_is_out_of_service_cannot_be_shelved() -> None:
    before = since_an_hour(S.OUT_OF_SERVICE)
    found, rulings, _ = after(before, seen(50.0), asks("shelve", hours=1.0))
    assert rulings == (Ruling(asks("shelve", hours=1.0), False, "Oxygen low is out of service"),)
    assert found is not None
    assert (found.state, found.since, found.until) == (S.OUT_OF_SERVICE, NOW - HOUR, None)


@pytest.mark.parametrize("state", [S.NORMAL, S.UNACKNOWLEDGED, S.SHELVED])
def test_an_alarm_is_taken_out_of_service_from_anywhere(state: AlarmState) -> None:
    before = since_an_hour(state, until=NOW + HOUR if state is S.SHELVED else None)
    found, rulings, _ = after(before, seen(10.0), asks("out_of_service"))
    assert rulings == (Ruling(asks("out_of_service"), True, "Oxygen low is out of service"),)
    assert found is not None
    assert (found.state, found.since, found.until) == (S.OUT_OF_SERVICE, NOW, None)
    assert (found.by, found.reason) == ("ada", "seen")


@pytest.mark.parametrize(("kind", "away"), [("unshelve", S.SHELVED), ("in_service", S.OUT_OF_SERVICE)])
def test_an_alarm_that_is_brought_back_is_watched_again(kind: str, away: AlarmState) -> None:
    before = since_an_hour(away, until=NOW + HOUR)
    found, rulings, _ = after(before, seen(50.0), asks(kind))
    assert rulings == (Ruling(asks(kind), True, "Oxygen low is watched again"),)
    assert found is not None
    assert (found.state, found.since, found.until, found.by, found.reason) == (S.NORMAL, NOW, None, "", "")
    stands, _, _ = after(before, seen(10.0), asks(kind))
    assert stands is not None
    assert (stands.state, stands.until, stands.raised_at) == (S.UNACKNOWLEDGED, None, NOW)


@pytest.mark.parametrize(
    ("kind", "state", "told"),
    [
        ("unshelve", S.UNACKNOWLEDGED, "Oxygen low is unacknowledged, not shelved"),
        ("unshelve", S.OUT_OF_SERVICE, "Oxygen low is out of service, not shelved"),
        ("in_service", S.SHELVED, "Oxygen low is shelved, not out of service"),
        ("in_service", S.ACKNOWLEDGED, "Oxygen low is acknowledged, not out of service"),
    ],
)
def test_only_what_is_away_can_be_brought_back(kind: str, state: AlarmState, told: str) -> None:
    before = since_an_hour(state, until=NOW + HOUR if state is S.SHELVED else None)
    found, rulings, _ = after(before, seen(10.0), asks(kind))
    assert rulings == (Ruling(asks(kind), False, told),)
    assert found is not None
    assert (found.state, found.since) == (state, before.since)


def test_an_alarm_that_nobody_defined_is_refused_by_name() -> None:
    found, rulings, _ = after(None, seen(50.0), asks("ack", alarm="moon"), asks("accept"))
    assert rulings == (Ruling(asks("ack", alarm="moon"), False, "there is no alarm 'moon'"),)
    assert found is None


def test_a_refused_request_leaves_no_record_of_a_normal_alarm() -> None:
    found, rulings, changes = after(None, seen(50.0), asks("ack"))
    assert rulings == (Ruling(asks("ack"), False, "Oxygen low is normal: nothing to ack"),)
    assert (found, changes) == (None, ())


def test_a_refused_request_counts_for_nothing_while_a_matter_begins() -> None:
    slow = replace(LOW, on_delay=HOUR)
    found, rulings, _ = after(None, seen(10.0), asks("ack"), definition=slow)
    assert not rulings[0].granted
    assert found is not None
    assert (found.state, found.since, found.turning_since, found.by) == (S.NORMAL, NOW, NOW, "")


def test_a_new_announcement_forgets_who_answered_the_last() -> None:
    found, _, changes = after(since_an_hour(S.RETURNED), seen(10.0))
    assert found is not None
    assert (found.by, found.reason, found.raised_at) == ("", "", NOW)
    assert found.announced == (NOW - 2 * HOUR, NOW)
    assert changes == (AlarmChange("low", S.RETURNED, S.UNACKNOWLEDGED, "Oxygen low: 10 % is below 20 %"),)


def test_what_was_said_of_it_last_stays_when_the_matter_is_over() -> None:
    found, _, changes = after(since_an_hour(S.ACKNOWLEDGED), seen(50.0))
    assert found is not None
    assert (found.text, found.by) == ("it was low", "omar")
    assert changes[0].text == "it was low"


def test_a_shelf_is_over_at_its_time_and_not_before() -> None:
    for until, state in ((NOW + MINUTE, S.SHELVED), (NOW, S.NORMAL), (NOW - MINUTE, S.NORMAL), (None, S.NORMAL)):
        found, _, _ = after(since_an_hour(S.SHELVED, until=until), seen(50.0))
        assert found is not None
        assert found.state is state
        if state is S.NORMAL:
            assert (found.until, found.by, found.reason, found.since) == (None, "", "", NOW)


def test_an_alarm_is_suppressed_only_outside_its_phases_and_while_its_cause_stands() -> None:
    phased = replace(LOW, phases=("growth", "feed"))
    before = since_an_hour(S.ACKNOWLEDGED)
    for phases, state in ((("feed",), S.ACKNOWLEDGED), (("", "growth"), S.ACKNOWLEDGED), (("harvest",), S.SUPPRESSED)):
        found, _, _ = after(before, seen(10.0, *phases), definition=phased)
        assert found is not None
        assert (found.state, found.since) == (state, NOW if state is S.SUPPRESSED else NOW - HOUR)
    already, _, changes = after(since_an_hour(S.SUPPRESSED), seen(10.0, "harvest"), definition=phased)
    assert already is not None
    assert (already.since, changes) == (NOW - HOUR, ())


def test_a_cause_suppresses_its_consequence_though_it_is_put_away_itself() -> None:
    cause = replace(LOW, name="cause")
    consequence = replace(LOW, unless=("cause", "moon"))
    book = AlarmBook((AlarmRecord("cause", S.OUT_OF_SERVICE, NOW - HOUR),))
    book, _ = watch(book, (consequence, cause), AlarmRules(), seen(10.0))
    assert [(a.name, a.state) for a in book.alarms] == [("low", S.SUPPRESSED), ("cause", S.OUT_OF_SERVICE)]


def test_only_what_has_something_to_remember_is_in_the_book() -> None:
    nothing = AlarmRecord("low", S.NORMAL, NOW - HOUR)
    assert after(nothing, seen(50.0))[0] is None
    yesterday = replace(nothing, announced=(NOW - DAY - MINUTE,))
    assert after(yesterday, seen(50.0))[0] is None
    today = replace(nothing, announced=(NOW - DAY,))
    assert after(today, seen(50.0))[0] == today
    frozen, _, _ = after(None, seen(50.0), definition=replace(LOW, kind=Kind.FROZEN, on_delay=HOUR))
    assert frozen is not None
    assert (frozen.value, frozen.value_at) == (50.0, NOW)


def test_a_chattering_alarm_does_not_fill_the_record() -> None:
    many = tuple(NOW - HOUR + k * timedelta(seconds=1) for k in range(300))
    found, _, _ = after(since_an_hour(S.ACKNOWLEDGED, announced=many), seen(10.0))
    assert found is not None
    assert found.announced == many[-200:]


def test_a_delay_runs_from_when_the_matter_turned_and_starts_anew_when_it_turns_back() -> None:
    slow = replace(LOW, on_delay=2 * MINUTE, off_delay=3 * MINUTE)
    begun, _, changes = after(None, seen(10.0), definition=slow)
    assert begun is not None
    assert (begun.state, begun.active, begun.turning_since, changes) == (S.NORMAL, False, NOW, ())
    assert (begun.text, begun.value, begun.value_at) == ("Oxygen low: 10 % is below 20 %", 10.0, NOW)
    for minutes, active in ((1.9, False), (2.0, True)):
        found, _, _ = after(begun, seen(10.0, at=NOW + minutes * MINUTE), definition=slow)
        assert found is not None
        assert (found.active, found.turning_since) == (active, None if active else NOW)
    assert after(begun, seen(50.0, at=NOW + MINUTE), definition=slow)[0] is None
    over, _, _ = after(since_an_hour(S.ACKNOWLEDGED), seen(50.0), definition=slow)
    assert over is not None
    assert (over.state, over.active, over.turning_since) == (S.ACKNOWLEDGED, True, NOW)
    ended, _, _ = after(over, seen(50.0, at=NOW + 3 * MINUTE), definition=slow)
    assert ended is not None
    assert (ended.state, ended.active, ended.turning_since) == (S.NORMAL, False, None)


def test_a_clock_that_goes_back_starts_a_delay_anew() -> None:
    slow = replace(LOW, on_delay=2 * MINUTE)
    ahead = AlarmRecord("low", S.NORMAL, NOW, turning_since=NOW + HOUR)
    found, _, _ = after(ahead, seen(10.0), definition=slow)
    assert found is not None
    assert (found.active, found.turning_since) == (False, NOW)


def test_what_cannot_be_told_stops_nothing_and_begins_nothing() -> None:
    bad = Sight(NOW, ("growth",), {"oxygen": Reading(None, "%", NOW, Quality.BAD)})
    standing = since_an_hour(S.ACKNOWLEDGED, value=10.0, value_at=NOW - MINUTE, turning_since=NOW - MINUTE)
    assert after(standing, bad)[0] == standing
    assert after(None, bad)[0] is None


def test_a_deviation_whose_other_side_is_lost_still_remembers_its_own() -> None:
    away = replace(LOW, kind=Kind.DEVIATION, of="setpoint.oxygen")
    found, _, _ = after(since_an_hour(S.ACKNOWLEDGED), seen(33.0), definition=away)
    assert found is not None
    assert (found.active, found.value, found.value_at) == (True, 33.0, NOW)


def test_the_value_of_what_is_over_is_not_kept() -> None:
    found, _, _ = after(since_an_hour(S.ACKNOWLEDGED, value=10.0, value_at=NOW - MINUTE), seen(50.0))
    assert found is not None
    assert (found.value, found.value_at) == (None, None)


def test_the_book_is_in_the_order_of_the_definitions_and_forgets_what_is_defined_no_more() -> None:
    definitions = [replace(LOW, name=name) for name in ("b", "a")]
    old = AlarmBook(tuple(AlarmRecord(name, S.ACKNOWLEDGED, NOW - HOUR, True) for name in ("a", "gone", "b")))
    book, _ = watch(old, definitions, AlarmRules(), seen(10.0))
    assert [a.name for a in book.alarms] == ["b", "a"]
    assert book.changes == ()


def test_a_change_to_normal_is_told_though_nothing_is_kept_of_it() -> None:
    before = AlarmRecord("low", S.ACKNOWLEDGED, NOW - HOUR, True, text="it was low")
    found, _, changes = after(before, seen(50.0))
    assert found is None
    assert changes == (AlarmChange("low", S.ACKNOWLEDGED, S.NORMAL, "it was low"),)


def test_several_requests_of_one_scan_are_judged_one_after_the_other() -> None:
    kinds = ("ack", "ack", "out_of_service", "in_service")
    found, rulings, _ = after(since_an_hour(S.UNACKNOWLEDGED), seen(10.0), *(asks(kind) for kind in kinds))
    assert [r.granted for r in rulings] == [True, False, True, True]
    assert found is not None
    assert found.state is S.UNACKNOWLEDGED
