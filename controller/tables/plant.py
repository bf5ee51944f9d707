"""What is controlled: the plant, its variables and its batch."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from controller.tables.values import (
    STRICT,
    UNITS,
    Flag,
    Name,
    Number,
    Positive,
    Text,
    instead,
    require,
)
from twin.signals import Role


@dataclass(frozen=True, config=STRICT)
class PlantTable:
    """[plant]: what is controlled; `model` is a module of twin.models."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    model: Text
    description: str = ""
    advisory_only: Flag = False

    @model_validator(mode="after")
    def _known(self) -> PlantTable:
        known = model_names()
        require(self.model in known, f"model {self.model!r} does not exist{instead(self.model, known)}")
        return self


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
    output: Name | None = None  # the measured variable that shows what the loop gives out, in percent or as a speed

    @model_validator(mode="after")
    def _sound(self) -> VariableTable:
        require(self.unit in UNITS, f"unit {self.unit!r} is not known{instead(self.unit, UNITS)}")
        require(self.low < self.high, f"low {self.low:g} is not below high {self.high:g}; mend the span")
        moved = self.role is Role.MANIPULATED
        require(not moved or self.setpoint is not None, "a manipulated variable needs the tag of its setpoint")
        for key in ("setpoint", "valid_until", "active", "local", "output"):
            given = getattr(self, key) is not None
            require(moved or not given, f"{key} belongs to a manipulated variable; remove it or mend role")
        return self


@dataclass(frozen=True, config=STRICT)
class BatchTable:
    """[batch]: where the plant says which batch runs; a plant without these gets an id from its name and date."""

    length_h: Positive = 230.0
    id: Text | None = None
    start: Text | None = None
    phase: Text | None = None


def model_names() -> tuple[str, ...]:
    """The names of the models that the twin knows."""
    folder = Path(str(files("twin"))) / "models"
    return tuple(sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_")))
