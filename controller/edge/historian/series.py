"""Time series of a Decision: which of its numbers become one, and what each is called.

A name is `measurement.field`, the same in the historian's trends and in InfluxDB:

    process.X                       the reading of variable X, with its quality
    setpoint.X                      the setpoint in force at the plant
    estimate.X, estimate.X_sd       a state of the twin; a rate multiplier as a factor (1: as the model says)
    estimate.nis, estimate.nis_dof  how surprising the readings were, and how many were used
    neurocore.X                     the learned correction of multiplier X at the present state, as a factor
    neurocore.novelty, .stability, .learned
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from controller.loop.records import Decision, Insight
from twin.records import Estimate
from twin.signals import Quality


@dataclass(frozen=True, slots=True)
class SeriesValue:
    """One number of one series; None when it is missing or not finite, and then `quality` says what it was."""

    measurement: str
    field: str
    value: float | None
    quality: Quality

    @property
    def series(self) -> str:
        """The name of its series."""
        return f"{self.measurement}.{self.field}"


def samples(decision: Decision) -> tuple[SeriesValue, ...]:
    """Every number of this turn that is worth a trend. All are of the decision's time: what was seen at this scan."""
    found = [read(name, reading.value, reading.quality) for name, reading in decision.snapshot.readings.items()]
    found += [_computed("setpoint", name, value) for name, value in decision.situation.setpoints.items()]
    found += [_computed("estimate", name, value) for name, value in _estimated(decision.estimate)]
    found += [_computed("neurocore", name, value) for name, value in _learned(decision.insight)]
    return tuple(found)


def read(name: str, value: float | None, quality: Quality) -> SeriesValue:
    """What was read of a variable. NaN may come with status Good; it is not a reading."""
    if value is None or not math.isfinite(value):
        return SeriesValue("process", name, None, Quality.BAD)
    return SeriesValue("process", name, float(value), quality)


def _computed(measurement: str, name: str, value: float) -> SeriesValue:
    if not math.isfinite(value):
        return SeriesValue(measurement, name, None, Quality.BAD)
    return SeriesValue(measurement, name, float(value), Quality.GOOD)


def _estimated(estimate: Estimate) -> Iterator[tuple[str, float]]:
    for name, mean in zip(estimate.names, estimate.mean, strict=True):
        yield name, mean
        yield f"{name}_sd", estimate.sd(name)
    for name, logarithm in zip(estimate.multiplier_names, estimate.log_multipliers, strict=True):
        factor = _factor(logarithm)
        yield name, factor
        yield f"{name}_sd", factor * estimate.sd(name)  # to first order
    yield "nis", estimate.nis
    yield "nis_dof", estimate.nis_dof


def _learned(insight: Insight) -> Iterator[tuple[str, float]]:
    for name, logarithm in insight.log_multipliers.items():
        yield name, _factor(logarithm)
    yield "novelty", insight.novelty
    yield "stability", insight.stability
    yield "learned", float(insight.learned)


def _factor(logarithm: float) -> float:
    return math.exp(logarithm) if logarithm < 700 else math.inf  # exp(710) is an OverflowError
