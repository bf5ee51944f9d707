"""A campaign: seeds times strategies, on the cores of this machine or on a Dask cluster, the same either way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from distributed import Client, as_completed

from controller.assembly import Assembly, assemble, served_by
from controller.campaign import closed_loop, oracle, statistics, tuned
from controller.campaign.closed_loop import Scan
from controller.campaign.learners import Learner, Neuro, Nobody, Quadratic
from controller.cluster import client_of
from controller.faults import Fault
from controller.settings import Settings, default_config, load

STRATEGIES = ("recipe", "tuned", "twin", "rls", "neuro", "oracle")
LEARNING = ("rls", "neuro")
HISTORY = (450, 451)  # seeds of the batches that the learners have seen before: one reactor, batch after batch (design)
Table = tuple[list[float], list[dict[str, float]]]


@dataclass(frozen=True)
class Task:
    """One batch; `knows` is what its learner has learned before."""

    plant: str
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


@lru_cache(maxsize=2)
def assembled(plant: str) -> tuple[Settings, Assembly]:
    """Everything that serves a plant, on the reference backend; made once a process."""
    settings = load(default_config(plant))
    settings = replace(settings, neurocore=replace(settings.neurocore, backend="reference"))
    return settings, assemble(settings)


def run(task: Task) -> Outcome:
    """One batch."""
    began = time.perf_counter()
    settings, made = assembled(task.plant)
    scans = _scans(task, settings, made, None)
    return _outcome(task, settings, made, scans, time.perf_counter() - began)


def _scans(task: Task, settings: Settings, made: Assembly, learner: Learner | None) -> list[Scan]:
    latched = served_by(settings).latch
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
    made.planner.forget()
    learner = learner or _learner(task, settings, made)
    return list(closed_loop.steered(settings, batch, replace(made.parts, core=learner)))


def _learner(task: Task, settings: Settings, made: Assembly) -> Learner:
    learner: Learner
    if task.strategy == "neuro":
        learner = Neuro(made.rebuild_core())
    elif task.strategy == "rls":
        served = served_by(settings)
        learner = Quadratic(made.model, made.parts.plant, served.learned, served.coded)
    else:
        return Nobody(made.model)
    if task.knows is not None:
        learner.begin(task.knows)
    return learner


def taught(plant: str, strategy: str, seeds: Sequence[int], told: Callable[[str], None]) -> Any:
    """What a learner knows after these batches of the reactor, one after the other, itself in the loop."""
    settings, made = assembled(plant)
    learner = _learner(Task(plant, strategy, 0), settings, made)
    for seed in seeds:
        told(f"{strategy} learns from batch {seed}")
        _scans(Task(plant, strategy, seed), settings, made, learner)
    return learner.learned()


def _lesson(plant: str, strategy: str, seeds: Sequence[int]) -> tuple[str, Any]:
    return strategy, taught(plant, strategy, seeds, lambda _: None)


def _outcome(task: Task, settings: Settings, made: Assembly, scans: list[Scan], seconds: float) -> Outcome:
    names = [state.name for state in made.model.states]
    worth = tuple(_worth(made, scan, names) for scan in scans)
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


def _worth(made: Assembly, scan: Scan, names: Sequence[str]) -> float:
    missing = [name for name in names if name not in scan.truth]
    state = tuple(scan.truth.get(name, 0.0) for name in names)
    if missing and "product" in missing:
        raise Fault(f"the simulated plant does not tell its {missing[0]}; it cannot be judged")
    return float(made.model.objective(state))


def campaign(
    plant: str = "penicillin",
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
        raise Fault(f"no strategy is called {unknown[0]!r}; there are {', '.join(STRATEGIES)}")
    if set(seeds) & set(history):
        raise Fault(f"seeds {sorted(set(seeds) & set(history))} are those the learners were taught on; choose others")
    began = time.perf_counter()
    outcomes = []
    with client_of(scheduler, workers) as client:
        tasks = _tasks(client, plant, seeds, strategies, history)
        for done, (_, outcome) in enumerate(as_completed(client.map(run, tasks, pure=False), with_results=True), 1):
            outcomes.append(outcome)
            if progress is not None:
                progress(done, len(tasks))
    outcomes.sort(key=lambda o: (STRATEGIES.index(o.strategy), o.seed))
    return _summary(plant, seeds, strategies, outcomes, time.perf_counter() - began), outcomes


def _tasks(
    client: Client, plant: str, seeds: Sequence[int], strategies: Sequence[str], history: Sequence[int]
) -> list[Task]:
    """All batches, the longest first; before them the learners' earlier batches and the offline optimum."""
    learning = [s for s in strategies if s in LEARNING] if history else []
    lessons = client.map(_lesson, [plant] * len(learning), learning, [tuple(history)] * len(learning), pure=False)
    table = client.submit(_table, plant, pure=False).result() if "tuned" in strategies else None
    knows = dict(client.gather(lessons))
    order = sorted(strategies, key=STRATEGIES.index, reverse=True)
    return [Task(plant, name, seed, table, knows.get(name)) for name in order for seed in seeds]


def _table(plant: str) -> Table:
    settings, made = assembled(plant)
    made.planner.forget()
    return tuned.timetable(settings, made)


def _summary(
    plant: str, seeds: Sequence[int], strategies: Sequence[str], outcomes: Sequence[Outcome], seconds: float
) -> dict[str, Any]:
    model = served_by(load(default_config(plant))).model
    amounts = {name: [o.amount for o in outcomes if o.strategy == name] for name in strategies}
    broken = {name: [v for o in outcomes if o.strategy == name for v in o.violations] for name in strategies}
    found: dict[str, Any] = {
        "plant": plant,
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
