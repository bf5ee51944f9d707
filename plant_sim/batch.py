"""Simulated batch: vessel, instruments, local loops, recipe and lease, scan by scan."""

from __future__ import annotations

from typing import Any

import numpy as np

from plant_sim.design import Harm, PlantDesign, Procedure, Vulnerable
from plant_sim.faults import VESSEL_KINDS, Equipment, Fault, FaultKind, Schedule
from plant_sim.instruments import Panel, Signal, Status
from plant_sim.laboratory import Laboratory
from plant_sim.recipe import Lease, PlantPhase
from plant_sim.regulators import Loops

SCAN_S = 30.0  # of instruments and local loops; design


class Batch:
    """A plant that knows nothing of networks or clocks: it moves when told to."""

    def __init__(
        self,
        design: PlantDesign,
        seed: int | None,
        lease_s: float = 3600.0,
        nominal: bool = False,
        recipe: Procedure | None = None,
        vessel: Any = None,
        scan_s: float = SCAN_S,
    ) -> None:
        """Inoculate; without a seed, or nominal, nothing varies but the instruments' noise.

        `vessel` holds the vessel's constants, which the batches of one reactor and strain have in common: a batch
        varies about them.
        """
        self.seed, self.nominal = seed, nominal or seed is None
        # A stream for each use, so that one more draw here changes nothing there.
        streams = [np.random.default_rng([seed or 0, use]) for use in range(6)]
        self._scan_s, self.design = scan_s, design
        self.recipe = recipe or design.recipe
        remote = dict.fromkeys(design.pumps, 0.0) | design.loops
        self.lease = Lease(lease_s, remote, dict.fromkeys(remote))
        self.elapsed_s = 0.0
        self.phase = PlantPhase.GROWTH
        variation, disturbance = (None, None) if self.nominal else streams[:2]
        self.culture = design.inoculate(vessel, variation, disturbance)
        self._vulnerable = self.culture if isinstance(self.culture, Vulnerable) else None
        self._loops = Loops(design.tunings)
        self.faults = Schedule()
        self._panels = (Panel(streams[2], design.instruments, streams[4]), Panel(streams[5], design.services))
        self.laboratory = Laboratory(
            streams[3], design.analyses, design.sample_every_s, design.result_after_s, design.first_sample_s
        )
        self.signals: dict[str, Signal] = self._read(self.culture.visible(), 0.0)

    @property
    def name(self) -> str:
        """What the plant calls this batch."""
        return "SIM-NOMINAL" if self.nominal else f"SIM-{self.seed:03d}"

    def advance(self, seconds: float) -> None:
        """Move process time on, in scans; the last one may be short."""
        end_s = self.elapsed_s + seconds
        while end_s - self.elapsed_s > 1e-6:
            self._scan(min(self._scan_s, end_s - self.elapsed_s))

    def local_setpoints(self) -> dict[str, float]:
        """What the recipe would feed, and where the local loops would stand."""
        return self.recipe.local(self.phase, self.elapsed_s / 3600.0) | self.design.loops

    def active_setpoints(self) -> dict[str, float]:
        """What pumps and local loops follow; a complete batch is fed by nobody."""
        local = self.local_setpoints()
        if self.phase is PlantPhase.COMPLETE:
            return local
        lease, now_s = self.lease, self.elapsed_s
        return {p: lease.remote[p] if lease.in_force(p, now_s) else local[p] for p in local}

    def in_control(self) -> bool:
        """Whether anything follows a remote setpoint."""
        running = self.phase is not PlantPhase.COMPLETE
        return running and any(self.lease.in_force(p, self.elapsed_s) for p in self.lease.remote)

    def truth(self) -> dict[str, float]:
        """What is really in the vessel: for a judge outside the loop, never for the loop."""
        return self.culture.truth()

    def _scan(self, seconds: float) -> None:
        pumps, loops = self._moved(seconds)
        if self._vulnerable is not None and self.faults.any:
            self._vulnerable.suffer(self._harm(seconds))
        self.culture.move(self.elapsed_s / 3600.0, pumps, loops, seconds)
        self.elapsed_s += seconds
        self.phase = self.recipe.next(self.phase, self.elapsed_s / 3600.0, self.culture.substrate)
        self.lease.lapse(self.elapsed_s)
        visible = self.culture.visible()
        self.signals = self._read(visible, seconds)
        self.laboratory.visit(self.elapsed_s, visible, self._spoiled())

    def _moved(self, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
        """What pumps and loops really do in this scan, by pump and by output."""
        active, now_s = self.active_setpoints(), self.elapsed_s
        shifts = {owner: active[owner] - local for owner, local in self.design.loops.items()}
        moved = {p: active[p] for p in self.design.pumps} | self._loops.step(self.signals, seconds / 3600.0, shifts)
        for fault in self.faults.of(FaultKind.UNDER_DELIVERY, now_s):
            moved[fault.tag] *= 1.0 - fault.value
        for fault in self.faults.of(FaultKind.STUCK_VALVE, now_s):
            moved[fault.tag] = fault.value
        for fault in self.faults.of(FaultKind.UTILITY_FAILURE, now_s):
            moved |= dict.fromkeys(self.design.utilities[fault.tag], 0.0)
        pumps = {p: moved.pop(p) for p in self.design.pumps}
        return pumps, moved

    def _harm(self, seconds: float) -> Harm:
        """What is wrong with the vessel in this scan; a contamination happens in the scan in which it begins."""
        now_s, transfer = self.elapsed_s, 1.0
        for fault in self.faults.of(FaultKind.KLA_LOSS, now_s):
            transfer *= 1.0 - fault.value
        foaming = sum(f.value for f in self.faults.of(FaultKind.FOAM, now_s))
        got_in = (f.value for f in self.faults.of(FaultKind.CONTAMINATION, now_s) if now_s - seconds < f.at_s)
        return Harm(transfer, foaming, sum(got_in))

    def _spoiled(self) -> dict[str, Fault]:
        """What is wrong with instruments and assays now, by tag."""
        if not self.faults.any:
            return {}
        tags = {f.tag for f in self.faults.now(self.elapsed_s)}
        found = {tag: self.faults.signal(tag, self.elapsed_s) for tag in tags}
        return {tag: fault for tag, fault in found.items() if fault is not None}

    def _read(self, visible: dict[str, float], seconds: float) -> dict[str, Signal]:
        spoiled = self._spoiled()
        signals: dict[str, Signal] = {}
        for panel in self._panels:
            signals |= panel.read(visible, seconds, spoiled, self.elapsed_s)
        return signals

    @property
    def parts(self) -> Equipment:
        """What can fail here."""
        design = self.design
        return Equipment(
            instruments=frozenset(i.point.tag for i in design.online),
            assays=frozenset(p.tag for p in design.assays),
            pumps=frozenset(design.pumps),
            outputs=design.outputs,
            utilities=frozenset(design.utilities),
            vessel=VESSEL_KINDS if self._vulnerable is not None else frozenset(),
        )

    def break_(self, fault: Fault) -> None:
        """Let something go wrong, now or later; ValueError says why this plant cannot have that."""
        if objection := self.parts.objection(fault):
            raise ValueError(objection)
        self.faults.add(fault)

    def memory(self) -> dict[str, Any]:
        """Everything a restart needs to go on as if nothing had happened."""
        return {
            "process": self.design.name,
            "seed": self.seed,
            "nominal": self.nominal,
            "elapsed_s": self.elapsed_s,
            "phase": self.phase,
            **self.culture.memory(),
            "loops": self._loops.memory(),
            "panels": [panel.memory() for panel in self._panels],
            "faults": self.faults.memory(),
            "laboratory": self.laboratory.memory(),
            "lease": self.lease.memory(),
            "signals": {tag: [s.value, s.status] for tag, s in self.signals.items()},
        }

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on from a memory of the same batch; ValueError says which batch it is of when it is another."""
        process = memory.get("process", self.design.name)
        if process != self.design.name:
            raise ValueError(f"the checkpoint is of a {process} batch, and this plant makes {self.design.name}")
        if (memory["seed"], memory["nominal"]) != (self.seed, self.nominal):
            theirs = "nominal" if memory["nominal"] else f"seed {memory['seed']}"
            raise ValueError(f"the checkpoint is of another batch ({theirs}), not of {self.name}")
        self.elapsed_s, self.phase = memory["elapsed_s"], PlantPhase(memory["phase"])
        self.culture.recall(memory)
        self._loops.recall(memory["loops"])
        for panel, kept in zip(self._panels, memory["panels"], strict=True):
            panel.recall(kept)
        self.faults.recall(memory["faults"])
        self.laboratory.recall(memory["laboratory"])
        self.lease.recall(memory["lease"])
        self.signals = {tag: Signal(v, Status(s)) for tag, (v, s) in memory["signals"].items()}
