"""Events of a turn: phases, notes, alarms, and what became of each request, as kind and sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

from controller.edge.situation import UNKNOWN
from controller.loop.alarm_records import AlarmState
from controller.loop.records import ENTRY_KINDS, Decision, Ruling

PLANNED = re.compile(r"phase \S+ is over; \S+ begins|the batch is complete")  # nothing that anybody has to look at


def happened(before: Decision | None, now: Decision) -> Iterator[tuple[str, str]]:
    """The events of this turn, given the last one; None when there was none in this process."""
    phase = _phase(now)
    if before is not None and phase and phase != _phase(before):
        yield "phase", phase
    yield from _batch(before, now)
    for note in now.notes:
        yield "recipe" if PLANNED.fullmatch(note) else "loop", note
    for change in now.alarms.changes:
        if {change.before, change.after} != {AlarmState.NORMAL, AlarmState.SUPPRESSED}:  # that is no event
            yield "alarm", f"{change.name.replace('_', ' ')} is {change.after.replace('_', ' ')}: {change.text}"
    for ruling in now.rulings:
        asked = ruling.intent
        given = f" ({asked.reason})" if asked.reason else ""
        yield _kind(ruling), f"{asked.by}: {ruling.reason}{given}"


def _batch(before: Decision | None, now: Decision) -> Iterator[tuple[str, str]]:
    """Another batch, and what the plant says of the batch that cannot be relied on."""
    if before is not None and before.situation.batch != now.situation.batch:
        state = f", which was {before.batch.state}" if before.batch else ""
        yield "batch", f"batch {now.situation.batch} follows {before.situation.batch}{state}"
    doubts = now.situation.conditions.get(UNKNOWN, "")
    if doubts and (before is None or before.situation.conditions.get(UNKNOWN, "") != doubts):
        yield "plant", f"{doubts}: what was last known of the batch is believed"
    elif not doubts and before is not None and before.situation.conditions.get(UNKNOWN):
        yield "plant", "all tags about the batch are good again"


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
