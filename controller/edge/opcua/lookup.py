"""Node lookup: node ids by namespace URI, DataValues as Raw, and what the server says of each tag."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from controller.edge.opcua.batches import Limits, attributes, portions
from controller.edge.opcua.raw import Raw
from controller.edge.opcua.tags import Facts, PlantMismatch, Tag, TagKind
from twin.signals import Quality

NUMBERS = (ua.VariantType.Float, ua.VariantType.Double)
INTEGERS = tuple(ua.VariantType[n] for n in ("Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64"))
_make_id: Any = ua.NodeId  # asyncua's annotations want its own integer and string types


async def gather(
    client: Client, tags: Sequence[Tag], nodes: Sequence[Node], limits: Limits
) -> tuple[list[Facts], dict[str, ua.VariantType], list[Raw]]:
    """What the server says of each tag, the type to write it with, and its value: a few batched reads."""
    classes = await attributes(client, nodes, limits.read, AttributeIds.NodeClass)
    types = [_type(v) for v in await attributes(client, nodes, limits.read, AttributeIds.DataType)]
    access = await attributes(client, nodes, limits.read, AttributeIds.UserAccessLevel)
    raws = [raw(v) for v in await attributes(client, nodes, limits.read)]
    units = await properties(client, nodes, "EngineeringUnits", limits)
    ranges = await properties(client, nodes, "EURange", limits)
    facts = []
    for kind, type_, level, unit, span in zip(classes, types, access, units, ranges, strict=True):
        method = kind.Value is not None and kind.Value.Value == ua.NodeClass.Method
        low, high = (span.Low, span.High) if isinstance(span, ua.Range) else (None, None)
        facts.append(
            Facts(
                exists=bool(kind.StatusCode and kind.StatusCode.is_good()),
                kinds=(TagKind.METHOD,) if method else _kinds(type_),
                unit=unit.DisplayName.Text if isinstance(unit, ua.EUInformation) else None,
                low=low,
                high=high,
                writable=bool(level.Value and isinstance(level.Value.Value, int) and level.Value.Value & 2),
            )
        )
    return facts, {t.node: type_ for t, type_ in zip(tags, types, strict=True) if type_ is not None}, raws


async def properties(client: Client, nodes: Sequence[Node], name: str, limits: Limits) -> list[object]:
    """The value of this property of each node, None where there is none; two requests a batch."""
    make: Any = ua.RelativePathElement
    element = make(_make_id(ObjectIds.HasProperty), False, True, ua.QualifiedName(name, 0))
    path = ua.RelativePath(Elements=[element])
    found: list[Any] = []
    for part in portions(nodes, limits.browse_paths):
        paths = [ua.BrowsePath(n.nodeid, path) for n in part]
        found += await client.uaclient.session.translate_browsepaths_to_nodeids(paths)
    targets = [client.get_node(r.Targets[0].TargetId) if r.StatusCode.is_good() and r.Targets else None for r in found]
    present = [t for t in targets if t is not None]
    held = await attributes(client, present, limits.read)
    values = iter([v.Value.Value if v.Value is not None else None for v in held])
    return [None if t is None else next(values) for t in targets]


def _type(value: ua.DataValue) -> ua.VariantType | None:
    """The built-in type of a data type attribute; UtcTime is a DateTime, other derived types are not known."""
    node = value.Value.Value if value.Value is not None else None
    if not isinstance(node, ua.NodeId) or node.NamespaceIndex != 0 or not isinstance(node.Identifier, int):
        return None
    if node.Identifier == ObjectIds.UtcTime:
        return ua.VariantType.DateTime
    return ua.VariantType(node.Identifier) if 1 <= node.Identifier <= 25 else None


def _kinds(type_: ua.VariantType | None) -> tuple[TagKind, ...]:
    if type_ in NUMBERS:
        return (TagKind.NUMBER,)
    if type_ in INTEGERS:
        return (TagKind.INTEGER,)
    single = {
        ua.VariantType.Boolean: TagKind.FLAG,
        ua.VariantType.String: TagKind.TEXT,
        ua.VariantType.DateTime: TagKind.TIME,
    }
    return (single[type_],) if type_ in single else ()


def raw(value: ua.DataValue) -> Raw:
    """A DataValue in plain terms: the severity of its StatusCode decides, a missing one is good (Part 4, 7.11)."""
    code = value.StatusCode or ua.StatusCode()
    status = Quality.GOOD if code.is_good() else Quality.UNCERTAIN if code.is_uncertain() else Quality.BAD
    held = value.Value.Value if value.Value is not None else None
    stamp = value.SourceTimestamp
    return Raw(utc(held) if isinstance(held, datetime) else held, status, code.name, utc(stamp) if stamp else None)


def utc(moment: datetime) -> datetime:
    """The same moment in UTC; one without a zone is UTC already, as OPC UA says."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def node_id(text: str, namespaces: Sequence[str], uri: str) -> ua.NodeId:
    """A tag as a NodeId: "NAME" or "i=123" in the configured namespace, or "nsu=URI;s=NAME" in another."""
    if text.startswith("nsu="):
        uri, _, text = text[4:].partition(";")
    if uri not in namespaces:
        listed = ", ".join(repr(n) for n in namespaces[1:]) or "none"
        raise PlantMismatch(f"the server has no namespace {uri!r} but {listed}: mend namespace in [connection]")
    index = namespaces.index(uri)
    numeric = text.startswith("i=") and text[2:].isdecimal()
    node: ua.NodeId = _make_id(int(text[2:]) if numeric else text.removeprefix("s="), index)
    return node
