"""Estimates, snapshots and populations to feed NeuroCore with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.processes.penicillin.model import MODEL
from twin.model import Model
from twin.records import Estimate, Innovation
from twin.signals import Quality, Reading, Snapshot

START = datetime(2026, 1, 1, tzinfo=UTC)
SCAN = timedelta(minutes=5)
QUIET = {"dissolved_oxygen": 0.1, "oxygen_uptake_rate": -0.1}


@pytest.fixture
def snapshot() -> Callable[..., Snapshot]:
    def make(k: float = 0, qualities: Mapping[str, Quality] | None = None, **values: float) -> Snapshot:
        readings = {"dissolved_oxygen": ("%", 90.0), "oxygen_uptake_rate": ("g/(L.h)", 5.0), "feed": ("L/h", 0.04)}
        time = START + k * SCAN
        return Snapshot(
            time,
            {
                name: Reading(values.get(name, value), unit, time, (qualities or {}).get(name, Quality.GOOD))
                for name, (unit, value) in readings.items()
            },
        )

    return make


@pytest.fixture
def estimate() -> Callable[..., Estimate]:
    def make(
        k: float = 0,
        states: Mapping[str, float] | None = None,
        logs: Mapping[str, float] | None = None,
        sd: float = 0.05,
        innovations: Mapping[str, float] | None = None,
        nis: float = 2.0,
        nis_dof: int = 2,
        model: Model = MODEL,
    ) -> Estimate:
        names = tuple(s.name for s in model.states)
        multipliers = tuple(m.name for m in model.multipliers)
        usual = {"biomass": 10.0, "product": 0.8, "substrate": 0.4, "precursor": 1200.0}
        size = len(names) + len(multipliers)
        return Estimate(
            time=START + k * SCAN,
            names=names,
            mean=tuple({**usual, **(states or {})}.get(name, 100.0) for name in names),
            multiplier_names=multipliers,
            log_multipliers=tuple((logs or {}).get(name, 0.0) for name in multipliers),
            covariance=tuple(tuple(sd**2 if i == j else 0.0 for j in range(size)) for i in range(size)),
            inputs={"feed": 0.04},
            innovations={name: Innovation(2.0 * z, 2.0) for name, z in (innovations or QUIET).items()},
            nis=nis,
            nis_dof=nis_dof,
        )

    return make


@pytest.fixture
def group() -> Callable[[int], list[int]]:
    """The processes of a group that are still alive."""

    def members(leader: int) -> list[int]:
        found = []
        for process, status in _processes():
            state, _, process_group = status[:3]
            if int(process_group) == leader and state not in "ZX":
                found.append(process)
        return found

    return members


def _processes() -> Iterator[tuple[int, list[Any]]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        yield int(path.parent.name), text.rsplit(")", 1)[1].split()
