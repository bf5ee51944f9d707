"""The benches of the wire and of the loop run over real processes and say what the command line promises."""

from __future__ import annotations

from controller.bench import loop, opcua
from controller.processes import find, shipped

PROCESS = find(shipped()[-1])  # any will do


def test_the_cost_of_the_wire_is_told_for_each_size() -> None:
    said: list[str] = []
    found = opcua.measured(PROCESS, said.append, calls=8, watch_s=2.0, sizes=(5, 20))
    for name in ("read_p50", "read_p99", "write_p50", "client_cpu_percent", "subscription_cpu_percent"):
        assert set(found[name]) == {"5", "20"}
        assert all(0.0 <= figure < 10_000.0 for figure in found[name].values())
    assert found["client_cpu_percent_20"] == found["client_cpu_percent"]["20"] < 100.0
    assert len(said) == 4


def test_the_cost_of_a_turn_is_told_apart_from_that_of_looking_ahead() -> None:
    found = loop.measured(PROCESS, lambda line: None, scans=16, backend="reference")
    assert found["backend"] == "reference"
    assert 0.0 < found["turn_p50"] <= found["turn_p99"]
    assert found["read_p50"] + found["turn_p50"] <= 1.5 * found["scan_p50"]
    assert found["planning_p50"] > found["turn_p50"]
    assert found["scans"] < 16
    assert found["tags"] >= 30
