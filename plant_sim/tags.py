"""The names under which the plant is known on the wire: units and spans, and what a client may write."""

from __future__ import annotations

from plant_sim.instruments import ASSAYS, INSTRUMENTS, Point
from plant_sim.recipe import PUMPS
from plant_sim.regulators import SETPOINTS

_KINDS = {"SP": "setpoint", "SP_ACTIVE": "setpoint in force", "SP_LOCAL": "setpoint of the local recipe"}


def _points() -> dict[str, Point]:
    points = {p.tag: p for p in (*(i.point for i in INSTRUMENTS), *ASSAYS)}
    for tag in (*SETPOINTS, *(f"{pump}.{kind}" for pump in PUMPS for kind in _KINDS)):
        loop, _, kind = tag.partition(".")
        measured = points[f"{loop}.PV"]
        points[tag] = Point(tag, measured.unit, measured.low, measured.high, f"{measured.text}: {_KINDS[kind]}")
    return points


POINTS = _points()  # every analog value, with its unit and span
PLAIN = {  # everything else, with the name of its OPC UA type
    **{f"{pump}.VALID_UNTIL": "DateTime" for pump in PUMPS},
    "SUPERVISOR.HEARTBEAT": "UInt32",
    "SUPERVISOR.LEASE_S": "Double",
    "SUPERVISOR.IN_CONTROL": "Boolean",
    "SUPERVISOR.LEASE_LAPSES": "UInt32",
    "BATCH.ID": "String",
    "BATCH.START": "DateTime",
    "BATCH.PHASE": "String",
}
WRITABLE = frozenset({f"{pump}.{part}" for pump in PUMPS for part in ("SP", "VALID_UNTIL")} | {"SUPERVISOR.HEARTBEAT"})
