"""LADS information model (OPC 30500-1): the same plant as a laboratory device, functional unit and functions.

Shape and browse names are those of the specification; its type nodes are not loaded, so every object is a
BaseObjectType. Each value is the one of a flat tag, and each TargetValue takes what the tag's setpoint takes.
Identification follows OPC 10000-100 (DI), and that of the sensors the properties that OPC 30081 (PA-DIM) asks for.
"""

from __future__ import annotations

from asyncua import ua
from asyncua.common.node import Node

from plant_sim.design import PlantDesign
from plant_sim.instruments import Point
from plant_sim.server.space import Space, node_id
from plant_sim.tags import Tags

UNIT = "FermentationUnit"
DEVICE = {
    "Manufacturer": "NeuroTwin",
    "Model": "Simulated bioreactor",
    "SerialNumber": "SIM-R1",
    "SoftwareRevision": "1",
    "AssetId": "R1",
    "ComponentName": "R1",
}
_V = ua.VariantType


def name_of(design: PlantDesign, point: Point) -> str:
    """The path of the function that measures this."""
    described = "".join(word.capitalize() for word in point.text.replace("-", " ").split())
    return f"LADS.{UNIT}.FunctionSet.{design.functions.get(point.tag, described)}"


class Lads:
    """Builds the view, tag by tag."""

    def __init__(self, space: Space, tags: Tags) -> None:
        self._space, self._tags = space, tags

    async def build(self, design: PlantDesign) -> None:
        """DeviceSet/R1/FunctionalUnitSet/FermentationUnit/FunctionSet, with one function for each instrument."""
        device_set = await self._object(self._space.server.nodes.objects, "DeviceSet")
        device = await self._object(device_set, "DeviceSet.R1")
        identification = await self._object(device, "DeviceSet.R1.Identification")
        for parent in (device, identification):
            await self._properties(parent, DEVICE)
        units = await self._object(device, "DeviceSet.R1.FunctionalUnitSet")
        unit = await self._object(units, f"LADS.{UNIT}")
        await self._space.mirror(unit, "FunctionalUnitState", "BATCH.PHASE", _V.String)
        functions = await self._object(unit, f"LADS.{UNIT}.FunctionSet")
        moved = {*design.pumps, *design.loops}
        for point in (i.point for i in design.online):
            owner = point.tag.partition(".")[0]
            path = name_of(design, point)
            await self._function(functions, path, point, owner if owner in moved else "")

    async def _function(self, parent: Node, path: str, point: Point, owner: str) -> None:
        """A control function for what has a setpoint, and a sensor function for what has none."""
        function = await self._object(parent, path)
        await function.add_property(self._space.index, "IsEnabled", True)
        await self._properties(function, {"SignalTag": point.tag, "Description": point.text})
        if not owner:
            await self._space.mirror(function, "SensorValue", point.tag, _V.Double, point)
            return
        target = self._tags.points[f"{owner}.SP"]
        await self._space.mirror(function, "CurrentValue", point.tag, _V.Double, point)
        await self._space.mirror(function, "TargetValue", target.tag, _V.Double, target, writable=True)

    async def _object(self, parent: Node, name: str) -> Node:
        shown = name.rpartition(".")[2]
        return await parent.add_object(node_id(name, self._space.index), f"{self._space.index}:{shown}")

    async def _properties(self, parent: Node, texts: dict[str, str]) -> None:
        for name, text in texts.items():
            await parent.add_property(self._space.index, name, text)
