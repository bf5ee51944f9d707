"""Serialisation of records as JSON bytes and back, exactly: what the historian stores and other processes receive.

Every float comes back bit for bit (NaN and the infinities as JSON constants, which JavaScript does not parse),
every time in UTC, and a proposal as the class that it was.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json

from controller.loop.records import Decision
from twin.signals import Snapshot

Record = TypeVar("Record")

_WORTH_SHRINKING = 1000  # bytes; below this, zlib saves less than a database page


@dataclass(frozen=True, slots=True)
class _Observed:
    """The part of a stored decision that holds its snapshot; reading it skips all the rest."""

    snapshot: Snapshot


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)  # building one takes milliseconds, using it microseconds


def encode(record: object) -> bytes:
    """A record (Decision, Intent, Forecast, ...) as JSON; a value that is no JSON number or text is refused."""
    return to_json(record, inf_nan_mode="constants", fallback=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):  # a read-only view, for instance
        return dict(value)
    if hasattr(value, "tolist"):  # numpy's numbers and arrays, exactly
        return value.tolist()
    raise TypeError(f"a record holds a {type(value).__name__}, which is neither a plain number nor text")


def decode(data: bytes) -> Decision:
    """The Decision that was encoded."""
    return decode_as(Decision, data)


def decode_as(kind: type[Record], data: bytes) -> Record:
    """The record of that class that was encoded."""
    key: Any = kind  # a class is hashable, which mypy does not see of a type[Record]
    record: Record = _adapter(key).validate_json(data)
    return record


def decode_snapshot(data: bytes) -> Snapshot:
    """Only the snapshot of an encoded Decision."""
    return decode_as(_Observed, data).snapshot


def shrink(data: bytes) -> bytes:
    """JSON as it is stored: compressed when that is worth it. The first byte tells which, since JSON starts with {."""
    return zlib.compress(data, level=1) if len(data) > _WORTH_SHRINKING else data  # level 6: 7 times slower, 6 % less


def expand(data: bytes) -> bytes:
    """The JSON that was stored."""
    return data if data.startswith(b"{") else zlib.decompress(data)
