"""`neurotwin bench soak`: a day of accelerated time with random faults, in which plant and controller are killed.

Every kill is a SIGKILL. At the end each interval between two scans must be accounted for in the gap ledger, the plant
must never have followed a setpoint without a live lease, and the controller's memory must not have grown in the long
life that the last one is left. `objections` says what was not so; without any the soak is passed.
"""

from __future__ import annotations

import random
import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from controller.demo.child_plant import READY_WITHIN_S, await_line, configure, start_plant
from controller.edge.historian import Gap, Historian, HistorianFault, History
from controller.edge.outage_backfill import MISSED_SCANS
from controller.processes import Process
from controller.settings import Settings, load, process_of
from controller.support.child_process import end, spawn
from plant_sim import intervention as meddling
from twin.signals import Role

FAULTS = ("bad", "uncertain", "freeze", "nan", "bias")
LONG_LIFE = 100  # scans that the last controller is left, for its memory to be judged (design)
GROWTH = 1.05  # of the memory from the middle to the end of that life; less is what an allocator keeps (design)
LOOKS_A_KILL = 3  # looks at the leases, below which nobody can say that they were watched (design)


@dataclass(slots=True)
class Soak:
    """One run: its processes, its chances and what was seen."""

    settings: Settings
    config: Path
    folder: Path
    speed: float
    chance: random.Random
    plant: subprocess.Popen[bytes]
    controller: subprocess.Popen[bytes] | None = None
    stretch: tuple[int, int] = (3, 8)  # scans between two kills
    suspects: set[str] = field(default_factory=set)
    unleased: list[str] = field(default_factory=list)
    looks: int = 0
    faults: int = 0
    killed: dict[str, int] = field(default_factory=lambda: {"plant": 0, "controller": 0})  # that died of it
    long_life: int = LONG_LIFE
    memory_mb: list[list[float]] = field(default_factory=list)  # by controller process

    @property
    def tags(self) -> tuple[str, ...]:
        """What may be spoiled: the instruments that the gates rest upon, or all."""
        node = {v.name: v.node for v in self.settings.variable if v.role is Role.MEASURED}
        return tuple(node[name] for name in self.settings.gates.evidence if name in node) or tuple(node.values())

    def run(self, kills: int, hours: float, tell: Callable[[str], None]) -> None:
        """Kill each of the two so many times, then go on until the batch is old enough."""
        victims = ["plant", "controller"] * kills
        self.chance.shuffle(victims)
        self.start_controller()
        for number, victim in enumerate(victims):
            self.live(self.chance.randint(*self.stretch))
            tell(f"kill {number + 1} of {len(victims)}: {victim}, after {self.scans()} scans")
            if victim == "plant":
                self.kill_plant()
            else:
                self.kill_controller()
        lived = 0
        while lived < self.long_life or self.age_h() < hours:
            self.live(self.stretch[1])
            lived += self.stretch[1]
            tell(f"{self.age_h():.1f} of {hours:g} h, the last {lived} scans without a kill")

    def live(self, scans: int) -> None:
        """Let so many more scans be recorded, with a fault now and then, and watch the leases meanwhile."""
        wanted, deadline = self.scans() + scans, time.monotonic() + READY_WITHIN_S + 60.0
        if self.chance.random() < 0.5:
            self.spoil(self.chance.choice(self.tags), self.chance.choice(FAULTS))
        while self.scans() < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the controller recorded no {scans} scans in time; its log is in {self.folder}")
            self.watch()
            time.sleep(0.3)
        for tag in self.tags:
            self.spoil(tag, "none")

    def spoil(self, tag: str, kind: str) -> None:
        """Set a fault, or mend the instrument."""
        meddling.set_fault(self.settings.connection.endpoint, tag, kind, 5.0 if kind == "bias" else 0.0)
        self.faults += kind != "none"

    def watch(self) -> None:
        """Note the memory, and each pump that follows an unleased setpoint at two looks in a row."""
        if self.controller is not None:
            self.memory_mb[-1].append(resident_mb(self.controller.pid))
        try:
            seen = meddling.look(self.settings.connection.endpoint, process_of(self.settings).design().pumps)
        except OSError:
            return
        self.looks += 1
        now = {s.pump for s in seen if s.unleased}
        self.unleased += [f"{s.pump} at {s.time:%d %H:%M}" for s in seen if s.unleased and s.pump in self.suspects]
        self.suspects = now

    def scans(self) -> int:
        """How many decisions are on disk."""
        return len(self.times())

    def times(self) -> list[datetime]:
        """The process times of all decisions, in order."""
        try:
            reader = Historian.reader(self.settings.historian_path())
        except HistorianFault:
            return []
        try:
            return recorded(reader, self.settings.plant.name)
        finally:
            reader.close()

    def age_h(self) -> float:
        """Process hours from the first scan to the last."""
        times = self.times()
        return (times[-1] - times[0]).total_seconds() / 3600.0 if times else 0.0

    def kill_plant(self) -> None:
        """Kill the plant, leave it dead for a moment, and start it from its checkpoint."""
        self.killed["plant"] += _kill(self.plant)
        time.sleep(self.chance.uniform(0.2, 3.0))
        self.plant = start_plant(self.config, self.folder, self.speed, 7, None)
        await_line(self.plant, "plant ready")

    def kill_controller(self) -> None:
        """Kill the controller and start another one."""
        if self.controller is not None:
            self.killed["controller"] += _kill(self.controller)
        time.sleep(self.chance.uniform(0.2, 3.0))
        self.start_controller()

    def start_controller(self) -> None:
        """Start a controller that asks for auto."""
        with (self.folder / "controller.log").open("ab") as log:
            self.controller = spawn(["run", str(self.config), "--mode", "auto"], stdout=log, stderr=log)
        self.memory_mb.append([])

    def close(self) -> None:
        """End both."""
        for child in (self.controller, self.plant):
            if child is not None:
                end(child)
                if child.stdout is not None:
                    child.stdout.close()


