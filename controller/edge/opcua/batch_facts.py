"""Batch facts: what is believed of the batch in a scan in which the plant does not say it with good quality.

A gateway marks every tag Uncertain or Bad when its device reconnects. What says something about the batch, and not
about the culture, is then the last known good one, and the scan says aloud which tags are in doubt:

| tag                    | while it is not good              | how long              | then                          |
|------------------------|-----------------------------------|-----------------------|-------------------------------|
| `[batch] id`           | the batch goes on                 | until a good other id | that batch begins, aloud      |
| `[batch] start`        | its start stays                   | the batch             |                               |
| `[batch] phase`        | the last phase of this batch      | `phase_valid_s`       | a fault: nothing but a hold   |
|                        |                                   |                       | is written or renewed         |
| `local` of a variable  | what the recipe last set          | the batch             |                               |
| `active` of a variable | not known: it is not moved        |                       |                               |
| `in_control`           | the plant does not say            |                       |                               |
| `lapses`               | the last count                    | for ever              |                               |

Not good is: Uncertain, Bad, no value, a value of another type, a tag that is not there. Before the id was ever known,
from the plant or from the record, there is no batch to serve, and the plant counts as not yet reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from controller.edge.opcua.raw import Raw, number_in
from controller.edge.opcua.tags import PlantLost
from controller.settings import Settings
from twin.signals import Quality

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known:
    """What is believed of the batch at one scan."""

    batch: str
    start: datetime | None
    phase: str
    phase_at: datetime | None = None  # when the phase was last said
    local: Mapping[str, float] = field(default_factory=dict)
    lapses: int | None = None
    doubts: tuple[str, ...] = ()  # a sentence for each tag that is not good now
    faults: tuple[str, ...] = ()  # of these, what is not known any more


class BatchFacts:
    """Keeps the last good facts of one plant's batch, beyond a lost link."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._last: Known | None = None
        self._first: datetime | None = None  # the first scan of a plant that names no batch

    def resume(self, batch: str, start: datetime | None, phase: str, at: datetime) -> None:
        """Believe what an earlier process last recorded, until the plant says otherwise."""
        if self._last is None and batch:
            self._last = Known(batch, start, phase, at)

    def known(self, raws: Mapping[str, Raw], now: datetime) -> Known:
        """The facts at this scan; PlantLost while no batch was ever named by a plant that names batches."""
        self._first = self._first or now
        table, doubts = self._settings.batch, list[str]()
        batch = self._said(raws, table.id, str, doubts) or (self._last.batch if self._last else "")
        if table.id and not batch:
            raise PlantLost(f"the plant has not said yet which batch runs ({doubts[0]}); a batch is not made up")
        before = self._last if self._last and (self._last.batch == batch or not table.id) else None
        start = self._said(raws, table.start, datetime, doubts) if table.start else self._first
        start = start or (before.start if before and before.start else now)
        phase = self._said(raws, table.phase, str, doubts) or ""
        phase_at = now if phase else before.phase_at if before else None
        self._last = Known(
            batch=batch if table.id else f"{self._settings.plant.name}-{start:%Y-%m-%d}",
            start=start,
            phase=phase or (before.phase if before else ""),
            phase_at=phase_at,
            local={**(before.local if before else {}), **self._local(raws, doubts)},
            lapses=self._lapses(raws),
            doubts=tuple(doubts),
            faults=self._outlived(phase_at, now) if table.phase and not phase else (),
        )
        return self._last

    def _said(self, raws: Mapping[str, Raw], node: str | None, kind: type[T], doubts: list[str]) -> T | None:
        """The good value of this tag; where it has none, that is among the doubts."""
        if not node:
            return None
        raw = raws.get(node)
        if raw is not None and raw.status is Quality.GOOD and isinstance(raw.value, kind) and raw.value != "":
            return raw.value
        doubts.append(f"{node} {_why_not(raw, kind)}")
        return None

    def _outlived(self, phase_at: datetime | None, now: datetime) -> tuple[str, ...]:
        valid = timedelta(seconds=self._settings.batch.phase_valid_s)
        if phase_at is not None and now - phase_at <= valid:
            return ()
        since = "since the start" if phase_at is None else f"since {phase_at:%Y-%m-%d %H:%M}"
        return (f"the phase of the batch has not been known {since}: mend {self._settings.batch.phase}",)

    def _local(self, raws: Mapping[str, Raw], doubts: list[str]) -> dict[str, float]:
        found = {}
        for variable in self._settings.manipulated():
            if variable.local and (value := number_in(raws.get(variable.local))) is not None:
                found[variable.name] = value
            elif variable.local:
                doubts.append(f"{variable.local} {_why_not(raws.get(variable.local), float)}")
        return found

    def _lapses(self, raws: Mapping[str, Raw]) -> int | None:
        node = self._settings.supervisor.lapses
        said = self._said(raws, node, int, []) if node else None
        return said if said is not None or self._last is None else self._last.lapses


def _why_not(raw: Raw | None, kind: type) -> str:
    if raw is None:
        return "is not there"
    if raw.status is not Quality.GOOD:
        return (
            f"is {raw.status.name.lower()} ({raw.status_name})" if raw.status_name else f"is {raw.status.name.lower()}"
        )
    return "has no value" if raw.value in (None, "") else f"holds a {type(raw.value).__name__}, not a {kind.__name__}"
