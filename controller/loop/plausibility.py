"""Plausibility: does a pump deliver what it was told, does an assay agree with the belief, did a rate change at once?

Pure: traces go in and come out. A finding is a condition that alarms can announce; one that `blocks` counts as a fault:
nothing is written while it lasts, and AUTO is given up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from controller.loop.records import Situation
from twin.records import Estimate, Track
from twin.signals import Assay, Quality, Role, Snapshot, Variable

DELIVERY, RATES, ASSAY = "diagnosis.delivery", "diagnosis.rates", "diagnosis.assay"


@dataclass(frozen=True, slots=True)
class Checks:
    """How far things may be off; every number is design, found on batches without faults."""

    delivery_share: float = 0.10  # of the setpoint that a flow may be off
    delivery_span: float = 0.005  # and of the span, for setpoints near nothing
    delivery_scans: int = 3  # in a row
    jump_window: timedelta = timedelta(hours=6)
    jumps: Mapping[str, float] = field(default_factory=dict)  # log multipliers: the largest move within the window
    settle: timedelta = timedelta(hours=24)  # after the start, in which the filter still learns the rates
    assay_sd: float = 5.0
    assay_relative: float = 0.05  # the laboratory's own error
    assay_floor: float = 0.01  # of the span: less than this is no difference
    assay_for: timedelta = timedelta(hours=12)  # how long a doubtful result is announced


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not add up."""

    name: str
    sentence: str
    blocks: bool = False


@dataclass(frozen=True, slots=True)
class Traces:
    """What is remembered from scan to scan."""

    began: datetime | None = None
    off: Mapping[str, int] = field(default_factory=dict)  # by pump: scans in a row
    rates: tuple[tuple[datetime, tuple[float, ...]], ...] = ()  # log multipliers, within the window
    doubted: tuple[tuple[datetime, str], ...] = ()  # until when, and the sentence


NO_TRACES = Traces()


def diagnose(
    traces: Traces,
    snapshot: Snapshot,
    situation: Situation,
    before: Track | None,
    estimate: Estimate,
    variables: tuple[Variable, ...],
    checks: Checks,
) -> tuple[tuple[Finding, ...], Traces]:
    """What does not add up at this instant; `before` is the belief before the snapshot's assays were used."""
    began = traces.began or snapshot.time
    off, delivery = _delivery(traces.off, snapshot, situation, variables, checks)
    rates, jumped = _rates(traces.rates, estimate, checks, snapshot.time - began >= checks.settle)
    doubted = tuple(d for d in traces.doubted if snapshot.time < d[0])
    doubted += tuple(
        (snapshot.time + checks.assay_for, sentence)
        for assay in snapshot.assays
        if (sentence := _doubt(assay, before, variables, checks))
    )
    found = (*delivery, *jumped, *(Finding(ASSAY, sentence) for _, sentence in doubted))
    return found, Traces(began, off, rates, doubted)


def conditions(findings: tuple[Finding, ...]) -> dict[str, str]:
    """The findings by name, for the alarms."""
    names = dict.fromkeys(f.name for f in findings)
    return {name: "; ".join(f.sentence for f in findings if f.name == name) for name in names}


def _delivery(
    before: Mapping[str, int],
    snapshot: Snapshot,
    situation: Situation,
    variables: tuple[Variable, ...],
    checks: Checks,
) -> tuple[dict[str, int], tuple[Finding, ...]]:
    """Pumps whose measured flow is not what is in force at the plant."""
    off, found = {}, []
    for variable in variables:
        reading, wanted = snapshot.readings.get(variable.name), situation.setpoints.get(variable.name)
        if variable.role is not Role.MANIPULATED or reading is None or wanted is None:
            continue
        if not reading.usable or reading.value is None:
            off[variable.name] = before.get(variable.name, 0)  # it cannot be told
            continue
        allowed = checks.delivery_share * abs(wanted) + checks.delivery_span * (variable.high - variable.low)
        off[variable.name] = before.get(variable.name, 0) + 1 if abs(reading.value - wanted) > allowed else 0
        if off[variable.name] >= checks.delivery_scans:
            sentence = (
                f"{variable.name} is {reading.value:.3g} {variable.unit} where {wanted:.3g} is in force: "
                "the actuator does not do what it is told"
            )
            found.append(Finding(DELIVERY, sentence, blocks=True))
    return off, tuple(found)


def _rates(
    before: tuple[tuple[datetime, tuple[float, ...]], ...], estimate: Estimate, checks: Checks, settled: bool
) -> tuple[tuple[tuple[datetime, tuple[float, ...]], ...], tuple[Finding, ...]]:
    """Rate multipliers that moved further within the window than a healthy process does."""
    now = estimate.log_multipliers
    kept = (*(r for r in before if estimate.time - r[0] <= checks.jump_window), (estimate.time, now))
    found = []
    for k, name in enumerate(estimate.multiplier_names if settled else ()):
        past = [values[k] for _, values in kept]
        moved = now[k] - (max(past) if now[k] - min(past) < max(past) - now[k] else min(past))
        if abs(moved) > checks.jumps.get(name, math.inf):
            way = "rose" if moved > 0 else "fell"
            hours = checks.jump_window.total_seconds() / 3600.0
            change = 100.0 * abs(math.expm1(moved))
            sentence = (
                f"the rate of {name} {way} by {change:.0f} % within {hours:g} h, faster than a healthy process does"
            )
            found.append(Finding(RATES, sentence))
    return kept, tuple(found)


def _doubt(assay: Assay, before: Track | None, variables: tuple[Variable, ...], checks: Checks) -> str:
    """Why this result is hard to believe, given what was believed of the hour of its sample, or ""."""
    past = [e for e, _ in before.past if e.time <= assay.sampled_at] if before else []
    if not past or assay.quality is not Quality.GOOD or assay.variable not in past[-1].names:
        return ""
    expected, sd = past[-1][assay.variable], past[-1].sd(assay.variable)
    variable = next((v for v in variables if v.name == assay.variable), None)
    span = variable.high - variable.low if variable else 0.0
    difference = assay.value - expected
    allowed = checks.assay_sd * math.hypot(sd, checks.assay_relative * expected) + checks.assay_floor * span
    if abs(difference) <= allowed:
        return ""
    return (
        f"{assay.variable} of {assay.sampled_at:%Y-%m-%d %H:%M} is {assay.value:.3g} {assay.unit} where {expected:.3g} "
        f"± {sd:.2g} was expected: the sample or its analysis is doubtful"
    )
