"""What of a snapshot may be believed: usable, fresh, within span; and the sentence why not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from twin.model import Model
from twin.signals import Assay, Plant, Reading, Role, Snapshot, Variable


def variable_of(plant: Plant, name: str) -> Variable | None:
    """The plant's variable of that name, if it has one."""
    return next((v for v in plant.variables if v.name == name), None)


def why_not(variable: Variable, snapshot: Snapshot) -> str:
    """Why the reading of this variable is not used, or an empty string."""
    reading: Reading | None = snapshot.readings.get(variable.name)
    if reading is None:
        return f"{variable.name} was not read"
    if not reading.usable or reading.value is None:
        return f"{variable.name} is {_fault(reading)}"
    if reading.time is None:
        return f"the age of {variable.name} is unknown"
    age_s = (snapshot.time - reading.time).total_seconds()
    if age_s > variable.max_age_s:
        return f"{variable.name} is {age_s:.0f} s old, more than {variable.max_age_s:g} s"
    return _outside(variable, reading.value)


def why_not_assay(plant: Plant, model: Model, oldest: datetime, now: datetime, assay: Assay) -> str:
    """Why this assay is not used, or an empty string; `oldest` is as far back as the estimate can be rewound."""
    variable = variable_of(plant, assay.variable)
    if variable is None or all(output.name != assay.variable for output in model.outputs):
        return f"the model says nothing of {assay.variable}"
    reading = Reading(assay.value, assay.unit, assay.sampled_at, assay.quality)
    if not reading.usable:
        return f"the assay of {assay.variable} is {_fault(reading)}"
    if assay.sampled_at > now:
        return f"the sample for {assay.variable} is dated in the future"
    if assay.sampled_at < oldest:
        age_h = (now - assay.sampled_at).total_seconds() / 3600
        return f"the sample for {assay.variable} was drawn {age_h:.1f} h ago, further back than the record reaches"
    return _outside(variable, assay.value)


def values(plant: Plant, model: Model, snapshot: Snapshot) -> dict[str, float]:
    """The usable values of the model's outputs: on-line readings, and assays of samples drawn at this instant."""
    found = {}
    for output in model.outputs:
        variable = variable_of(plant, output.name)
        reading = snapshot.readings.get(output.name)
        if variable and reading and reading.value is not None and variable.role is not Role.ASSAYED:
            if not why_not(variable, snapshot):
                found[output.name] = reading.value
    for assay in snapshot.assays:
        if assay.sampled_at == snapshot.time:
            if not why_not_assay(plant, model, snapshot.time, snapshot.time, assay):
                found[assay.variable] = assay.value
    return found


def inputs(plant: Plant, model: Model, snapshot: Snapshot, held: Mapping[str, float]) -> dict[str, float]:
    """The inputs that act from now on: as read, within their span, or else the last that were."""
    acting = dict(held)
    for item in model.inputs:
        variable = variable_of(plant, item.name)
        reading = snapshot.readings.get(item.name)
        if variable and reading and reading.value is not None and not why_not(variable, snapshot):
            acting[item.name] = min(max(reading.value, variable.low), variable.high)
    return acting


def _fault(reading: Reading) -> str:
    if reading.value is None:
        fault = "missing"
    elif reading.quality.value == 0:
        fault = "not a finite number"
    else:
        fault = reading.quality.name.lower()
    return f"{fault}: {reading.reason}" if reading.reason else fault


def _outside(variable: Variable, value: float) -> str:
    margin = 0.01 * (variable.high - variable.low)  # design: noise about an end of the span is not a fault
    if variable.low - margin <= value <= variable.high + margin:
        return ""
    return f"{variable.name} reads {value:g} {variable.unit}, outside {variable.low:g} to {variable.high:g}"
