"""Address space of the plant: its flat tags with unit and span, what they show, and what they have shown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import cast

from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from plant_sim.instruments import Point, Status
from plant_sim.server.history import ValueHistory

NAMESPACE = "urn:neurotwin:plant"
NEVER = datetime(1601, 1, 1, tzinfo=UTC)  # OPC UA's null time: no remote setpoint may be used
UNECE = "http://www.opcfoundation.org/UA/units/un/cefact"

_V = ua.VariantType
_INITIAL = {_V.DateTime: NEVER, _V.String: "", _V.Boolean: False, _V.UInt32: 0}


def code(number: int) -> ua.StatusCode:
    """A status code from its number."""
    return ua.StatusCode(ua.UInt32(number))


def node_id(name: str, index: int) -> ua.NodeId:
    """The id of what goes by this name in the plant's namespace."""
    return ua.NodeId(ua.String(name), ua.Int16(index))


STATUS = {
    Status.GOOD: code(StatusCodes.Good),
    Status.UNCERTAIN: code(StatusCodes.UncertainSensorNotAccurate),
    Status.BAD: code(StatusCodes.BadSensorFailure),
}
GOOD = STATUS[Status.GOOD]


class Space:
    """The plant's variables by tag."""

    def __init__(self, server: Server, index: int) -> None:
        """Begin empty; `index` is that of the plant's namespace."""
        self.server, self.index = server, index
        self.nodes: dict[str, ua.NodeId] = {}
        self._history = ValueHistory(())
        self._mirrors: dict[str, list[ua.NodeId]] = {}
        self.setpoints: dict[ua.NodeId, str] = {}  # nodes of other views that take what a tag takes

    async def add_object(self, name: str) -> Node:
        """An object below Objects."""
        return await self.server.nodes.objects.add_object(node_id(name, self.index), f"{self.index}:{name}")

    async def add(self, parent: Node, tag: str, kind: ua.VariantType, writable: bool = False) -> Node:
        """A variable of this type, named like its tag."""
        name, initial = f"{self.index}:{tag}", _INITIAL.get(kind, 0.0)
        node = await parent.add_variable(node_id(tag, self.index), name, initial, varianttype=kind)
        if writable:
            await node.set_writable()
        self.nodes[tag] = node.nodeid
        return node

    async def add_analog(self, parent: Node, point: Point, writable: bool = False) -> None:
        """An AnalogItem with its unit, span and description."""
        await self._analog(await self.add(parent, point.tag, _V.Double, writable), point)

    async def mirror(
        self,
        parent: Node,
        name: str,
        tag: str,
        kind: ua.VariantType,
        point: Point | None = None,
        writable: bool = False,
    ) -> None:
        """A variable of another view, by this browse name, that shows what a tag shows and takes what it takes."""
        path = parent.nodeid.to_string().rpartition("s=")[2]
        id = node_id(f"{path}.{name}", self.index)
        node = await parent.add_variable(id, f"{self.index}:{name}", _INITIAL.get(kind, 0.0), varianttype=kind)
        if point is not None:
            await self._analog(node, point)
        if writable:
            await node.set_writable()
            self.setpoints[node.nodeid] = tag
        self._mirrors.setdefault(tag, []).append(node.nodeid)

    async def _analog(self, node: Node, point: Point) -> None:
        typed = ObjectIds.HasTypeDefinition  # asyncua has no direct way to an AnalogItem
        await node.delete_reference(ua.NodeId(ua.Int32(ObjectIds.BaseDataVariableType)), typed, True, False)
        await node.add_reference(ua.NodeId(ua.Int32(ObjectIds.AnalogItemType)), typed, True, False)
        await node.add_property(0, "EURange", ua.Range(Low=point.low, High=point.high))
        unit = ua.EUInformation(
            NamespaceUri=UNECE,
            UnitId=-1,
            DisplayName=ua.LocalizedText(point.unit),
            Description=ua.LocalizedText(point.unit),
        )
        await node.add_property(0, "EngineeringUnits", unit)
        text = ua.DataValue(ua.Variant(ua.LocalizedText(point.text), _V.LocalizedText))
        await node.write_attribute(AttributeIds.Description, text)

    async def keep_history(self, tags: Iterable[str]) -> None:
        """Keep what these tags show from now on, for HistoryRead of raw values."""
        nodes = [self.nodes[tag] for tag in tags]
        self._history = ValueHistory(nodes)
        self.server.iserver.history_manager.set_storage(self._history)
        for node in map(self.server.get_node, nodes):
            await node.write_attribute(AttributeIds.Historizing, ua.DataValue(ua.Variant(True, _V.Boolean)))
            for access in (AttributeIds.AccessLevel, AttributeIds.UserAccessLevel):
                await node.set_attr_bit(access, ua.AccessLevel.HistoryRead)

    async def show(
        self, tag: str, value: object, kind: ua.VariantType, time: datetime, status: ua.StatusCode = GOOD
    ) -> None:
        """Show a value with its process time."""
        variant = ua.Variant(value, kind) if value is not None else ua.Variant(None, _V.Null)
        source, clock = cast(ua.DateTime, time), cast(ua.DateTime, datetime.now(UTC))
        shown = ua.DataValue(variant, status, SourceTimestamp=source, ServerTimestamp=clock)
        self._history.append(self.nodes[tag], shown)
        for node in (self.nodes[tag], *self._mirrors.get(tag, ())):
            await self.server.write_attribute_value(node, shown)
