"""How well product can be estimated at all: by one who is told all but how fast this strain makes it.

Told are biomass, sugar, precursor, oxygen, age, dilution and hydrolysis at every instant, the spread of production from
batch to batch and the strength and time constant of its disturbance. What is left is linear and Gaussian,

    P' = r(t) (1 + b + d) - (K + D) P,   b ~ N(0, s_b^2),   d an Ornstein-Uhlenbeck process,

so that the Kalman filter on the same assays of product, equally noisy and late, is the best estimator there is. What
oxygen and precursor say of the rate is left out: production is a few per cent of the one and the other's assays are
as noisy, and a strain's demand for it is not known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from controller.processes.penicillin.instruments import CV, DELAY_S
from controller.processes.penicillin.loops import KELVIN
from controller.processes.penicillin.truth import factors
from controller.processes.penicillin.variation import PER_SD, PRODUCTION_SD, Strength
from controller.processes.penicillin.vessel import Parameters, hydrolysis
from plant_sim.batch import Batch
from plant_sim.random_walk import KEEP, STEP_H
from twin.model import Array

NOMINAL = Parameters()
WANDER = Strength().mu_p / PER_SD / NOMINAL.mu_p  # stationary SD of its disturbance
FADE_H = -STEP_H / math.log(KEEP)


@dataclass
class Told:
    """One batch as the informed one sees it, scan by scan."""

    scan_s: float
    product: list[float] = field(default_factory=list)  # true, g/L: for the size of an assay's error, and to be judged
    speed: list[float] = field(default_factory=list)  # true 1 + b + d
    loss: list[float] = field(default_factory=list)  # K, 1/h
    volume: list[float] = field(default_factory=list)
    assays: dict[int, float] = field(default_factory=dict)  # by the scan of the sample, g/L

    def see(self, batch: Batch) -> None:
        """Take in one scan."""
        truth, shown, memory = batch.truth(), batch.culture.visible(), batch.memory()
        constants = memory["parameters"]
        self.product.append(truth["product"])
        self.speed.append(constants["mu_p"] / NOMINAL.mu_p * float(factors(memory)[1]))
        self.loss.append(hydrolysis(shown["AIC101.PV"], shown["TIC101.PV"] + KELVIN, constants["K"]))
        self.volume.append(truth["volume"])

    def estimates(self) -> Array:
        """The product at every scan, g/L, by the assays that have arrived at it."""
        late = round(DELAY_S / self.scan_s)
        drawn = self._at_samples()
        ahead, found = np.zeros(3), np.zeros(len(self.product))
        for k in range(1, len(found)):
            since = k - 1
            if k - late in drawn:
                since, ahead = k - late, drawn[k - late]
            for j in range(since + 1, k + 1):
                ahead = self._step(j) @ np.append(ahead, 1.0)
            found[k] = ahead[0]
        return found

    def _at_samples(self) -> dict[int, Array]:
        """What is believed of P, b and d at each sample, once its result is known."""
        belief, covariance = np.zeros(3), np.diag([0.0, PRODUCTION_SD**2, 0.0])
        drawn: dict[int, Array] = {}
        for k in range(1, len(self.product)):
            step = self._step(k)
            kick = WANDER**2 * (1.0 - step[2, 2] ** 2)
            belief = step @ np.append(belief, 1.0)
            covariance = step[:, :3] @ covariance @ step[:, :3].T + np.diag([0.0, 0.0, kick])
            if k in self.assays:
                gain = covariance[0] / (covariance[0, 0] + (CV * self.product[k]) ** 2)
                belief = belief + gain * (self.assays[k] - belief[0])
                covariance = covariance - np.outer(gain, covariance[0])
                drawn[k] = belief
        return drawn

    def _step(self, k: int) -> Array:
        """From scan k - 1 to k: what (P, b, d, 1) becomes."""
        hours = self.scan_s / 3600.0
        kept = math.exp(-self.loss[k - 1] * hours) * self.volume[k - 1] / self.volume[k]
        made = (self.product[k] - kept * self.product[k - 1]) / self.speed[k - 1]
        return np.array([[kept, made, made, made], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, math.exp(-hours / FADE_H), 0.0]])
