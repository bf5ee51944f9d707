"""Tag names under which the plant is known on the wire: units and spans, and what a client may write."""

from __future__ import annotations

from dataclasses import dataclass

from plant_sim.design import PlantDesign
from plant_sim.instruments import Point

_KINDS = {"SP": "setpoint", "SP_ACTIVE": "setpoint in force", "SP_LOCAL": "setpoint of the local recipe"}


@dataclass(frozen=True, slots=True)
class Tags:
    """Every analog value with its unit and span, everything else with its OPC UA type, and what may be written."""

    points: dict[str, Point]
    plain: dict[str, str]
    writable: frozenset[str]


def tags_of(design: PlantDesign) -> Tags:
    """The names of one process on the wire."""
    remote = (*design.pumps, *design.loops)
    return Tags(
        points=_points(design),
        plain={
            **{f"{pump}.VALID_UNTIL": "DateTime" for pump in remote},
            "SUPERVISOR.HEARTBEAT": "UInt32",
            "SUPERVISOR.OWNER": "String",
            "SUPERVISOR.LEASE_S": "Double",
            "SUPERVISOR.IN_CONTROL": "Boolean",
            "SUPERVISOR.LEASE_LAPSES": "UInt32",
            "BATCH.ID": "String",
            "BATCH.START": "DateTime",
            "BATCH.PHASE": "String",
        },
        writable=frozenset(
            {f"{pump}.{part}" for pump in remote for part in ("SP", "VALID_UNTIL")}
            | {"SUPERVISOR.HEARTBEAT", "SUPERVISOR.OWNER"}
        ),
    )


def _points(design: PlantDesign) -> dict[str, Point]:
    points = {p.tag: p for p in (*(i.point for i in design.online), *design.assays)}
    for owner in (*design.pumps, *design.loops):
        measured = points[f"{owner}.PV"]
        low, high = design.setpoint_limits.get(owner, (measured.low, measured.high))
        for kind, text in _KINDS.items():
            tag = f"{owner}.{kind}"
            points[tag] = Point(tag, measured.unit, low, high, f"{measured.text}: {text}")
    return points
