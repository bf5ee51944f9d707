"""The same memory, snapshot, situation and parts give the same Decision, byte for byte, in whichever process."""

from __future__ import annotations

import hashlib
import os
import pickle
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from controller.assembly import Assembly, assemble
from controller.edge.historian import Historian
from controller.edge.historian.wire import encode
from controller.loop.records import Decision
from controller.loop.turn import Memory, turn
from controller.review.replay import replay_one
from controller.sessions import began, settings_of

DRAWN = 200
Case = tuple[Memory, Any, Any]


@pytest.fixture(scope="module")
def made(recorded: SimpleNamespace) -> Assembly:
    with Historian.reader(recorded.path) as history:
        settings = settings_of(history.sessions(recorded.plant)[0][1])
    return assemble(settings)


@pytest.fixture(scope="module")
def cases(recorded: SimpleNamespace, made: Assembly) -> list[Case]:
    """Memories of a recorded batch, each with what was read then, or at any other scan: that is a clock that jumps."""
    with Historian.reader(recorded.path) as history:
        second = history.sessions(recorded.plant)[1][0]
        decisions = [d for n, d in history.numbered(recorded.plant) if n <= second]
    memories, memory = [], Memory(began())
    for decision in decisions:
        memories.append(memory)
        _, memory = turn(memory, decision.snapshot, decision.situation, made.parts)
    draw = random.Random(7)
    drawn = []
    for _ in range(DRAWN):
        k = draw.randrange(len(memories))
        seen: Decision = decisions[k] if draw.random() < 0.6 else draw.choice(decisions)
        drawn.append((memories[k], seen.snapshot, seen.situation))
    return drawn


def digests(cases: list[Case], assembly: Assembly) -> list[str]:
    return [hashlib.sha256(encode(turn(*case, assembly.parts)[0])).hexdigest() for case in cases]


def test_a_turn_depends_on_its_arguments_alone_in_any_order_and_in_another_process(
    cases: list[Case], made: Assembly, recorded: SimpleNamespace, tmp_path: Path
) -> None:
    first = digests(cases, made)
    assert len(set(first)) > DRAWN / 2
    assert digests(cases[::-1], made)[::-1] == first
    (tmp_path / "cases").write_bytes(pickle.dumps((str(recorded.path), recorded.plant, cases)))
    command = [sys.executable, __file__, str(tmp_path / "cases")]
    there = subprocess.run(command, capture_output=True, text=True, timeout=280, cwd=Path.cwd(), env=_here())
    assert there.returncode == 0, there.stderr
    assert there.stdout.split() == first


def _here() -> dict[str, str]:
    """An environment in which a child imports what this process does."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def test_one_decision_is_taken_again_alone(recorded: SimpleNamespace) -> None:
    draw = random.Random(3)
    with Historian.reader(recorded.path) as history:
        times = history.scan_times(recorded.plant, recorded.batch)
        for at in draw.sample(times, 5):
            found = replay_one(history, recorded.plant, recorded.batch, at)
            assert (found.decisions, found.mismatch) == (1, None), at


def _in_another_process(path: Path) -> None:
    historian, plant, drawn = pickle.loads(path.read_bytes())
    with Historian.reader(historian) as history:
        settings = settings_of(history.sessions(plant)[0][1])
    print("\n".join(digests(drawn, assemble(settings))))


if __name__ == "__main__":
    _in_another_process(Path(sys.argv[1]))
