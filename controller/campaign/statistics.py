"""What a campaign found: each strategy's batches, and paired differences with their bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

RESAMPLES = 5000
PAIRS: tuple[str, ...] = (
    *("neuro-recipe", "neuro-tuned", "neuro-twin", "neuro-rls", "twin-recipe", "twin-tuned", "rls-twin"),
    *("tuned-recipe", "oracle-recipe", "oracle-neuro", "oracle-tuned"),
)


def strategy(amounts: Sequence[float], unit: str, violations: int) -> dict[str, Any]:
    """Mean, standard deviation and least of one strategy."""
    values = np.array(amounts)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return {
        "mean": float(values.mean()),
        "sd": spread,
        "min": float(values.min()),
        "unit": unit,
        "violations": violations,
        "batches": [float(v) for v in values],
    }


def paired(a: Sequence[float], b: Sequence[float]) -> dict[str, float]:
    """What A makes more than B on the same seeds, in per cent of B's mean, with the 95 % bootstrap interval.

    `worst_percent` is the worst single batch, in per cent of what B made of that seed.
    """
    x, y = np.array(a), np.array(b)
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(x), (RESAMPLES, len(x)))
    resampled = 100.0 * (x[draws].mean(axis=1) / y[draws].mean(axis=1) - 1.0)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return {
        "mean_percent": float(100.0 * (x.mean() / y.mean() - 1.0)),
        "low_percent": float(low),
        "high_percent": float(high),
        "worst_percent": float((100.0 * (x / y - 1.0)).min()),
        "sd_ratio": float(x.std(ddof=1) / y.std(ddof=1)) if len(x) > 1 and y.std() > 0 else 0.0,
    }


def pairs(amounts: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """All pairs of which both were run."""
    found = {}
    for pair in PAIRS:
        a, b = pair.split("-")
        if a in amounts and b in amounts:
            found[pair] = paired(amounts[a], amounts[b])
    return found
