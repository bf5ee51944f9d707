"""A simulated patient on an SSRI: Table 1 of the published scenario, and thirty generated samples after it.

Only ten of the scenario's forty samples were ever published (Nozari, "NeuroTwinceutics as a Neuromorphic Digital
Twin Model for Predictive and Personalized Pharmacotherapy", 2025). Samples 11 to 40 are generated here and are
labelled so: recovery appears in them because benefit follows exposure, never because of the calendar.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from controller.patient.data.samples import Sample

Array = NDArray[np.float64]

SAMPLES = 40
HOURS_PER_SAMPLE = 6
SAMPLES_PER_DOSE = 4  # once a day
DOSE_MG = 10.0  # escitalopram starting dose (label)

# Nozari 2025, Table 1: stress (1-10), sleep in the 24 h before the sample (h), mood (1-10).
TABLE_1: tuple[tuple[float, float, float], ...] = (
    (6.383214, 7.635504, 4.948109152),
    (8.485732, 7.534536, 4.797958343),
    (7.300616, 6.815783, 4.852917519),
    (5.236169, 6.925254, 4.925334673),
    (6.679836, 4.487774, 5.152803059),
    (6.601456, 7.218505, 5.032203282),
    (4.630551, 7.189571, 4.997232042),
    (6.720424, 6.626249, 5.202021494),
    (6.396266, 5.562589, 5.259761568),
    (7.40039, 6.074705, 5.418286278),
)


class Arm(StrEnum):
    """What kind of patient is simulated."""

    RESPONDER = "responder"
    RESPONDER_SIMULATED = "responder-simulated"  # the same, with all forty samples generated
    PARTIAL = "partial"
    NON_RESPONDER = "non-responder"
    SIDE_EFFECT = "side-effect"
    DELAYED = "delayed"
    RELAPSE = "relapse"
    GRADUAL_RELAPSE = "gradual-relapse"
    HEALTHY = "healthy"
    MISSING = "missing"  # the responder, of whose samples 30 % were never reported
    PERMUTED = "permuted"  # the simulated responder's samples in random order: a check, not a patient


Row = tuple[float, float, float] | tuple[None, None, None]


@dataclass(frozen=True, slots=True)
class Course:
    """Forty samples of one patient; the first `published` of them are Table 1, the others are generated."""

    arm: Arm
    seed: int
    rows: tuple[Row, ...]  # stress, sleep, mood; None where nothing was reported
    doses_mg: tuple[float, ...]  # swallowed just after each sample
    published: int
    concentration_ng_per_ml: tuple[float, ...]  # the truth, which no twin may read
    occupancy: tuple[float, ...]
    response: tuple[float, ...]  # G e: the benefit at work


@dataclass(frozen=True, slots=True)
class _Drive:
    concentration: Array
    occupancy: Array
    effect: Array
    activation: Array


# Rows: stress, sleep, mood. Columns: baseline b0, benefit b1, early activation b2. All design priors.
_PRIOR_MEAN = np.array([[6.5, -3.5, 0.8], [6.8, 1.3, -1.0], [4.8, 3.0, 0.0]])
_PRIOR_SD = np.array([[1.0, 1.0, 0.5], [0.7, 0.6, 0.5], [1.0, 0.8, 0.15]])
_NOISE_SD = np.array([1.05, 0.92, 0.105])  # residual spread of Table 1, rounded
_MOOD_PHI = 0.3  # of mood's AR(1) noise over 6 h; design
_CALMING = 0.75  # share of the stress and sleep noise that full benefit removes; design

RELAPSE_AT = 30  # day 7.5: the drug no longer helps, at once or
_RELAPSE_TAKES = 6  # little by little, over this many samples
_MISSING = 0.3  # of the samples
_DELAY = 12  # first dose after three days
_HEALTHY_BENEFIT = 0.75
_WITHOUT_TABLE_1 = (Arm.RESPONDER_SIMULATED, Arm.DELAYED, Arm.HEALTHY, Arm.PERMUTED)


def simulate(arm: Arm | str, seed: int, clearance: float = 1.0) -> Course:
    """One patient, reproducible by seed; `clearance` is what the genotype makes of it, 1 for a normal metaboliser."""
    arm = Arm(arm)
    random = np.random.default_rng(seed)
    first_dose = {Arm.DELAYED: _DELAY, Arm.HEALTHY: SAMPLES}.get(arm, 0)
    drive = _drive(random, first_dose, clearance)
    coefficients = _coefficients(arm, random, drive)
    benefit = _benefit(arm, drive)
    activation = {Arm.HEALTHY: 0.0, Arm.SIDE_EFFECT: 3.0}.get(arm, 1.0) * drive.activation
    rows = coefficients @ np.stack([np.ones(SAMPLES), benefit, activation]) + _noise(random, benefit)
    published = 0 if arm in _WITHOUT_TABLE_1 else len(TABLE_1)
    rows = np.clip(rows.T, (1.0, 0.0, 1.0), (10.0, 14.0, 10.0))
    if published:
        rows[:published] = TABLE_1
    if arm is Arm.PERMUTED:
        rows = random.permutation(rows)
    reported = random.random(SAMPLES) >= _MISSING if arm is Arm.MISSING else np.full(SAMPLES, True)
    doses = tuple(DOSE_MG if _is_dosed(k, first_dose) else 0.0 for k in range(SAMPLES))
    return Course(
        arm=arm,
        seed=seed,
        rows=tuple(
            (float(s), float(sleep), float(m)) if seen else (None, None, None)
            for (s, sleep, m), seen in zip(rows, reported, strict=True)
        ),
        doses_mg=doses,
        published=published,
        concentration_ng_per_ml=tuple(drive.concentration.tolist()),
        occupancy=tuple(drive.occupancy.tolist()),
        response=tuple(benefit.tolist()),
    )


def samples_of(arm: str, seed: int, clearance: float = 1.0) -> list[Sample]:
    """The generator's patient as rows of input; `clearance` is the factor that the genotype brings."""
    course = simulate(Arm(arm), seed, clearance)
    return [
        Sample(
            float(HOURS_PER_SAMPLE * k), stress, sleep, mood, dose, "published" if k < course.published else "generated"
        )
        for k, ((stress, sleep, mood), dose) in enumerate(zip(course.rows, course.doses_mg, strict=True))
    ]


