"""Outage of the link: told, shown and entered while the plant is out of reach, or its time stands still."""

from __future__ import annotations

from controller.edge.alarm_dispatch import Announcer
from controller.edge.gap_ledger import Absences
from controller.edge.worker import Worker


class Outage:
    """Why the plant is lost now, and why it was lost since the last turn."""

    def __init__(self, absences: Absences, announcer: Announcer, worker: Worker) -> None:
        self._absences, self._announcer, self._worker = absences, announcer, worker
        self.text = ""  # why, while the plant is out of reach
        self._since_turn = ""

    async def lost(self, why: str) -> None:
        """The plant does not answer; it is entered once."""
        if not self._since_turn:
            await self._worker.do(self._absences.lost, why)
        self._tell(why)

    def stalled(self, seconds: float) -> None:
        """A plant that answers while its time stands still is as good as lost: there is nothing new to act upon."""
        why = f"the plant answers, but its time has stood still for {seconds:.0f} s"
        self._tell(why)
        self._absences.stalled(why)

    def _tell(self, why: str) -> None:
        self.text = self._since_turn = why
        self._announcer.outage(why)

    def over(self) -> None:
        """The plant answers."""
        self.text = ""

    def take(self) -> str:
        """Why the plant was lost since this was last asked, or ""."""
        why, self._since_turn = self._since_turn, ""
        return why
