"""Alarm dispatch: people who are elsewhere hear of what a turn announces, and of an outage while it lasts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from controller.edge.notification import Notifier
from controller.loop.alarm_records import AlarmState
from controller.loop.alarms import Definition
from controller.loop.records import Decision

OUTAGE = "loop.link"


class Announcer:
    """Tells of each alarm once; without a notifier nobody is told."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        self.notifier: Notifier | None = None
        self._definitions = definitions
        self._told = False  # somebody was told of this outage

    def turn(self, decision: Decision) -> None:
        """Tell of what was announced in this turn; an outage was told of while it lasted."""
        if self.notifier is None:
            return
        announced = {c.name: c.text for c in decision.alarms.changes if c.after is AlarmState.UNACKNOWLEDGED}
        for definition in self._definitions:
            known = self._told and definition.signal == OUTAGE
            if definition.name in announced and not known:
                self.notifier.tell(definition, announced[definition.name], f"{decision.time:%Y-%m-%d %H:%M} UTC")
        self._told = False

    def outage(self, why: str) -> None:
        """Tell at once that the plant is out of reach: no turn is taken that could announce it."""
        if self.notifier is not None and not self._told:
            for definition in (d for d in self._definitions if d.signal == OUTAGE):
                self.notifier.tell(definition, why, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
            self._told = True
