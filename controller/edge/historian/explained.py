"""Dashboard series of a turn beside its trends: forecasts, spikes and weights, alarms, phases.

estimate.X_forecast       what was forecast for this instant AHEAD before, if nothing changed
suggestion.X_predicted    the same under the suggestion of that time
neurocore.contribution_S  share of signal S in the novelty
neurocore.units_active, .spikes, .weight_rms, .weights_used
alarm.active_count, .unacknowledged_count, and the texts .phase_began and .sample
alarm.phase, .batch_state as text at every turn
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime, timedelta

import numpy as np

from controller.loop.alarm_records import AlarmState
from controller.loop.records import Decision
from twin.correction import activities
from twin.records import Forecast
from twin.signals import Assay

AHEAD = timedelta(hours=12)  # half a day: one interval between assays of the plants served (design)
ACTIVE = 0.05  # a unit below this share of its full activity sends next to nothing (design)
FULL = 254  # spikes that a unit at full activity sends in a scan (graded payload of Lava)
Fields = dict[str, float | int | str | None]


def ahead(forecast: Forecast | None, suffix: str) -> tuple[datetime, Fields] | None:
    """The medians that a forecast gives for AHEAD after it was made; None where it does not reach so far."""
    if forecast is None or len(forecast.times) < 2:
        return None
    at = forecast.made_at + AHEAD
    if not forecast.times[0] <= at <= forecast.times[-1]:
        return None
    after = min(max(bisect_right(forecast.times, at), 1), len(forecast.times) - 1)
    first, last = forecast.times[after - 1], forecast.times[after]
    share = (at - first) / (last - first)
    bands = {name: band.median for name, band in forecast.bands.items()}
    return at, {f"{n}_{suffix}": (1 - share) * m[after - 1] + share * m[after] for n, m in bands.items()}


def network(decision: Decision) -> Fields:
    """How busy NeuroCore is: units at work, spikes sent, and how much of its weights is used."""
    insight, estimate = decision.insight, decision.estimate
    fields: Fields = {f"contribution_{name}": float(share) for name, share in insight.contributions.items()}
    correction = insight.correction
    if correction.population.states:
        state = dict(zip(estimate.names, estimate.mean, strict=True))
        active = activities(correction.population, state)
        weights = np.asarray(correction.weights, dtype=np.float64)
        fields["units_active"] = int(np.count_nonzero(active > ACTIVE))
        fields["spikes"] = int(np.rint(active * FULL).sum())
        fields["weight_rms"] = float(np.sqrt(np.mean(weights**2))) if weights.size else 0.0
        fields["weights_used"] = float(np.mean(weights != 0.0)) if weights.size else 0.0
    return fields


def standing(decision: Decision) -> Fields:
    """How many alarms stand and how many nobody has acknowledged; the phase, and the instant at which it began."""
    open_ = (AlarmState.UNACKNOWLEDGED, AlarmState.RETURNED, AlarmState.LATCHED)
    fields: Fields = {
        "active_count": sum(1 for alarm in decision.alarms.alarms if alarm.active),
        "unacknowledged_count": sum(1 for alarm in decision.alarms.alarms if alarm.state in open_),
        "phase": decision.situation.phase or "unknown",
    }
    if decision.batch is not None:
        fields["batch_state"] = str(decision.batch.state)
        if decision.batch.phase_since == decision.time:
            fields["phase_began"] = decision.batch.phase
    return fields


def drawn(assay: Assay) -> Fields:
    """A sample in words, told at the time at which it was drawn."""
    return {"sample": f"{assay.variable} {assay.value:.4g} {assay.unit}"}
