"""The figures of `neurotwin bench neurocore`, put together: networks, accuracy and novelty.

Settings were chosen on seeds 0-499; what is reported here comes from seeds 500-999 alone.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from controller.bench import accuracy, networks, novelty
from controller.bench.accuracy import FORECASTS, Errors
from controller.bench.ahead import RULES
from controller.bench.pupils import LEARNERS
from controller.bench.trial import trial_of
from controller.neurocore.backend import LavaBackend
from controller.neurocore.reference import ReferenceBackend
from controller.processes import Process
from controller.processes.study import Stream
from twin.engine import TwinEngine

PARTS = ("networks", "accuracy", "novelty")
REACTORS = (506, 507, 508)
BATCHES = 10
FAULT_SEEDS = range(500, 540)
REHEARSED, REHEARSED_FAULTS = (3,), range(2)  # of the quick form, which must not show what the report is judged on
RULE = "conditioned"  # of the headline; the other one is reported beside it
QUICK_HOURS, QUICK_SCANS = 80.0, 12

Tell = Callable[[str], None]


def neurocore(
    process: Process, tell: Tell, quick: bool = False, resources: bool = False, parts: Sequence[str] = PARTS
) -> dict[str, Any]:
    """All figures as one JSON object; `quick` is a rehearsal, whose figures mean little."""
    if "accuracy" in parts:
        process.study()  # or who has none would be told so after minutes
    report: dict[str, Any] = {"quick": quick, "seconds": {}}
    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "networks": lambda: network_figures(process, tell, quick),
        "accuracy": lambda: accuracy_figures(process, tell, quick),
        "novelty": lambda: novelty_figures(tell, quick),
    }
    for part in parts:
        started = time.monotonic()
        report |= makers[part]()
        report["seconds"][part] = round(time.monotonic() - started, 1)
    reactors, faults = _seeds(quick)
    report["seeds"] = {"reactors": list(reactors), "faults": [faults[0], faults[-1]], "tuned_on": [0, 499]}
    if resources:
        report["resources"] = networks.resources(process)
    return report


def _seeds(quick: bool) -> tuple[Sequence[int], Sequence[int]]:
    return (REHEARSED, REHEARSED_FAULTS) if quick else (REACTORS, FAULT_SEEDS)


def network_figures(process: Process, tell: Tell, quick: bool) -> dict[str, Any]:
    """Bit identity, times and memory; when quick, of the graded rate learner alone."""
    if quick:
        return _quick_networks(process)
    tell("networks: Lava against the reference, over 30,000 timesteps each")
    identity = networks.bit_identity(process, tell=tell)
    tell("networks: times and memory")
    speed, memory = networks.speed(process), networks.memory(process)
    return {
        "bit_identical": identity["bit_identical"],
        **{key: speed[key] for key in ("lava_graded_p50", "lava_lif16_p50", "reference_speedup")},
        "memory_mb": memory["memory_mb"],
        "networks": {"identity": identity, "speed": speed, "memory": memory},
    }


def _quick_networks(process: Process) -> dict[str, Any]:
    design = networks.rate_learner(process, "graded", "three-factor")
    reference = ReferenceBackend(design, networks.SEED)
    with LavaBackend(design, networks.SEED) as lava:
        found = networks.differences(lava, reference, QUICK_SCANS, np.random.default_rng(networks.SEED))
        took: dict[str, list[float]] = {"lava": [], "reference": []}
        drive = networks.drive(design, np.random.default_rng(networks.SEED))
        for _, (payload, error) in zip(range(QUICK_SCANS), drive, strict=False):
            for name, backend in (("lava", lava), ("reference", reference)):
                started = time.perf_counter()
                backend.step(payload, error)
                took[name].append(time.perf_counter() - started)
    slow, fast = (statistics.median(took[name]) for name in ("lava", "reference"))
    return {
        "bit_identical": not found,
        "lava_graded_p50": round(1000 * slow, 2),
        "lava_lif16_p50": None,
        "reference_speedup": round(slow / fast),
        "memory_mb": None,
    }


def novelty_figures(tell: Tell, quick: bool) -> dict[str, Any]:
    """Detections and delays by fault and detector."""
    seeds = _seeds(quick)[1]
    tell(f"novelty: {len(seeds)} seeds, {len(novelty.FAULTS)} arms")
    return {"novelty": novelty.table(seeds)}


def accuracy_figures(process: Process, tell: Tell, quick: bool) -> dict[str, Any]:
    """NRMSE one step and 12 h ahead, by batch, and around a change of strain."""
    trial = trial_of(process)
    engine = TwinEngine(trial.stream.plant, trial.model)
    engine.warm_up()
    found: dict[tuple[str, int], list[Errors]] = {}
    batches, until_h = (2, QUICK_HOURS) if quick else (BATCHES, None)
    for seed in _seeds(quick)[0]:
        for arm, batch, errors in accuracy.reactor_run(trial, engine, seed, batches, not quick, until_h):
            found.setdefault((arm, batch), []).extend(errors)
            tell(f"accuracy: reactor {seed}, {arm}, batch {batch + 1} of {batches}")
    return summary(trial.stream, found, batches)


def summary(stream: Stream, found: dict[tuple[str, int], list[Errors]], batches: int) -> dict[str, Any]:
    """The figures of all forecasts, by arm and batch; each RMS error over the standard deviation of what came true."""
    quantities, judged = stream.quantities, stream.judged
    same = [e for (arm, _), errors in found.items() if arm == "same" for e in errors]
    sd = {name: _sd(same, name) for name in (*quantities, *judged)}

    def nrmse(errors: Iterable[Errors], *key: str) -> float:
        return _rms(errors, *key) / sd[key[-1]]

    def ahead(errors: Sequence[Errors], name: str, rule: str, quantity: str) -> float:
        return nrmse(errors, "ahead", name, rule if name in LEARNERS else "", quantity)

    def mean_ahead(name: str, rule: str) -> float:
        return _rounded(sum(ahead(same, name, rule, q) for q in quantities) / len(quantities))

    def pooled(name: str) -> float:
        """Over all rates at once, in log units, so that a rate counts by how much it varies."""
        squares = sum(_rms(same, "next", name, rate) ** 2 for rate in judged)
        return math.sqrt(squares / sum(sd[rate] ** 2 for rate in judged))

    steps = ("zero", "persistence", "random_walk", *LEARNERS)
    next_rates = {name: {r: _rounded(nrmse(same, "next", name, r)) for r in judged} for name in steps}
    late = {
        name: {r: _rounded(nrmse(same, "rate_ahead", name, RULE if name in LEARNERS else "", r)) for r in judged}
        for name in FORECASTS
        if name != "persistence"
    }
    arms: dict[str, Any] = {}
    for arm, first in (("same", 0), ("changed", accuracy.CHANGED_AT)):
        rows = {b: found[arm, b] for b in range(first, batches) if (arm, b) in found}
        arms[arm] = {
            quantity: {name: [_rounded(ahead(e, name, RULE, quantity)) for e in rows.values()] for name in FORECASTS}
            for quantity in quantities
        }
    return {
        "nrmse": {
            "one_step": {name: _rounded(pooled(name)) for name in steps},
            "hours_12": {name: mean_ahead(name, RULE) for name in FORECASTS},
        },
        "rule": RULE,
        "hours_12_by_rule": {
            rule: {q: {name: _rounded(ahead(same, name, rule, q)) for name in FORECASTS} for q in quantities}
            for rule in RULES
        },
        "rates": {"one_step": next_rates, "hours_12": late},
        "by_batch": arms,
        "forgotten": _forgotten(quantities, found, ahead),
        "forecasts": len(same),
    }


def _forgotten(
    quantities: Sequence[str],
    found: dict[tuple[str, int], list[Errors]],
    ahead: Callable[[Sequence[Errors], str, str, str], float],
) -> dict[str, Any]:
    """The old strain's last batch, as it was forecast then and with what is known after the new strain."""
    last = accuracy.CHANGED_AT - 1
    if ("forgotten", last) not in found:
        return {}
    return {
        q: {
            name: {
                "then": _rounded(ahead(found["same", last], name, RULE, q)),
                "afterwards": _rounded(ahead(found["forgotten", last], name, RULE, q)),
            }
            for name in LEARNERS
        }
        for q in quantities
    }


def _rms(errors: Iterable[Errors], *key: str) -> float:
    squares = [s for e in errors for s in e.squares.get(key, [])]
    return math.sqrt(math.fsum(squares) / len(squares)) if squares else math.nan


def _sd(errors: Iterable[Errors], name: str) -> float:
    values = [v for e in errors for v in e.truths.get(name, [])]
    return max(statistics.pstdev(values), 1e-9) if values else math.nan


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def told(report: dict[str, Any]) -> str:
    """The report for people: the headline figures, one a line."""
    lines = []
    for key in ("bit_identical", "lava_graded_p50", "lava_lif16_p50", "reference_speedup", "memory_mb"):
        if key in report:
            lines.append(f"{key}: {report[key]}")
    for what, rows in report.get("nrmse", {}).items():
        lines.append(f"nrmse {what}: " + ", ".join(f"{name} {value:g}" for name, value in rows.items()))
    for fault, rows in report.get("novelty", {}).items():
        cells = (f"{name} {row['detected']} (d {row['median_delay']})" for name, row in rows.items())
        lines.append(f"novelty {fault}: " + ", ".join(cells))
    for row in report.get("resources", []):
        lines.append(", ".join(f"{key} {value}" for key, value in row.items()))
    return "\n".join(lines)
