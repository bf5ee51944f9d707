"""Frames between a process and the worker that runs Lava: a length-prefixed JSON head, then arrays as raw bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # whole numbers, or floats
_PREFIX = struct.Struct(">II")  # bytes of the head, bytes of the arrays
_DTYPES: dict[str, np.dtype[Any]] = {"i": np.dtype("<i4"), "f": np.dtype("<f8")}
_LARGEST = 1 << 26  # a frame beyond 64 MB is noise, not a frame


class BrokenFrame(Exception):
    """What arrived is not a frame; the stream cannot be trusted any more."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A command or an answer: plain values, and arrays of integers or floats by name."""

    head: Mapping[str, Any]
    arrays: Mapping[str, Array] = field(default_factory=dict)


def encode(frame: Frame) -> bytes:
    """The bytes of a frame."""
    kinds = {name: "f" if array.dtype.kind == "f" else "i" for name, array in frame.arrays.items()}
    arrays = {name: np.ascontiguousarray(array, _DTYPES[kinds[name]]) for name, array in frame.arrays.items()}
    shapes = [[name, kinds[name], list(array.shape)] for name, array in arrays.items()]
    head = json.dumps({"head": dict(frame.head), "arrays": shapes}).encode()
    body = b"".join(array.tobytes() for array in arrays.values())
    return _PREFIX.pack(len(head), len(body)) + head + body


def read(exactly: Callable[[int], bytes]) -> Frame:
    """The next frame; `exactly(n)` returns n bytes or raises."""
    head_length, body_length = _PREFIX.unpack(exactly(_PREFIX.size))
    if head_length > _LARGEST or body_length > _LARGEST:
        raise BrokenFrame(f"a frame of {head_length} + {body_length} bytes is not one of ours")
    head = json.loads(exactly(head_length))
    return Frame(head["head"], _arrays(head["arrays"], exactly(body_length)))


def _arrays(shapes: list[tuple[str, str, list[int]]], body: bytes) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    offset = 0
    for name, kind, shape in shapes:
        count = int(np.prod(shape, dtype=int))
        arrays[name] = np.frombuffer(body, _DTYPES[kind], count, offset).reshape(shape)
        offset += count * _DTYPES[kind].itemsize
    return arrays
