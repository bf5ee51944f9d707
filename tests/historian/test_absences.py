"""Each scan that was missed is in the ledger with the reason why, and none that was not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from controller.edge.gap_ledger import Absences
from controller.edge.historian import Historian
from controller.loop.records import Decision
from twin.signals import Quality, Reading

Make = Callable[..., Decision]
MINUTE = timedelta(minutes=1)


@pytest.fixture
def absences(historian: Historian) -> Absences:
    return Absences(historian, "R1", 60.0)


def told(historian: Historian, start: datetime) -> list[tuple[str, float, float | None, str]]:
    """Variable, start and end in minutes, and cause."""
    return [
        (gap.variable, (gap.start - start) / MINUTE, None if gap.end is None else (gap.end - start) / MINUTE, gap.cause)
        for gap in historian.gaps("R1", "B1")
    ]


def test_scans_in_time_leave_the_ledger_empty(
    absences: Absences, historian: Historian, decision: Make, start: datetime
) -> None:
    absences.lost("before the first scan nothing can be missed")
    for minute in range(5):
        absences.seen(decision(minute))
    assert told(historian, start) == []


def test_an_outage_is_seen_while_it_lasts_and_closed_by_the_next_scan(
    absences: Absences, historian: Historian, decision: Make, start: datetime
) -> None:
    absences.seen(decision(0))
    absences.lost("the server does not answer")
    absences.lost("the server does not answer")
    assert told(historian, start) == [("", 0, None, "link down")]
    absences.seen(decision(7))
    assert told(historian, start) == [("", 0, 7, "link down")]
    assert historian.gaps()[0].text == "the server does not answer"


def test_an_outage_between_two_scans_missed_nothing(
    absences: Absences, historian: Historian, decision: Make, start: datetime
) -> None:
    absences.seen(decision(0))
    absences.lost("a short one")
    absences.seen(decision(1))
    assert told(historian, start) == []


def test_a_clock_that_stood_still_and_a_late_controller_are_told_apart(
    absences: Absences, historian: Historian, decision: Make, start: datetime
) -> None:
    absences.seen(decision(0))
    absences.stalled("its time has stood still for 99 s")
    absences.seen(decision(5))
    absences.seen(decision(9))
    assert told(historian, start) == [("", 0, 5, "plant stopped"), ("", 5, 9, "controller late")]


def test_a_restart_enters_what_no_controller_saw(
    historian: Historian, absences: Absences, decision: Make, start: datetime
) -> None:
    absences.resumed("B1", start)
    absences.seen(decision(4))
    assert told(historian, start) == [("", 0, 4, "controller down")]


def test_a_controller_that_is_killed_in_an_outage_leaves_one_entry(
    historian: Historian, absences: Absences, decision: Make, start: datetime
) -> None:
    absences.seen(decision(0))
    absences.lost("no answer")
    again = Absences(historian, "R1", 60.0)
    again.resumed("B1", start)
    again.seen(decision(30))
    [gap] = historian.gaps()
    assert told(historian, start) == [("", 0, 30, "link down")]
    assert gap.text == "no answer; then the controller was started again"


def test_a_bad_sensor_has_an_entry_of_its_own_over_a_restart_too(
    historian: Historian, absences: Absences, decision: Make, start: datetime
) -> None:
    def scan(minute: int, quality: Quality) -> Decision:
        made = decision(minute)
        reading = Reading(7.0, "", made.time, quality, "the sensor failed" if quality is Quality.BAD else "")
        return replace(made, snapshot=replace(made.snapshot, readings={"ph": reading}))

    absences.seen(scan(0, Quality.GOOD))
    absences.seen(scan(1, Quality.BAD))
    absences.seen(scan(2, Quality.BAD))
    assert told(historian, start) == [("ph", 1, None, "sensor bad")]
    again = Absences(historian, "R1", 60.0)
    again.resumed("B1", start + 2 * MINUTE)
    again.seen(scan(3, Quality.BAD))
    again.seen(scan(4, Quality.UNCERTAIN))
    assert told(historian, start) == [("ph", 1, 4, "sensor bad")]
    assert historian.gaps()[0].text == "the sensor failed"
