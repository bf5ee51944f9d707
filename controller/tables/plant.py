"""What is controlled: the plant, its variables and its batch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ArgsKwargs

from controller.processes import find
from controller.support.user_error import UserError
from controller.support.words import instead
from controller.tables.values import (
    STRICT,
    UNITS,
    Flag,
    Name,
    Number,
    Positive,
    Text,
    require,
)
from twin.signals import Role


@dataclass(frozen=True, config=STRICT)
class PlantTable:
    """[plant]: what is controlled. `process` is one that ships, or the folder of one's own; `model` is its old name."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    process: Text
    description: str = ""
    advisory_only: Flag = False
    trust_code: Flag = False  # whether the code in a folder of one's own may run inside NeuroTwin

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, given: Any) -> Any:
        """Files and recorded sessions from before processes were folders say `model`."""
        content = given.kwargs if isinstance(given, ArgsKwargs) else given
        if isinstance(content, dict) and "model" in content and "process" not in content:
            return {("process" if key == "model" else key): value for key, value in content.items()}
        return given

    @model_validator(mode="after")
    def _known(self) -> PlantTable:
        try:
            find(self.process)
        except UserError as fault:
            raise ValueError(str(fault)) from None
        return self


# Where the drawing of the vessel shows a value, after the parts of a stirred tank: liquid fed in at the top, acid and
# base that hold the pH, gas in at the bottom, the balance, the stirrer's shaft, the gas that leaves, and the probes.
Region = Literal["inlet", "titrant", "sparger", "scale", "shaft", "off_gas", "probe"]


@dataclass(frozen=True, config=STRICT)
class VariableTable:
    """[[variable]]: one quantity, its unit, normal span and tags; a manipulated one has a setpoint tag too."""

    name: Name
    unit: Text
    low: Number
    high: Number
    role: Role
    node: Text  # the measured value, or the laboratory result
    text: str = ""
    max_age_s: Positive | None = None  # default: three scans; an assay does not age
    frozen_after_s: Positive | None = None  # default: never; for instruments whose noise never repeats a value
    setpoint: Text | None = None
    valid_until: Text | None = None
    active: Text | None = None
    local: Text | None = None
    drawn: Region | None = None  # default: at the edge of the drawing, as long as there is room
    output: Name | None = None  # the measured variable that shows what the loop gives out, in percent or as a speed

    @model_validator(mode="after")
    def _sound(self) -> VariableTable:
        require(self.unit in UNITS, f"unit {self.unit!r} is not known{instead(self.unit, UNITS)}")
        require(self.low < self.high, f"low {self.low:g} is not below high {self.high:g}; mend the span")
        require(
            self.role is not Role.ASSAYED or self.drawn is None,
            "drawn belongs to what is read on line, and this is assayed; remove it or mend role",
        )
        moved = self.role is Role.MANIPULATED
        require(not moved or self.setpoint is not None, "a manipulated variable needs the tag of its setpoint")
        for key in ("setpoint", "valid_until", "active", "local", "output"):
            given = getattr(self, key) is not None
            require(moved or not given, f"{key} belongs to a manipulated variable; remove it or mend role")
        return self


@dataclass(frozen=True, config=STRICT)
class BatchTable:
    """[batch]: how long one lasts, and where the plant says which runs; without it an id is made of name and date."""

    length_h: Positive
    id: Text | None = None
    start: Text | None = None
    phase: Text | None = None
    phase_valid_s: Positive = 1800.0  # process time for which the last phase is believed when the plant does not say it
