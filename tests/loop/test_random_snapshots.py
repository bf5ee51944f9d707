"""Whatever the plant sends, a turn never raises, never commands outside its envelope, and never teaches the network.

Each random snapshot is spoilt in at least one way: values that are no numbers, of wrong kinds, or far too large;
readings that are missing, stale, ahead, or without a zone; a clock that stands still, goes back, or leaps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from controller.assembly import assemble
from controller.edge.historian.wire import decode, encode
from controller.loop.mode_ladder import Ladder
from controller.loop.records import Decision, Intent, Mode, Move, Proposal, Situation, Suggestion
from controller.loop.turn import Loop, Memory, turn
from controller.neurocore.core import NeuroCore
from controller.processes import find
from controller.processes.penicillin.plant import DESIGN as PENICILLIN
from controller.settings import load
from plant_sim.batch import Batch
from twin.signals import Assay, Quality, Reading, Role, Snapshot

START = datetime(2026, 1, 1, tzinfo=UTC)
SCAN, HOUR = timedelta(minutes=5), timedelta(hours=1)
SNAPSHOTS = 10  # in a row, from one healthy beginning
WRONG: list[Any] = [math.nan, math.inf, -math.inf, 1e308, -1e308, "42", None, True, [1.0], {}, 1j, b"1", 10**400]
CLOCKS = [
    timedelta(0), -SCAN, -timedelta(days=1), timedelta(days=3), timedelta(days=40_000), -timedelta(days=3000),
    timedelta(hours=3), timedelta(microseconds=1), SCAN, SCAN, SCAN,
]  # fmt: skip
KINDS = ("accept", "reject", "mode", "modify", "propose", "hold", "restart", "stop", "abort", "ack", "shelve", "sample")


@dataclass
class Wild:
    """A loop that proposes whatever comes next in its list: safety must not rely on a loop that means well."""

    sober: Loop
    k: int = 0

    def hold(self, estimate: Any, situation: Situation) -> Any:
        return self.sober.hold(estimate, situation)

    def propose(self, estimate: Any, insight: Any, baseline: Any, situation: Situation, remembered: object) -> Proposal:
        self.k += 1
        name = ("feed", "precursor_feed", "moon")[self.k % 3]
        value = (0.0006, 0.044, math.nan, 1e9, -1.0, 0.0009, 0.037)[self.k % 7]
        moves = (Move(name, value, "L/h", math.nan),)
        made, key = estimate.time, f"S{self.k % 2}"
        return Proposal(Suggestion(key, made, made + 8 * HOUR, "setpoints", moves, baseline.plan, "because", None))


@dataclass
class Brief:
    """The twin with a small ensemble, so that ten thousand turns take minutes."""

    engine: Any

    def assimilate(self, track: Any, snapshot: Snapshot) -> Any:
        return self.engine.assimilate(track, snapshot)

    def forecast(self, estimate: Any, correction: Any, plan: Any) -> Any:
        return self.engine.forecast(estimate, correction, plan, 8)


class Healthy(SimpleNamespace):
    """Where every row of random snapshots begins."""

    def __repr__(self) -> str:
        return "Healthy()"  # hypothesis prints it, and NeuroCore's weights are long


@pytest.fixture(scope="module")
def healthy() -> Iterator[Healthy]:
    """The penicillin loop as it is shipped, in auto after an hour of a simulated batch, and what it saw last."""
    shipped = load(find("penicillin").configuration)
    parts = assemble(replace(shipped, neurocore=replace(shipped.neurocore, backend="reference"))).parts
    assert isinstance(parts.core, NeuroCore)
    nodes = {v.node: v for v in shipped.variables if v.role is not Role.ASSAYED}
    batch, memory, snapshot = (
        Batch(PENICILLIN, 1, scan_s=SCAN.total_seconds()),
        Memory(Ladder(Mode.SHADOW, "test")),
        None,
    )
    for k in range(13):
        batch.advance(SCAN.total_seconds())
        time = START + (k + 1) * SCAN
        readings = {
            v.name: Reading(float(batch.signals[node].value), v.unit, time, Quality.GOOD) for node, v in nodes.items()
        }
        snapshot = Snapshot(time, readings)
        decision, memory = turn(memory, snapshot, situation(), parts)
    assert not decision.situation.faults
    memory = replace(memory, ladder=Ladder(Mode.AUTO, "test"))
    parts = replace(parts, loop=Wild(parts.loop), engine=Brief(parts.engine))
    with parts.core:
        yield Healthy(parts=parts, memory=memory, snapshot=snapshot, nodes=nodes, core=parts.core.snapshot())


def situation(**changed: Any) -> Situation:
    setpoints = {"feed": 0.0, "precursor_feed": 0.00045}
    given = Situation("B", "growth", START + timedelta(hours=60), setpoints, local=setpoints, batch_start=START)
    return replace(given, **changed)


values = st.one_of(st.sampled_from(WRONG), st.floats(), st.floats(0, 100))
spoils = st.one_of(
    st.tuples(st.just("value"), st.sampled_from(WRONG)),
    st.tuples(st.just("quality"), st.sampled_from([Quality.BAD, Quality.UNCERTAIN, "good", 0, None])),
    st.tuples(st.just("unit"), st.sampled_from(["furlong", "", None])),
    st.tuples(st.just("time"), st.sampled_from([None, datetime(2026, 1, 1), START - timedelta(days=9), "now"])),
    st.tuples(st.just("missing"), st.just(None)),
    st.tuples(st.just("reading"), st.sampled_from([None, 42.0, "42"])),
)
requests = st.builds(
    lambda kind, value, name: Intent(
        kind, "ada", START, suggestion="S1", mode=Mode.AUTO, moves={name: value}, alarm="oxygen_low", hours=value
    ),
    st.sampled_from(KINDS), st.floats(), st.sampled_from(["feed", "precursor_feed", "moon"]),
)  # fmt: skip
assays = st.builds(
    lambda value, days: Assay("substrate", value, "g/L", START + timedelta(days=days), START),
    st.sampled_from([math.nan, math.inf, -5.0, 1e308, "3", None, 2.0]), st.sampled_from([-9000, -1, 0, 30, 900_000]),
)  # fmt: skip
steps = st.lists(
    st.fixed_dictionaries(
        {
            "clock": st.sampled_from(CLOCKS),
            "spoilt": st.lists(st.tuples(st.integers(0, 5), spoils), min_size=1, max_size=4),
            "others": st.lists(st.tuples(st.integers(0, 20), values), max_size=4),
            "phase": st.sampled_from(["growth", "production", "complete", "", "moon"]),
            "setpoint": st.one_of(st.just(0.00045), values),
            "intents": st.lists(requests, max_size=2),
            "assays": st.one_of(st.just(()), st.tuples(assays)),
            "zone": st.sampled_from([UTC, UTC, UTC, None]),
        }
    ),
    min_size=SNAPSHOTS,
    max_size=SNAPSHOTS,
)


def spoilt(reading: Reading, how: str, what: Any, time: datetime) -> Any:
    if how in ("missing", "reading"):
        return what
    return replace(reading, **{"time": time, how: what})


def moved_by(time: datetime, step: timedelta) -> datetime:
    try:
        return time + step
    except OverflowError:
        return time


def snapshot_of(healthy: Healthy, step: Any, time: datetime) -> Snapshot:
    """The healthy snapshot at this time, spoilt in the ways that were drawn."""
    readings: dict[str, Any] = {n: replace(r, time=time) for n, r in healthy.snapshot.readings.items()}
    names = sorted(readings)
    for k, value in step["others"]:
        readings[names[k % len(names)]] = replace(
            healthy.snapshot.readings[names[k % len(names)]], value=value, time=time
        )
    evidence = healthy.parts.envelope.evidence
    for k, (how, what) in step["spoilt"]:
        name = evidence[k % len(evidence)]
        readings[name] = spoilt(healthy.snapshot.readings[name], how, what, time)
    given_up = {n: r for n, r in readings.items() if r is not None or n not in evidence}
    return Snapshot(time.replace(tzinfo=step["zone"]), given_up, step["assays"])


def hold(decision: Decision, before: Memory, healthy: Healthy) -> None:
    """What must be true of every Decision, however mad its snapshot."""
    limits = {x.variable: x for x in healthy.parts.envelope.limits}
    if decision.command is not None and decision.command != before.standing:
        for move in decision.command.moves:
            limit = limits[move.variable]
            assert limit.low <= move.value <= limit.high
            assert abs(move.value - move.previous) <= limit.max_step * (1 + 1e-9)
    assert not decision.insight.learned
    assert all(map(math.isfinite, decision.estimate.mean))


def run(healthy: Healthy, drawn: list[Any]) -> None:
    healthy.parts.core.restore(healthy.core)
    healthy.parts.loop.k = 0
    memory, time = healthy.memory, healthy.snapshot.time
    kept = len(healthy.core["lessons_kept"]["kept"])
    for step in drawn:
        time = moved_by(time, step["clock"])
        present = situation(
            phase=step["phase"],
            setpoints={"feed": 0.042, "precursor_feed": step["setpoint"]},
            intents=tuple(step["intents"]),
        )
        before = memory
        decision, memory = turn(memory, snapshot_of(healthy, step, time), present, healthy.parts)
        hold(decision, before, healthy)
    assert encode(decode(encode(decision))) == encode(decision)
    assert len(healthy.parts.core.snapshot()["lessons_kept"]["kept"]) == kept


WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
RELAXED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=20, suppress_health_check=RELAXED, phases=WITHOUT_SHRINKING)
@given(drawn=steps)
def test_two_hundred_random_snapshots_do_no_harm(healthy: Healthy, drawn: list[Any]) -> None:
    run(healthy, drawn)


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
@settings(max_examples=1000, suppress_health_check=RELAXED, phases=WITHOUT_SHRINKING)
@given(drawn=steps)
def test_ten_thousand_random_snapshots_do_no_harm(healthy: Healthy, drawn: list[Any]) -> None:
    run(healthy, drawn)
