"""The processes that can be simulated, by the name of the twin's model that serves each."""

from __future__ import annotations

from plant_sim.process import Process
from plant_sim.processes.mab import MAB
from plant_sim.processes.penicillin import PENICILLIN

PROCESSES: dict[str, Process] = {p.name: p for p in (PENICILLIN, MAB)}

__all__ = ["MAB", "PENICILLIN", "PROCESSES"]
