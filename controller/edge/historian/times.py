"""Timestamps as the historian stores them: whole microseconds or milliseconds since 1970, exact both ways."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(time: datetime) -> int:
    """Exact microseconds since 1970; a time without a zone is a bug and raises."""
    return (time - _EPOCH) // _MICROSECOND


def from_us(t_us: int) -> datetime:
    """The UTC time of these microseconds since 1970."""
    return _EPOCH + t_us * _MICROSECOND


def to_ms(time: datetime) -> int:
    """Milliseconds since 1970, rounded down."""
    return to_us(time) // 1000
