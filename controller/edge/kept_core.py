"""NeuroCore persistence: what it learned is restored, stored, and given to a new one when it is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from controller.edge.stopwatch import Stopwatch
from controller.neurocore.core import NeuroCore, SnapshotMismatch


class KeptCore:
    """The NeuroCore in use. `rebuild` makes one that has learned nothing yet; `laps_ms` gets one entry a step."""

    def __init__(self, core: NeuroCore, rebuild: Callable[[], NeuroCore], laps_ms: list[float]) -> None:
        self._core, self._rebuild, self._laps_ms = core, rebuild, laps_ms

    def timed(self) -> Stopwatch:
        """The core as a part of the loop."""
        return Stopwatch(self._core, self._laps_ms)

    def learned(self) -> Mapping[str, object]:
        """What it has learned, as JSON values."""
        return self._core.snapshot()

    def restore(self, learned: Mapping[str, object]) -> str:
        """Go on from what was learned; the reason when that is of another NeuroCore and is set aside, else ""."""
        try:
            self._core.restore(learned)
        except SnapshotMismatch as mismatch:
            return f"what NeuroCore had learned is set aside, it starts anew: {mismatch}"
        return ""

    def start_again(self, learned: Mapping[str, object] | None) -> None:
        """A new core in place of one that was lost, with what that had learned."""
        self._core.close()
        self._core = self._rebuild()
        if learned is not None:
            self._core.restore(learned)

    def close(self) -> None:
        """End it."""
        self._core.close()
