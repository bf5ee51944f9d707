"""A hash chain: each row's hash is over its content and the hash before it, so that no row can be changed unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

FIRST = "0" * 64  # what the first row has in the place of the one before


def canonical(row: Mapping[str, Any]) -> str:
    """The one JSON text of a row; a value that is no plain JSON is refused."""
    return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(row: Mapping[str, Any]) -> str:
    """The SHA-256 of a row; the hash before it is one of its values."""
    return hashlib.sha256(canonical(row).encode()).hexdigest()
