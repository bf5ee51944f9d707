"""Browsing: every variable below Objects, with its path, unit, range, value and rights."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaStatusCodeError

from controller.edge.opcua.batches import limits_of, portions
from controller.edge.opcua.lookup import gather
from controller.edge.opcua.raw import Raw
from controller.edge.opcua.security import LoginRefused, login_fault, secure
from controller.edge.opcua.tags import Facts, PlantLost, PlantMismatch, Tag
from controller.tables import ConnectionTable

MOST = 20_000  # nodes; a plant server with more wants a narrower view than this (design)
DEEPEST = 12  # levels below Objects
AT_ONCE = 200  # nodes a request (design)
_make_id: Any = ua.NodeId  # asyncua's annotations want its own integer type


@dataclass(frozen=True, slots=True)
class BrowsedTag:
    """One variable of the server, under a name that a configuration can use."""

    node: str  # as it is written in a configuration
    namespace: str  # URI
    path: tuple[str, ...]  # browse names, from below Objects
    facts: Facts
    raw: Raw


async def browse(at: ConnectionTable) -> list[BrowsedTag]:
    """All variables that may be of the plant, in the order of the server; PlantLost or PlantMismatch says why not."""
    client = Client(at.endpoint, timeout=at.timeout_s)
    try:
        await asyncio.wait_for(secure(client, at), at.timeout_s)
        await asyncio.wait_for(client.connect(), at.timeout_s)
    except (PlantLost, PlantMismatch):
        raise
    except UaStatusCodeError as fault:
        if refused := login_fault(fault, at):
            raise LoginRefused(refused) from fault
        raise PlantLost(f"the plant at {at.endpoint} is not reachable: {fault}") from fault
    except Exception as fault:
        raise PlantLost(f"the plant at {at.endpoint} is not reachable: {type(fault).__name__}: {fault}") from fault
    try:
        return await _variables(client, at.namespace)
    except Exception as fault:
        told = f"{type(fault).__name__}: {fault}"
        raise PlantLost(f"the plant at {at.endpoint} was lost while it was browsed: {told}") from fault
    finally:
        with contextlib.suppress(Exception):
            await client.disconnect()


async def _variables(client: Client, namespace: str) -> list[BrowsedTag]:
    namespaces = await client.get_namespace_array()
    seen: set[ua.NodeId] = set()
    level: list[tuple[ua.NodeId, tuple[str, ...]]] = [(_make_id(ObjectIds.ObjectsFolder), ())]
    found: list[tuple[ua.NodeId, tuple[str, ...]]] = []
    for _ in range(DEEPEST):
        below: list[tuple[ua.NodeId, tuple[str, ...]]] = []
        for part in portions(level, AT_ONCE):
            for (_, path), references in zip(part, await _children(client, [n for n, _ in part]), strict=True):
                for reference in references:
                    node = reference.NodeId
                    if node in seen or reference.BrowseName.NamespaceIndex == 0 or len(seen) >= MOST:
                        continue  # what OPC UA itself defines: the Server object, properties, methods' arguments
                    seen.add(node)
                    below.append((node, (*path, str(reference.BrowseName.Name))))
                    if reference.NodeClass == ua.NodeClass.Variable:
                        found.append(below[-1])
        level = below
    return await _described(client, found, namespaces, namespace)


async def _children(client: Client, nodes: Sequence[ua.NodeId]) -> list[list[Any]]:
    """The objects and variables directly below each node."""
    asked = []
    for node in nodes:
        description = ua.BrowseDescription()
        description.NodeId = node
        description.BrowseDirection = ua.BrowseDirection.Forward
        description.ReferenceTypeId = _make_id(ObjectIds.HierarchicalReferences)
        description.IncludeSubtypes = True
        description.NodeClassMask = ua.NodeClass.Object | ua.NodeClass.Variable
        description.ResultMask = ua.BrowseResultMask.All
        asked.append(description)
    parameters = ua.BrowseParameters()
    parameters.NodesToBrowse = asked
    results = await client.uaclient.browse(parameters)
    return [[*(r.References or ()), *await _rest(client, r.ContinuationPoint)] for r in results]


async def _rest(client: Client, point: bytes | None) -> list[Any]:
    """What a server gives in further pages."""
    found: list[Any] = []
    while point:
        parameters = ua.BrowseNextParameters()
        parameters.ReleaseContinuationPoints, parameters.ContinuationPoints = False, [point]
        (page,) = await client.uaclient.browse_next(parameters)
        found += page.References or ()
        point = page.ContinuationPoint
    return found


async def _described(
    client: Client, found: list[tuple[ua.NodeId, tuple[str, ...]]], namespaces: Sequence[str], namespace: str
) -> list[BrowsedTag]:
    nodes: list[Node] = [client.get_node(node) for node, _ in found]
    texts = [_text(node, namespaces, namespace) for node, _ in found]
    tags = [Tag("found", "node", text) for text in texts]
    facts, _, raws = await gather(client, tags, nodes, await limits_of(client))
    return [
        BrowsedTag(text, namespaces[node.NamespaceIndex], path, fact, held)
        for text, (node, path), fact, held in zip(texts, found, facts, raws, strict=True)
    ]


def _text(node: ua.NodeId, namespaces: Sequence[str], namespace: str) -> str:
    """A node id as a configuration writes it: by the URI of its namespace unless that is the plant's own."""
    uri = namespaces[node.NamespaceIndex]
    number, identifier = isinstance(node.Identifier, int), str(node.Identifier)
    if uri == namespace:
        return f"i={identifier}" if number else identifier
    return f"nsu={uri};{'i' if number else 's'}={identifier}"
