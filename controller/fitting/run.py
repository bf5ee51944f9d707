"""A whole fit: many starts, identifiability, batches left out; in this process or on a Dask cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from twin.fit import Problem, Solution, solve, starts
from twin.fit_report import Fisher, LeftOut, Profile, fisher, leave_out, profile

EDGE = 0.97  # share of the way to its bound from which a parameter counts as driven to the edge of its prior

Progress = Callable[[str, int, int], None]  # what is being done, done, of
Map = Callable[[str, Callable[..., Any], Sequence[tuple[Any, ...]]], list[Any]]


@dataclass(frozen=True, slots=True)
class Fit:
    """All that a fit gives."""

    problem: Problem
    solution: Solution
    start_costs: tuple[float, ...]
    fisher: Fisher
    profiles: tuple[Profile, ...]
    left_out: tuple[LeftOut, ...]
    seconds: float

    def at_edge(self, k: int) -> bool:
        """Whether parameter k was driven to the edge of what its prior allows: the model lacks something."""
        return abs(self.solution.theta[k]) > EDGE * 4.0 * self.problem.priors[k].sd


def fit(
    problem: Problem,
    start_count: int,
    seed: int = 0,
    scheduler: str | None = None,
    profiles: bool = True,
    progress: Progress | None = None,
) -> Fit:
    """Fit from several starts; `scheduler` is the address of a Dask scheduler, None computes in this process."""
    begun = time.perf_counter()
    tell = progress or (lambda what, done, of: None)
    with _mapping(scheduler, tell) as over:
        found = over("starts", solve, [(problem, start) for start in starts(problem, start_count, seed)])
        best = min(found, key=lambda solution: solution.cost)
        known = fisher(problem, best)
        count = len(problem.priors) if profiles else 0
        curves = over("profiles", profile, [(problem, best, k, known.posterior_sd[k]) for k in range(count)])
        several = len(problem.records) if len(problem.records) > 1 else 0
        tests = over("batches left out", leave_out, [(problem, best, k) for k in range(several)])
    costs = tuple(solution.cost for solution in found)
    return Fit(problem, best, costs, known, tuple(curves), tuple(tests), time.perf_counter() - begun)


@contextmanager
def _mapping(scheduler: str | None, tell: Progress) -> Iterator[Map]:
    if scheduler is None:
        yield lambda what, function, calls: _here(what, function, calls, tell)
        return
    from distributed import Client

    with Client(scheduler) as client:
        yield lambda what, function, calls: _there(client, what, function, calls, tell)


def _here(what: str, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], tell: Progress) -> list[Any]:
    results = []
    for done, arguments in enumerate(calls):
        tell(what, done, len(calls))
        results.append(function(*arguments))
    tell(what, len(calls), len(calls))
    return results


def _there(
    client: Any, what: str, function: Callable[..., Any], calls: Sequence[tuple[Any, ...]], tell: Progress
) -> list[Any]:
    from distributed import as_completed

    futures = [client.submit(function, *arguments, pure=False) for arguments in calls]
    for done, _ in enumerate(as_completed(futures), start=1):
        tell(what, done, len(calls))
    results: list[Any] = client.gather(futures)
    return results
