"""The local recipe and the lease: what the plant feeds by itself, and when a remote setpoint may replace it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

PUMPS = ("FIC201", "FIC202")  # sugar, precursor


class Phase(StrEnum):
    """Where the batch is in its recipe."""

    GROWTH = "growth"
    PRODUCTION = "production"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Sugar once the first charge is eaten, precursor from the start, until the end."""

    sugar_l_per_h: float = 0.042  # Birol 2002
    switch_g_per_l: float = 0.3  # Birol 2002; stands for the vessel's own sugar probe
    precursor_l_per_h: float = 0.00045  # design: not adapted to growth, and short of precursor near the end
    end_h: float = 230.0  # design, after the nominal batch of Goldrick 2015

    def next(self, phase: Phase, hours: float, sugar_g_per_l: float) -> Phase:
        """The phase now; the recipe never goes back."""
        if phase is Phase.COMPLETE or hours >= self.end_h:
            return Phase.COMPLETE
        if phase is Phase.PRODUCTION or sugar_g_per_l < self.switch_g_per_l:
            return Phase.PRODUCTION
        return Phase.GROWTH

    def local(self, phase: Phase, hours: float) -> dict[str, float]:
        """Each pump's setpoint when nobody else says one."""
        if phase is Phase.COMPLETE:
            return dict.fromkeys(PUMPS, 0.0)
        sugar = self.sugar_l_per_h if phase is Phase.PRODUCTION else 0.0
        return {"FIC201": sugar, "FIC202": self.precursor_l_per_h}


@dataclass(slots=True)
class Lease:
    """Remote setpoints, each in force only while a heartbeat beats and its own time has not passed."""

    lease_s: float
    remote: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PUMPS, 0.0))
    valid_until_s: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(PUMPS))
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
