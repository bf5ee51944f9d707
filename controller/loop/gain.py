"""Paired gain: what one plan is worth beside another, of two forecasts made from the same estimate."""

from __future__ import annotations

import numpy as np

from controller.loop.records import Effect
from twin.records import Forecast

GAIN_QUANTILES = (0.1, 0.5, 0.9)  # the 80 % interval of the paired gain, and its median


def effect_of(baseline: Forecast, proposed: Forecast) -> Effect:
    """What the proposed plan changes of the objective by its end; the members of the two are paired."""
    gains = np.subtract(proposed.objective, baseline.objective)
    low, middle, high = (float(x) for x in np.quantile(gains, GAIN_QUANTILES))
    without = float(np.median(baseline.objective))
    return Effect(
        quantity=baseline.objective_name,
        unit=baseline.objective_unit,
        baseline=without,
        proposed=without + middle,
        gain=middle,
        gain_low=low,
        gain_high=high,
    )
