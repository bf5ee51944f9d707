"""The networks themselves: whether Lava and the reference agree bit for bit, how fast and how large they are.

Every figure is of networks that the project uses: the rate learner and the cross-predictor, in both codings and with
both rules. Times are medians over scans, Lava's and the reference's taken in the same run.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.neurocore import coding, cross, loihi
from controller.neurocore.backend import Backend, LavaBackend
from controller.neurocore.design import CODINGS, ERROR_FULL, PAYLOAD_FULL, RULES, WEIGHT_HIGH, WEIGHT_LOW, Design
from controller.neurocore.reference import ReferenceBackend
from controller.processes import Process

SEED = 3
CROSS_SIGNALS = 6
COMPARE_EVERY = 50  # scans: Lava hands out weights and traces one by one
CYCLES = 10


def rate_learner(process: Process, coding_name: str, rule: str) -> Design:
    """The process's rate learner with this coding and rule."""
    units = len(coding.population(process.coded).centres)
    return Design(units, len(process.learned), coding_name, rule)  # type: ignore[arg-type]


def networks(process: Process) -> dict[str, Design]:
    """Every network by name."""
    found = {}
    for code in CODINGS:
        for rule in RULES:
            found[f"rates {code} {rule}"] = rate_learner(process, code, rule)
            found[f"cross {code} {rule}"] = cross.design(CROSS_SIGNALS, code, rule)
    return found


def drive(design: Design, generator: np.random.Generator) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Payloads, a third of them silent, and errors, among them the extremes and none at all, without end."""
    scan = 0
    while True:
        silent = generator.random(design.units) < 0.3
        payload = np.where(silent, 0, generator.integers(0, PAYLOAD_FULL + 1, design.units))
        extremes = generator.choice([-ERROR_FULL, 0, ERROR_FULL], design.outputs)
        usual = generator.integers(-ERROR_FULL, ERROR_FULL + 1, design.outputs)
        yield payload, extremes if scan % 5 == 0 else usual
        scan += 1


def differences(one: Backend, other: Backend, scans: int, generator: np.random.Generator) -> str:
    """Where the two first differ over so many scans, in outputs, weights or traces; "" when nowhere.

    Half-way both take up odd and extreme weights.
    """
    design = one.design
    for scan, (payload, error) in zip(range(scans), drive(design, generator), strict=False):
        if (one.step(payload, error) != other.step(payload, error)).any():
            return f"read-outs of scan {scan}"
        if scan == scans // 2:
            weights = generator.integers(WEIGHT_LOW, WEIGHT_HIGH + 1, (design.outputs, design.units))
            one.restore(weights)
            other.restore(weights)
        if scan % COMPARE_EVERY == 0 or scan in (scans // 2, scans - 1):
            if (one.weights() != other.weights()).any():
                return f"weights after scan {scan}"
            if different := _unequal(one.traces(), other.traces()):
                return f"{different} after scan {scan}"
    return ""


def _unequal(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> str:
    if one.keys() != other.keys():
        return "the kinds of traces"
    return ", ".join(name for name in one if not np.array_equal(one[name], other[name]))


def bit_identity(
    process: Process, steps: int = 30_000, tell: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Whether lava-fixed and reference are identical over at least so many timesteps, for every network."""
    found: dict[str, str] = {}
    lava: LavaBackend | None = None
    try:
        for name, design in networks(process).items():
            if lava is None:
                lava = LavaBackend(design, SEED)
            else:
                lava.rebuild(design, SEED)
            scans = -(-steps // design.timesteps)
            found[name] = differences(lava, ReferenceBackend(design, SEED), scans, np.random.default_rng(SEED))
            tell(f"{name}: {scans * design.timesteps} timesteps, {found[name] or 'identical'}")
    finally:
        if lava is not None:
            lava.close()
    return {"bit_identical": not any(found.values()), "timesteps": steps, "differences": found}


def speed(process: Process, scans: int = 200) -> dict[str, Any]:
    """Milliseconds a scan on Lava, and how many times faster the reference is per timestep, by network."""
    rows = {name: _timed(design, scans) for name, design in networks(process).items() if name.startswith("rates")}
    return {
        "lava_graded_p50": rows["rates graded three-factor"]["lava_ms"],
        "lava_lif16_p50": rows["rates lif three-factor"]["lava_ms"],
        "reference_speedup": min(row["speedup"] for row in rows.values()),
        "networks": rows,
        "load_average": round(os.getloadavg()[0], 2),
    }


def _timed(design: Design, scans: int) -> dict[str, float]:
    reference = ReferenceBackend(design, SEED)
    inputs = list(_first(design, 10 * scans))  # made beforehand, or the clock would see what making them does to caches
    for payload, error in inputs[:50]:
        reference.step(payload, error)  # compiled and warm
    with LavaBackend(design, SEED) as lava:
        slow = [_seconds(lava, payload, error) for payload, error in inputs[:scans]]
    fast = [_seconds(reference, payload, error) for payload, error in inputs]
    lava_s, reference_s = statistics.median(slow), statistics.median(fast)
    return {
        "lava_ms": round(1000 * lava_s, 2),
        "lava_ms_p95": round(1000 * float(np.quantile(slow, 0.95)), 2),
        "reference_us": round(1e6 * reference_s, 2),
        "speedup": round(lava_s / reference_s),
    }


def _first(design: Design, scans: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    for _, inputs in zip(range(scans), drive(design, np.random.default_rng(SEED)), strict=False):
        yield inputs


def _seconds(backend: Backend, payload: NDArray[np.int64], error: NDArray[np.int64]) -> float:
    started = time.perf_counter()
    backend.step(payload, error)
    return time.perf_counter() - started


def memory(process: Process, cycles: int = CYCLES) -> dict[str, Any]:
    """Megabytes of the running worker's processes, and what so many starts and stops leave behind (Linux)."""
    design = rate_learner(process, "graded", "three-factor")
    sizes, own, left, started_s = [], [], 0, []
    for _ in range(cycles):
        started = time.perf_counter()
        with LavaBackend(design, SEED) as lava:
            started_s.append(time.perf_counter() - started)
            for payload, error in _first(design, 5):
                lava.step(payload, error)
            sizes.append(sum(_proportional_mb(process) for process in group(lava.pid)))
        left += len(group(lava.pid))
        own.append(_proportional_mb(os.getpid()))
    return {
        "memory_mb": round(max(sizes), 1),
        "cycles": cycles,
        "processes_left": left,
        "worker_growth_mb": round(sizes[-1] - sizes[0], 1),
        "parent_growth_mb": round(own[-1] - own[0], 1),
        "start_s": round(statistics.median(started_s), 2),
    }


def group(leader: int) -> list[int]:
    """The processes of this group that are alive."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, process_group = path.read_text().rsplit(")", 1)[1].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(process_group) == leader and state not in "ZX":
            found.append(int(path.parent.name))
    return found


def _proportional_mb(process: int) -> float:
    """The process's memory, pages that several share counted in shares."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def resources(process: Process) -> list[dict[str, Any]]:
    """What each network would take of a Loihi 2 chip."""
    return [{"network": name, **loihi.resources(design)} for name, design in networks(process).items()]
