"""The unscented filter: states and log rate multipliers; a late assay rewinds and replays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import numpy as np

from twin import evidence
from twin.model import Array, Model
from twin.records import Estimate, Innovation, Track
from twin.signals import Assay, Plant, Role, Snapshot
from twin.unscented import Unscented, unscented


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the filter treats its evidence; all design."""

    gate_sd: float = 5.0  # a reading further than this from what was expected is an outlier
    patience: int = 6  # so many times in a row; then it is believed, with as much noise as puts it on the gate
    memory_h: float = 24.0  # how far back a late assay can reach
    pull_h: float = math.inf  # time constant with which log multipliers fall back to zero; inf: a random walk
    lead_in_h: float = 1.0  # the prior's correlations are those that this much running gives it


@dataclass(frozen=True, slots=True)
class Filter:
    """The unscented filter of one plant and its model: constants, no state."""

    plant: Plant
    model: Model
    tuning: Tuning = field(default_factory=Tuning)
    arithmetic: Unscented = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arithmetic", unscented(self.model))


Past = Sequence[tuple[Estimate, Snapshot]]
Belief = tuple[Array, Array]  # mean (n) and covariance (n, n) of states and log multipliers


def start(filter: Filter, snapshot: Snapshot) -> Track:
    """The prior, corrected by the first snapshot."""
    kept = replace(snapshot, assays=tuple(a for a in snapshot.assays if a.sampled_at == snapshot.time))
    prior = _prior(filter, snapshot)
    first = _updated(filter, prior, _belief(prior), kept, ())
    return Track(first, ((first, kept),))


def assimilate(filter: Filter, track: Track, snapshot: Snapshot) -> Track:
    """The track after this snapshot: late assays first, each where its sample was drawn, then what was read now.

    Readings of a snapshot that is not newer than the track are not used again; its assays are.
    """
    past = list(track.past)
    changed = len(past)
    for assay in sorted(snapshot.assays, key=lambda a: (a.sampled_at, a.variable)):
        drawn_now = assay.sampled_at == snapshot.time > past[-1][0].time
        if not drawn_now and not _why_not(filter, past, snapshot, assay):
            changed = min(changed, _insert(filter, past, assay))
    for i in range(changed + 1, len(past)):
        past[i] = (_next(filter, past[:i], past[i][1]), past[i][1])
    if snapshot.time > past[-1][0].time:
        kept = replace(snapshot, assays=tuple(a for a in snapshot.assays if a.sampled_at == snapshot.time))
        past.append((_next(filter, past, kept), kept))
    oldest = past[-1][0].time - timedelta(hours=filter.tuning.memory_h)
    keep = [entry for entry in past[:-1] if entry[0].time >= oldest] + past[-1:]
    return Track(keep[-1][0], tuple(keep))


def unused(filter: Filter, track: Track, snapshot: Snapshot) -> dict[str, str]:
    """What this snapshot did not give to `track`, the track after it: by variable, the sentence why."""
    plant, model = filter.plant, filter.model
    reasons: dict[str, str] = {}
    for name in [i.name for i in model.inputs] + [o.name for o in model.outputs]:
        variable = evidence.variable_of(plant, name)
        why = evidence.why_not(variable, snapshot) if variable and variable.role is not Role.ASSAYED else ""
        if why:
            reasons[name] = why
    used = next((estimate for estimate, _ in reversed(track.past) if estimate.time == snapshot.time), None)
    for name in evidence.values(plant, model, snapshot):
        if used and name not in used.innovations:
            reasons[name] = f"{name} lies more than {filter.tuning.gate_sd:g} sd from what was expected"
    for assay in snapshot.assays:
        why = _why_not(filter, track.past, snapshot, assay)
        if why:
            reasons[assay.variable] = why
    return reasons


def _why_not(filter: Filter, past: Past, snapshot: Snapshot, assay: Assay) -> str:
    return evidence.why_not_assay(filter.plant, filter.model, past[0][0].time, snapshot.time, assay)


def _insert(filter: Filter, past: list[tuple[Estimate, Snapshot]], assay: Assay) -> int:
    """Use the assay at its sampling time; the index of the entry that changed, or how many there are if none did."""
    at = max(i for i, (estimate, _) in enumerate(past) if estimate.time <= assay.sampled_at)
    estimate, snapshot = past[at]
    if estimate.time < assay.sampled_at:  # drawn between two scans
        drawn = Snapshot(assay.sampled_at, {}, (assay,))
        past.insert(at + 1, (_next(filter, past[: at + 1], drawn), drawn))
        return at + 1
    if any(a.variable == assay.variable for a in snapshot.assays):
        return len(past)  # a repetition says nothing new
    alone = _updated(filter, estimate, _belief(estimate), Snapshot(estimate.time, {}, (assay,)), ())
    merged = replace(
        alone,
        innovations={**estimate.innovations, **alone.innovations},
        nis=estimate.nis + alone.nis,
        nis_dof=estimate.nis_dof + alone.nis_dof,
    )
    past[at] = (merged, replace(snapshot, assays=(*snapshot.assays, assay)))
    return at


