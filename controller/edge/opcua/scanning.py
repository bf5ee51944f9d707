"""Scan evaluation: each value is judged, aged against process time, and new assays are noticed.

Nothing here knows a protocol: `lookup` brings the values as Raw.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from controller.edge.opcua.batch_facts import BatchFacts
from controller.edge.opcua.raw import Raw, flag_in, number_in
from controller.edge.opcua.tags import PlantLost
from controller.settings import Settings
from twin.signals import Assay, Quality, Reading, Role, Snapshot, Variable


@dataclass(frozen=True, slots=True)
class Scan:
    """One look at the plant: its readings, its batch, and what it does with our setpoints."""

    snapshot: Snapshot
    batch: str
    batch_start: datetime | None
    phase: str
    setpoints: Mapping[str, float]  # in force, by manipulated variable; absent when not known
    local: Mapping[str, float]  # what the plant's own recipe would do
    in_control: bool | None = None  # does the plant follow us? None: it does not say
    lapses: int | None = None  # how often our heartbeat came too late
    stalled_s: float = 0.0  # wall seconds since the plant's time last moved on
    doubts: tuple[str, ...] = ()  # a sentence for each tag about the batch that is not good now
    faults: tuple[str, ...] = ()  # of these, what is not known any more


class Scanner:
    """Makes Scans and remembers what must outlast a lost link: process time, and which assays were seen."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._plant = settings.plant_record()
        self._tables = {v.name: v for v in settings.variables}
        self.facts = BatchFacts(settings)
        self._moved_on = time.monotonic()
        self._unchanged: dict[str, tuple[float, datetime]] = {}  # the last value of a variable, and since when
        self.now: datetime | None = None  # process time of the last scan
        self.assays_seen: dict[str, datetime] = {}  # sampling time of the newest result of each assay

    def scan(self, raws: Mapping[str, Raw]) -> Scan:
        """The values of all tags, by node, as one Scan."""
        now = self._process_time(raws)
        if now != self.now:
            self._moved_on = time.monotonic()
        self.now = now
        known, in_control = self.facts.known(raws, now), raws.get(self._settings.supervisor.in_control or "")
        return Scan(
            snapshot=Snapshot(now, self._readings(raws, now), self._assays(raws, now)),
            batch=known.batch,
            batch_start=known.start,
            phase=known.phase,
            setpoints=self._in_force(raws),
            local=known.local,
            in_control=flag_in(in_control),
            lapses=known.lapses,
            stalled_s=time.monotonic() - self._moved_on,
            doubts=known.doubts,
            faults=known.faults,
        )

    def _process_time(self, raws: Mapping[str, Raw]) -> datetime:
        """The newest source time on line; that of a bad reading only when there is no better one."""
        online = [raws[self._tables[v.name].node] for v in self._plant.having(Role.MEASURED, Role.MANIPULATED)]
        usable = [r.time for r in online if r.time is not None and r.status is not Quality.BAD]
        dated = usable or [r.time for r in online if r.time is not None]
        if dated:
            return max(dated)
        if self.now is None:
            raise PlantLost("no on-line reading carries a source time, so the time of the process is not known")
        return self.now

    def _readings(self, raws: Mapping[str, Raw], now: datetime) -> dict[str, Reading]:
        online = self._plant.having(Role.MEASURED, Role.MANIPULATED)
        judged = {v.name: judge(v, raws[self._tables[v.name].node]) for v in online}
        return {v.name: aged(self._moving(v.name, judged[v.name]), now, v.max_age_s) for v in online}

    def _moving(self, name: str, reading: Reading) -> Reading:
        """A good reading that has not changed by a bit for longer than its instrument ever could is uncertain."""
        allowed_s = self._tables[name].frozen_after_s
        if allowed_s is None or reading.value is None or reading.time is None:
            return reading
        value, since = self._unchanged.get(name, (reading.value, reading.time))
        if value != reading.value or reading.time < since:
            value, since = reading.value, reading.time
        self._unchanged[name] = value, since
        still_s = (reading.time - since).total_seconds()
        if reading.quality is not Quality.GOOD or still_s <= allowed_s:
            return reading
        reason = f"frozen: exactly {value:g} for {still_s:.0f} s, {allowed_s:g} s allowed"
        return replace(reading, quality=Quality.UNCERTAIN, reason=reason)

    def _assays(self, raws: Mapping[str, Raw], now: datetime) -> tuple[Assay, ...]:
        """The results whose sampling time is new; one that cannot be true is handed on as bad."""
        found = []
        for variable in self._plant.having(Role.ASSAYED):
            raw = raws[self._tables[variable.name].node]
            if raw.status is not Quality.GOOD or raw.time is None or raw.time == self.assays_seen.get(variable.name):
                continue
            self.assays_seen[variable.name] = raw.time
            reading = judge(variable, raw)
            if reading.value is not None:
                quality = Quality.BAD if raw.time > now else reading.quality
                found.append(Assay(variable.name, reading.value, variable.unit, raw.time, now, quality))
        return tuple(found)

    def _in_force(self, raws: Mapping[str, Raw]) -> dict[str, float]:
        """The setpoint in force of each manipulated variable; absent when it is not good."""
        found = {}
        for table in self._settings.manipulated():
            value = number_in(raws.get(table.active or table.setpoint or ""))
            if value is not None:
                found[table.name] = value
        return found


def judge(variable: Variable, raw: Raw) -> Reading:
    """The value as a Reading: the worst that is known of it decides, and its reason says what that is."""
    if raw.status is Quality.BAD:
        return Reading(None, variable.unit, raw.time, Quality.BAD, raw.status_name)
    if raw.value is None:
        return Reading(None, variable.unit, raw.time, Quality.BAD, "no value")
    if isinstance(raw.value, bool) or not isinstance(raw.value, (int, float)):
        return Reading(None, variable.unit, raw.time, Quality.BAD, f"not a number but {type(raw.value).__name__}")
    number = float(raw.value)
    if not math.isfinite(number):
        return Reading(None, variable.unit, raw.time, Quality.BAD, f"not a finite number: {number}")
    if not variable.low <= number <= variable.high:
        reason = f"outside span: {number:g} is not in {variable.low:g} to {variable.high:g} {variable.unit}"
        return Reading(number, variable.unit, raw.time, Quality.BAD, reason)
    if raw.status is Quality.UNCERTAIN:
        return Reading(number, variable.unit, raw.time, Quality.UNCERTAIN, raw.status_name)
    if raw.time is None:
        return Reading(number, variable.unit, None, Quality.UNCERTAIN, "age unknown: no source time")
    return Reading(number, variable.unit, raw.time, Quality.GOOD)


def aged(reading: Reading, now: datetime, max_age_s: float) -> Reading:
    """The reading as of now: a good one that is too old becomes uncertain, and says so."""
    if reading.time is None or reading.quality is not Quality.GOOD:
        return reading
    age_s = (now - reading.time).total_seconds()
    if age_s <= max_age_s:
        return reading
    return replace(reading, quality=Quality.UNCERTAIN, reason=f"stale: {age_s:.0f} s old, {max_age_s:g} s allowed")
