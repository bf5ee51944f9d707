"""The practical limit: the same optimiser, with the simulated vessel's own equations and its true state.

It knows each batch's constants and the disturbance of this hour, which it expects to fade as it does; what is still to
come it does not know either.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from controller.campaign.closed_loop import Scan, setpoints
from controller.loop.envelope import Bound, Envelope
from controller.processes.truth import FADE_H, Truth
from controller.settings import Settings, process_of
from plant_sim.batch import Batch
from plant_sim.recipe import PlantPhase
from twin.collocation import Control, Problem
from twin.integrate import course
from twin.model import Array, Model
from twin.optimise import Optimiser, Optimum, Start, later
from twin.records import Latch

LEASE_H = 2.0  # of what it sets, which it sets anew every hour


def steered(settings: Settings, batch: Batch, envelope: Envelope, every_h: float = 1.0) -> Iterator[Scan]:
    """The batch under the oracle, one scan an hour."""
    process = process_of(settings)
    truth, latch = process.truth(), process.latch
    bounds = tuple(bound for bound in envelope.bounds if bound.variable in truth.bounded)
    optimiser = _optimiser(settings, batch, truth, bounds)
    last: Optimum | None = None
    for k in range(round(settings.batch.length_h / every_h)):
        start = _start(optimiser, settings, batch, truth, latch, k * every_h, bounds)
        found = optimiser.solve(start, later(last, every_h) if last is not None else None)
        last = found if found.solved else None
        _write(settings, batch, k, dict(zip(truth.controls, found.controls[0].tolist(), strict=True)), latch)
        batch.advance(3600.0 * every_h)
        yield Scan((k + 1) * every_h, batch.truth(), setpoints(settings, batch))


def _optimiser(settings: Settings, batch: Batch, truth: Truth, bounds: tuple[Bound, ...]) -> Optimiser:
    limits = [settings.limits[name] for name in truth.controls]
    controls = tuple(
        Control(name, limit.low, limit.high, limit.max_rate_per_h)
        for name, limit in zip(truth.controls, limits, strict=True)
    )
    named = tuple(bound.variable for bound in bounds)
    return Optimiser(Problem(truth.model(batch.memory()), controls, named, named, span_h=settings.batch.length_h))


def _start(
    optimiser: Optimiser,
    settings: Settings,
    batch: Batch,
    truth: Truth,
    latch: Latch | None,
    hours: float,
    bounds: tuple[Bound, ...],
) -> Start:
    model, true = optimiser.problem.model, batch.truth()
    state = np.array([true.get(s.name, hours) for s in model.states])
    held = np.array([item.nominal for item in model.inputs])
    left_h = settings.batch.length_h - hours
    waits = latch is not None and batch.phase is not PlantPhase.PRODUCTION
    release_h = _release(model, latch, state, held, left_h) if latch is not None and waits else 0.0
    edges = optimiser.edges(left_h, release_h)
    middle = 0.5 * (edges[:-1] + edges[1:])
    active, n = setpoints(settings, batch), len(middle)
    controls = optimiser.problem.controls
    low, high = (np.tile([getattr(c, side) for c in controls], (n, 1)) for side in ("low", "high"))
    if latch is not None:
        closed, i = edges[:-1] < release_h - 1e-9, truth.controls.index(latch.input)
        low[closed, i] = high[closed, i] = 0.0
    return Start(
        state=state,
        held=held,
        before=np.array([active[name] for name in truth.controls]),
        hours=edges,
        low=low,
        high=high,
        least=np.tile([b.low for b in bounds], (n, 1)),
        most=np.tile([b.high for b in bounds], (n, 1)),
        factors=1.0 + (truth.factors(batch.memory()) - 1.0) * np.exp(-middle / FADE_H)[:, None],
        first_step=np.array([settings.limits[name].max_step for name in truth.controls]),
    )


def _release(model: Model, latch: Latch, state: Array, held: Array, left_h: float) -> float:
    """Hours until the recipe's feed begins."""
    hours = np.arange(0.0, left_h, 0.25)
    inputs, ones = np.tile(held, (len(hours), 1)), np.ones((len(hours), len(model.multipliers)))
    at = [s.name for s in model.states].index(latch.state)
    below = np.flatnonzero(course(model, state, hours, inputs, ones)[:, at] < latch.below)
    return float(hours[below[0]]) if len(below) else 0.0


def _write(settings: Settings, batch: Batch, k: int, wanted: dict[str, float], latch: Latch | None) -> None:
    """Set the pumps; one that still waits for its latch is left to the recipe."""
    batch.lease.beat(k + 1, batch.elapsed_s)
    for name, value in wanted.items():
        pump = str(next(v.setpoint for v in settings.variable if v.name == name)).partition(".")[0]
        released = value > 0.0 or latch is None or name != latch.input
        batch.lease.remote[pump] = value
        batch.lease.valid_until_s[pump] = batch.elapsed_s + 3600.0 * LEASE_H if released else None