def _next(filter: Filter, past: Past, snapshot: Snapshot) -> Estimate:
    before, seen = past[-1]
    # A sample drawn between scans begins no interval of its own, so what jumps then has jumped already.
    predicted = _predicted(filter, before, snapshot.time - before.time, bool(seen.readings))
    return _updated(filter, before, predicted, snapshot, past)


def _prior(filter: Filter, snapshot: Snapshot) -> Estimate:
    """The model's initial belief, its covariance with the correlations that a short run gives it.

    Without them a multiplier that no measured state shares would have no gain (Iglesias & Bolic, Sensors 2024, 24:653).
    """
    model = filter.model
    sd = np.array([s.initial_sd for s in model.states] + [m.initial_sd for m in model.multipliers])
    bare = Estimate(
        time=snapshot.time,
        names=tuple(s.name for s in model.states),
        mean=tuple(s.initial for s in model.states),
        multiplier_names=tuple(m.name for m in model.multipliers),
        log_multipliers=tuple(0.0 for _ in model.multipliers),
        covariance=_rows(np.diag(sd**2)),
        inputs=evidence.inputs(filter.plant, model, snapshot, {i.name: i.nominal for i in model.inputs}),
        innovations={},
        nis=0.0,
        nis_dof=0,
    )
    _, covariance = _predicted(filter, bare, timedelta(hours=filter.tuning.lead_in_h), False)
    scale = sd / np.sqrt(np.diag(covariance))
    return replace(bare, covariance=_rows(covariance * np.outer(scale, scale)))


def _predicted(filter: Filter, estimate: Estimate, after: timedelta, jumps: bool) -> Belief:
    """The belief so much later if nothing is measured until then."""
    acting, hours = _acting(filter.model, estimate.inputs), after.total_seconds() / 3600
    return filter.arithmetic.predict(*_belief(estimate), acting, hours, jumps, filter.tuning.pull_h)


def _updated(filter: Filter, before: Estimate, predicted: Belief, snapshot: Snapshot, past: Past) -> Estimate:
    """The estimate after the readings and assays of this instant, for which `predicted` was believed."""
    model, (mean, covariance) = filter.model, predicted
    values = evidence.values(filter.plant, model, snapshot)
    acting = evidence.inputs(filter.plant, model, snapshot, before.inputs)
    unread = {"time": snapshot.time, "inputs": acting, "innovations": {}, "nis": 0.0, "nis_dof": 0}
    if not values:
        return _with(before, mean, covariance, unread)
    points, sights = filter.arithmetic.sight(mean, covariance, _acting(model, acting))
    rows = [k for k, output in enumerate(model.outputs) if output.name in values]
    outputs, sights = [model.outputs[k] for k in rows], sights[:, rows]
    expected = np.add.reduce(sights) / len(sights)  # for so few, half of what mean and var take is their preparation
    noise = np.array([o.sd_absolute for o in outputs]) ** 2
    noise += (np.array([o.sd_relative for o in outputs]) * expected) ** 2
    residual = np.array([values[o.name] for o in outputs]) - expected
    variance = np.add.reduce((sights - expected) ** 2) / len(sights) + noise
    # What lies beyond the gate and is believed all the same gets as much noise as puts it on the gate.
    on_gate = (residual / filter.tuning.gate_sd) ** 2
    believed = [k for k, o in enumerate(outputs) if on_gate[k] <= variance[k] or _insists(filter, past, o.name)]
    if not believed:
        return _with(before, mean, covariance, unread)
    noise = (noise + np.maximum(on_gate - variance, 0.0))[believed]
    residual = residual[believed]
    mean, covariance, innovation, nis = filter.arithmetic.correct(mean, points, sights[:, believed], residual, noise)
    sd = np.sqrt(np.diag(innovation))
    innovations = {outputs[k].name: Innovation(float(residual[i]), float(sd[i])) for i, k in enumerate(believed)}
    read = {"innovations": innovations, "nis": nis, "nis_dof": len(believed)}
    return _with(before, mean, covariance, unread | read)


def _insists(filter: Filter, past: Past, name: str) -> bool:
    """True for an assay, and for a reading that was already set aside `patience` times in a row.

    So that an estimate gone astray cannot lock its sensors out for ever.
    """
    variable = evidence.variable_of(filter.plant, name)
    if variable is None or variable.role is Role.ASSAYED:
        return True
    seen = 0
    for estimate, snapshot in reversed(past):
        if name in evidence.values(filter.plant, filter.model, snapshot):
            if name in estimate.innovations:
                return False
            seen += 1
            if seen >= filter.tuning.patience:
                return True
    return False


def _belief(estimate: Estimate) -> Belief:
    return np.array(estimate.mean + estimate.log_multipliers), np.array(estimate.covariance)


def _acting(model: Model, inputs: Mapping[str, float]) -> Array:
    return np.array([inputs[item.name] for item in model.inputs])


def _with(estimate: Estimate, mean: Array, covariance: Array, rest: Mapping[str, Any]) -> Estimate:
    nx = len(estimate.mean)
    return Estimate(
        names=estimate.names,
        mean=tuple(mean[:nx].tolist()),
        multiplier_names=estimate.multiplier_names,
        log_multipliers=tuple(mean[nx:].tolist()),
        covariance=_rows(covariance),
        **rest,
    )


def _rows(covariance: Array) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in covariance.tolist())
