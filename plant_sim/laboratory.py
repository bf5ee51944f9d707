"""Laboratory: samples at fixed hours, results some hours later, each with its sampling time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from plant_sim.faults import Fault, FaultKind
from plant_sim.instruments import Point, Signal, Status, spoiled


@dataclass(frozen=True, slots=True)
class Analysis:
    """One assay: its point, and the SD of its error in the unit and as a share of the value."""

    point: Point
    noise: float
    relative: float


@dataclass(frozen=True, slots=True)
class Result:
    """One assay's outcome and the process second at which its sample was drawn."""

    tag: str
    signal: Signal
    sampled_s: float


class Laboratory:
    """Draws a sample when one is due and reports each result when it is ready."""

    def __init__(
        self,
        rng: np.random.Generator,
        analyses: tuple[Analysis, ...],
        every_s: float,
        delay_s: float,
        first_s: float,
    ) -> None:
        """Open before the first sample."""
        self._rng, self._analyses, self._every_s, self._delay_s = rng, analyses, every_s, delay_s
        self._next_s = first_s
        self._pending: list[tuple[float, dict[str, float]]] = []
        self.results: dict[str, Result] = {}

    def visit(self, now_s: float, truth: Mapping[str, float], faults: Mapping[str, Fault]) -> None:
        """Draw a sample if one is due, and report what is ready; faults spoil results as they are reported."""
        if now_s >= self._next_s:
            draws = self._rng.standard_normal(len(self._analyses)).tolist()
            found = {a.point.tag: _found(a, truth[a.point.tag], z) for a, z in zip(self._analyses, draws, strict=True)}
            self._pending.append((now_s, found))
            self._next_s += self._every_s
        while self._pending and now_s >= self._pending[0][0] + self._delay_s:
            sampled_s, found = self._pending.pop(0)
            for tag, value in found.items():
                self._report(tag, value, sampled_s, faults.get(tag))

    def _report(self, tag: str, value: float, sampled_s: float, fault: Fault | None) -> None:
        if fault is not None and fault.kind is FaultKind.FREEZE:
            return  # a result that never comes
        self.results[tag] = Result(tag, spoiled(fault, value, None, sampled_s, self._rng), sampled_s)

    def memory(self) -> dict[str, Any]:
        """Everything a restart needs."""
        return {
            "next_s": self._next_s,
            "pending": self._pending,
            "results": [asdict(r) for r in self.results.values()],
            "rng": self._rng.bit_generator.state,
        }

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on from a memory."""
        self._next_s = memory["next_s"]
        self._pending = [(sampled_s, dict(found)) for sampled_s, found in memory["pending"]]
        self.results = {
            r["tag"]: Result(r["tag"], Signal(r["signal"]["value"], Status(r["signal"]["status"])), r["sampled_s"])
            for r in memory["results"]
        }
        self._rng.bit_generator.state = memory["rng"]


def _found(analysis: Analysis, true: float, draw: float) -> float:
    """What the analyst reads; no assay reports less than nothing."""
    return max(0.0, true * (1.0 + analysis.relative * draw) + analysis.noise * draw)
