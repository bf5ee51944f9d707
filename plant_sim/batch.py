"""One batch in the simulated plant: vessel, instruments, local loops, recipe and lease, scan by scan."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from plant_sim import penicillin
from plant_sim.instruments import Panel, Signal, Status
from plant_sim.laboratory import Laboratory
from plant_sim.penicillin import Initial, Inputs, Parameters
from plant_sim.recipe import PUMPS, Lease, Phase, Recipe
from plant_sim.regulators import KELVIN, Loops
from plant_sim.variation import Wander, vary

SCAN_S = 30.0  # of instruments and local loops; design
OXYGEN_SATURATION = Parameters().CL_star  # what 100 % means: the probe is calibrated once, in air


class Batch:
    """A plant that knows nothing of networks or clocks: it moves when told to."""

    def __init__(
        self,
        seed: int | None,
        lease_s: float = 3600.0,
        nominal: bool = False,
        recipe: Recipe | None = None,
        vessel: Parameters | None = None,
        scan_s: float = SCAN_S,
    ) -> None:
        """Inoculate; without a seed, or nominal, nothing varies but the instruments' noise.

        `vessel` is what the batches of one reactor and strain have in common: a batch varies about it.
        """
        self.seed, self.nominal = seed, nominal or seed is None
        # A stream for each use, so that one more draw here changes nothing there.
        streams = [np.random.default_rng([seed or 0, use]) for use in range(4)]
        self._scan_s = scan_s
        self._q, initial = vessel or Parameters(), Initial()
        if not self.nominal:
            self._q, initial = vary(self._q, initial, streams[0])
        self.recipe = recipe or Recipe()
        self.lease = Lease(lease_s)
        self.elapsed_s = 0.0
        self.phase = Phase.GROWTH
        self._y = penicillin.inoculated(initial)
        self._u = Inputs()
        self._wander = Wander(None if self.nominal else streams[1])
        self._now = self._q  # the constants with the present disturbance
        self._loops = Loops()
        self.panel = Panel(streams[2])
        self.laboratory = Laboratory(streams[3])
        self.signals: dict[str, Signal] = self.panel.read(self._visible(), 0.0)

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
        """What the recipe would feed."""
        return self.recipe.local(self.phase)

    def active_setpoints(self) -> dict[str, float]:
        """What the pumps follow; a complete batch is fed by nobody."""
        local = self.local_setpoints()
        if self.phase is Phase.COMPLETE:
            return local
        lease, now_s = self.lease, self.elapsed_s
        return {p: lease.remote[p] if lease.in_force(p, now_s) else local[p] for p in PUMPS}

    def in_control(self) -> bool:
        """Whether any pump follows a remote setpoint."""
        running = self.phase is not Phase.COMPLETE
        return running and any(self.lease.in_force(p, self.elapsed_s) for p in PUMPS)

    def truth(self) -> dict[str, float]:
        """What is really in the vessel: for a judge outside the loop, never for the loop."""
        y = dict(zip(penicillin.STATES, self._y.tolist(), strict=True))
        return {
            "biomass": y["X"],
            "product": y["P"],
            "substrate": y["S"],
            "precursor": y["PAA"],
            "volume": y["V"],
            "dissolved_oxygen": 100.0 * y["CL"] / OXYGEN_SATURATION,
            "age": y["A"],
            "viscosity": y["vis"],
        }

    def _scan(self, seconds: float) -> None:
        hours = self.elapsed_s / 3600.0
        if self._wander.until(hours):
            self._now = self._wander.applied(self._q)
        pumps, loops = self.active_setpoints(), self._loops.step(self.signals, seconds / 3600.0)
        self._u = Inputs(
            F=pumps["FIC201"],
            Fpaa=pumps["FIC202"],
            Fa=loops["acid"],
            Fb=loops["base"],
            Fc=loops["cooling"],
            Fh=loops["heating"],
            Pw=loops["power"],
        )
        self._y = penicillin.advance(hours, self._y, self._u, self._now, seconds)
        self.elapsed_s += seconds
        self.phase = self.recipe.next(self.phase, self.elapsed_s / 3600.0, float(self._y[2]))
        self.lease.lapse(self.elapsed_s)
        visible = self._visible()
        self.signals = self.panel.read(visible, seconds)
        self.laboratory.visit(self.elapsed_s, visible, self.panel.faults)

    def _visible(self) -> dict[str, float]:
        """The true value of everything that an instrument or the laboratory can measure, by tag."""
        y, u = self._y, self._u
        oxygen_uptake, carbon_dioxide = penicillin.off_gas(y, self._now)
        X, P, S, CL, V, Z, T, _, _, PAA, _, vis = y.tolist()
        return {
            "AIC102.PV": 100.0 * CL / OXYGEN_SATURATION,
            "AIC101.PV": -math.log10(penicillin.hydrogen(Z)),
            "TIC101.PV": T - KELVIN,
            "WI101.PV": V,  # 1 kg/L
            "AI302.PV": oxygen_uptake,
            "AI301.PV": carbon_dioxide,
            "FIC101.PV": u.fg,
            "JIC101.PV": u.Pw,
            "FI203.PV": u.Fb,
            "FI204.PV": u.Fa,
            "FIC201.PV": u.F,
            "FIC202.PV": u.Fpaa,
            "LAB.BIOMASS": X,
            "LAB.PRODUCT": P,
            "LAB.SUBSTRATE": S,
            "LAB.PRECURSOR": PAA,
            "LAB.VISCOSITY": vis,
        }

    def memory(self) -> dict[str, Any]:
        """Everything a restart needs to go on as if nothing had happened."""
        return {
            "seed": self.seed,
            "nominal": self.nominal,
            "elapsed_s": self.elapsed_s,
            "phase": self.phase,
            "parameters": self._q._asdict(),
            "state": self._y.tolist(),
            "inputs": self._u._asdict(),
            "wander": self._wander.memory(),
            "loops": self._loops.memory(),
            "panel": self.panel.memory(),
            "laboratory": self.laboratory.memory(),
            "lease": self.lease.memory(),
            "signals": {tag: [s.value, s.status] for tag, s in self.signals.items()},
        }

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on from a memory of the same batch; ValueError says which batch it is of when it is another."""
        if (memory["seed"], memory["nominal"]) != (self.seed, self.nominal):
            theirs = "nominal" if memory["nominal"] else f"seed {memory['seed']}"
            raise ValueError(f"the checkpoint is of another batch ({theirs}), not of {self.name}")
        self.elapsed_s, self.phase = memory["elapsed_s"], Phase(memory["phase"])
        self._q, self._y = Parameters(**memory["parameters"]), np.array(memory["state"])
        self._u = Inputs(**memory["inputs"])
        self._wander.recall(memory["wander"])
        self._now = self._wander.applied(self._q)
        self._loops.recall(memory["loops"])
        self.panel.recall(memory["panel"])
        self.laboratory.recall(memory["laboratory"])
        self.lease.recall(memory["lease"])
        self.signals = {tag: Signal(v, Status(s)) for tag, (v, s) in memory["signals"].items()}
