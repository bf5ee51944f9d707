"""The recipe: the phases of a batch in order, and where setpoints rest while it is held."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from controller.loop.batch import COMPARE, Condition
from controller.tables.values import STRICT, Name, Number, Text, require

_CONDITION = re.compile(r"^\s*([a-z][a-z_]*(?:\.[a-z][a-z0-9_]*)?)\s*(<=|>=|<|>|==)\s*(\S+)\s*$")
FAMILIES = ("estimate", "setpoint", "neurocore")
AGES = ("batch_h", "phase_h")


@dataclass(frozen=True, config=STRICT)
class RangeTable:
    """limits of one variable in one phase: they narrow [limits.NAME] and never widen it."""

    low: Number
    high: Number

    @model_validator(mode="after")
    def _ordered(self) -> RangeTable:
        require(self.low <= self.high, f"low {self.low:g} is above high {self.high:g}; mend the limits")
        return self


@dataclass(frozen=True, config=STRICT)
class PhaseTable:
    """[[phase]]: one phase of the recipe; it ends as soon as one of `ends_when` holds, and the next begins."""

    name: Name
    ends_when: Annotated[tuple[Text, ...], Field(min_length=1)]
    text: str = ""
    setpoints: dict[Name, Number] = Field(default_factory=dict)  # proposed, or in auto written, when it begins
    limits: dict[Name, RangeTable] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _readable(self) -> PhaseTable:
        for sentence in self.ends_when:
            condition(sentence)
        return self

    def conditions(self) -> tuple[Condition, ...]:
        """When it ends, as the batch understands it."""
        return tuple(condition(sentence) for sentence in self.ends_when)


def condition(sentence: str) -> Condition:
    """One line of ends_when, such as "estimate.substrate < 0.3", "phase_h >= 6" or "plant.phase == production"."""
    match = _CONDITION.match(sentence)
    require(
        match is not None,
        f"ends_when {sentence!r} cannot be read; write 'estimate.substrate < 0.3', 'phase_h >= 6' or"
        " 'plant.phase == production'",
    )
    signal, comparison, other = match.groups() if match else ("", "", "")
    if comparison == "==":
        require(signal == "plant.phase", f"ends_when {sentence!r}: only plant.phase is compared with ==")
        return Condition(signal, comparison, name=other)
    known = signal in AGES or signal.partition(".")[0] in FAMILIES
    require(known, f"ends_when {sentence!r}: {signal} is neither an age ({', '.join(AGES)}) nor an estimate.X")
    require(comparison in COMPARE and _is_number(other), f"ends_when {sentence!r}: {other!r} is not a number")
    return Condition(signal, comparison, float(other))


def _is_number(text: str) -> bool:
    try:
        return float(text) == float(text) and abs(float(text)) < float("inf")
    except ValueError:
        return False
