"""How soon a step could be seen at all: a detector that is told what the others have to find out.

It knows the sensors' statistics and the step's size, and lacks only which sensor steps, which way, and when. Each
sensor is foreseen from all readings of the others up to this instant by the Kalman filter of the very process that made
them; on what is left runs a two-sided CUSUM (Page 1954), the fastest there is at a given rate of false alarms
(Moustakides 1986, Annals of Statistics 14:1379). The score is the largest of all sensors and signs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def score(sensors: Floats, loadings: Floats, keep: float, noise_variance: float, step: float) -> Floats:
    """The score at every sample, (samples,); `sensors` (samples, sensors) = causes @ loadings.T + noise.

    `loadings` (sensors, causes) of causes with unit variance, of which the share `keep` is left at the next sample.
    """
    best: Floats = np.zeros(len(sensors))
    for which in range(sensors.shape[1]):
        unforeseen, variance = residuals(sensors, loadings, keep, noise_variance, which)
        for sign in (1.0, -1.0):
            gain = step * (sign * unforeseen - step / 2) / variance
            best = np.maximum(best, _cusum(gain))
    return best


def residuals(
    sensors: Floats, loadings: Floats, keep: float, noise_variance: float, which: int
) -> tuple[Floats, Floats]:
    """What the others did not foresee of one sensor, and the variance of that, (samples,) each."""
    others, own = np.delete(loadings, which, axis=0), loadings[which]
    noise = noise_variance * np.eye(len(others))
    mean, covariance = np.zeros(len(own)), np.eye(len(own))
    left, variance = np.zeros(len(sensors)), np.zeros(len(sensors))
    for t, row in enumerate(sensors):
        if t:
            mean, covariance = keep * mean, keep**2 * covariance + (1.0 - keep**2) * np.eye(len(own))
        spread = others @ covariance @ others.T + noise
        gain = np.linalg.solve(spread, others @ covariance).T
        mean = mean + gain @ (np.delete(row, which) - others @ mean)
        covariance = covariance - gain @ others @ covariance
        left[t] = row[which] - own @ mean
        variance[t] = own @ covariance @ own + noise_variance
    return left, variance


def _cusum(gain: Floats) -> Floats:
    total, found = 0.0, np.zeros(len(gain))
    for t, step in enumerate(gain.tolist()):
        total = max(0.0, total + step)
        found[t] = total
    return found
