"""A simulated batch and its controller in one process: scans judged as by the edge, turns taken as by the runner."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from controller.assembly import Assembly
from controller.edge.opcua.raw import Raw
from controller.edge.opcua.scanning import Scanner
from controller.edge.situation import situation_of
from controller.loop.mode_ladder import Ladder
from controller.loop.records import Decision, Intent, Mode
from controller.loop.turn import Memory, turn
from controller.settings import Settings, process_of
from plant_sim.batch import Batch
from plant_sim.faults import Fault
from plant_sim.instruments import Status
from twin.signals import Quality

START = datetime(2026, 1, 1, tzinfo=UTC)
QUALITY = {Status.GOOD: Quality.GOOD, Status.UNCERTAIN: Quality.UNCERTAIN, Status.BAD: Quality.BAD}
NAMES = {Status.GOOD: "Good", Status.UNCERTAIN: "UncertainSensorNotAccurate", Status.BAD: "BadSensorFailure"}


@dataclass(frozen=True, slots=True)
class Turned:
    """One scan: when, what was decided, and what is in force at the plant once it was written."""

    hours: float
    decision: Decision
    in_force: Mapping[str, float]  # by manipulated variable
    local: Mapping[str, float]


class Rig:
    """One batch under control; a copy of it goes on by itself."""

    def __init__(self, settings: Settings, assembly: Assembly, seed: int, step_s: float = 60.0) -> None:
        """Inoculate; `step_s` is the plant's own scan (design: twice the usual, which its loops do not notice)."""
        self.settings, self.parts = settings, assembly.parts
        self.batch = Batch(process_of(settings).design(), seed, settings.supervisor.lease_s, scan_s=step_s)
        self.scanner = Scanner(settings)
        self._memory = Memory(Ladder(Mode.SHADOW, "started"))
        self._pumps = {v.name: (v.setpoint or "").partition(".")[0] for v in settings.manipulated()}
        self._beats = 0

    def copied(self, fault: Fault | None = None) -> Rig:
        """The same, up to now; from here on with a fault."""
        other = copy.copy(self)
        other.batch, other.scanner = copy.deepcopy((self.batch, self.scanner), {id(self.settings): self.settings})
        other.parts = replace(self.parts, core=copy.deepcopy(self.parts.core))
        if fault is not None:
            other.batch.break_(fault)
        return other

    def step(self, wanted: Mode | None = None) -> Turned:
        """Advance the plant by one scan of the loop, take a turn, and do what it says."""
        self.batch.advance(self.settings.connection.scan_s)
        scan = self.scanner.scan(raws(self.batch, self.settings))
        intents: tuple[Intent, ...] = ()
        if wanted is not None and self._memory.ladder.mode is not wanted:
            intents = (Intent("mode", "bench", scan.snapshot.time, mode=wanted, reason="rehearsal"),)
        situation = situation_of(scan, self.settings, intents)
        decision, self._memory = turn(self._memory, scan.snapshot, situation, self.parts)
        self._act(decision)
        active = self.batch.active_setpoints()
        local = self.batch.local_setpoints()
        return Turned(
            self.batch.elapsed_s / 3600.0,
            decision,
            {name: active[pump] for name, pump in self._pumps.items()},
            {name: local[pump] for name, pump in self._pumps.items()},
        )

    def _act(self, decision: Decision) -> None:
        """Write the command as the plant's server would take it, and beat."""
        lease, command = self.batch.lease, decision.command
        for name, pump in self._pumps.items():
            move = next((m for m in command.moves if m.variable == name), None) if command else None
            if move is None or command is None:
                lease.valid_until_s[pump] = None
                continue
            lease.remote[pump] = move.value
            lease.valid_until_s[pump] = (command.valid_until - START).total_seconds()
        if decision.mode in (Mode.ADVISORY, Mode.AUTO):
            self._beats += 1
            lease.beat(self._beats, self.batch.elapsed_s)


def raws(batch: Batch, settings: Settings) -> dict[str, Raw]:
    """Every configured tag as the plant's server shows it."""
    now = START + timedelta(seconds=batch.elapsed_s)
    plain: dict[str, object] = {
        "SUPERVISOR.IN_CONTROL": batch.in_control(),
        "SUPERVISOR.LEASE_LAPSES": batch.lease.lapses,
        "BATCH.ID": batch.name,
        "BATCH.START": START,
        "BATCH.PHASE": batch.phase.value,
    }
    for kind, values in (("SP_ACTIVE", batch.active_setpoints()), ("SP_LOCAL", batch.local_setpoints())):
        plain |= {f"{owner}.{kind}": value for owner, value in values.items()}
    found = {tag: Raw(value, Quality.GOOD, "Good", now) for tag, value in plain.items()}
    for tag, seen in batch.signals.items():
        found[tag] = Raw(seen.value, QUALITY[seen.status], NAMES[seen.status], now)
    for point in batch.design.assays:
        found[point.tag] = Raw(None, Quality.BAD, "BadWaitingForInitialData", now)
    for tag, result in batch.laboratory.results.items():
        sampled, status = START + timedelta(seconds=result.sampled_s), result.signal.status
        found[tag] = Raw(result.signal.value, QUALITY[status], NAMES[status], sampled)
    return {node: found[node] for _, _, node in settings.tags() if node in found}
