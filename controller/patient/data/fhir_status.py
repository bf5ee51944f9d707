"""Status and time of FHIR R4's medication resources: whether a drug is taken, and from when until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from controller.patient.data.samples import PatientFileFault

ORDERS = frozenset({"order", "original-order", "reflex-order", "filler-order", "instance-order"})
PROPOSALS = frozenset({"proposal", "plan", "option"})
SUPPLY = timedelta(days=90)  # that a prescription or a package without an end lasts at most (design)
# What each status means: taken now, taken until then, perhaps taken, or not taken. Any other is no status of R4.
NOW, ENDED, PERHAPS, NEVER = "now", "ended", "perhaps", "never"
STATUS = {
    "MedicationRequest": {
        "active": NOW, "completed": ENDED, "stopped": ENDED, "on-hold": PERHAPS, "unknown": PERHAPS,
        "cancelled": NEVER, "draft": NEVER, "entered-in-error": NEVER,
    },
    "MedicationStatement": {
        "active": NOW, "completed": ENDED, "stopped": ENDED, "on-hold": PERHAPS, "unknown": PERHAPS,
        "intended": NEVER, "not-taken": NEVER, "entered-in-error": NEVER,
    },
    "MedicationAdministration": {
        "completed": ENDED, "in-progress": NOW, "stopped": ENDED, "on-hold": PERHAPS, "unknown": PERHAPS,
        "not-done": NEVER, "entered-in-error": NEVER,
    },
    "MedicationDispense": {
        "completed": ENDED, "in-progress": ENDED, "stopped": ENDED, "on-hold": PERHAPS, "unknown": PERHAPS,
        "preparation": NEVER, "cancelled": NEVER, "declined": NEVER, "entered-in-error": NEVER,
    },
}  # fmt: skip


def moment(where: str, name: str, value: Any) -> datetime:
    """A date and time; PatientFileFault for a day without its hour, or none."""
    if not isinstance(value, datetime):
        said = "is missing" if value is None else f"{value} has no time of day"
        raise PatientFileFault(f"{where}: {name} {said}")
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def instant(value: datetime | date | None, last: bool = False) -> datetime | None:
    """The moment; of a day, its first or last second."""
    if value is None or isinstance(value, datetime):
        return value if value is None or value.tzinfo is not None else value.replace(tzinfo=UTC)
    return datetime.combine(value, time.max if last else time.min, UTC)


def begin(valid: Any, prefix: str) -> Any:
    """The moment, or the beginning of a period."""
    period = getattr(valid, f"{prefix}Period", None)
    return getattr(valid, f"{prefix}DateTime", None) if period is None else period.start


def end_of(valid: Any, prefix: str) -> Any:
    """The moment, or the end of a period."""
    period = getattr(valid, f"{prefix}Period", None)
    return getattr(valid, f"{prefix}DateTime", None) if period is None else period.end


def _effective_span(valid: Any, meaning: str) -> tuple[datetime | None, datetime | None]:
    end = end_of(valid, "effective") if meaning == ENDED or valid.effectivePeriod is not None else None
    return instant(begin(valid, "effective")), instant(end, last=True)


def _order_span(valid: Any, meaning: str) -> tuple[datetime | None, datetime | None]:
    """From when it was written; without an end it lasts as long as it is active, and else as long as a supply."""
    start = instant(valid.authoredOn)
    validity = getattr(valid.dispenseRequest, "validityPeriod", None)
    end = None if validity is None else instant(validity.end, last=True)
    return start, end if end is not None or meaning != ENDED or start is None else start + SUPPLY


def _dispense_span(valid: Any, meaning: str) -> tuple[datetime | None, datetime | None]:
    start = instant(valid.whenHandedOver or valid.whenPrepared)
    days = None if valid.daysSupply is None else valid.daysSupply.value
    lasts = SUPPLY if days is None else timedelta(days=float(days))
    return start, None if start is None else start + lasts


SPANS: dict[str, Callable[[Any, str], tuple[datetime | None, datetime | None]]] = {
    "MedicationRequest": _order_span,
    "MedicationStatement": _effective_span,
    "MedicationAdministration": _effective_span,
    "MedicationDispense": _dispense_span,
}
