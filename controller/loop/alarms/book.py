"""Alarm book, turn by turn: what is announced, what people did to it, and what is put away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from controller.loop.alarm_records import AlarmBook, AlarmChange, AlarmRecord, AlarmState
from controller.loop.alarms.definition import AlarmRules, Definition, Kind, Sight
from controller.loop.alarms.judging import Judged, judge
from controller.loop.alarms.states import AWAY, STANDING, after
from controller.loop.records import ALARM_KINDS, Intent, Ruling

DAY = timedelta(days=1)
KEPT = 200  # announcements of one alarm that are remembered (design): a chattering one must not fill the record


def watch(
    book: AlarmBook,
    definitions: Sequence[Definition],
    rules: AlarmRules,
    sight: Sight,
    intents: Sequence[Intent] = (),
) -> tuple[AlarmBook, tuple[Ruling, ...]]:
    """The book after this instant, with every change in it, and what became of what people asked."""
    known = {d.name: d for d in definitions}
    records = {a.name: a for a in book.alarms if a.name in known}
    before = dict(records)
    rulings = []
    for intent in (i for i in intents if i.kind in ALARM_KINDS):
        record, ruling = _asked(records.get(intent.alarm), known.get(intent.alarm), intent, rules, sight.time)
        rulings.append(ruling)
        if record is not None:
            records[intent.alarm] = record
    matters = {d.name: _matter(d, sight, records.get(d.name)) for d in definitions}
    active = frozenset(name for name, record in matters.items() if record.active)
    for name, definition in known.items():
        moved = _moved(matters[name], definition, sight, active)
        if moved.state is not AlarmState.NORMAL or _worth_keeping(moved):
            records[name] = moved
        else:
            records.pop(name, None)
    changes = tuple(_changes(before, records))
    return AlarmBook(tuple(records[d.name] for d in definitions if d.name in records), changes), tuple(rulings)


def judged(definition: Definition, sight: Sight, book: AlarmBook) -> Judged:
    """How the matter of one alarm stands at this instant, without any delay."""
    return judge(definition, sight, book.find(definition.name))


def _worth_keeping(record: AlarmRecord) -> bool:
    return bool(record.announced) or record.active or record.turning_since is not None or record.value_at is not None


def _matter(definition: Definition, sight: Sight, record: AlarmRecord | None) -> AlarmRecord:
    """The record with its matter judged: `active` follows after the delays."""
    found = judge(definition, sight, record)
    now = sight.time
    record = record or AlarmRecord(definition.name, AlarmState.NORMAL, now)
    if found.active is None:  # it cannot be told: nothing begins and nothing ends
        return record if found.value is None else replace(record, value=found.value, value_at=now)
    active, since = record.active, record.turning_since
    if found.active == active:
        since = None
    else:
        since = now if since is None or since > now else since
        delay = definition.on_delay if found.active else definition.off_delay
        if now - since >= delay:
            active, since = found.active, None
    text = found.text if found.active else record.text
    remembers = found.active or active or definition.kind in (Kind.RATE, Kind.FROZEN)
    value, value_at = (found.value, now) if remembers else (None, None)
    return replace(record, active=active, turning_since=since, text=text, value=value, value_at=value_at)


def _moved(record: AlarmRecord, definition: Definition, sight: Sight, active: frozenset[str]) -> AlarmRecord:
    """The record in the state that its matter, its phase and its time on the shelf give it."""
    state, now = record.state, sight.time
    announced = tuple(t for t in record.announced if now - t <= DAY)[-KEPT:]
    record = replace(record, announced=announced)
    if state is AlarmState.OUT_OF_SERVICE:
        return record
    if state is AlarmState.SHELVED and record.until is not None and now < record.until:
        return record
    if _by_design(definition, sight, active):
        return record if state is AlarmState.SUPPRESSED else _into(record, AlarmState.SUPPRESSED, now)
    if state in AWAY:
        record = _into(replace(record, until=None, by="", reason=""), AlarmState.NORMAL, now)
    event = "on" if record.active else "off"
    if record.active and record.state in STANDING:
        return record
    reached = after(record.state, event, definition.latched)
    return record if reached is None else _into(record, reached, now)


def _by_design(definition: Definition, sight: Sight, active: frozenset[str]) -> bool:
    elsewhere = bool(definition.phases) and not set(definition.phases) & set(sight.phases)
    return elsewhere or bool(active & set(definition.unless))


def _into(record: AlarmRecord, state: AlarmState, now: datetime) -> AlarmRecord:
    if state is AlarmState.UNACKNOWLEDGED:
        return replace(
            record, state=state, since=now, raised_at=now, announced=(*record.announced, now), by="", reason=""
        )
    return replace(record, state=state, since=now)


def _asked(
    record: AlarmRecord | None, definition: Definition | None, intent: Intent, rules: AlarmRules, now: datetime
) -> tuple[AlarmRecord | None, Ruling]:
    """The record after what a person asked of it, or as it was and why."""
    if definition is None:
        return record, Ruling(intent, False, f"there is no alarm {intent.alarm!r}")
    record = record or AlarmRecord(definition.name, AlarmState.NORMAL, now)
    if intent.kind in ("ack", "reset"):
        reached = after(record.state, intent.kind, definition.latched)
        if reached is None:
            return record, Ruling(
                intent, False, f"{definition.text} is {_words(record.state)}: nothing to {intent.kind}"
            )
        record = replace(_into(record, reached, now), by=intent.by, reason=intent.reason)
        return record, Ruling(intent, True, f"{definition.text} is {_words(reached)}")
    return _put_away(record, definition, intent, rules, now)


def _put_away(
    record: AlarmRecord, definition: Definition, intent: Intent, rules: AlarmRules, now: datetime
) -> tuple[AlarmRecord, Ruling]:
    """Shelve, or take out of service, and bring back."""
    name, state = definition.text, record.state
    if intent.kind == "shelve":
        longest_h = rules.shelve_at_most.total_seconds() / 3600.0
        if intent.hours is None or not 0.0 < intent.hours <= longest_h:
            return record, Ruling(intent, False, f"{name} can be shelved for up to {longest_h:g} h; say how long")
        if state is AlarmState.OUT_OF_SERVICE:
            return record, Ruling(intent, False, f"{name} is out of service")
        until = now + timedelta(hours=intent.hours)
        record = replace(_into(record, AlarmState.SHELVED, now), until=until, by=intent.by, reason=intent.reason)
        return record, Ruling(intent, True, f"{name} is shelved until {until:%Y-%m-%d %H:%M}")
    if intent.kind == "out_of_service":
        record = replace(_into(record, AlarmState.OUT_OF_SERVICE, now), until=None, by=intent.by, reason=intent.reason)
        return record, Ruling(intent, True, f"{name} is out of service")
    wanted = AlarmState.SHELVED if intent.kind == "unshelve" else AlarmState.OUT_OF_SERVICE
    if state is not wanted:
        return record, Ruling(intent, False, f"{name} is {_words(state)}, not {_words(wanted)}")
    record = replace(_into(record, AlarmState.NORMAL, now), until=None, by="", reason="")
    return record, Ruling(intent, True, f"{name} is watched again")


def _changes(before: dict[str, AlarmRecord], now: dict[str, AlarmRecord]) -> list[AlarmChange]:
    found = []
    for name in dict.fromkeys((*before, *now)):
        old = before[name].state if name in before else AlarmState.NORMAL
        new = now[name].state if name in now else AlarmState.NORMAL
        if old is not new:
            text = now[name].text if name in now else before[name].text
            found.append(AlarmChange(name, old, new, text))
    return found


def _words(state: AlarmState) -> str:
    return str(state).replace("_", " ")
