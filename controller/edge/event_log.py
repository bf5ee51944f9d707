"""Events of a turn: phases, notes, alarms, and what became of each request, as kind and sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

from controller.loop.alarm_records import AlarmState
from controller.loop.records import ENTRY_KINDS, Decision, Ruling

PLANNED = re.compile(r"phase \S+ is over; \S+ begins|the batch is complete")  # nothing that anybody has to look at


def happened(before: Decision | None, now: Decision) -> Iterator[tuple[str, str]]:
    """The events of this turn, given the last one; None when there was none in this process."""
    phase = _phase(now)
    if before is not None and phase and phase != _phase(before):
        yield "phase", phase
    for note in now.notes:
        yield "recipe" if PLANNED.fullmatch(note) else "loop", note
    for change in now.alarms.changes:
        if {change.before, change.after} != {AlarmState.NORMAL, AlarmState.SUPPRESSED}:  # that is no event
            yield "alarm", f"{change.name.replace('_', ' ')} is {change.after.replace('_', ' ')}: {change.text}"
    for ruling in now.rulings:
        asked = ruling.intent
        given = f" ({asked.reason})" if asked.reason else ""
        yield _kind(ruling), f"{asked.by}: {ruling.reason}{given}"


def _kind(ruling: Ruling) -> str:
    """The request's own kind; a result without a volume is no new sample, and what was refused was not entered."""
    asked = ruling.intent
    if asked.kind in ENTRY_KINDS and not ruling.granted:
        return "loop"
    return "assay" if asked.sample is not None and not asked.sample.volume_l else asked.kind


def _phase(decision: Decision) -> str:
    """As the recipe names it, or the plant where there is no recipe."""
    batch = decision.batch
    return batch.phase if batch is not None and batch.phase else decision.situation.phase
