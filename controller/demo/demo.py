"""The demonstration: plant, controller and console as processes of their own, and a judge who knows the truth."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from controller.assembly import assemble
from controller.demo.child_plant import READY_WITHIN_S, await_line, configure, start_plant
from controller.edge.gateway.source import Bucket
from controller.edge.historian import Historian
from controller.edge.runner import Runner
from controller.edge.serve import control
from controller.loop.records import Mode
from controller.processes import Process
from controller.settings import Settings, load
from controller.support.child_process import end, spawn

G_PER_L = {"g/L": 1.0, "mg/L": 1e-3}  # of the units in which a product may be counted


def headless(
    process: Process, speed: float | None, hours: float, seed: int, out: Path | None, faults: Path | None = None
) -> dict[str, Any]:
    """Run plant and controller over real OPC UA to a batch age, in auto, and report; progress on standard error."""
    folder = _folder(out)
    config = configure(process, folder, lockstep=speed is None)
    settings = load(config)
    truth = folder / "truth.csv"
    plant = start_plant(config, folder, speed, seed, truth, faults)
    try:
        await_line(plant, "plant ready")
        with _progress(folder, hours):
            runner = asyncio.run(
                control(settings, assemble, READY_WITHIN_S, until_hours=hours, wanted=Mode.AUTO, gateway=False)
            )
    finally:
        end(plant)
    return _report(runner, process, settings, truth, hours)


def interactive(
    process: Process, speed: float | None, hours: float | None, seed: int, out: Path | None, faults: Path | None = None
) -> None:
    """Run plant, controller and console until Ctrl-C, or until one of them ends."""
    folder = _folder(out)
    config = configure(process, folder, lockstep=speed is None)
    settings = load(config)
    children = [start_plant(config, folder, speed, seed, None, faults)]
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        await_line(children[0], "plant ready")
        age = [] if hours is None else ["--hours", str(hours)]
        children.append(spawn(["run", str(config), "--mode", "advisory", *age]))
        children.append(spawn(["console", str(config)]))
        address = f"http://{settings.console.host}:{settings.console.port}"
        _await_port(settings.console.host, settings.console.port, children)
        print(f"\n  NeuroTwin is running. Open {address}\n  Ctrl-C ends it. The run is kept in {folder}\n", flush=True)
        while not stop.wait(0.3) and all(child.poll() is None for child in children):
            pass
    finally:
        for child in reversed(children):
            end(child)
    if not stop.is_set() and any(child.returncode not in (0, None) for child in children[1:2]):
        raise SystemExit(1)


def _folder(out: Path | None) -> Path:
    folder = out or Path("var") / f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def _await_port(host: str, port: int, children: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and all(child.poll() is None for child in children):
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1.0):
            return
        time.sleep(0.2)


@contextlib.contextmanager
def _progress(folder: Path, hours: float) -> Iterator[None]:
    """Say on standard error how far the batch is, twice a second at most, from what the plant logged."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            age = _last_hour(folder / "truth.csv")
            sys.stderr.write(f"\rbatch age {age:6.1f} of {hours:g} h")
            sys.stderr.flush()
        sys.stderr.write("\n")

    thread = threading.Thread(target=watch, daemon=True, name="progress")
    if sys.stderr.isatty():
        thread.start()
    try:
        yield
    finally:
        done.set()
        if thread.ident is not None:
            thread.join(2.0)


def _last_hour(path: Path) -> float:
    with contextlib.suppress(OSError, ValueError, IndexError):
        tail = path.read_bytes()[-400:].decode().strip().splitlines()[-1]
        return float(tail.split(",")[1])
    return 0.0


def _report(runner: Runner, process: Process, settings: Settings, truth: Path, hours: float) -> dict[str, Any]:
    true, judged = pd.read_csv(truth), process.judged
    decision = runner.decision
    if decision is None:
        raise SystemExit("neurotwin: no scan was taken")
    with contextlib.closing(Historian.reader(settings.historian_path())) as record:
        rows = record.counts()
        pending = record.outbox_pending()
        estimates = record.trend(
            runner.parts.plant.name,
            decision.situation.batch,
            [f"estimate.{name}" for name in judged.values()],
            buckets=None,
        )
    return {
        "batch": decision.situation.batch,
        "hours": hours,
        "scans": runner.counts.scans,
        "commands_written": runner.counts.commands_written,
        "commands_refused": runner.counts.commands_refused,
        "product_g_per_l": _g_per_l(process, float(true[process.product].iloc[-1])),
        "estimate_nrmse": {name: _nrmse(true, state, estimates[f"estimate.{state}"]) for name, state in judged.items()},
        "neurocore_backend": decision.insight.backend,
        "neurocore_ms_per_scan_p50": statistics.median(runner.counts.neurocore_ms),
        "historian_rows": rows,
        "outbox_pending": pending,
        "lease_lapses": runner.counts.lapses,
        "mode": str(decision.mode),
    }


def _g_per_l(process: Process, product: float) -> float | None:
    """The product by mass; None where the model counts it otherwise."""
    unit = next(state.unit for state in process.model().states if state.name == process.product)
    return G_PER_L[unit] * product if unit in G_PER_L else None


def _nrmse(true: pd.DataFrame, name: str, estimates: Sequence[Bucket]) -> float:
    """RMSE over the standard deviation of the truth, at the instants of the estimates."""
    times = pd.to_datetime(true["time"], utc=True).astype("int64") / _per_ms(true)
    at = np.array([row[0] for row in estimates], dtype=float)
    mean = np.array([row[2] for row in estimates], dtype=float)
    actual = np.interp(at, times.to_numpy(dtype=float), true[name].to_numpy(dtype=float))
    spread = float(np.std(actual))
    return float(np.sqrt(np.mean((mean - actual) ** 2)) / spread) if spread > 0 else math.nan


def _per_ms(true: pd.DataFrame) -> float:
    """How many of the parsed time's integer units make a millisecond (pandas chooses the resolution)."""
    unit = pd.to_datetime(true["time"], utc=True).dt.unit
    return {"s": 1e-3, "ms": 1.0, "us": 1e3, "ns": 1e6}[unit]
