"""A campaign: seeds times strategies, on the cores of this machine or on a Dask cluster, the same either way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distributed import Client, as_completed

from controller.assembly import Assembly, assemble
from controller.campaign import closed_loop, oracle, statistics, tuned
from controller.campaign.closed_loop import Scan
from controller.campaign.learners import Learner, Neuro, Nobody, Quadratic
from controller.processes import Process
from controller.settings import Settings, load, process_of
from controller.support.cluster import client_of
from controller.support.user_error import UserError

STRATEGIES = ("recipe", "tuned", "twin", "rls", "neuro", "oracle")
LEARNING = ("rls", "neuro")
HISTORY = (450, 451)  # seeds of the batches that the learners have seen before: one reactor, batch after batch (design)
Table = tuple[list[float], list[dict[str, float]]]


@dataclass(frozen=True)
class Task:
    """One batch; `knows` is what its learner has learned before."""

    process: Process
    strategy: str
    seed: int
    table: Table | None = None
    knows: Any = None


@dataclass(frozen=True)
class Outcome:
    """What became of one batch."""

    strategy: str
    seed: int
    amount: float  # the objective at the end
    violations: tuple[str, ...]
    hours: tuple[float, ...]
    product: tuple[float, ...]  # the objective, hour by hour
    setpoints: Mapping[str, tuple[float, ...]]
    seconds: float


_ASSEMBLED: dict[Path, tuple[Settings, Assembly]] = {}


def assembled(process: Process) -> tuple[Settings, Assembly]:
    """Everything that serves the plant that ships with it, on the reference backend; made once in each worker."""
    if process.folder not in _ASSEMBLED:
        _ASSEMBLED[process.folder] = _assembled(process)
    return _ASSEMBLED[process.folder]


def _assembled(process: Process) -> tuple[Settings, Assembly]:
    settings = load(process.configuration)
    settings = replace(settings, neurocore=replace(settings.neurocore, backend="reference"))
    return settings, assemble(settings)


def run(task: Task) -> Outcome:
    """One batch."""
    began = time.perf_counter()
    settings, made = assembled(task.process)
    scans = _scans(task, settings, made, None)
    return _outcome(task, settings, made, scans, time.perf_counter() - began)


def _scans(task: Task, settings: Settings, made: Assembly, learner: Learner | None) -> list[Scan]:
    latched = task.process.latch
    if task.strategy == "recipe":
        return list(closed_loop.alone(settings, closed_loop.simulated(settings, task.seed)))
    if task.strategy == "tuned":
        if task.table is None:
            raise ValueError("a tuned batch needs its timetable")
        batch = tuned.batch_of(settings, task.seed, task.table, latched.input if latched else "")
        return list(closed_loop.alone(settings, batch))
    batch = closed_loop.simulated(settings, task.seed)
    if task.strategy == "oracle":
        return list(oracle.steered(settings, batch, made.parts.envelope))
    learner = learner or _learner(task, settings, made)
    return list(closed_loop.steered(settings, batch, replace(made.parts, core=learner)))


def _learner(task: Task, settings: Settings, made: Assembly) -> Learner:
    learner: Learner
    if task.strategy == "neuro":
        learner = Neuro(made.rebuild_core())
    elif task.strategy == "rls":
        process = process_of(settings)
        learner = Quadratic(made.model, made.parts.plant, process.learned, process.coded)
    else:
        return Nobody(made.model)
    if task.knows is not None:
        learner.begin(task.knows)
    return learner


def taught(process: Process, strategy: str, seeds: Sequence[int], told: Callable[[str], None]) -> Any:
    """What a learner knows after these batches of the reactor, one after the other, itself in the loop."""
    settings, made = assembled(process)
    learner = _learner(Task(process, strategy, 0), settings, made)
    for seed in seeds:
        told(f"{strategy} learns from batch {seed}")
        _scans(Task(process, strategy, seed), settings, made, learner)
    return learner.learned()


def _lesson(process: Process, strategy: str, seeds: Sequence[int]) -> tuple[str, Any]:
    return strategy, taught(process, strategy, seeds, lambda _: None)


def _outcome(task: Task, settings: Settings, made: Assembly, scans: list[Scan], seconds: float) -> Outcome:
    names = [state.name for state in made.model.states]
    worth = tuple(_worth(task.process, made, scan, names) for scan in scans)
    broken = []
    for name, bound in settings.envelope.items():
        values = [scan.truth[name] for scan in scans if name in scan.truth]
        if values and min(values) < bound.low:
            broken.append(f"{name} fell to {min(values):.4g} {bound.unit}, below {bound.low:g}")
        if values and max(values) > bound.high:
            broken.append(f"{name} rose to {max(values):.4g} {bound.unit}, above {bound.high:g}")
    moved = {name: tuple(scan.setpoints[name] for scan in scans) for name in scans[0].setpoints}
    hours = tuple(scan.hours for scan in scans)
    return Outcome(task.strategy, task.seed, worth[-1], tuple(broken), hours, worth, moved, seconds)


def _worth(process: Process, made: Assembly, scan: Scan, names: Sequence[str]) -> float:
    missing = [name for name in names if name not in scan.truth]
    state = tuple(scan.truth.get(name, 0.0) for name in names)
    if process.product in missing:
        raise UserError(f"the simulated plant does not tell its {process.product}; it cannot be judged")
    return float(made.model.objective(state))


def campaign(
    process: Process,
    seeds: Sequence[int] = (0, 1),
    strategies: Sequence[str] = STRATEGIES,
    scheduler: str | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    history: Sequence[int] = HISTORY,
) -> tuple[dict[str, Any], list[Outcome]]:
    """Run it; the summary as plain data, and every batch. `progress` hears (batches done, of)."""
    unknown = [name for name in strategies if name not in STRATEGIES]
    if unknown:
        raise UserError(f"no strategy is called {unknown[0]!r}; there are {', '.join(STRATEGIES)}")
    if set(seeds) & set(history):
        raise UserError(
            f"seeds {sorted(set(seeds) & set(history))} are those the learners were taught on; choose others"
        )
    began = time.perf_counter()
    outcomes = []
    with client_of(scheduler, workers) as client:
        tasks = _tasks(client, process, seeds, strategies, history)
        for done, (_, outcome) in enumerate(as_completed(client.map(run, tasks, pure=False), with_results=True), 1):
            outcomes.append(outcome)
            if progress is not None:
                progress(done, len(tasks))
    outcomes.sort(key=lambda o: (STRATEGIES.index(o.strategy), o.seed))
    return _summary(process, seeds, strategies, outcomes, time.perf_counter() - began), outcomes


def _tasks(
    client: Client, process: Process, seeds: Sequence[int], strategies: Sequence[str], history: Sequence[int]
) -> list[Task]:
    """All batches, the longest first; before them the learners' earlier batches and the offline optimum."""
    learning = [s for s in strategies if s in LEARNING] if history else []
    lessons = client.map(_lesson, [process] * len(learning), learning, [tuple(history)] * len(learning), pure=False)
    table = client.submit(_table, process, pure=False).result() if "tuned" in strategies else None
    knows = dict(client.gather(lessons))
    order = sorted(strategies, key=STRATEGIES.index, reverse=True)
    return [Task(process, name, seed, table, knows.get(name)) for name in order for seed in seeds]


