"""A session: what the loop began with each time it, or its NeuroCore, was started; replay needs it.

A turn is a function of the memory, the snapshot, the situation and the parts. Snapshot and situation are in every
Decision; the memory follows from the turns before. What is missing is what a process begins with: the configuration,
what NeuroCore had learned, and the decision at which the batch was taken up again.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

from pydantic import TypeAdapter

from controller.loop.mode_ladder import Ladder
from controller.loop.records import Decision, Mode
from controller.loop.turn import Memory
from controller.settings import Settings
from twin.records import Track

TRACK_SPAN = timedelta(hours=16)  # what a restart needs, so that an assay of before it can still be rewound to
STARTED, RELEARNED = "started", "neurocore started again"
REACHED_BY = ("endpoint", "namespace", "scan_s", "lockstep", "advance_node")  # without files that may not be here
LIBRARIES = ("neurotwin", "numpy", "scipy", "numba", "lava-nc")  # whose arithmetic the decisions rest on


@dataclass(frozen=True, slots=True)
class Session:
    """One beginning, recorded before its first turn."""

    time: datetime  # process time of its first snapshot
    plant: str
    batch: str
    kind: str  # STARTED, or RELEARNED in the middle of a run
    reason: str  # why NeuroCore had to be started again
    resumed_from: int | None  # number of the decision at which the batch was taken up again
    settings: Mapping[str, Any]  # as configured, as JSON
    core_state: Mapping[str, Any] | None  # what NeuroCore had learned by then
    versions: Mapping[str, str]


def began() -> Ladder:
    """Where the ladder stands when nothing is resumed."""
    return Ladder(Mode.SHADOW, "started")


def resumed(last: Decision, past: Sequence[Decision], now: datetime) -> Memory:
    """The memory of a batch that is taken up again at `now`: belief, mode, phase, alarms, a command still in force.

    `past` are the decisions of the TRACK_SPAN before the last one, which is the last of them.
    """
    mode = Mode.ADVISORY if last.mode is Mode.AUTO else last.mode
    standing = last.command if last.command and last.command.valid_until > now else None
    ladder = Ladder(mode, f"resumed at {last.time:%Y-%m-%d %H:%M}; auto is never resumed")
    track = Track(last.estimate, tuple((d.estimate, d.snapshot) for d in past))
    return Memory(ladder, track, None, standing, last.batch, last.alarms, last.ledger)


def configured(settings: Settings) -> dict[str, Any]:
    """The configuration as plain JSON. Passwords and tokens are in files of their own, so none is in it."""
    plain: dict[str, Any] = _stated(TypeAdapter(Settings).dump_python(settings, mode="json"))
    return plain


def _stated(value: Any) -> Any:
    """Without what cannot be written in the file, None and the infinities: they stand for nothing being stated."""
    if isinstance(value, Mapping):
        kept = {str(k): _stated(v) for k, v in value.items()}
        return {k: v for k, v in kept.items() if not (v is None or (isinstance(v, float) and not math.isfinite(v)))}
    return [_stated(v) for v in value] if isinstance(value, (list, tuple)) else value


def settings_of(session: Session) -> Settings:
    """The settings that a session ran with, without the files of secrets, which are perhaps not here."""
    plain = dict(session.settings)
    plain["connection"] = {k: v for k, v in plain["connection"].items() if k in REACHED_BY}
    plain.pop("influx", None)
    settings: Settings = TypeAdapter(Settings).validate_python(plain)
    return settings


def versions() -> dict[str, str]:
    """What computes: this program, its libraries, Python and the machine."""
    found = {name: version(name) for name in LIBRARIES}
    return found | {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}


def changes(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> list[tuple[str, Any, Any]]:
    """Each setting that differs: its dotted name, the old and the new value; None where there was or is none."""
    found: list[tuple[str, Any, Any]] = []
    for key in [*before, *(k for k in after if k not in before)]:
        old, new = _named(before.get(key)), _named(after.get(key))
        where = f"{path}.{key}" if path else str(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += changes(old, new, where)
        elif old != new:
            found.append((where, old, new))
    return found


def _named(value: Any) -> Any:
    """A list of tables that have names, such as the variables, as a table of them."""
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, Mapping) and "name" in v for v in value):
        return {str(v["name"]): v for v in value}
    return value
