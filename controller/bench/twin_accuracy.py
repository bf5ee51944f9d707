"""How well the twin estimates and forecasts unseen batches of the simulated plant, with its assays late."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import numpy as np

from controller.campaign import campaign, closed_loop
from controller.loop.records import Situation
from controller.processes import Process
from controller.processes.study import Estimation
from plant_sim.faults import Fault
from twin.correction import none
from twin.records import Estimate

FROM_H = 30.0  # before it there is hardly any product to be wrong about
AHEAD_H = (6.0, 12.0, 24.0)  # at which the bands are checked
EVERY_H = 12.0  # a forecast is made
MEMBERS = 64  # of a forecast


@dataclass
class Seen:
    """What one or more batches gave, by state."""

    product: str
    truth: dict[str, list[float]]
    believed: dict[str, list[float]]
    inside: dict[str, list[tuple[bool, bool]]]  # whether the truth was in the bands of 80 and of 95 %
    held: list[float] = field(default_factory=list)  # the last product assay that had arrived
    step_us: list[float] = field(default_factory=list)
    limit: list[float] = field(default_factory=list)  # product as one believes who is told all but its rate


def accuracy(process: Process, seeds: Sequence[int], told: Callable[[str], None]) -> dict[str, Any]:
    """NRMSE of estimates, product error as a share of its range, and the bands' coverage, on recipe batches."""
    study = process.study().estimation
    normal, faulty = _nothing(process, study), _nothing(process, study)
    for k, seed in enumerate(seeds):
        told(f"estimation: batch {seed}")
        _follow(process, seed, normal, None)
        _follow(process, seed, faulty, study.faults[k % len(study.faults)])
    covered = {
        name: {"80": float(np.mean([a for a, _ in rows])), "95": float(np.mean([b for _, b in rows]))}
        for name, rows in normal.inside.items()
    }
    product = normal.truth[process.product]
    return {
        "estimate_nrmse": {name: _nrmse(normal.truth[name], normal.believed[name]) for name in study.judged},
        "product_percent_of_range": {"normal": _of_range(normal), "fault": _of_range(faulty)},
        "product_last_assay_held_nrmse": _nrmse(product, normal.held),
        "product_limit_nrmse": _nrmse(product, normal.limit),
        "coverage": covered,
        "filter_step_us_p50": float(np.median(normal.step_us)),
        "estimation_seeds": list(seeds),
    }


def _nothing(process: Process, study: Estimation) -> Seen:
    truth: dict[str, list[float]] = {name: [] for name in study.judged}
    believed: dict[str, list[float]] = {name: [] for name in study.judged}
    return Seen(process.product, truth, believed, {name: [] for name in study.banded})


def _follow(process: Process, seed: int, into: Seen, fault: Fault | None) -> None:
    """One recipe batch through the filter; its forecasts are checked when their time has come."""
    settings, made = campaign.assembled(process)
    batch = closed_loop.simulated(settings, seed)
    reader = closed_loop.Reader(settings, batch)
    if fault is not None:
        batch.break_(fault)
    pending: list[tuple[float, dict[str, Any]]] = []
    scan_s = settings.connection.scan_s
    track, last, told = None, 0.0, process.study().estimation.informed(scan_s)
    for k in range(round(settings.batch.length_h * 3600.0 / scan_s)):
        hours = k * scan_s / 3600.0
        snapshot, situation = reader.read()
        began = time.perf_counter()
        track = made.parts.engine.assimilate(track, snapshot)
        into.step_us.append(1e6 * (time.perf_counter() - began))
        last = next((a.value for a in snapshot.assays if a.variable == into.product), last)
        truth = batch.truth()
        told.see(batch)
        for assay in snapshot.assays:
            if assay.variable == into.product:
                told.assays[round((assay.sampled_at - closed_loop.START).total_seconds() / scan_s)] = assay.value
        if hours > FROM_H:
            for name in into.truth:
                into.truth[name].append(truth[name])
                into.believed[name].append(track.now[name])
            into.held.append(last)
        if fault is None and hours > FROM_H:
            pending = _check(pending, hours, truth, into)
            if abs(hours % EVERY_H) < 1e-9 and hours + max(AHEAD_H) < settings.batch.length_h:
                pending += _foreseen(made, track.now, situation, hours)
        batch.advance(scan_s)
    into.limit += told.estimates()[1 + round(FROM_H * 3600.0 / scan_s) :].tolist()


def _foreseen(made: Any, estimate: Estimate, situation: Situation, hours: float) -> list[tuple[float, dict[str, Any]]]:
    """(hour, bands) of what the loop expects if nothing is changed, from the estimate alone.

    What the recipe will do is foreseen with it: a feed that has not begun begins when its latch opens. The correction
    has no say, so that multipliers keep their estimates: one that says zero would pull them to the nominal plant.
    """
    nothing, plan, found = none(()), made.parts.loop.hold(estimate, situation), []
    for ahead in AHEAD_H:
        until = replace(plan, end=estimate.time + timedelta(hours=ahead))
        forecast = made.parts.engine.forecast(estimate, nothing, until, MEMBERS)
        found.append((hours + ahead, dict(forecast.bands)))
    return found


def _check(
    pending: list[tuple[float, dict[str, Any]]], hours: float, truth: Any, into: Seen
) -> list[tuple[float, dict[str, Any]]]:
    for due, bands in pending:
        if abs(due - hours) < 1e-6:
            for name, inside in into.inside.items():
                band = bands[name]
                at80 = band.low80[-1] <= truth[name] <= band.high80[-1]
                at95 = band.low95[-1] <= truth[name] <= band.high95[-1]
                inside.append((at80, at95))
    return [(due, bands) for due, bands in pending if due > hours + 1e-6]


def _nrmse(truth: Sequence[float], believed: Sequence[float]) -> float:
    true = np.array(truth)
    return float(np.sqrt(np.mean((np.array(believed) - true) ** 2)) / true.std())


def _of_range(seen: Seen) -> float:
    true, believed = np.array(seen.truth[seen.product]), np.array(seen.believed[seen.product])
    return float(100.0 * np.sqrt(np.mean((believed - true) ** 2)) / (true.max() - true.min()))
