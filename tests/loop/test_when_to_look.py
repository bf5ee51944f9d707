"""When the loop looks ahead: by time, at a change of mode, batch or phase, and when a laboratory result came in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.loop.batch import Condition, Phase, Recipe
from controller.loop.mode_ladder import Ladder
from controller.loop.records import Mode
from twin.signals import Assay

HOUR, SCAN = timedelta(hours=1), timedelta(minutes=5)


@pytest.fixture
def bench(bench_of: Any) -> Any:
    return bench_of(Mode.ADVISORY)


def test_the_first_scan_looks_ahead_and_the_next_when_it_is_due(bench: Any) -> None:
    looks = []
    for _ in range(26):
        bench.scan()
        looks.append(bench.script.looks)
    assert looks == [1] * 12 + [2] * 12 + [3] * 2


@pytest.mark.parametrize(
    ("before", "wanted", "looks"),
    [
        (Mode.SHADOW, Mode.ADVISORY, 2),
        (Mode.ADVISORY, Mode.SHADOW, 2),
        (Mode.ADVISORY, Mode.AUTO, 2),
        (Mode.ADVISORY, Mode.ADVISORY, 1),
        (Mode.ADVISORY, Mode.OFF, 1),
        (Mode.OFF, Mode.SHADOW, 1),
    ],
)
def test_a_change_of_mode_looks_anew_and_off_never_does(bench_of: Any, before: Mode, wanted: Mode, looks: int) -> None:
    bench = bench_of(before)
    bench.scan()
    bench.scan(bench.asks("mode", mode=wanted))
    assert bench.script.looks == looks


def test_a_demotion_looks_anew(bench_of: Any) -> None:
    bench = bench_of(Mode.AUTO)
    bench.script.proposal = None
    bench.scan()
    bench.scan(conditions={"loop.readback": "it differs"})
    assert bench.script.looks == 2


def test_a_result_from_the_laboratory_looks_anew(bench: Any) -> None:
    bench.scan()
    bench.scan(assays=(Assay("product", 1.0, "g/L", bench.time, bench.time),))
    assert bench.script.looks == 2
    bench.scan()
    assert bench.script.looks == 2


def test_a_phase_that_begins_looks_anew(bench_of: Any) -> None:
    phases = [Phase(name, name, (Condition("phase_h", ">=", 0.25),)) for name in ("a", "b")]
    bench = bench_of(Mode.ADVISORY, recipe=Recipe(tuple(phases)))
    looks = []
    for _ in range(6):
        bench.scan()
        looks.append(bench.script.looks)
    assert looks == [1, 1, 1, 2, 2, 2]


def test_a_batch_that_is_held_looks_anew_and_so_does_one_that_runs_again(bench_of: Any) -> None:
    bench = bench_of(Mode.ADVISORY, recipe=Recipe())
    bench.scan()
    bench.scan(bench.asks("hold"))
    assert bench.decision.proposal.reason.startswith("the batch is holding")
    bench.scan(bench.asks("stop"))
    assert bench.decision.proposal.reason == "the batch is stopping: stop by ada: because"


def test_a_twin_that_cannot_look_ahead_says_so_and_closes_what_was_open(bench: Any) -> None:
    assert bench.scan().open
    bench.script.fault = ArithmeticError("the step size vanished")
    blind = bench.scan(after=HOUR)
    assert blind.notes == ("no look ahead was possible: the step size vanished",)
    assert (blind.open, blind.proposal.id) == (False, "S1")
    assert not bench.scan(bench.asks("accept")).rulings[0].granted
    bench.script.fault = None
    assert bench.scan(after=HOUR).open


def test_a_twin_that_never_could_look_ahead_has_nothing_to_show(bench: Any) -> None:
    bench.script.fault = ArithmeticError("the step size vanished")
    blind = bench.scan()
    assert (blind.baseline, blind.proposal, blind.proposed, blind.verdict, blind.open) == (None,) * 4 + (False,)
    assert blind.notes == ("no look ahead was possible: the step size vanished",)


def test_off_keeps_showing_the_last_look_ahead(bench: Any) -> None:
    shown = bench.scan()
    bench.memory = replace(bench.memory, ladder=Ladder(Mode.OFF, "test"))
    off = bench.scan(after=5 * HOUR)
    assert (off.baseline, off.proposal, off.verdict) == (shown.baseline, shown.proposal, shown.verdict)
    assert not off.open
