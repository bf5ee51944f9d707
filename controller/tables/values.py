"""Kinds of values in a configuration, and the sentences that refuse a wrong one."""

from __future__ import annotations

import ipaddress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, Strict

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

UNITS = frozenset(
    "% pH degC K kg g L mL h s g/L mg/L mmol/L cells/L cells/mL 10^6/mL mOsm/L mOsm/kg mmHg g/(L.h) "
    "mmol/(L.h) 1/h L/h mL/h L/min mL/min vvm W kW rpm bar mbar cP mS/cm mV".split()
)

Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Positive = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict(), Field(ge=0)]
Port = Annotated[int, Strict(), Field(ge=1, le=65535)]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

STRICT = ConfigDict(extra="forbid")


def require(holds: bool, sentence: str) -> None:
    """Refuse the value with this sentence unless the condition holds."""
    if not holds:
        raise ValueError(sentence)


def alike(table: object, record: type[DataclassInstance]) -> dict[str, Any]:
    """What a table and the record that is made from it call by the same name."""
    return {field.name: getattr(table, field.name) for field in fields(record) if hasattr(table, field.name)}


def readable(key: str, path: Path | None) -> None:
    """Refuse a path that is given and leads to no file."""
    if path is not None:
        require(path.is_file(), f"{key} {str(path)!r} does not exist; create it or mend the path")


def first_line(path: Path) -> str:
    """The first line of a file, without blanks around it: how a secret is kept."""
    return path.read_text(encoding="utf-8").splitlines()[0].strip()


def is_loopback(host: str) -> bool:
    """Whether this name or address is one of this machine for itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
