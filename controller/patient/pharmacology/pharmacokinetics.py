"""The oral pharmacokinetics of one person on one drug: levels by superposition, and parameters from measured levels.

Apparent parameters: CL/F in L/h, V/F in L, ka in 1/h; levels in ng/mL, times in hours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from controller.patient.pharmacology.individual import Errors, Posterior, individual

Array = NDArray[np.float64]

EXACT = Errors()  # a level without error


@dataclass(frozen=True, slots=True)
class Pharmacokinetics:
    """The oral pharmacokinetics of one person on one drug: what the twin integrates."""

    id: str
    drug: str
    clearance_l_per_h: float  # CL/F
    volume_l: float  # V/F of the central compartment
    absorption_per_h: float  # ka
    clearance_sd: float  # of log CL: between people, or what is left of it after drug levels
    source: str
    volume_sd: float = 0.0
    absorption_sd: float = 0.0
    peripheral_l: float = 0.0  # 0: one compartment
    exchange_l_per_h: float = 0.0  # Q
    lag_h: float = 0.0
    metabolite_ratio: float = 0.0  # active metabolite over parent at steady state; 0: none
    metabolite_half_life_h: float = 0.0
    dose_power: float = 0.0  # clearance falls with this power of the daily dose
    errors: Errors = EXACT
    shrinkage: tuple[float, ...] = ()  # of clearance, volume, absorption, when levels were used

    @property
    def half_life_h(self) -> float:
        """Of elimination in the terminal phase; of the sum with its metabolite, the longer one."""
        rates = _rates(self)
        return max(math.log(2) / min(rates), self.metabolite_half_life_h)


@dataclass(frozen=True, slots=True)
class Dose:
    """A swallowed dose."""

    time_h: float
    amount_mg: float


@dataclass(frozen=True, slots=True)
class Level:
    """A measured drug level; of the sum with the active metabolite where the record has one."""

    time_h: float
    ng_per_ml: float


def from_levels(pk: Pharmacokinetics, doses: Sequence[Dose], levels: Sequence[Level]) -> Pharmacokinetics:
    """The most probable parameters given measured levels (Bayesian MAP), with what is then left of the spread."""
    if not levels:
        return pk
    posterior = posterior_of(pk, doses, levels)
    clearance, volume, absorption = posterior.values
    return replace(
        pk,
        clearance_l_per_h=clearance,
        volume_l=volume,
        absorption_per_h=absorption,
        clearance_sd=posterior.log_sd[0],
        volume_sd=posterior.log_sd[1],
        absorption_sd=posterior.log_sd[2],
        shrinkage=posterior.shrinkage,
    )


def posterior_of(pk: Pharmacokinetics, doses: Sequence[Dose], levels: Sequence[Level]) -> Posterior:
    """Clearance, volume and absorption given the levels."""
    times = [level.time_h for level in levels]

    def predict(theta: Array) -> Array:
        flat = np.exp(theta).reshape(-1, 3)
        rows = [
            concentrations(replace(pk, clearance_l_per_h=cl, volume_l=v, absorption_per_h=ka), doses, times)
            for cl, v, ka in flat.tolist()
        ]
        return np.array(rows).reshape(*theta.shape[:-1], len(times))

    typical = (pk.clearance_l_per_h, pk.volume_l, pk.absorption_per_h)
    spread = (pk.clearance_sd, pk.volume_sd, pk.absorption_sd)
    return individual(predict, [level.ng_per_ml for level in levels], typical, spread, pk.errors)


def exposure_ratio(pk: Pharmacokinetics, daily_mg: float, other_mg: float) -> float:
    """By how much the mean level changes when the daily dose goes from `daily_mg` to `other_mg`."""
    return float((other_mg / daily_mg) ** (1 + pk.dose_power))


def concentrations(pk: Pharmacokinetics, doses: Sequence[Dose], times_h: Sequence[float]) -> Array:
    """Levels in ng/mL by superposition of the doses, the active metabolite included.

    One dose gives C(t) = D/V sum over the modes of weight exp(-rate t), absorption being one of the modes.
    """
    times = np.array(times_h, dtype=np.float64)
    total = np.zeros_like(times)
    weights, rates = _modes(pk)
    for dose in doses:
        since = times - dose.time_h - pk.lag_h
        terms = weights[:, None] * np.exp(-rates[:, None] * np.maximum(since, 0.0))
        total += np.where(since > 0, dose.amount_mg * terms.sum(axis=0), 0.0)
    return 1000.0 * total


def _rates(pk: Pharmacokinetics) -> tuple[float, ...]:
    """The elimination modes without absorption, 1/h."""
    k = pk.clearance_l_per_h / pk.volume_l
    if not pk.peripheral_l:
        return (k,)
    out, back = pk.exchange_l_per_h / pk.volume_l, pk.exchange_l_per_h / pk.peripheral_l
    total = k + out + back
    root = math.sqrt(total**2 - 4 * k * back)
    return ((total + root) / 2, (total - root) / 2)


def _modes(pk: Pharmacokinetics) -> tuple[Array, Array]:
    """Weights (1/L) and rates of all the modes of the level after a dose of 1 mg."""
    rates = list(_rates(pk))
    if pk.peripheral_l:
        back = pk.exchange_l_per_h / pk.peripheral_l
        fast, slow = rates
        weights = [(fast - back) / (fast - slow), (back - slow) / (fast - slow)]
    else:
        weights = [1.0]
    weights = [w / pk.volume_l for w in weights]
    weights, rates = _fed(weights, rates, pk.absorption_per_h)
    if pk.metabolite_ratio:
        more, modes = _fed(weights, rates, math.log(2) / pk.metabolite_half_life_h)
        return np.array([*weights, *(pk.metabolite_ratio * w for w in more)]), np.array([*rates, *modes])
    return np.array(weights), np.array(rates)


def _fed(weights: Sequence[float], rates: Sequence[float], feed: float) -> tuple[list[float], list[float]]:
    """A sum of exponentials convolved with feed exp(-feed t), which is one mode more."""
    # Two equal rates would need t exp(-rate t); a millionth beside it the sum is the same to all digits that count.
    apart = [r if abs(r - feed) > 1e-6 * feed else feed * (1 + 1e-6) for r in rates]
    shares = [w * feed / (feed - r) for w, r in zip(weights, apart, strict=True)]
    return [*shares, -math.fsum(shares)], [*apart, feed]
