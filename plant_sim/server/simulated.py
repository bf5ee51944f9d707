"""The simulated plant, as far as SIMULATION must know it: its batch, its time, and that it shows what was changed."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from plant_sim.batch import Batch


class Simulated(Protocol):
    """A plant whose time can be moved and whose parts can be broken."""

    batch: Batch

    @property
    def time(self) -> datetime:
        """Process time."""
        ...

    async def advance(self, seconds: float) -> None:
        """Move process time on, show and keep."""
        ...

    def unreachable_until_s(self) -> float | None:
        """The process second at which a lost connection comes back; None while there is one."""
        ...

    async def taken(self) -> None:
        """Show what was changed and what follows from it, and save it."""
        ...