def _table(process: Process) -> Table:
    settings, made = assembled(process)
    return tuned.timetable(settings, made)


def _summary(
    process: Process, seeds: Sequence[int], strategies: Sequence[str], outcomes: Sequence[Outcome], seconds: float
) -> dict[str, Any]:
    model = process.model()
    amounts = {name: [o.amount for o in outcomes if o.strategy == name] for name in strategies}
    broken = {name: [v for o in outcomes if o.strategy == name for v in o.violations] for name in strategies}
    found: dict[str, Any] = {
        "plant": process.name,
        "seeds": list(seeds),
        "quantity": model.objective_name,
        "strategies": {
            name: statistics.strategy(amounts[name], model.objective_unit, len(broken[name]))
            | {"seconds_per_batch": sum(o.seconds for o in outcomes if o.strategy == name) / len(seeds)}
            for name in strategies
        },
        "paired": statistics.pairs(amounts),
        "violations": {name: lines for name, lines in broken.items() if lines},
        "seconds": seconds,
    }
    if {"neuro", "recipe", "oracle"} <= set(strategies):
        mean = {name: found["strategies"][name]["mean"] for name in strategies}
        found["share_of_oracle"] = (mean["neuro"] - mean["recipe"]) / (mean["oracle"] - mean["recipe"])
    return found
