"""Audit trail of a turn: who did what, when, the old and the new value, and why."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controller.loop.records import Decision, Ruling
from controller.sessions import Session, changes

LOOP = "loop"  # who: the program by itself


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the trail, at a process time; the historian adds the wall time at which it was written."""

    time: datetime
    plant: str
    batch: str
    who: str
    what: str  # such as "mode", "accept", "command feed", "configuration loop.plan_every_s"
    old: str
    new: str
    reason: str


def of_turn(before: Decision | None, now: Decision) -> tuple[AuditEntry, ...]:
    """What was asked and ruled in this turn, and what the loop changed: its mode and the command in force."""
    return tuple(_entries(before, now))


def _entries(before: Decision | None, now: Decision) -> Iterator[AuditEntry]:
    at = now.time, now.plant, now.situation.batch
    for ruling in now.rulings:
        asked = ruling.intent
        yield AuditEntry(*at, asked.by, asked.kind, _known(before, ruling), _asked(ruling), _why(ruling))
    mode = str(before.mode) if before else ""
    if mode != now.mode:
        yield AuditEntry(*at, _by(now), "mode", mode, str(now.mode), now.mode_reason)
    old = {m.variable: m for m in before.command.moves} if before and before.command else {}
    new = {m.variable: m for m in now.command.moves} if now.command else {}
    for name in dict.fromkeys((*old, *new)):
        was, shall = old.get(name), new.get(name)
        if was is not None and shall is not None and was.value == shall.value:
            continue
        if shall is not None and now.command is not None:
            previous = was.value if was is not None else shall.previous
            reason = f"{now.command.purpose}, suggestion {now.command.id}"
            yield AuditEntry(*at, now.command.authority, f"command {name}", _told(previous), _told(shall.value), reason)
        elif was is not None:
            yield AuditEntry(*at, LOOP, f"command {name}", _told(was.value), "", "; ".join(now.notes) or "given back")


def of_writing(decision: Decision, happened: Sequence[tuple[str, str]]) -> tuple[AuditEntry, ...]:
    """What became of the command at the plant: written and read back, refused, or the plant was lost."""
    who = decision.command.authority if decision.command else LOOP
    at = decision.time, decision.plant, decision.situation.batch
    return tuple(
        AuditEntry(*at, who, f"write {kind}", "", decision.command.id if decision.command else "", text)
        for kind, text in happened
    )


def of_start(before: Session | None, session: Session) -> tuple[AuditEntry, ...]:
    """What is configured otherwise than at the start before this one; at the first start, that there is one."""
    at = session.time, session.plant, session.batch
    who = _user()
    if before is None:
        return (AuditEntry(*at, who, session.kind, "", session.versions.get("neurotwin", ""), "first start"),)
    found = [AuditEntry(*at, who, session.kind, "", session.versions.get("neurotwin", ""), session.reason or "start")]
    differing = (
        *changes({"configuration": before.settings}, {"configuration": session.settings}),
        *changes({"version": before.versions}, {"version": session.versions}),
    )
    for name, old, new in differing:
        found.append(AuditEntry(*at, who, name.replace(".", " ", 1), _told(old), _told(new), "found at the start"))
    return tuple(found)


def _by(decision: Decision) -> str:
    """Who changed the mode: the person whose wish was granted, or the loop."""
    granted = (r.intent.by for r in decision.rulings if r.granted and r.intent.mode is decision.mode)
    return next(granted, LOOP)


def _known(before: Decision | None, ruling: Ruling) -> str:
    return str(before.mode) if before is not None and ruling.intent.kind == "mode" else ""


def _asked(ruling: Ruling) -> str:
    asked = ruling.intent
    moves = ", ".join(f"{name} = {value!r}" for name, value in asked.moves.items())
    said = (str(asked.mode or ""), asked.suggestion, asked.alarm, moves)
    return " ".join(part for part in said if part)


def _why(ruling: Ruling) -> str:
    answer = "granted" if ruling.granted else "refused"
    told = f"{answer}: {ruling.reason}"
    return f"{ruling.intent.reason}; {told}" if ruling.intent.reason else told


def _told(value: Any) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "unknown"
