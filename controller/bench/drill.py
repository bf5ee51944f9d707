"""Drill: the course that the integrator is timed on and the questions that the optimiser is asked, for any process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from controller.campaign import closed_loop
from controller.processes import Process
from controller.processes.study import Drill
from controller.settings import Settings, load
from twin.integrate import simulate
from twin.model import Array, Model

Course = Sequence[tuple[float, Mapping[str, float]]]
LEFT = (0.02, 0.8)  # of a batch, that an optimisation may have before it (design)


def drill_of(process: Process) -> Drill:
    """What its author says; else what a nominal batch under the plant's own recipe goes through."""
    return process.study().drill if process.studied else _recipe(process, load(process.configuration))


def inputs_of(model: Model, course: Course, length_h: float) -> Array:
    """The inputs of a course, an hour a row, (hours, inputs)."""
    inputs = np.tile([item.nominal for item in model.inputs], (round(length_h) + 1, 1))
    names = [item.name for item in model.inputs]
    for begin, values in course:
        for name, value in values.items():
            inputs[round(begin) :, names.index(name)] = value
    return inputs


def _recipe(process: Process, settings: Settings) -> Drill:
    model, length_h = process.model(), settings.batch.length_h
    known = {item.name for item in model.inputs}
    scans = closed_loop.alone(settings, closed_loop.simulated(settings, 0))
    course = tuple((s.hours, {n: v for n, v in s.setpoints.items() if n in known}) for s in scans)
    states = _passed(model, inputs_of(model, course, length_h))
    return Drill(
        course=course,
        states=states,
        logs_sd=tuple(m.initial_sd for m in model.multipliers),
        hours=(LEFT[0] * length_h, LEFT[1] * length_h),
        bounds={name: (bound.low, bound.high) for name, bound in settings.envelope.items() if name in states},
    )


def _passed(model: Model, inputs: Array) -> dict[str, tuple[float, float]]:
    """The least and the most of each state in a nominal batch under these inputs."""
    start, nominal = np.array([[state.initial for state in model.states]]), np.ones((1, len(model.multipliers)))
    passed = simulate(model, start, np.arange(len(inputs) + 0.0), inputs, nominal)[0]
    spans = zip(passed.min(axis=0).tolist(), passed.max(axis=0).tolist(), strict=True)
    return dict(zip([state.name for state in model.states], spans, strict=True))
