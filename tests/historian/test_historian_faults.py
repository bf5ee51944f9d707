"""A historian survives its process, shares its file with readers only, and says in one sentence what is wrong."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from controller.edge.historian import Historian, HistorianFault
from controller.edge.historian.wire import encode
from controller.loop.records import Decision
from twin.records import Forecast

Make = Callable[..., Decision]
ROOT = Path(__file__).parents[2]

RECORD_FOR_EVER = """
import sys
from dataclasses import replace
from datetime import timedelta
from controller.edge.historian import Historian
from controller.edge.historian.wire import decode
made = decode(sys.stdin.buffer.read())
historian = Historian(sys.argv[1], outbox=True)
number = 0
while True:
    number += 1
    historian.record(replace(made, time=made.time + timedelta(seconds=number), mode_reason=str(number)), {"n": number})
    print(number, flush=True)
"""


def one_sentence(fault: HistorianFault, path: Path) -> str:
    text = str(fault)
    assert str(path) in text
    assert fault.path == path
    assert fault.mend in text
    assert "\n" not in text
    return text


@pytest.mark.parametrize("after", [3, 150])
def test_a_killed_recorder_loses_nothing_that_was_committed(path: Path, decision: Make, after: int) -> None:
    command = [sys.executable, "-c", RECORD_FOR_EVER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(encode(decision()))
        process.stdin.close()
        told = [process.stdout.readline() for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    committed = int([line for line in told if line.endswith(b"\n")][-1])
    with Historian(path) as historian:
        historian.check()
        kept = historian.decisions("R1", "B1")
        assert [d.mode_reason for d in kept] == [str(i + 1) for i in range(len(kept))]
        assert len(kept) in (committed, committed + 1)  # it may have been killed between the commit and the word
        assert historian.core_state("R1") == {"n": len(kept)}
        assert historian.outbox_pending() == 8 * len(kept)
        assert len(historian.trend("R1", "B1", ["process.variable_0"])["process.variable_0"]) == len(kept)


def test_a_second_writer_is_told_who_the_first_one_is(historian: Historian, path: Path) -> None:
    with pytest.raises(HistorianFault, match=f"another controller .process {os.getpid()}.") as caught:
        Historian(path)
    one_sentence(caught.value, path)
    historian.close()
    Historian(path).close()


def test_a_second_process_cannot_write_either(historian: Historian, path: Path) -> None:
    attempt = f"from controller.edge.historian import Historian; Historian({str(path)!r})"
    ended = subprocess.run([sys.executable, "-c", attempt], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert ended.returncode != 0
    assert f"process {os.getpid()}" in ended.stderr


def test_readers_stay_free_and_cannot_write(historian: Historian, path: Path, decision: Make) -> None:
    with Historian.reader(path) as one, Historian.reader(path) as other:
        historian.record(decision(0))
        for reader in (one, other):
            assert reader.counts() == historian.counts() > 0
        with pytest.raises(HistorianFault, match="readonly"):
            one._rows("DELETE FROM decision")


def test_a_reader_does_not_wait_for_an_open_transaction(historian: Historian, path: Path, decision: Make) -> None:
    historian.record(decision(0))
    historian._writing.execute("BEGIN IMMEDIATE")
    historian._writing.execute("DELETE FROM decision")
    with Historian.reader(path) as reader:
        assert reader.last_decision("R1") is not None
    historian._writing.execute("ROLLBACK")


def test_threads_may_read_while_another_records(historian: Historian, decision: Make) -> None:
    failures: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(50):
                historian.trend("R1", "B1", ["process.variable_0"], buckets=10)
                historian.last_decision("R1")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for minute in range(50):
        historian.record(decision(minute))
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(historian.decisions("R1", "B1")) == 50


def test_a_full_disk_is_named_and_costs_only_the_turn_that_did_not_fit(historian: Historian, decision: Make) -> None:
    historian.record(decision(0))
    pages = historian._writing.execute("PRAGMA page_count").fetchone()[0]
    historian._writing.execute(f"PRAGMA max_page_count = {pages}")
    stored = ["B1"]
    for minute in range(1, 60):
        try:
            historian.record(decision(minute, batch=f"B{minute}x"))
            stored.append(f"B{minute}x")
        except HistorianFault as fault:
            assert "cannot grow" in one_sentence(fault, historian.path)
    assert len(stored) < 30
    historian._writing.execute(f"PRAGMA max_page_count = {10 * pages}")
    historian.record(decision(99, batch="B59x"))  # a batch whose first turn was rolled back
    historian.check()
    assert len(historian.trend("R1", "B59x", ["process.variable_0"])["process.variable_0"]) == 1
    assert historian.batches("R1") == [*stored, "B59x"]


def test_a_turn_that_could_not_be_stored_leaves_nothing_behind(
    historian: Historian, decision: Make, forecast: Callable[..., Forecast]
) -> None:
    historian._writing.execute(
        "CREATE TRIGGER trouble BEFORE INSERT ON core_state BEGIN SELECT RAISE(ABORT, 'trouble'); END"
    )
    made = decision(0, baseline=forecast(5))
    with pytest.raises(HistorianFault, match="trouble"):
        historian.record(made, {"n": 1})  # what NeuroCore learned is stored last, after samples and forecasts
    assert historian.counts() == 0
    historian._writing.execute("DROP TRIGGER trouble")
    historian.record(made, {"n": 1})
    [kept] = historian.decisions("R1", "B1")
    assert kept.baseline == made.baseline
    assert len(historian.trend("R1", "B1", ["process.variable_0"])["process.variable_0"]) == 1


def test_a_newer_schema_is_refused_and_left_alone(path: Path, decision: Make) -> None:
    with Historian(path) as historian:
        historian.record(decision(0))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE schema_version SET version = 99")
    before = path.read_bytes()
    for attempt in (Historian, Historian.reader):
        with pytest.raises(HistorianFault, match=r"schema is 99, this version knows \d") as caught:
            attempt(path)
        one_sentence(caught.value, path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE recipe (name TEXT)")
    with pytest.raises(HistorianFault, match="is a database of something else"):
        Historian(path)


def test_a_file_that_is_no_database_is_refused_and_kept(path: Path) -> None:
    path.write_text("time,ph\n2026-01-01,6.5\n" * 100)
    for attempt in (Historian, Historian.reader):
        with pytest.raises(HistorianFault, match="is not a historian") as caught:
            attempt(path)
        one_sentence(caught.value, path)
    assert path.read_text().startswith("time,ph")


def test_a_damaged_file_is_named_and_found_by_a_check(path: Path, decision: Make) -> None:
    with Historian(path) as historian:
        for minute in range(50):
            historian.record(decision(minute))
    content = bytearray(path.read_bytes())
    content[4096 * 3 :] = os.urandom(len(content) - 4096 * 3)
    path.write_bytes(content)
    with pytest.raises(HistorianFault, match="is damaged") as caught, Historian.reader(path) as reader:
        reader.check()
        reader.decisions("R1", "B1")
    assert "restore a copy" in one_sentence(caught.value, path)


def test_a_damaged_record_in_a_sound_file_is_named_too(historian: Historian, decision: Make) -> None:
    historian.record(decision(0))
    historian._writing.execute("UPDATE decision SET body = substr(body, 1, length(body) - 9)")
    for read in (lambda: historian.last_decision("R1"), lambda: historian.snapshots("R1", "B1")):
        with pytest.raises(HistorianFault, match="holds a record that cannot be read"):
            read()


def test_a_historian_that_does_not_exist_cannot_be_read_and_is_not_made(path: Path) -> None:
    with pytest.raises(HistorianFault, match="does not exist"):
        Historian.reader(path)
    assert not path.exists()


def test_folders_are_made_and_a_place_that_cannot_be_is_named(tmp_path: Path) -> None:
    Historian(tmp_path / "var" / "deep" / "plant.sqlite").close()
    (tmp_path / "file").write_text("")
    with pytest.raises(HistorianFault, match="cannot be opened") as caught:
        Historian(tmp_path / "file" / "plant.sqlite")
    one_sentence(caught.value, tmp_path / "file" / "plant.sqlite")
