"""Raw values: what a server said of one tag, before anybody judges it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from twin.signals import Quality


@dataclass(frozen=True, slots=True)
class Raw:
    """What one tag holds, as the server said it."""

    value: object
    status: Quality
    status_name: str
    time: datetime | None  # source time


def number_in(raw: Raw | None) -> float | None:
    """The finite number a tag holds with good status, if it does."""
    if raw is None or raw.status is not Quality.GOOD:
        return None
    if isinstance(raw.value, bool) or not isinstance(raw.value, (int, float)) or not math.isfinite(raw.value):
        return None
    return float(raw.value)


def flag_in(raw: Raw | None) -> bool | None:
    """What a tag of true or false says with good status, if it does."""
    good = raw is not None and raw.status is Quality.GOOD and isinstance(raw.value, bool)
    return bool(raw.value) if raw is not None and good else None
