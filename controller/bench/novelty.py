"""Who notices faults: detectors on correlated sensors, each with the same rule and window, the healthy arm included."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from controller.bench import informed
from controller.neurocore import novelty
from controller.neurocore.cross import CrossPredictor
from twin.records import Innovation

Floats = NDArray[np.float64]

SENSORS, CAUSES = 6, 3
SAMPLES, FAULT_AT, WINDOW = 2000, 1500, 200
TRAINED, JUDGED_FROM = 500, 500  # healthy samples to learn from; healthy scores from here set the threshold
MEMORY = 50.0  # samples, correlation time of the causes (design)
SHARED = 0.9  # of a sensor's standard deviation that the causes make up; the rest is its own noise (design)
QUANTILE, MARGIN = 0.995, 1.05  # the threshold: this quantile of healthy scores, and more by this factor
OVER, OUT_OF = 5, 8  # an alarm is so many samples above the threshold out of so many
SMOOTHING = 0.2
DRIFT, DROP = 1.2, -3.0  # standard deviations: reached at the window's end; fallen to and staying
FAULTS = ("healthy", "bias_0.7", "bias_1.2", "bias_2.0", "drift", "stuck", "drop")
DETECTORS = ("hotelling", "mewma", "cross", "shipped")
BOUND = "informed"  # told the statistics and the size of a step, which no detector is: nothing is sooner


def process(rng: np.random.Generator) -> tuple[Floats, float]:
    """The sensors' loadings (sensors, causes), and the share of a cause that is left at the next sample."""
    loadings = rng.standard_normal((SENSORS, CAUSES))
    loadings /= np.linalg.norm(loadings, axis=1, keepdims=True)
    return SHARED * loadings, math.exp(-1.0 / MEMORY)


def healthy(rng: np.random.Generator) -> Floats:
    """(samples, sensors): slow common causes seen by every sensor in its own proportion, and noise."""
    loadings, keep = process(rng)
    kicks = rng.standard_normal((SAMPLES, CAUSES))
    causes = np.empty_like(kicks)
    causes[0] = kicks[0]
    for t in range(1, SAMPLES):
        causes[t] = keep * causes[t - 1] + math.sqrt(1.0 - keep**2) * kicks[t]
    noise = rng.standard_normal((SAMPLES, SENSORS))
    sensors: Floats = causes @ loadings.T + math.sqrt(1.0 - SHARED**2) * noise
    return sensors


def spoiled(sensors: Floats, fault: str, which: int) -> Floats:
    """The same with one sensor at fault from FAULT_AT on."""
    result = sensors.copy()
    tail = result[FAULT_AT:, which]
    if fault.startswith("bias_"):
        tail += float(fault.removeprefix("bias_"))
    elif fault == "drift":
        tail += DRIFT * np.minimum(np.arange(len(tail)) / WINDOW, 1.0)
    elif fault == "stuck":
        tail[:] = result[FAULT_AT - 1, which]
    elif fault == "drop":
        tail[:] = DROP
    return result


def scores(sensors: Floats, faults: Sequence[str], which: int) -> dict[str, dict[str, Floats]]:
    """FAULT: DETECTOR: the score at every sample to the window's end; up to the fault all arms are one."""
    mean, sd = sensors[:TRAINED].mean(axis=0), sensors[:TRAINED].std(axis=0)
    inverse = np.linalg.inv(np.cov(((sensors[:TRAINED] - mean) / sd).T))
    shipped = Shipped()
    before = shipped.run((sensors[:FAULT_AT] - mean) / sd)
    result = {}
    for fault in faults:
        z = ((spoiled(sensors, fault, which) - mean) / sd)[: FAULT_AT + WINDOW]
        after = copy.deepcopy(shipped).run(z[FAULT_AT:])
        result[fault] = {
            "hotelling": np.einsum("ti,ij,tj->t", z, inverse, z),
            "mewma": _mewma(z, inverse),
            **{name: np.concatenate([before[name], after[name]]) for name in ("cross", "shipped")},
        }
    return result


def _mewma(z: Floats, inverse: Floats) -> Floats:
    smooth = np.zeros_like(z)
    for t in range(len(z)):
        smooth[t] = (1 - SMOOTHING) * (smooth[t - 1] if t else 0.0) + SMOOTHING * z[t]
    score: Floats = (2.0 - SMOOTHING) / SMOOTHING * np.einsum("ti,ij,tj->t", smooth, inverse, smooth)
    return score


class Shipped:
    """The cross-prediction, and what NeuroCore makes of it together with its own MEWMA."""

    def __init__(self) -> None:
        self._names = [f"sensor_{k}" for k in range(SENSORS)]
        self._predictor = CrossPredictor(self._names)
        self._state = novelty.NOTHING_SEEN

    def run(self, z: Floats) -> dict[str, Floats]:
        """The scores of these samples; the combination's is the surprise, -ln of its chance when healthy, scaled."""
        cross, both = np.zeros(len(z)), np.zeros(len(z))
        for t, row in enumerate(z):
            values = dict(zip(self._names, row.tolist(), strict=True))
            foreseen = self._predictor.step(values)
            innovations = {name: Innovation(value, 1.0) for name, value in values.items()}
            self._state = novelty.observe(self._state, innovations)
            cross[t] = foreseen.score
            both[t] = -math.log(max(1.0 - novelty.combined(self._state.level, foreseen.level), 1e-300))
        return {"cross": cross, "shipped": both}


def delay(score: Floats) -> int | None:
    """Samples from the fault to the alarm within the window, or None."""
    healthy_scores = score[JUDGED_FROM:FAULT_AT]
    over = score > MARGIN * np.quantile(healthy_scores, QUANTILE)
    for t in range(FAULT_AT, FAULT_AT + WINDOW):
        if np.count_nonzero(over[max(FAULT_AT, t - OUT_OF + 1) : t + 1]) >= OVER:
            return t - FAULT_AT
    return None


def soonest(seed: int) -> dict[str, int | None]:
    """The delay of the informed detector, told each step's size; on the healthy arm that of the middle one."""
    rng = np.random.default_rng([seed, 9])
    loadings, keep = process(rng)
    sensors = healthy(np.random.default_rng([seed, 9]))
    steps = {fault: float(fault.removeprefix("bias_")) for fault in FAULTS if fault.startswith("bias_")}
    found = {}
    for fault, step in {"healthy": steps["bias_1.2"], **steps}.items():
        z = spoiled(sensors, fault, seed % SENSORS)[: FAULT_AT + WINDOW]
        found[fault] = delay(informed.score(z, loadings, keep, 1.0 - SHARED**2, step))
    return found


def table(seeds: Sequence[int]) -> dict[str, dict[str, dict[str, float | int | None]]]:
    """FAULT: DETECTOR: how many of the seeds were detected, and the median delay of those."""
    delays: dict[tuple[str, str], list[int | None]] = {}
    for seed in seeds:
        sensors = healthy(np.random.default_rng([seed, 9]))
        for fault, found in scores(sensors, FAULTS, seed % SENSORS).items():
            for detector, score in found.items():
                delays.setdefault((fault, detector), []).append(delay(score))
        for fault, after in soonest(seed).items():
            delays.setdefault((fault, BOUND), []).append(after)
    rows: dict[str, dict[str, dict[str, float | int | None]]] = {}
    for (fault, detector), all_delays in delays.items():
        known = [after for after in all_delays if after is not None]
        median = float(np.median(known)) if known else None
        rows.setdefault(fault, {})[detector] = {"detected": len(known), "median_delay": median}
    return rows
