"""Memory: what one turn of the loop hands to the next, and all that it needs of the past."""

from __future__ import annotations

from dataclasses import dataclass

from controller.loop.alarm_records import AlarmBook
from controller.loop.batch_records import BatchRecord
from controller.loop.input_checks import Clock
from controller.loop.look_ahead import LookAhead
from controller.loop.mode_ladder import Ladder
from controller.loop.plausibility import NO_TRACES, Traces
from controller.loop.records import Command, Ledger
from controller.loop.shadow_benefit import Shadowed
from twin.records import Track

NOTHING_ALARMING, NOTHING_ASKED, NO_TIME = AlarmBook(), Ledger(), Clock()


@dataclass(frozen=True, slots=True)
class Memory:
    """What one turn hands to the next: with it, a turn is the same in any process."""

    ladder: Ladder
    track: Track | None = None
    outlook: LookAhead | None = None
    standing: Command | None = None  # the setpoints that are renewed as long as all is well
    batch: BatchRecord | None = None
    alarms: AlarmBook = NOTHING_ALARMING
    ledger: Ledger = NOTHING_ASKED
    traces: Traces = NO_TRACES
    clock: Clock = NO_TIME
    shadowed: Shadowed | None = None  # what SHADOW advised, and what was done instead
    remembered: object = None  # what the loop needs of its last proposal; only the loop can read it
    learned: object = None  # all that NeuroCore knows; only NeuroCore can read it
