"""Streams to judge learners by: successive batches on one simulated reactor, as the loop sees them, with the truth.

How a reactor differs from its twin, and how its batches are moved, is in the study of its process. Half of the batches
follow the recipe, half a script. The truth is for the judge alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.bench.trial import Trial
from controller.processes.study import Script, Stream
from plant_sim.batch import Batch
from twin.engine import TwinEngine
from twin.records import Estimate
from twin.signals import Assay, Quality, Reading, Role, Snapshot

START = datetime(2026, 1, 1, tzinfo=UTC)
SCAN_H = 1 / 12
PLANT_SCAN_S = 100.0  # local loops three times slower than usual, which pH and temperature do not notice (design)
RECIPE = Script()


@dataclass(frozen=True, slots=True)
class Scan:
    """What the loop sees and believes at one instant, and what is true."""

    hours: float
    snapshot: Snapshot
    estimate: Estimate
    truth: Mapping[str, float]  # states by the twin's names, and the log multipliers that have a true value


def batch(
    trial: Trial, engine: TwinEngine, vessel: Any, seed: int, moves: Script, until_h: float | None = None
) -> Iterator[Scan]:
    """One batch of this vessel, scan by scan, as the filter follows it; to its end by default."""
    stream = trial.stream
    simulated = Batch(trial.process.design(), seed, vessel=vessel, scan_s=PLANT_SCAN_S)
    known: dict[str, float] = {}
    track = None
    for k in range(round((until_h or trial.length_h) / SCAN_H) + 1):
        seen = _snapshot(simulated, k * SCAN_H, known, stream)
        track = engine.assimilate(track, seen)
        truth = simulated.truth() | dict(stream.ratios(simulated))
        yield Scan(k * SCAN_H, seen, track.now, truth)
        _move(simulated, moves, k, stream)
        simulated.advance(3600.0 * SCAN_H)


def _move(simulated: Batch, moves: Script, scan: int, stream: Stream) -> None:
    """Write what the script asks for, once the batch is being fed."""
    shares, local = moves.at(scan * SCAN_H), simulated.local_setpoints()
    if shares is None or local[_pump(stream, stream.begins)] <= 0.0:
        return
    simulated.lease.beat(scan + 1, simulated.elapsed_s)
    for name, share in shares.items():
        pump = _pump(stream, name)
        simulated.lease.remote[pump] = share * local[pump]
        simulated.lease.valid_until_s[pump] = simulated.elapsed_s + 3600.0


def _pump(stream: Stream, name: str) -> str:
    return stream.tags[name].partition(".")[0]


def _snapshot(simulated: Batch, hours: float, known: dict[str, float], stream: Stream) -> Snapshot:
    time = START + timedelta(hours=hours)
    assays, readings = [], {}
    for variable in stream.plant.variables:
        name, tag = variable.name, stream.tags[variable.name]
        if variable.role is not Role.ASSAYED:
            readings[name] = Reading(simulated.signals[tag].value, variable.unit, time, Quality.GOOD)
            continue
        result = simulated.laboratory.results.get(tag)
        if result and result.signal.value is not None and known.get(name) != result.sampled_s:
            known[name] = result.sampled_s
            sampled = START + timedelta(seconds=result.sampled_s)
            assays.append(Assay(name, result.signal.value, variable.unit, sampled, time))
    return Snapshot(time, readings, tuple(assays))
