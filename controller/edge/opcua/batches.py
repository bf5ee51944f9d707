"""Batched reads within the server's operation limits; the requests for a scan are built once and used again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

T = TypeVar("T")
_LIMITS = "Server_ServerCapabilities_OperationLimits_Max"
_make_id: Any = ua.NodeId  # asyncua's annotations want its own integer types


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the server takes in one request; 0: as much as one likes."""

    read: int = 0
    write: int = 0
    browse_paths: int = 0
    monitored: int = 0


class BatchedRead:
    """The values of the same tags again and again; 1000 of them cost about 10 ms of client time a read."""

    def __init__(self, client: Client, nodes: Sequence[Node], limit: int) -> None:
        self._client = client
        self._requests = [
            ua.ReadParameters(NodesToRead=[ua.ReadValueId(n.nodeid, AttributeIds.Value) for n in part])
            for part in portions(nodes, limit)
        ]

    async def values(self) -> list[ua.DataValue]:
        """A DataValue for each tag, in order."""
        found: list[ua.DataValue] = []
        for request in self._requests:
            found += await self._client.uaclient.read(request)
        return found


async def limits_of(client: Client) -> Limits:
    """What the server says of its limits; many say nothing."""
    names = ("NodesPerRead", "NodesPerWrite", "NodesPerTranslateBrowsePathsToNodeIds", "MonitoredItemsPerCall")
    nodes = [client.get_node(_make_id(getattr(ObjectIds, _LIMITS + name), 0)) for name in names]
    held = [v.Value.Value if v.Value is not None else None for v in await client.read_attributes(nodes)]
    return Limits(*(value if isinstance(value, int) else 0 for value in held))


async def attributes(
    client: Client, nodes: Sequence[Node], limit: int, attribute: AttributeIds = AttributeIds.Value
) -> list[ua.DataValue]:
    """One attribute of each node, in order."""
    found: list[ua.DataValue] = []
    for part in portions(nodes, limit):
        found += await client.read_attributes(part, attribute)
    return found


def portions(items: Sequence[T], limit: int) -> Iterator[Sequence[T]]:
    """The items in slices of at most `limit`; all of them at once when it is 0."""
    size = limit or max(len(items), 1)
    for first in range(0, len(items), size):
        yield items[first : first + size]