def _is_dosed(k: int, first: int) -> bool:
    return k >= first and (k - first) % SAMPLES_PER_DOSE == 0


def _drive(random: np.random.Generator, first_dose: int, clearance: float) -> _Drive:
    """Concentration, occupancy, benefit and early activation of this patient's own body."""
    z = random.standard_normal(5)
    CL = clearance * 16.3 * np.exp(np.sqrt(0.0877) * z[0])  # L/h; Liu 2022
    V = 815.0 * np.exp(0.5 * np.sqrt(0.235) * z[1])  # L; Liu 2022, half its spread (design)
    EC50 = 4.0 * np.exp(0.2 * z[2])  # ng/mL; design, from 80 % at 20 ng/mL (Eichentopf 2022)
    T_e = 96.0 * np.exp(0.2 * z[3])  # h, half-life of the benefit's onset; design
    T_w = 36.0 * np.exp(0.2 * z[4])  # h, half-life of tolerance to early activation; design
    C = _concentration(CL, V, first_dose)
    occupied = C / (EC50 + C)
    e, w = _lagged(occupied, T_e), _lagged(occupied, T_w)
    return _Drive(C, occupied, e, np.maximum(0.0, occupied - w))


def _concentration(CL: float, V: float, first_dose: int) -> Array:
    """Superposition of one-compartment oral doses, ng/mL, at each sample and before its own dose."""
    ka, ke = 0.6, CL / V  # 1/h; ka fixed in Liu 2022
    C = np.zeros(SAMPLES)
    for k in range(SAMPLES):
        for dose in range(first_dose, k, SAMPLES_PER_DOSE):
            t = HOURS_PER_SAMPLE * (k - dose)
            C[k] += 1000 * DOSE_MG * ka / (V * (ka - ke)) * (np.exp(-ke * t) - np.exp(-ka * t))
    return C


def _lagged(occupied: Array, half_life_h: float) -> Array:
    """First-order approach to the occupancy that held over the interval before."""
    keep = np.exp(-np.log(2) * HOURS_PER_SAMPLE / half_life_h)
    x = np.zeros(SAMPLES)
    for k in range(1, SAMPLES):
        x[k] = occupied[k - 1] + (x[k - 1] - occupied[k - 1]) * keep
    return x


def _coefficients(arm: Arm, random: np.random.Generator, drive: _Drive) -> Array:
    """Baseline, benefit and activation of each channel; where Table 1 is part of the story, given Table 1."""
    if arm is Arm.HEALTHY:
        return _PRIOR_MEAN.copy()
    if arm is Arm.DELAYED:
        return np.asarray(_PRIOR_MEAN + 0.5 * _PRIOR_SD * random.standard_normal((3, 3)))
    n = len(TABLE_1)
    X = np.column_stack([np.ones(n), drive.effect[:n], drive.activation[:n]])
    drawn = np.array([_posterior_draw(random, X, channel) for channel in range(3)])
    drawn[0, 1] = min(drawn[0, 1], -0.5)
    drawn[1, 1] = max(drawn[1, 1], 0.0)
    drawn[2, 1] = max(drawn[2, 1], 0.5)
    return drawn


def _posterior_draw(random: np.random.Generator, X: Array, channel: int) -> Array:
    """One draw from the linear-Gaussian posterior of a channel's coefficients given its ten published values."""
    y = np.array([row[channel] for row in TABLE_1])
    variance, precision = _NOISE_SD[channel] ** 2, np.diag(1 / _PRIOR_SD[channel] ** 2)
    covariance = np.linalg.inv(precision + X.T @ X / variance)
    mean = covariance @ (precision @ _PRIOR_MEAN[channel] + X.T @ y / variance)
    return random.multivariate_normal(mean, covariance)


def _benefit(arm: Arm, drive: _Drive) -> Array:
    """G e over time: how much of the drug's effect reaches this patient."""
    if arm is Arm.HEALTHY:
        return np.full(SAMPLES, _HEALTHY_BENEFIT)
    G = np.full(SAMPLES, {Arm.PARTIAL: 0.4, Arm.NON_RESPONDER: 0.0}.get(arm, 1.0))
    if arm is Arm.RELAPSE:
        G[RELAPSE_AT:] = 0.0
    if arm is Arm.GRADUAL_RELAPSE:
        lost = (np.arange(SAMPLES) - RELAPSE_AT + 1) / _RELAPSE_TAKES
        G *= 1 - np.clip(lost, 0.0, 1.0)
    return G * drive.effect


def _noise(random: np.random.Generator, benefit: Array) -> Array:
    """Stress and sleep white and calmer as benefit grows, mood first-order autoregressive; (channels, samples)."""
    z = random.standard_normal((SAMPLES, 3))
    x = 0.0
    for k in range(SAMPLES):
        x = _MOOD_PHI * x + np.sqrt(1 - _MOOD_PHI**2) * z[k, 2]
        z[k, 2] = x
    calm = 1 - _CALMING * benefit
    return np.asarray((_NOISE_SD * z * np.column_stack([calm, calm, np.ones(SAMPLES)])).T)
