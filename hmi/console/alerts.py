"""Banner texts: what is not as it should be, the worst first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hmi.console import words

MISSED_SCANS = 3.0  # scan periods without a scan after which that is said (design)
QUIET_S = 10.0  # and never earlier than this, wall seconds (design)


@dataclass(frozen=True, slots=True)
class Alert:
    """One sentence for the banner; `level` is "bad" or "warn"."""

    level: str
    text: str


def alerts(
    status: Mapping[str, Any] | None,
    decision: Mapping[str, Any] | None,
    names: Mapping[str, str],
    away: tuple[datetime, float] | None,
    heard_s: float,
) -> list[Alert]:
    """Everything worth a sentence. `away` is since when, and how long, the gateway has not answered.

    `heard_s` is the age of the status itself, which adds to the age of the scan that it reports.
    """
    found: list[Alert] = []
    if away is not None:
        since, seconds = away
        kept = " Values shown are the last received." if decision is not None else ""
        found.append(
            Alert(
                "bad",
                f"Controller not reachable since {since:%H:%M:%S} ({_lasting(seconds)}).{kept} Trying again.",
            )
        )
    if status is not None:
        found += _of_status(status, heard_s, away is not None)
    if decision is not None:
        found += _of_decision(decision, names)
    return sorted(found, key=lambda alert: alert.level != "bad")


def _of_status(status: Mapping[str, Any], heard_s: float, away: bool) -> list[Alert]:
    found: list[Alert] = []
    if status["link"] == "lost":
        why = f": {status['link_text']}" if status["link_text"] else ""
        found.append(Alert("bad", words.sentence(f"The link to the plant is lost{why}")))
    elif status["link"] == "connecting":
        found.append(Alert("warn", "Connecting to the plant."))
    age = None if status["scan_age_s"] is None else status["scan_age_s"] + heard_s
    if not away and age is not None and age > max(QUIET_S, MISSED_SCANS * (status["scan_period_s"] or 0.0)):
        found.append(Alert("bad", f"Stale data: the last scan was {words.ago(age)}."))
    if status["mode_reason"].lower().startswith("demoted"):
        found.append(Alert("warn", words.sentence(status["mode_reason"])))
    if status["notice"] and status["notice"] != status["link_text"]:
        found.append(Alert("warn", words.sentence(status["notice"])))
    return found


def _of_decision(decision: Mapping[str, Any], names: Mapping[str, str]) -> list[Alert]:
    found = [Alert("warn", words.told(fault, names)) for fault in decision["faults"]]
    for quality, level in (("bad", "bad"), ("uncertain", "warn")):
        listed = [
            names.get(name, name) + (f" ({reading['reason']})" if reading["reason"] else "")
            for name, reading in decision["readings"].items()
            if reading["quality"] == quality
        ]
        if listed:
            found.append(Alert(level, f"Quality {quality}: {', '.join(listed)}."))
    return found


def _lasting(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
