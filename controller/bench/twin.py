"""What the twin costs and how far it can be trusted: ensembles, optimal control, filter, estimates and bands."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from controller.bench import twin_accuracy
from controller.bench.control import control
from controller.bench.ensemble import ensemble
from controller.campaign import campaign
from controller.processes import Process
from twin.model import Model, parameter_values
from twin.numeric import numeric
from twin.symbolic import symbolic

PARTS = ("ensemble", "mpc", "bindings", "estimation", "closed_loop")
MEMBERS = 512
LSODA_MEMBERS = 16  # of them are timed with LSODA
SEEDS = tuple(range(500, 508))  # batches never used in development


def bench(
    process: Process, told: Callable[[str], None], parts: Sequence[str] = PARTS, quick: bool = False
) -> dict[str, Any]:
    """The parts asked for; times in milliseconds unless named otherwise."""
    if "estimation" in parts:
        process.study()  # or who has none would be told so after minutes
    found: dict[str, Any] = {}
    work: dict[str, Callable[[], dict[str, Any]]] = {
        "ensemble": lambda: ensemble(process, 32 if quick else MEMBERS, 2 if quick else LSODA_MEMBERS),
        "mpc": lambda: control(process, 10 if quick else 200),
        "bindings": lambda: bindings(process.model()),
        "estimation": lambda: twin_accuracy.accuracy(process, SEEDS[: 1 if quick else len(SEEDS)], told),
        "closed_loop": lambda: closed_loop(process),
    }
    for part in parts:
        told(part)
        found |= work[part]()
    return found


def bindings(model: Model) -> dict[str, Any]:
    """The largest difference between what numba and what CasADi make of the equations, relative."""
    rng, worst = np.random.default_rng(3), 0.0
    p = parameter_values(model)
    for _ in range(200):
        x = np.array([max(s.initial, s.initial_sd) for s in model.states]) * rng.uniform(0.05, 2.0, len(model.states))
        u = np.array([i.nominal + 1e-3 for i in model.inputs]) * rng.uniform(0.2, 2.0, len(model.inputs))
        m = np.exp(rng.normal(0.0, 0.2, len(model.multipliers)))
        for name in ("rhs", "observe"):
            ours = np.array(getattr(numeric(model), name)(tuple(x), tuple(u), tuple(p), tuple(m)))
            theirs = np.array(getattr(symbolic(model), name)(x, u, p, m)).ravel()
            worst = max(worst, float((np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-6)).max()))
    return {"bindings_max_difference": worst}


def closed_loop(process: Process, seed: int = 7) -> dict[str, Any]:
    """One whole batch in the closed loop with NeuroCore on the reference backend, seconds; compiling not counted."""
    campaign.run(campaign.Task(process, "recipe", seed))
    campaign.assembled(process)
    began = time.perf_counter()
    done = campaign.run(campaign.Task(process, "neuro", seed))
    return {"closed_loop_batch_s": time.perf_counter() - began, "closed_loop_product_g": done.amount}
