"""Tag verification: what a configured tag must be at the server; this module compares, `lookup` gathers the facts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from controller.settings import Settings
from controller.support.user_error import UserError


class PlantLost(UserError):
    """The plant does not answer; the text says which one and why."""


class PlantMismatch(UserError):
    """The plant is not the one that is configured; the text names the tag and the key to mend."""


class TagKind(StrEnum):
    """What a tag holds."""

    NUMBER = "a number"
    INTEGER = "a whole number"
    TIME = "a time"
    FLAG = "true or false"
    TEXT = "a text"
    METHOD = "a method"


KINDS = {
    "node": TagKind.NUMBER,
    "setpoint": TagKind.NUMBER,
    "valid_until": TagKind.TIME,
    "active": TagKind.NUMBER,
    "local": TagKind.NUMBER,
    "heartbeat": TagKind.INTEGER,
    "owner": TagKind.TEXT,
    "lease_node": TagKind.NUMBER,
    "in_control": TagKind.FLAG,
    "lapses": TagKind.INTEGER,
    "id": TagKind.TEXT,
    "start": TagKind.TIME,
    "phase": TagKind.TEXT,
    "advance_node": TagKind.METHOD,
}
WRITTEN = ("setpoint", "valid_until", "heartbeat", "owner")


@dataclass(frozen=True, slots=True)
class Tag:
    """One configured tag: whose it is, for what, and which numbers must lie within its range."""

    owner: str  # a variable, or a table of the configuration
    key: str
    node: str
    unit: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def where(self) -> str:
        """The place in the configuration, for people."""
        return f"{self.key} of [[variable]] {self.owner!r}" if self.unit else f"{self.key} in [{self.owner}]"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server says of one tag; None where it says nothing."""

    exists: bool
    kinds: tuple[TagKind, ...] = ()  # what its data type can stand for
    unit: str | None = None
    low: float | None = None
    high: float | None = None
    writable: bool = False


def tags_of(settings: Settings) -> tuple[Tag, ...]:
    """Every configured tag with what is expected of it."""
    variables = {v.name: v for v in settings.variables}
    found = []
    for owner, key, node in settings.tags():
        variable = variables.get(owner) if key in ("node", "setpoint", "valid_until", "active", "local") else None
        if variable is None:
            found.append(Tag(owner, key, node))
        elif key == "setpoint":
            limit = settings.limits[owner]
            found.append(Tag(owner, key, node, variable.unit, limit.low, limit.high))
        elif key == "node":
            found.append(Tag(owner, key, node, variable.unit, variable.low, variable.high))
        else:
            found.append(Tag(owner, key, node, variable.unit))
    return tuple(found)


def fault_of(tag: Tag, facts: Facts) -> str:
    """Why this tag cannot be used, in one sentence that names what to mend; "" when it can."""
    kind = KINDS[tag.key]
    if not facts.exists:
        return "" if kind is TagKind.METHOD else f"the server has no tag {tag.node!r}: mend {tag.where}"
    if kind not in facts.kinds:
        found = " or ".join(facts.kinds) or "something else"
        return f"tag {tag.node!r} must hold {kind}, and it holds {found}: mend {tag.where}"
    if kind is TagKind.NUMBER and tag.unit:
        return _unit_fault(tag, facts) or _range_fault(tag, facts)
    return ""


def restriction_of(tag: Tag, facts: Facts) -> str:
    """Why this tag cannot be written, where it should be, or ""; it can be read all the same."""
    if tag.key not in WRITTEN or facts.writable or not facts.exists:
        return ""
    return f"tag {tag.node!r} must be writable, and the server does not let us: mend {tag.where}, or our rights there"


def _unit_fault(tag: Tag, facts: Facts) -> str:
    required = tag.key in ("node", "setpoint")  # what is in force is measured in the unit of its setpoint
    if facts.unit == tag.unit or (facts.unit is None and not required):
        return ""
    found = "states no unit" if facts.unit is None else f"is in {facts.unit!r}"
    return f"tag {tag.node!r} must be in {tag.unit!r}, and it {found}: mend unit or {tag.where}"


def _range_fault(tag: Tag, facts: Facts) -> str:
    if tag.low is None or tag.high is None or facts.low is None or facts.high is None:
        return ""
    slack = 1e-9 * (facts.high - facts.low)
    if facts.low - slack <= tag.low and tag.high <= facts.high + slack:
        return ""
    key = f"[limits.{tag.owner}]" if tag.key == "setpoint" else f"low and high of [[variable]] {tag.owner!r}"
    return (
        f"tag {tag.node!r} must range over {tag.low:g} to {tag.high:g} {tag.unit}, and it ranges over {facts.low:g} to "
        f"{facts.high:g}: mend {key}"
    )
