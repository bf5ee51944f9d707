"""What the scenario claims of its simulated patients, counted over many of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import linear_regression, median

from controller.patient.advice.reviews import MIN_INTERVAL_DAYS
from controller.patient.scenario import Scenario, run
from controller.patient.simulated import HOURS_PER_SAMPLE, RELAPSE_AT, Arm
from controller.patient.snapshots import hours

DAY_5 = 16  # index of the first sample after days 1 to 4
DAY_8 = 28  # index of the first sample after day 7
NOTICED_H = 24.0  # in which a relapse should be


def run_seeds(
    arms: Sequence[str],
    seeds: Iterable[int],
    backend: str = "reference",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, float | None]]:
    """For each arm the fractions of seeds in which the scenario's claims hold; `progress` hears (done, of).

    Of an arm that relapses also how long the first review after it took: the median over the seeds, and the share
    within 24 h. Of the others both are None.
    """
    seeds = list(seeds)
    result: dict[str, dict[str, float | None]] = {}
    for arm in arms:
        rows = []
        for seed in seeds:
            rows.append(claims(run(arm, seed, backend=backend)))
            if progress is not None:
                progress(len(result) * len(seeds) + len(rows), len(arms) * len(seeds))
        result[arm] = {"seeds": len(seeds), **shares(rows)}
    return result


def shares(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """The fractions of the patients for whom each claim holds, and the median of the delay."""
    if not rows:
        return {}
    delays = [row["delay_h"] for row in rows]
    known = [delay for delay in delays if delay is not None]
    told: dict[str, float | None] = {
        claim: math.fsum(row[claim] or 0.0 for row in rows) / len(rows) for claim in rows[0] if claim != "delay_h"
    }
    # A relapse that nobody noticed took longer than any; so the median is that of all, or unknown.
    told["noticed_within_24_h"] = sum(d <= NOTICED_H for d in known) / len(known) if known else None
    told["median_delay_h"] = finite(median(known)) if known else None
    return told


def finite(value: float) -> float | None:
    """JSON knows no infinity."""
    return value if math.isfinite(value) else None


def claims(scenario: Scenario) -> dict[str, float | None]:
    """What the scenario claims, as 0 or 1; `delay_h` is from a relapse to the next review, None where there is none."""
    at = [review.index for review in scenario.suggestions]
    scores = [interval.score for interval in scenario.intervals]
    started = scenario.treatment.started_at
    allowed = math.inf if started is None else hours(started) + 24 * MIN_INTERVAL_DAYS
    relapses = scenario.arm in (Arm.RELAPSE, Arm.GRADUAL_RELAPSE)
    later = [HOURS_PER_SAMPLE * (k - RELAPSE_AT) for k in at if k >= RELAPSE_AT]
    return {
        "silent_after_day_7": float(not any(k >= DAY_8 for k in at)),
        "any_in_days_1_to_4": float(any(k < DAY_5 for k in at)),
        "any": float(bool(at)),
        "rising": float(linear_regression(range(len(scores)), scores).slope > 0),
        "dose_increase_before_day_7": float(any(r.kind == "dose" and r.time_h < allowed for r in scenario.suggestions)),
        "delay_h": float(min(later, default=math.inf)) if relapses else None,
    }
