"""What is queued reaches a real server, all of it and once, whatever happens to the server meanwhile."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from controller.edge.historian import Historian, outbox
from controller.edge.historian.database import transaction
from controller.edge.historian.lineprotocol import lines
from controller.edge.historian.series import samples
from controller.edge.historian.times import to_ms
from controller.edge.influx import Forwarder, ForwarderState
from controller.loop.records import Decision

if TYPE_CHECKING:
    from conftest import Front, Influx, Victoria  # type: ignore[import-not-found]

Make = Callable[..., Decision]
Until = Callable[[Callable[[], object]], None]
ROWS = 8  # of one decision, the historian's own figures among them
# What is told of a turn beside its trends; `test_line_protocol` is about that.
BESIDE = ("suggestion_", "alarm_", "historian_", "neurocore_contribution_", "neurocore_weight", "neurocore_units")
TOKEN = "s3cret-token"


def forwarder(path: Path, url: str, **options: float) -> Forwarder:
    return Forwarder(path, url, "org", "bio", TOKEN, **options)  # type: ignore[arg-type]


def numbers(*decisions: Decision) -> dict[tuple[str, int], list[float]]:
    """What VictoriaMetrics must hold of these decisions: each number once; it stores a text as 0."""
    found: dict[tuple[str, int], list[float]] = {}
    for made in decisions:
        for sample in samples(made):
            if sample.value is not None:
                found[f"{sample.measurement}_{sample.field}", int(made.time.timestamp() * 1000)] = [
                    rounded(sample.value)
                ]
        for name, reading in made.snapshot.readings.items():
            found[f"quality_{name}", int(made.time.timestamp() * 1000)] = [float(reading.quality)]
    return found


def stored(server: Victoria) -> dict[tuple[str, int], list[float]]:
    points = server.points()
    return {
        key: list(map(rounded, values))
        for key, values in points.items()
        if not key[0].startswith((*BESIDE, "neurocore_spikes"))
    }


def rounded(value: float) -> float:
    """VictoriaMetrics keeps about twelve digits."""
    return float(f"{value:.9g}")


def record(historian: Historian, make: Make, minutes: range) -> list[Decision]:
    made = [make(minute) for minute in minutes]
    for decision in made:
        historian.record(decision)
    return made


def test_points_in_are_points_out(queueing: Historian, victoria: Victoria, decision: Make, until: Until) -> None:
    with forwarder(queueing.path, victoria.url) as sending:
        made = record(queueing, decision, range(100))
        until(lambda: queueing.outbox_pending() == 0)
        status = sending.status()
    assert status.state is ForwarderState.FORWARDING
    assert (status.pending, status.oldest_age_s, status.dead_letters, status.gaps) == (0, None, 0, 0)
    assert status.acknowledged == 100 * ROWS
    assert stored(victoria) == numbers(*made)
    texts = [key for key in victoria.points() if key[0] == "suggestion_reason"]
    assert len(texts) == 1


def test_an_outage_costs_nothing(queueing: Historian, victoria: Victoria, decision: Make, until: Until) -> None:
    with forwarder(queueing.path, victoria.url) as sending:
        made = record(queueing, decision, range(30))
        until(lambda: queueing.outbox_pending() == 0)
        victoria.end()
        made += record(queueing, decision, range(30, 60))
        until(lambda: sending.status().state is ForwarderState.WAITING)
        away = sending.status()
        victoria.start()
        made += record(queueing, decision, range(60, 90))
        until(lambda: queueing.outbox_pending() == 0)
    assert away.pending >= 30 * ROWS
    assert away.oldest_age_s is not None
    assert "does not answer" in away.last_error
    assert stored(victoria) == numbers(*made)


def test_a_crash_costs_nothing_that_was_acknowledged(
    queueing: Historian, victoria: Victoria, decision: Make, until: Until
) -> None:
    with forwarder(queueing.path, victoria.url) as sending:
        made = record(queueing, decision, range(50))
        until(lambda: queueing.outbox_pending() == 0)
        victoria.end(signal.SIGKILL)  # before it has written anything to its disk
        made += record(queueing, decision, range(50, 60))
        until(lambda: sending.status().state is ForwarderState.WAITING)
        victoria.start()
        until(lambda: queueing.outbox_pending() == 0)
    assert stored(victoria) == numbers(*made)


def test_a_crash_between_two_writes_is_noticed_by_the_new_connection(
    queueing: Historian, victoria: Victoria, decision: Make, until: Until
) -> None:
    with forwarder(queueing.path, victoria.url) as sending:
        made = []
        while set(numbers(*made)) <= set(stored(victoria)):  # until the crash has cost acknowledged points
            made += record(queueing, decision, range(len(made), len(made) + 50))
            until(lambda: queueing.outbox_pending() == 0)
            victoria.end(signal.SIGKILL)
            victoria.start()
        assert sending.status().state is ForwarderState.FORWARDING  # it has not seen any of this
        made += record(queueing, decision, range(len(made), len(made) + 1))
        until(lambda: set(numbers(*made)) <= set(stored(victoria)))
    assert stored(victoria) == numbers(*made)


def test_two_crashes_in_a_row_cost_nothing(
    queueing: Historian, victoria: Victoria, decision: Make, until: Until
) -> None:
    made = []
    with forwarder(queueing.path, victoria.url) as sending:
        for crash in range(3):
            made += record(queueing, decision, range(20 * crash, 20 * crash + 20))
            until(lambda: queueing.outbox_pending() == 0)
            victoria.end(signal.SIGKILL)
            queueing.event(made[-1].time, "R1", "B1", "link", "so that there is something to fail with")
            until(lambda: sending.status().state is ForwarderState.WAITING)
            victoria.start()
        until(lambda: queueing.outbox_pending() == 0)
    assert {k: v for k, v in stored(victoria).items() if k[0] != "alarm_link"} == numbers(*made)


def test_a_restarted_forwarder_goes_on_where_the_last_one_was(
    queueing: Historian, victoria: Victoria, decision: Make, until: Until
) -> None:
    made = record(queueing, decision, range(20))
    with forwarder(queueing.path, victoria.url):
        until(lambda: queueing.outbox_pending() == 0)
    made += record(queueing, decision, range(20, 40))
    assert queueing.outbox_pending() == 20 * ROWS
    with forwarder(queueing.path, victoria.url):
        until(lambda: queueing.outbox_pending() == 0)
    assert stored(victoria) == numbers(*made)


def test_closing_sends_what_the_server_still_takes(queueing: Historian, victoria: Victoria, decision: Make) -> None:
    sending = forwarder(queueing.path, victoria.url, batch_rows=50)
    made = record(queueing, decision, range(100))
    sending.start()
    assert sending.close(20) is True
    assert sending.status().state is ForwarderState.CLOSED
    assert stored(victoria) == numbers(*made)


def test_closing_never_hangs_on_a_server_that_does(
    queueing: Historian, victoria: Victoria, decision: Make, until: Until
) -> None:
    record(queueing, decision, range(5))
    victoria.send(signal.SIGSTOP)  # it takes the connection and the request, and never answers
    sending = forwarder(queueing.path, victoria.url, request_timeout_s=2.0)
    sending.start()
    time.sleep(0.3)
    assert sending.close(0.5) is False  # and not True: it did not wait for the request to end
    until(lambda: sending.status().state is ForwarderState.CLOSED)  # by the request's own timeout
    assert queueing.outbox_pending() == 5 * ROWS
    victoria.send(signal.SIGCONT)
    with forwarder(queueing.path, victoria.url) as again:
        until(lambda: queueing.outbox_pending() == 0)
        assert again.status().dead_letters == 0


def test_closing_is_quick_when_there_is_no_server(queueing: Historian, decision: Make, until: Until) -> None:
    record(queueing, decision, range(3))
    sending = forwarder(queueing.path, "http://127.0.0.1:9")
    sending.start()
    until(lambda: sending.status().state is ForwarderState.WAITING)
    began = time.monotonic()
    assert sending.close(50) is False
    assert time.monotonic() - began < 10.0
    assert sending.status().pending == queueing.outbox_pending() == 3 * ROWS


def test_a_wrong_token_stops_it_with_a_clear_word_and_the_rows_are_kept(
    queueing: Historian, guarded_victoria: Victoria, decision: Make, until: Until
) -> None:
    record(queueing, decision, range(3))
    with structlog.testing.capture_logs() as logs, forwarder(queueing.path, guarded_victoria.url) as sending:
        until(lambda: sending.status().state is ForwarderState.STOPPED)
    status = sending.status()
    assert "answered 401" in status.last_error
    assert "check the token" in status.last_error
    assert status.pending == 3 * ROWS
    assert status.state is ForwarderState.STOPPED
    assert TOKEN not in repr((status, logs))
    assert logs


def test_a_bucket_that_does_not_exist_stops_it_too(
    queueing: Historian, influx: Influx, decision: Make, until: Until
) -> None:
    record(queueing, decision, range(1))
    with Forwarder(queueing.path, influx.url, "", "nowhere", "") as sending:
        until(lambda: sending.status().state is ForwarderState.STOPPED)
    assert "answered 404" in sending.status().last_error
    assert sending.status().pending == ROWS


def test_a_token_that_a_server_repeats_is_not_shown(queueing: Historian, decision: Make, front: Front) -> None:
    # an unknown database is named in the answer of InfluxDB; here it is named like the token
    sending = Forwarder(queueing.path, front.url, "org", TOKEN, TOKEN)
    record(queueing, decision, range(1))
    sending.start()
    sending.close(10)
    assert "answered 404" in sending.status().last_error
    assert "***" in sending.status().last_error
    assert TOKEN not in sending.status().last_error


def test_bad_rows_are_found_and_set_aside_with_the_answer(
    queueing: Historian, influx: Influx, front: Front, decision: Make, until: Until
) -> None:
    influx.post("/write?db=bio&precision=ns", "process,batch=B1,plant=R1 variable_0=1.5 1")
    bad = ['process,batch=B1,plant=R1 variable_0="text" 2', "process,plant=R1 x=nan 3", "no line at all"]
    made = record(queueing, decision, range(10))
    with contextlib.closing(sqlite3.connect(queueing.path, isolation_level=None)) as db, transaction(db):
        outbox.put(db, bad, 0)
    made += record(queueing, decision, range(10, 20))
    with forwarder(queueing.path, front.url) as sending:
        until(lambda: queueing.outbox_pending() == 0)
        assert sending.status().dead_letters == 3
        assert sending.status().state is ForwarderState.FORWARDING
    parked = queueing._rows("SELECT id, line, answer FROM dead_letter ORDER BY id")
    assert [(number, row) for number, row, _ in parked] == list(
        zip(range(10 * ROWS + 1, 10 * ROWS + 4), bad, strict=True)
    )
    assert "field type conflict" in parked[0][2]
    assert "invalid number" in parked[1][2]
    rows = influx.select("SELECT variable_0 FROM process WHERE time > 1")
    assert [row["variable_0"] for row in rows] == [d.snapshot.readings["variable_0"].value for d in made]
    assert len(influx.select("SELECT * FROM estimate")) == 20


def test_a_server_that_is_busy_or_broken_is_asked_again(
    queueing: Historian, influx: Influx, front: Front, decision: Make, until: Until
) -> None:
    front.moods = [503, 429, 500, 408]
    record(queueing, decision, range(10))
    with forwarder(queueing.path, front.url) as sending:
        until(lambda: queueing.outbox_pending() == 0)
        assert sending.status().dead_letters == 0
        assert "answered 408" in sending.status().last_error
    assert len(influx.select("SELECT * FROM process")) == 10


def test_a_server_that_closes_every_connection_does_not_get_the_same_rows_for_ever(
    queueing: Historian, influx: Influx, front: Front, decision: Make, until: Until
) -> None:
    front.keeps_alive = False
    record(queueing, decision, range(20))
    with forwarder(queueing.path, front.url, batch_rows=10) as sending:
        until(lambda: queueing.outbox_pending() == 0)
        for minute in range(20, 25):
            record(queueing, decision, range(minute, minute + 1))
            until(lambda: queueing.outbox_pending() == 0)
        time.sleep(0.5)
        assert sending.status().pending == 0
    assert len(influx.select("SELECT * FROM process")) == 25


def test_acknowledged_rows_are_kept_for_a_while_and_then_forgotten(
    queueing: Historian, victoria: Victoria, decision: Make, until: Until
) -> None:
    def kept() -> list[int]:
        return [row for (row,) in queueing._rows("SELECT id FROM outbox ORDER BY id")]

    with forwarder(queueing.path, victoria.url, resend_s=0.6):
        record(queueing, decision, range(10))
        until(lambda: queueing.outbox_pending() == 0)
        assert len(kept()) == 10 * ROWS  # they may have to be sent again
        time.sleep(0.8)
        record(queueing, decision, range(10, 11))
        until(lambda: queueing.outbox_pending() == 0)
        until(lambda: kept()[0] > 50)
        assert kept()[-1] == 11 * ROWS


def test_what_a_full_outbox_drops_is_entered_in_the_ledger(
    path: Path, victoria: Victoria, decision: Make, until: Until
) -> None:
    with Historian(path, outbox=True, outbox_limit=50) as historian:
        made = record(historian, decision, range(21))
        waiting = historian.outbox_pending()
        assert waiting is not None
        assert waiting <= 50
        ledger = historian._rows("SELECT first_id, last_id, first_ms, last_ms, reason FROM dropped ORDER BY first_id")
        dropped = [number for first, last, *_ in ledger for number in range(first, last + 1)]
        assert dropped == list(range(1, 1 + 21 * ROWS - waiting))
        assert ledger[0][2] == to_ms(made[0].time)
        assert "more than 50 rows waited" in ledger[0][4]
        with forwarder(path, victoria.url) as sending:
            until(lambda: historian.outbox_pending() == 0)
            assert sending.status().gaps == len(ledger)
        assert len(historian.decisions("R1", "B1")) == 21  # the historian itself keeps all
    held = stored(victoria)
    assert held
    assert held == {key: values for key, values in numbers(*made).items() if key in held}


def test_every_row_of_the_outbox_is_a_row_of_a_decision(queueing: Historian, decision: Make) -> None:
    made = record(queueing, decision, range(3))
    rows = [row for (row,) in queueing._rows("SELECT line FROM outbox ORDER BY id")]
    assert [row for row in rows if not row.startswith("historian,")] == [
        row for d in made for row in lines(d, samples(d))
    ]
