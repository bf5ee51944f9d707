"""No two mAb batches are alike: what differs from batch to batch, and what wanders within one.

The published controller study on this model varies the initial conditions by +-20 % (Duran-Villalobos 2021); all other
spreads are design. The walk within a batch has the time constant of Goldrick et al. 2015, as for penicillin.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from controller.processes.mab.vessel import Initial, Parameters
from plant_sim.random_walk import DRAW_LIMIT, KICK, Walk

KINETIC = ("mu_max", "kd_max", "qi", "mG", "mQ", "YXG", "YXQ", "YAQ", "qO2", "mL")  # 5 % each
CHARGED = ("Xv", "G", "Q", "L", "A")  # +-20 %, uniform


def vary(q: Parameters, initial: Initial, rng: np.random.Generator) -> tuple[Parameters, Initial]:
    """Constants and inoculum of one batch."""

    def factor(sd: float) -> float:
        return 1.0 + sd * float(np.clip(rng.standard_normal(), -DRAW_LIMIT, DRAW_LIMIT))

    batch = q._replace(**{name: getattr(q, name) * factor(0.05) for name in KINETIC})
    product, transfer = factor(0.10), factor(0.10)
    batch = batch._replace(
        alpha0=q.alpha0 * product,
        beta=q.beta * product,
        k_stir=q.k_stir * transfer,
        SG=q.SG * factor(0.03),
        SQ=q.SQ * factor(0.03),
        probe_bias=2.0 * (factor(1.0) - 1.0),  # mM; the published 0.65 g/L of a Raman probe is mostly its model's
    )
    charged = {name: getattr(initial, name) * rng.uniform(0.8, 1.2) for name in CHARGED}
    inoculum = initial._replace(**charged, V=initial.V * factor(0.01))
    return batch, inoculum._replace(Xt=inoculum.Xv + inoculum.Xd)


class Spread(NamedTuple):
    """Stationary SD of each wandering channel, as a share of what it multiplies (the probe's is in mM)."""

    mu_max: float = 0.05
    product: float = 0.05
    uptake: float = 0.05
    SG: float = 0.02
    SQ: float = 0.02
    k_stir: float = 0.05
    probe_bias: float = 1.5


class Wander(Walk):
    """Slow disturbances within a batch."""

    def __init__(self, rng: np.random.Generator | None, spread: Spread | None = None) -> None:
        """Start at rest; without a generator the plant stays nominal."""
        super().__init__(rng, [KICK * s for s in spread or Spread()])

    def applied(self, q: Parameters) -> Parameters:
        """The batch's constants with the present disturbance."""
        d = Spread(*(float(v) for v in self.values))
        return q._replace(
            mu_max=q.mu_max * (1.0 + d.mu_max),
            alpha0=q.alpha0 * (1.0 + d.product),
            beta=q.beta * (1.0 + d.product),
            mG=q.mG * (1.0 + d.uptake),
            YXG=q.YXG / (1.0 + d.uptake),
            SG=q.SG * (1.0 + d.SG),
            SQ=q.SQ * (1.0 + d.SQ),
            k_stir=q.k_stir * (1.0 + d.k_stir),
            probe_bias=q.probe_bias + d.probe_bias,
        )