def measured(
    process: Process,
    tell: Callable[[str], None],
    kills: int = 20,
    hours: float = 24.0,
    speed: float = 150.0,
    seed: int = 500,
    stretch: tuple[int, int] = (3, 8),
    backend: str = "lava-fixed",
    long_life: int = LONG_LIFE,
) -> dict[str, Any]:
    """Run the soak and account for it."""
    with TemporaryDirectory(prefix="neurotwin-soak-") as place:
        folder = Path(place)
        config = configure(process, folder, lockstep=False, backend=backend, anywhere=True)
        plant = start_plant(config, folder, speed, 7, None)
        chance = random.Random(seed)
        soak = Soak(load(config), config, folder, speed, chance, plant, stretch=stretch, long_life=long_life)
        began = time.monotonic()
        try:
            await_line(plant, "plant ready")
            soak.run(kills, hours, tell)
        finally:
            soak.close()
        report = {**account(soak), "kills_each": kills, "hours_asked": hours, "wall_s": time.monotonic() - began}
        return {**report, "objections": objections(report)}


def objections(report: Mapping[str, Any]) -> list[str]:
    """What speaks against a soak, a sentence each; none: it is passed."""
    kills, grown = report["kills_each"], report["memory_mb_last"] / max(report["memory_mb_first"], 1e-9)
    found = [f"nothing explains the hole of {hole}" for hole in report["unexplained"]]
    found += [f"a setpoint without a live lease: {seen}" for seen in report["unleased"]]
    found += [f"an entry of the ledger was never closed: {start}" for start in report["open"]]
    for victim, killed in report["killed"].items():
        if killed != kills:
            found.append(f"{victim} died of {killed} of {kills} kills")
    if report["hours"] < report["hours_asked"]:
        found.append(f"{report['hours']:.1f} h were recorded of {report['hours_asked']:g}")
    if report["lease_looks"] < LOOKS_A_KILL * kills:
        found.append(f"the leases were looked at {report['lease_looks']} times only")
    if not report["memory_mb_first"]:
        found.append("no memory was measured")
    elif grown > GROWTH:
        mb = f"{report['memory_mb_first']:.0f} to {report['memory_mb_last']:.0f} MB"
        found.append(f"the controller's memory grew from {mb} in one life")
    return found


def account(soak: Soak) -> dict[str, Any]:
    """What the soak comes to, from the historian and from what was seen."""
    reader = Historian.reader(soak.settings.historian_path())
    try:
        name = soak.settings.plant.name
        times, gaps = recorded(reader, name), reader.gaps(name, limit=100_000)
    finally:
        reader.close()
    whole = [gap for gap in gaps if not gap.variable]
    holes = unexplained(times, whole, soak.settings.connection.scan_s)
    first, last = growth(soak.memory_mb)
    never_closed = [gap.start for gap in whole if gap.end is None and gap.start < times[-1]]
    missed = sum(round((b - a).total_seconds() / soak.settings.connection.scan_s) - 1 for a, b in pairwise(times))
    return {
        "hours": (times[-1] - times[0]).total_seconds() / 3600.0,
        "scans": len(times),
        "scans_missed": missed,
        "killed": soak.killed,
        "faults": soak.faults,
        "gaps": {str(cause): sum(g.cause == cause for g in whole) for cause in {g.cause for g in whole}},
        "backfilled": sum(gap.backfilled for gap in whole),
        "unexplained": [f"{start:%d %H:%M} to {end:%H:%M}" for start, end in holes],
        "open": [f"{start:%d %H:%M}" for start in never_closed],
        "lease_looks": soak.looks,
        "unleased": soak.unleased,
        "memory_mb_first": first,
        "memory_mb_last": last,
    }


def recorded(reader: History, plant: str) -> list[datetime]:
    """The process time of each scan of all batches."""
    return [time for batch in reader.batches(plant) for time in reader.scan_times(plant, batch)]


def unexplained(times: Sequence[datetime], gaps: Sequence[Gap], scan_s: float) -> list[tuple[datetime, datetime]]:
    """The intervals between two scans that are too long and that no entry of the ledger covers."""
    slack = timedelta(milliseconds=1)
    found = []
    for start, stop in pairwise(times):
        missed = (stop - start).total_seconds() > MISSED_SCANS * scan_s
        covered = any(g.start <= start + slack and (g.end is None or stop <= g.end + slack) for g in gaps)
        if missed and not covered:
            found.append((start, stop))
    return found


def growth(memory_mb: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Resident memory amid and late in the longest life of a controller: medians of its third and last fifth."""
    longest = max(memory_mb, key=len, default=[])
    fifth = max(1, len(longest) // 5)
    if not longest:
        return 0.0, 0.0
    return statistics.median(longest[2 * fifth : 3 * fifth] or longest), statistics.median(longest[-fifth:])


def resident_mb(pid: int) -> float:
    """The resident memory of a process and of its children, in megabytes; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own = next((int(line.split()[1]) / 1024.0 for line in lines if line.startswith("VmRSS:")), 0.0)
    return own + sum(resident_mb(int(child)) for child in children)


def _kill(process: subprocess.Popen[bytes]) -> bool:
    """As a power cut would; was it alive, and died of this?"""
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    if process.stdout is not None:
        process.stdout.close()
    return process.returncode == -signal.SIGKILL
