"""Each fault of docs/reference/faults.md by its name: it is noticed in time, and no hard limit is broken.

The short form is one batch; the campaign of 20 seeds is `neurotwin bench faults`, here under the benchmark mark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from controller.assembly import assemble
from controller.bench import faults as bench
from controller.bench.connection import lost_connection
from controller.bench.outcome import CONNECTION, Outcome
from controller.bench.rig import Rig
from controller.processes import find, shipped

SEED, AT_H = 11, 50.0
PROCESS = find("penicillin")


@dataclass(frozen=True)
class Batch:
    """A batch without faults so far, and what is told of it anyway."""

    rig: Rig
    usual: frozenset[str]

    def outcome(self, name: str, within_h: float) -> Outcome:
        return bench.outcome(self.rig, name, SEED, self.usual, within_h)


@pytest.fixture(scope="module")
def batch() -> Batch:
    of = bench.settings(PROCESS)
    rig = bench.rehearsed(of, assemble(of), SEED, AT_H)
    return Batch(rig, bench.watch_healthy(rig, 3.0))


@pytest.fixture
def noticed(batch: Batch) -> Callable[..., Outcome]:
    """Watch a fault; it is noticed within so many hours, among others by this, and no hard limit is broken."""

    def watch(name: str, within_h: float, by: str = "") -> Outcome:
        found = batch.outcome(name, within_h + bench.AFTER_H)
        assert found.hours is not None, f"{name} was not noticed within {within_h} h"
        assert found.hours <= within_h
        assert not by or by in found.by
        assert found.broken == ()
        return found

    return watch


def test_sensor_drift(noticed):
    noticed("sensor_drift", 12.0)


def test_sensor_bias(noticed):
    noticed("sensor_bias", 2.0)


def test_sensor_noise(noticed):
    noticed("sensor_noise", 3.0)


def test_sensor_freeze(noticed):
    found = noticed("sensor_freeze", 0.75, "quality of dissolved_oxygen")
    assert found.mode == "advisory"


def test_sensor_drop_out(noticed):
    noticed("sensor_drop_out", 1.0, "quality of dissolved_oxygen")


def test_bad_status(noticed):
    found = noticed("bad_status", 0.1, "quality of carbon_dioxide_evolution_rate")
    assert found.mode == "advisory"


def test_not_a_number(noticed):
    found = noticed("not_a_number", 0.1, "quality of weight")
    assert found.mode == "advisory"


def test_pump_under_delivery(noticed):
    found = noticed("pump_under_delivery", 0.5, "alarm delivery_off")
    assert found.mode == "advisory"


def test_stuck_valve(noticed):
    noticed("stuck_valve", 3.0)


def test_kla_loss(noticed):
    noticed("kla_loss", 3.0)


def test_foam(noticed):
    noticed("foam", 2.0)


def test_contamination(noticed):
    noticed("contamination", 6.0)


def test_utility_failure(noticed):
    noticed("utility_failure", 0.5)


def test_wrong_assay(noticed):
    noticed("wrong_assay", 14.5)


@pytest.mark.parametrize("process", [find(name) for name in shipped()], ids=lambda process: process.name)
def test_connection_loss(process):
    found = lost_connection(bench.settings(process), SEED)
    assert found.hours is not None
    assert found.hours <= 0.1
    assert found.broken == ()


def test_every_fault_of_the_table_has_its_test():
    named = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert set(bench.known(PROCESS)) <= named
    unstudied = [process for process in map(find, shipped()) if not process.studied]
    assert all(bench.known(process) == (CONNECTION,) for process in unstudied)


@pytest.mark.benchmark
@pytest.mark.timeout(7200)
def test_all_faults_over_twenty_seeds():
    found = bench.faults(PROCESS, print, range(500, 520))
    for name, row in found["faults"].items():
        assert row["detected"] >= 18, name
        assert row["limits_broken"] == 0, name
