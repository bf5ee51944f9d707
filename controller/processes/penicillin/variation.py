"""No two batches are alike: what differs from batch to batch, and what wanders within one.

Spreads are those of Goldrick et al. 2015 (J. Biotechnol. 193:70-82, "Goldrick 2015") and of the program published
with it, scaled to this vessel where its constants differ.
"""

# ruff: noqa: N815 - symbols as in the papers

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from controller.processes.penicillin.vessel import Initial, Parameters
from plant_sim.random_walk import DRAW_LIMIT, KEEP, KICK, Walk

PER_SD = KICK / (1.0 - KEEP)  # s of a channel per stationary SD: 1/0.0501
OXYGEN_IN_AIR = 0.21  # mol/mol
# How much precursor a culture uses, logarithm; set so that the plain recipe's batches vary as published: their product
# has a coefficient of variation of 23.9 % (22 recipe batches without fault in the data of Goldrick 2019), here 24.2 %
# of 100. Without it the recipe's is 17 %. Batches with ample precursor vary by some 9 % in any case, which is what
# controlled batches do there (8.9 %).
PRECURSOR_DEMAND_SD = 0.065
PRODUCTION_SD = 0.06  # share of the rate of production; Goldrick 2015: 0.041 +- 0.0025 1/h


def vary(q: Parameters, initial: Initial, rng: np.random.Generator) -> tuple[Parameters, Initial]:
    """Constants and inoculum of one batch."""

    def normal(mean: float, sd: float) -> float:
        return mean + sd * float(np.clip(rng.standard_normal(), -DRAW_LIMIT, DRAW_LIMIT))

    batch = q._replace(
        mu_x=normal(q.mu_x, 0.06 * q.mu_x),  # Goldrick 2015: 0.41 +- 0.025 1/h
        mu_p=normal(q.mu_p, PRODUCTION_SD * q.mu_p),
        alpha=normal(q.alpha, 0.12 * q.alpha),  # Goldrick 2015: 85 +- 10
        c_PAA=normal(q.c_PAA, 20_000.0),  # mg/L; Goldrick 2015
        sf=normal(q.sf, 0.025 * q.sf),  # design
    )
    inoculum = initial._replace(
        X=normal(initial.X, 0.15 * initial.X),  # Goldrick 2015: 10 to 20 %
        S=normal(initial.S, 0.10 * initial.S),  # Goldrick 2015
        V=normal(initial.V, 0.01 * initial.V),  # Goldrick 2015: 58,000 +- 500 L
        PAA=normal(initial.PAA, 50.0),  # mg/L; Goldrick 2015
        pH=normal(initial.pH, 0.1),  # Goldrick 2015
        T=normal(initial.T, 0.5),  # K; Goldrick 2015
    )
    demand = math.exp(normal(0.0, PRECURSOR_DEMAND_SD))  # drawn last: the other draws of a seed stay as they were
    used = {name: demand * getattr(q, name) for name in ("Y_PAA_P", "Y_PAA_X", "m_PAA")}
    return batch._replace(**used), inoculum


class Strength(NamedTuple):
    """Strength s of each wandering channel, in the unit of what it is added to."""

    mu_x: float = 0.25 * 0.092 / 0.41  # 1/h; Goldrick 2015, scaled by the growth rates
    mu_p: float = 0.03 * 0.005 / 0.041  # 1/h; Goldrick 2015, scaled by the production rates
    sf: float = 300.0  # g/L; Goldrick 2015 by its stated SD of 15 g/L (its program has 1500)
    Cab: float = 0.02 * 3.0 * PER_SD  # mol/L; Goldrick 2015: an SD of some 2 % of the strength
    c_PAA: float = 300_000.0  # mg/L; Goldrick 2015
    Tc: float = 100.0  # K; Goldrick 2015
    oxygen: float = 0.02  # mol/mol in the inlet gas; Goldrick 2015


COOLANT_WARMEST = 5.0  # K above its mean; design: warmer coolant could not cool a vessel at 298 K


class Wander(Walk):
    """Slow disturbances within a batch."""

    def __init__(self, rng: np.random.Generator | None, strength: Strength | None = None) -> None:
        """Start at rest; without a generator the plant stays nominal."""
        super().__init__(rng, [(1.0 - KEEP) * s for s in strength or Strength()])

    def applied(self, q: Parameters) -> Parameters:
        """The batch's constants with the present disturbance."""
        d = Strength(*(float(v) for v in self.values))
        return q._replace(
            mu_x=q.mu_x + d.mu_x,
            mu_p=q.mu_p + d.mu_p,
            sf=q.sf + d.sf,
            Cab=q.Cab + d.Cab,
            c_PAA=q.c_PAA + d.c_PAA,
            Tc=q.Tc + max(-COOLANT_WARMEST, min(d.Tc, COOLANT_WARMEST)),
            CL_star=q.CL_star * (1.0 + d.oxygen / OXYGEN_IN_AIR),
        )
