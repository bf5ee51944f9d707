"""What a fit is worth: which parameters the data identify, and how well it predicts a batch that it never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from twin.fit import Problem, Solution, parameters, predicted, residuals, solve
from twin.model import Array

RISE = 1.92  # of the profile at two posterior SDs: at least half of the certainty is from the data (design)
PROFILE_AT = (-2.0, -1.0, 1.0, 2.0)  # posterior SDs at which the profile is taken (design)
FEW = 8  # evaluations of a problem that starts near its end


@dataclass(frozen=True, slots=True)
class Fisher:
    """The information of data and prior at the best point."""

    posterior_sd: tuple[float, ...]  # of the logarithms
    data_sd: tuple[float, ...]  # without the priors; infinite where the data say nothing
    correlation: Array


@dataclass(frozen=True, slots=True)
class Profile:
    """Twice the rise of the cost when a parameter is held away from its best value and all others are fitted again.

    The parameter's own prior is left out, so that the rise is the data's and the other priors'.
    """

    name: str
    log_ratios: tuple[float, ...]
    rises: tuple[float, ...]
    verdict: str  # identified, one-sided, or not identified


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Prediction of one batch by the fit of all others, from the model's own start: relative errors by output."""

    record: str
    values: Mapping[str, int]
    literature: Mapping[str, float]  # RMSE over the SD of what was seen, with the literature's parameters
    fitted: Mapping[str, float]


def fisher(problem: Problem, solution: Solution) -> Fisher:
    """Posterior spread and correlation by the curvature at the best point."""
    count = len(problem.priors)
    data = solution.jacobian[:-count]
    prior = np.diag([1.0 / p.sd**2 for p in problem.priors])
    information = data.T @ data
    covariance = np.linalg.inv(information + prior)
    sd = np.sqrt(np.diag(covariance))
    alone = np.linalg.pinv(information, rcond=1e-10)
    seen = np.diag(information) > 1e-9
    data_sd = np.where(seen, np.sqrt(np.maximum(np.diag(alone), 0.0)), np.inf)
    return Fisher(tuple(sd.tolist()), tuple(data_sd.tolist()), covariance / np.outer(sd, sd))


def profile(problem: Problem, solution: Solution, k: int, sd: float) -> Profile:
    """The profile of parameter k about the best point, over `sd` from the Fisher information."""
    best = 2.0 * solution.cost - (solution.theta[k] / problem.priors[k].sd) ** 2
    at = [solution.theta[k] + steps * sd for steps in PROFILE_AT]
    rises = [max(0.0, _held(problem, solution, k, value) - best) for value in at]
    sides = [max(rise for steps, rise in zip(PROFILE_AT, rises, strict=True) if steps * sign > 0) for sign in (-1, 1)]
    bounded = sum(side > RISE for side in sides)
    verdict = ("not identified", "one-sided", "identified")[bounded]
    return Profile(problem.priors[k].name, tuple(at), tuple(rises), verdict)


def _held(problem: Problem, solution: Solution, k: int, value: float) -> float:
    """Twice the least cost with parameter k held at a value, without its own prior."""
    others = tuple(prior for i, prior in enumerate(problem.priors) if i != k)
    reduced = replace(problem, priors=others, held=((problem.priors[k].name, value),))
    start = [theta for i, theta in enumerate(solution.theta) if i != k]
    if not others:
        return float(np.sum(residuals(reduced, ()) ** 2))
    return 2.0 * solve(reduced, start, FEW).cost


def leave_out(problem: Problem, solution: Solution, k: int) -> LeftOut:
    """Fit all batches but one, and predict that one."""
    record = problem.records[k]
    rest = tuple(r for i, r in enumerate(problem.records) if i != k)
    theta = solve(replace(problem, records=rest), solution.theta, FEW).theta
    names = [seen.output for seen in record.seen]
    values = np.array([seen.value for seen in record.seen])
    nothing = (0.0,) * len(problem.priors)
    return LeftOut(
        record.name,
        {name: names.count(name) for name in dict.fromkeys(names)},
        _errors(names, values, predicted(problem.model, record, parameters(problem, nothing))),
        _errors(names, values, predicted(problem.model, record, parameters(problem, theta))),
    )


def _errors(names: Sequence[str], values: Array, said: Array) -> dict[str, float]:
    """RMSE by output over the standard deviation of what was seen; outputs seen once, or that never vary, are left."""
    errors = {}
    for name in dict.fromkeys(names):
        mine = np.array([n == name for n in names])
        sd = float(np.std(values[mine]))
        if sd > 0.0:
            errors[name] = float(np.sqrt(np.mean((said[mine] - values[mine]) ** 2)) / sd)
    return errors
