"""Phases of a batch, and the lease: when a remote setpoint may replace what the plant feeds by itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class PlantPhase(StrEnum):
    """Where the batch is in its recipe."""

    GROWTH = "growth"
    PRODUCTION = "production"
    COMPLETE = "complete"


@dataclass(slots=True)
class Lease:
    """Remote setpoints, each in force only while a heartbeat beats and its own time has not passed."""

    lease_s: float
    remote: dict[str, float]
    valid_until_s: dict[str, float | None]
    heartbeat: int = 0
    beaten_s: float | None = None  # when the heartbeat last changed; None: not since the start or a lapse
    lapses: int = 0

    def beat(self, heartbeat: int, now_s: float) -> None:
        """Take a heartbeat; only a change counts."""
        if heartbeat != self.heartbeat:
            self.heartbeat, self.beaten_s = heartbeat, now_s

    def lapse(self, now_s: float) -> None:
        """Forget every command when nobody is there, so that none revives when somebody comes back."""
        if self.beaten_s is not None and now_s - self.beaten_s > self.lease_s:
            self.beaten_s = None
            self.lapses += 1
        if self.beaten_s is None:
            self.valid_until_s = dict.fromkeys(self.valid_until_s)

    def in_force(self, pump: str, now_s: float) -> bool:
        """Whether this pump follows its remote setpoint."""
        valid_until_s = self.valid_until_s[pump]
        alive = self.beaten_s is not None and now_s - self.beaten_s <= self.lease_s
        return alive and valid_until_s is not None and now_s <= valid_until_s

    def memory(self) -> dict[str, Any]:
        """Everything a restart needs; the length of the lease is the caller's."""
        return {name: value for name, value in asdict(self).items() if name != "lease_s"}

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on from a memory."""
        for name, value in memory.items():
            setattr(self, name, value)
