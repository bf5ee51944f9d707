"""How well two levels of a person predict the third: leave-out over the subjects of a data set.

The population is fitted to all the others, so nothing of the person is in the prior.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.patient.pharmacology.population import PopulationFit, Subject, fit, individual, one_compartment

CURVE_POINTS = 121


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One person: what was measured, what was given to the estimate, and what was then predicted."""

    times_h: tuple[float, ...]
    levels: tuple[float, ...]
    given: tuple[int, ...]  # indices of the levels that the estimate saw
    target: int  # index of the level to be predicted
    by_map: float
    by_population: float
    curve_h: tuple[float, ...]
    map_curve: tuple[float, ...]
    population_curve: tuple[float, ...]

    @property
    def observed(self) -> float:
        """The level to be predicted."""
        return self.levels[self.target]


def leave_out(
    subjects: Sequence[Subject], full: PopulationFit, given_h: Sequence[float], target_h: float
) -> list[LeftOut]:
    """Each person's level nearest `target_h`, predicted from those nearest `given_h`; each fit starts from `full`."""
    found = []
    for k, person in enumerate(subjects):
        others = [s for i, s in enumerate(subjects) if i != k]
        fitted = fit(others, full.typical, full.log_sd, full.errors.additive, rounds=1)
        found.append(_predicted(person, fitted, given_h, target_h))
    return found


def errors(found: Sequence[LeftOut]) -> dict[str, dict[str, float]]:
    """Median and mean error in percent, median absolute and root mean square, by MAP and by the population mean."""
    told = {}
    for name in ("by_map", "by_population"):
        percent = np.array([100 * (getattr(one, name) / one.observed - 1) for one in found])
        told[name] = {
            "mdpe": float(np.median(percent)),
            "mdape": float(np.median(np.abs(percent))),
            "rbias": float(percent.mean()),
            "rrmse": float(np.sqrt(np.mean(percent**2))),
        }
    return told


def _predicted(person: Subject, fitted: PopulationFit, given_h: Sequence[float], target_h: float) -> LeftOut:
    nearest = [int(np.argmin(np.abs(np.array(person.times_h) - hour))) for hour in (*given_h, target_h)]
    given, target = nearest[:-1], nearest[-1]
    dose = np.array([[person.dose_mg]])
    times = np.array([[person.times_h[i] for i in given]])

    def predict(theta: NDArray[np.float64]) -> NDArray[np.float64]:
        return one_compartment(dose, times, theta)

    own = individual(predict, [person.levels[i] for i in given], fitted.typical, fitted.log_sd, fitted.errors)
    curve_h = np.linspace(0.0, max(person.times_h), CURVE_POINTS)
    curves = [
        one_compartment(dose, np.append(curve_h, person.times_h[target])[None], np.log([values]))[0].tolist()
        for values in (own.values, fitted.typical)
    ]
    return LeftOut(
        person.times_h,
        person.levels,
        tuple(given),
        target,
        curves[0][-1],
        curves[1][-1],
        tuple(curve_h.tolist()),
        tuple(curves[0][:-1]),
        tuple(curves[1][:-1]),
    )
