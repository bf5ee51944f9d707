"""What the patient's tests share: the score alone over rows, and whole patients run once a session."""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable, Sequence

import pytest

from controller.patient import scenario
from controller.patient.advice.stability import CHANNELS
from controller.patient.advice.watch import Watch, observe

Rows = Sequence[Sequence[float | None]]
Scored = Callable[[Rows], tuple[list[float], list[int]]]


@pytest.fixture(scope="session")
def scored() -> Scored:
    """The scores of rows (stress, sleep, mood), and the samples at which a review is triggered."""

    def fold(rows: Rows) -> tuple[list[float], list[int]]:
        watch, scores, fired = Watch(), [], []
        for k, row in enumerate(rows):
            watch, value, components = observe(watch, dict(zip(CHANNELS, row, strict=True)))
            scores.append(value)
            if components["low"] or components["fall"]:
                fired.append(k)
        return scores, fired

    return fold


@pytest.fixture(scope="session")
def patient() -> Callable[[str, int], scenario.Scenario]:
    """A patient of an arm through the whole loop, each run once a session."""
    return functools.cache(lambda arm, seed: scenario.run(arm, seed))


@pytest.fixture
def unused_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
