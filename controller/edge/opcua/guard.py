"""Write guard: the last look at a setpoint before and after it is written, why it must not go out, whether it holds.

Safety has judged every move already; this guard stands at the wire and trusts nobody.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from controller.loop.records import Move
from controller.settings import Settings
from controller.tables import VariableTable

TICK = timedelta(milliseconds=1)  # servers may round a time to this


class Outcome(StrEnum):
    """What became of a write. REFUSED: what was asked is not in force, or was undone. UNKNOWN: it may be."""

    WRITTEN = "written"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """What became of one setpoint: what was asked, what the plant then held, and why it is not the same."""

    variable: str
    asked: float
    read_back: float | None
    outcome: Outcome
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Is it in force?"""
        return self.outcome is Outcome.WRITTEN


@dataclass(frozen=True, slots=True)
class Asked:
    """A setpoint that was sent, with what is needed to settle whether it is in force, and to undo it."""

    value: float
    valid_until: datetime | None  # None: the plant has no tag for it
    before: float | None  # the setpoint that it replaced
    sent: float  # by the monotonic clock

    @property
    def told(self) -> str:
        """Until when it may be in force."""
        until = f"until {self.valid_until:%H:%M}" if self.valid_until else "as long as the heartbeat beats"
        return f"{self.value:g} may be in force {until}"


@dataclass(frozen=True, slots=True)
class Held:
    """What the plant holds for one manipulated variable; None: it does not say."""

    setpoint: float | None
    valid_until: datetime | None
    in_force: float | None
    in_control: bool | None = None  # asked for where the plant has no tag of what is in force


def objections(moves: Sequence[Move], settings: Settings) -> list[str]:
    """Of each move why it must not be written, or ""."""
    tables = {v.name: v for v in settings.manipulated()}
    times = Counter(m.variable for m in moves)
    return [_objection(m, tables.get(m.variable), times[m.variable], settings) for m in moves]


def _objection(move: Move, table: VariableTable | None, times: int, settings: Settings) -> str:
    if table is None:
        return "it is not a manipulated variable"
    if settings.plant.advisory_only:
        return "the plant is advisory only"
    if times > 1:
        return "it is moved twice in one command"
    if not math.isfinite(move.value):
        return f"{move.value} is not a finite number"
    if move.unit != table.unit:
        return f"it is given in {move.unit!r}, and the plant takes {table.unit!r}"
    limit = settings.limits[move.variable]
    if not limit.low <= move.value <= limit.high:
        return f"{move.value:g} is outside the limits {limit.low:g} to {limit.high:g} {table.unit}"
    return ""


def not_renewable(held: Held, written: float | None, now: datetime | None, leased: bool) -> str:
    """Why this setpoint's lease must not be extended, or "": what lapsed or was changed is never revived."""
    if held.setpoint is None or held.in_force is None:
        return "what is in force is not known"
    if not same(held.setpoint, held.in_force):
        return f"it is not in force: the plant follows {held.in_force:g}, and our setpoint is {held.setpoint:g}"
    if written is not None and not same(held.setpoint, written):
        return f"someone else set it: we wrote {written:g}, and it is {held.setpoint:g}"
    if leased and (held.valid_until is None or now is None or held.valid_until < now):
        return "its lease has lapsed"
    return ""


def difference(held: Held, asked: float, valid_until: datetime | None) -> str:
    """How what the plant holds and follows differs from what was asked, or ""."""
    if held.setpoint is None:
        return f"{asked:g} was written, and it could not be read back"
    if not same(held.setpoint, asked):
        return f"{asked:g} was written, and {held.setpoint:g} was read back"
    if valid_until is not None and (held.valid_until is None or abs(held.valid_until - valid_until) > TICK):
        return f"its lease was written to end at {valid_until}, and {held.valid_until} was read back"
    if held.in_force is None:
        return f"{asked:g} was read back, and what the plant follows could not be"
    if not same(held.in_force, asked):
        return f"{asked:g} was read back, and the plant follows {held.in_force:g}"
    if held.in_control is False:
        return f"{asked:g} was read back, and the plant says that it does not follow us"
    return ""


def same(one: float, other: float) -> bool:
    """Equal, but for what a 32-bit float loses."""
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12)
