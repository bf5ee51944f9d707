"""Every interval without data is in the ledger, with its cause and with what was fetched for it later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from controller.edge.historian import Cause, Gap, Historian
from controller.loop.records import Decision
from twin.signals import Quality, Reading

Make = Callable[..., Decision]
MINUTE = timedelta(minutes=1)


def test_an_entry_is_opened_closed_and_read_by_another_process(
    historian: Historian, path: Path, start: datetime
) -> None:
    historian.gap("R1", "B1", start, None, Cause.LINK_DOWN, "the server does not answer")
    with Historian.reader(path) as reader:
        [lasting] = reader.gaps("R1")
        historian.gap("R1", "B1", start, start + 5 * MINUTE, Cause.LINK_DOWN)
        [closed] = reader.gaps("R1", "B1", since=start + MINUTE)
        assert reader.gaps("R1", since=start + 6 * MINUTE) == []
    expected = Gap("R1", "B1", "", start, None, Cause.LINK_DOWN, "the server does not answer", 0, "")
    assert lasting == expected
    assert closed == replace(expected, end=start + 5 * MINUTE)


def test_what_was_no_gap_after_all_is_taken_back(historian: Historian, start: datetime) -> None:
    historian.gap("R1", "B1", start, None, Cause.LINK_DOWN)
    historian.gap("R1", "B1", start, None, Cause.SENSOR_BAD, variable="ph")
    historian.no_gap("R1", "B1", start)
    assert [gap.variable for gap in historian.gaps()] == ["ph"]


def test_what_was_fetched_later_is_stored_counted_and_queued_once(
    queueing: Historian, decision: Make, start: datetime
) -> None:
    for minute in (0, 10):
        queueing.record(decision(minute))
    for variable, cause in (("", Cause.CONTROLLER_DOWN), ("variable_0", Cause.SENSOR_BAD), ("ph", Cause.SENSOR_BAD)):
        queueing.gap("R1", "B1", start, start + 10 * MINUTE, cause, variable=variable)
    waiting = queueing.outbox_pending() or 0
    fetched = [Reading(float(i), "%", start + i * MINUTE, Quality.GOOD) for i in range(11)]
    for expected in (9, 0):  # told twice, and the ends are there already
        assert queueing.backfill("R1", "B1", {"variable_0": fetched}, "HistoryRead") == expected
    rows = queueing.trend("R1", "B1", ["process.variable_0"])["process.variable_0"]
    assert [row.mean for row in rows[1:-1]] == [float(i) for i in range(1, 10)]
    assert rows[0].mean == decision(0).snapshot.readings["variable_0"].value
    assert (queueing.outbox_pending() or 0) - waiting == 2 * 9
    counted = {gap.variable: (gap.backfilled, gap.note) for gap in queueing.gaps()}
    assert counted == {"": (9, "HistoryRead"), "variable_0": (9, "HistoryRead"), "ph": (0, "")}


def test_a_reading_of_no_time_cannot_be_stored_later(historian: Historian) -> None:
    with pytest.raises(ValueError, match="reading of ph without a source time"):
        historian.backfill("R1", "B1", {"ph": [Reading(6.5, "", None, Quality.GOOD)]}, "HistoryRead")
