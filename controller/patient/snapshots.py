"""Snapshots of a patient: each sample as the loop reads it, six hours after the one before."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from controller.patient.advice.stability import PLAUSIBLE
from controller.patient.data.channels import BY_NAME
from controller.patient.data.samples import Sample
from twin.signals import Plant, Quality, Reading, Role, Snapshot, Variable

START = datetime(2026, 1, 1, tzinfo=UTC)  # day 1, 0 h of every patient

PLANT = Plant(
    name="patient",
    model="patient",
    variables=(
        Variable("stress", "points", *PLAUSIBLE["stress"], Role.MEASURED, "Stress"),
        Variable("sleep", "h", *PLAUSIBLE["sleep"], Role.MEASURED, "Sleep in the 24 h before"),
        Variable("mood", "points", *PLAUSIBLE["mood"], Role.MEASURED, "Mood"),
        Variable("dose_mg", "mg", 0.0, 3000.0, Role.MANIPULATED, "Dose swallowed just after the sample"),
    ),
    advisory_only=True,
)


def snapshot_of(sample: Sample) -> Snapshot:
    """A sample as the loop reads it; what a wearable or a questionnaire adds is carried along and judged by nobody."""
    time = START + timedelta(hours=sample.time_h)
    readings = {v.name: _reading(getattr(sample, v.name), v, time) for v in PLANT.variables}
    return Snapshot(time, readings | _extras(sample.extras, time))


def _extras(extras: Mapping[str, float], time: datetime) -> dict[str, Reading]:
    """Only what was reported: a watch that was not worn is no fault of the plant."""
    return {name: Reading(value, BY_NAME[name].unit, time, Quality.GOOD) for name, value in extras.items()}


def _reading(value: float | None, variable: Variable, time: datetime) -> Reading:
    if value is None:
        return Reading(None, variable.unit, time, Quality.BAD, "not reported")
    if not variable.low <= value <= variable.high:
        return Reading(value, variable.unit, time, Quality.BAD, f"outside {variable.low:g} to {variable.high:g}")
    return Reading(value, variable.unit, time, Quality.GOOD)


def hours(time: datetime) -> float:
    """Since day 1, 0 h."""
    return (time - START) / timedelta(hours=1)
