"""Readings carry their unit, source time and quality everywhere, and a Plant says what is measured and moved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum


class Quality(IntEnum):
    """How far a value can be trusted, after the OPC UA StatusCode severity; the worst is the largest."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2


class Role(StrEnum):
    """What a variable is to the loop."""

    MEASURED = "measured"  # on line, every scan
    ASSAYED = "assayed"  # off line, late, with the sampling time
    MANIPULATED = "manipulated"  # measured on line, and moved by a setpoint


@dataclass(frozen=True, slots=True)
class Reading:
    """One value as the plant gave it; `reason` says why its quality is not good."""

    value: float | None
    unit: str
    time: datetime | None  # source time (UTC, process time); None: age unknown, so never fresh
    quality: Quality
    reason: str = ""

    @property
    def usable(self) -> bool:
        """Good, present and finite: the only kind of value that is learned from or acted upon."""
        return self.quality is Quality.GOOD and self.value is not None and math.isfinite(self.value)


@dataclass(frozen=True, slots=True)
class Assay:
    """A laboratory result, which speaks of the time its sample was drawn."""

    variable: str
    value: float
    unit: str
    sampled_at: datetime
    reported_at: datetime
    quality: Quality = Quality.GOOD


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All readings at one instant of process time, and the assays that arrived since the last one."""

    time: datetime
    readings: Mapping[str, Reading]
    assays: tuple[Assay, ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """One measured, assayed or manipulated quantity with its unit and normal span (EURange)."""

    name: str
    unit: str
    low: float
    high: float
    role: Role
    text: str = ""  # for people, such as "Dissolved oxygen"
    max_age_s: float = math.inf  # process seconds after which a reading is stale


@dataclass(frozen=True, slots=True)
class Plant:
    """What the loop serves, a bioreactor and a patient alike."""

    name: str
    model: str  # whose equations describe it
    variables: tuple[Variable, ...]
    advisory_only: bool = False  # no command is ever written; research use

    def variable(self, name: str) -> Variable:
        """The variable of that name; KeyError names it when there is none."""
        for variable in self.variables:
            if variable.name == name:
                return variable
        raise KeyError(name)

    def having(self, *roles: Role) -> tuple[Variable, ...]:
        """The variables of these roles, in order."""
        return tuple(v for v in self.variables if v.role in roles)
