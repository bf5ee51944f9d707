"""Turns of the loop, each journalled: a batch is resumed from the historian, and a NeuroCore that died is replaced.

Everything here blocks, and is called on the worker's thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from controller.checkpoint import checkpoint_of
from controller.edge import audit
from controller.edge.gap_ledger import Absences
from controller.edge.historian import Historian
from controller.edge.kept_core import KeptCore
from controller.edge.opcua import Scan
from controller.edge.resuming import assays_seen, beginning, left_at
from controller.loop.mode_ladder import demoted
from controller.loop.records import Decision, Situation
from controller.loop.turn import Memory, Parts, turn
from controller.neurocore.backend import NeuroCoreLost
from controller.sessions import RELEARNED, STARTED, TRACK_SPAN, began, resumed
from controller.settings import Settings

log = structlog.get_logger()


class TurnTaker:
    """The loop of one plant: its memory, its parts, and the historian that every Decision goes to first."""

    def __init__(
        self, settings: Settings, parts: Parts, core: KeptCore, historian: Historian, absences: Absences
    ) -> None:
        self.memory = Memory(began())
        self.parts = replace(parts, core=core.timed())
        self._settings, self._core, self._historian, self._absences = settings, core, historian, absences
        self._last: Decision | None = None

    def left(self) -> tuple[dict[str, datetime], Decision | None]:
        """What a start must know of before: which results were used already, and the plant's last decision."""
        last = self._historian.last_decision(self.parts.plant.name)
        return assays_seen(self._historian, self.parts.plant.name, last), last

    def resume(self, scan: Scan) -> Sequence[Decision]:
        """Take up the batch where the historian left it: belief, learning, and a command still in force.

        Returns the decisions that the belief rests on, the last one last; none when there is nothing to take up.
        """
        name, historian = self.parts.plant.name, self._historian
        state = historian.core_state(name)
        last, number = left_at(historian, name, scan)
        session, before = beginning(self._settings, scan, STARTED, "", number, state), historian.sessions(name)
        historian.begin(session, audit.of_start(before[-1][1] if before else None, session))
        if state is not None and (told := self._core.restore(state)):
            self._note(scan, told)
        if last is None:
            return ()
        self._absences.resumed(scan.batch, last.time)
        recent = historian.decisions(name, scan.batch, last.time - TRACK_SPAN)
        self.memory = resumed(last, recent, scan.snapshot.time)
        self._note(scan, "the batch is resumed")
        return recent

    def take(self, scan: Scan, situation: Situation) -> Decision:
        """Take the turn and record it; a NeuroCore that died is rebuilt from what it had learned."""
        try:
            decision, memory, looked = self._attempt(scan, situation)
        except NeuroCoreLost as lost:
            told = f"NeuroCore was lost and started again: {lost}"
            log.error(told)
            self._note(scan, told)
            self._start_core_again(scan, told)
            self.memory = replace(self.memory, ladder=demoted(self.memory.ladder, told), learned=None)
            heard = {**situation.conditions, "loop.neurocore": told}
            situation = replace(situation, faults=(*situation.faults, told), conditions=heard)
            decision, memory, looked = self._attempt(scan, situation)
        self.memory = memory
        state, point = (self._core.learned(), checkpoint_of(memory)) if looked else (None, None)
        self._historian.record(decision, state, audit.of_turn(self._last, decision), point)
        self._absences.seen(decision)
        self._last = decision
        return decision

    def _attempt(self, scan: Scan, situation: Situation) -> tuple[Decision, Memory, bool]:
        """The Decision, the memory for the next, and whether there was a look ahead."""
        decision, memory = turn(self.memory, scan.snapshot, situation, self.parts)
        return decision, memory, memory.outlook is not self.memory.outlook

    def _start_core_again(self, scan: Scan, why: str) -> None:
        state = self._historian.core_state(self.parts.plant.name)
        self._historian.begin(beginning(self._settings, scan, RELEARNED, why, None, state))
        self._core.start_again(state)
        self.parts = replace(self.parts, core=self._core.timed())

    def audit(self, decision: Decision, events: Sequence[tuple[str, str]]) -> None:
        """Enter what became of this Decision's command at the plant, as kind and sentence."""
        self._historian.audit(audit.of_writing(decision, events))

    def close(self) -> None:
        """Store what NeuroCore has learned, and end it."""
        if self._last is not None:
            self._historian.save_core_state(self.parts.plant.name, self._last.time, self._core.learned())
        self._core.close()

    def _note(self, scan: Scan, text: str) -> None:
        self._historian.event(scan.snapshot.time, self.parts.plant.name, scan.batch, "loop", text)
