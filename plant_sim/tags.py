"""The names under which the plant is known on the wire: units and spans, and what a client may write."""

from __future__ import annotations

from dataclasses import dataclass

from plant_sim.instruments import Point
from plant_sim.process import Process

_KINDS = {"SP": "setpoint", "SP_ACTIVE": "setpoint in force", "SP_LOCAL": "setpoint of the local recipe"}


@dataclass(frozen=True, slots=True)
class Tags:
    """Every analog value with its unit and span, everything else with its OPC UA type, and what may be written."""

    points: dict[str, Point]
    plain: dict[str, str]
    writable: frozenset[str]


def tags_of(process: Process) -> Tags:
    """The names of one process on the wire."""
    return Tags(
        points=_points(process),
        plain={
            **{f"{pump}.VALID_UNTIL": "DateTime" for pump in process.pumps},
            "SUPERVISOR.HEARTBEAT": "UInt32",
            "SUPERVISOR.LEASE_S": "Double",
            "SUPERVISOR.IN_CONTROL": "Boolean",
            "SUPERVISOR.LEASE_LAPSES": "UInt32",
            "BATCH.ID": "String",
            "BATCH.START": "DateTime",
            "BATCH.PHASE": "String",
        },
        writable=frozenset(
            {f"{pump}.{part}" for pump in process.pumps for part in ("SP", "VALID_UNTIL")} | {"SUPERVISOR.HEARTBEAT"}
        ),
    )


def _points(process: Process) -> dict[str, Point]:
    points = {p.tag: p for p in (*(i.point for i in process.instruments), *process.assays)}
    for tag in (*process.setpoints, *(f"{pump}.{kind}" for pump in process.pumps for kind in _KINDS)):
        loop, _, kind = tag.partition(".")
        measured = points[f"{loop}.PV"]
        points[tag] = Point(tag, measured.unit, measured.low, measured.high, f"{measured.text}: {_KINDS[kind]}")
    return points
