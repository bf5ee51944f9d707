"""The first place where two records differ, by the path of its field; floats are compared bit for bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not the same: its path, such as "estimate.mean[2]", and both values as JSON."""

    field: str
    recorded: Any
    recomputed: Any


ABSENT = "(absent)"


def first_difference(recorded: bytes, recomputed: bytes) -> Difference | None:
    """Compare two encoded records; None when they are the same."""
    if recorded == recomputed:
        return None
    return _between(json.loads(recorded), json.loads(recomputed), "")


def _between(one: Any, other: Any, path: str) -> Difference | None:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = [*one, *(key for key in other if key not in one)]
        pairs = [(f"{path}.{key}".lstrip("."), one.get(key, ABSENT), other.get(key, ABSENT)) for key in keys]
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return Difference(f"{path} (length)", len(one), len(other))
        pairs = [(f"{path}[{i}]", *pair) for i, pair in enumerate(zip(one, other, strict=True))]
    else:
        same = repr(one) == repr(other)  # so that NaN equals NaN, 0 is not False and 0.0 not -0.0
        return None if same else Difference(path, one, other)
    return next((found for p, a, b in pairs if (found := _between(a, b, p))), None)
