"""OPC UA events of the plant's own alarms: a value beyond its limits or a failed instrument, as it begins and ends.

Alarms are told as events of AlarmConditionType's family; the server keeps no condition that could be acknowledged.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from asyncua import ua
from asyncua.server.event_generator import EventGenerator
from asyncua.ua.object_ids import ObjectIds

from plant_sim.design import PlantDesign
from plant_sim.instruments import Point, Signal, Status
from plant_sim.server.space import Space

SEVERITY = 700  # medium-high, OPC 40250-1
DEADBAND = 0.02  # of the limits' distance, by which a value must come back; design


class Events:
    """Watches what the plant shows, and tells of changes once."""

    def __init__(self, design: PlantDesign) -> None:
        self._points: Mapping[str, Point] = {i.point.tag: i.point for i in design.online}
        limits = {f"{owner}.PV": pair for owner, pair in design.setpoint_limits.items()}
        self._limits = {**limits, **design.alarm_limits}
        self._active: dict[str, str] = {}
        self._generator: EventGenerator | None = None

    async def build(self, space: Space) -> None:
        """Make the server a source of alarm events."""
        self._generator = await space.server.get_event_generator(ObjectIds.ExclusiveLevelAlarmType)

    async def tell(self, signals: Mapping[str, Signal], time: datetime) -> None:
        """Send an event for each alarm that begins, changes or ends at this instant."""
        for tag, signal in signals.items():
            matter, before = self._matter(tag, signal), self._active.get(tag, "")
            if matter == before:
                continue
            self._active[tag] = matter
            await self._send(tag, matter or f"{self._points[tag].text} is back to normal", bool(matter), time)

    def _matter(self, tag: str, signal: Signal) -> str:
        point = self._points[tag]
        if signal.status is Status.BAD or signal.value is None:
            return f"{point.text}: the instrument has failed"
        lowest, highest = low, high = self._limits.get(tag, (point.low, point.high))
        if self._active.get(tag):  # noise at a limit must not ring a bell each minute
            low, high = low + DEADBAND * (high - low), high - DEADBAND * (high - low)
        if signal.value < low:
            return f"{point.text} is below {lowest:g} {point.unit}"
        return f"{point.text} is above {highest:g} {point.unit}" if signal.value > high else ""

    async def _send(self, tag: str, text: str, active: bool, time: datetime) -> None:
        if self._generator is None:
            return
        event = self._generator.event
        event.SourceName = event.ConditionName = tag
        event.Severity = SEVERITY if active else 1
        event.Retain = active
        setattr(event, "ActiveState/Id", active)
        event.ActiveState = ua.LocalizedText("Active" if active else "Inactive")
        await self._generator.trigger(time, text)
