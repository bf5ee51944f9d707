"""Read and Write services: any of the looked-up tags in one request each, answered in time or the plant is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from asyncua import ua

from controller.edge.opcua.batches import attributes, portions
from controller.edge.opcua.connection import ClientSession, Connection
from controller.edge.opcua.lookup import raw
from controller.edge.opcua.raw import Raw


async def read_tags(wire: Connection, session: ClientSession, nodes: Iterable[str]) -> dict[str, Raw]:
    """What these tags hold, by tag."""
    wanted = list(nodes)
    return await wire.ask(session, _read(session, wanted)) if wanted else {}


async def _read(session: ClientSession, wanted: Sequence[str]) -> dict[str, Raw]:
    held = await attributes(session.client, [session.nodes[n] for n in wanted], session.limits.read)
    return dict(zip(wanted, map(raw, held), strict=True))


async def write_tags(wire: Connection, session: ClientSession, values: Mapping[str, object]) -> dict[str, str]:
    """Write these tags; by tag the reason why the plant refused, or ""."""
    return await wire.ask(session, _write(session, values)) if values else {}


async def _write(session: ClientSession, values: Mapping[str, object]) -> dict[str, str]:
    refused: dict[str, str] = {}
    for part in portions(list(values.items()), session.limits.write):
        nodes = [session.nodes[n] for n, _ in part]
        sent = [ua.DataValue(ua.Variant(v, session.types.get(n, ua.VariantType.Double))) for n, v in part]
        codes = await session.client.write_values(nodes, sent, raise_on_partial_error=False)
        for (node, _), code in zip(part, codes, strict=True):
            refused[node] = "" if code.is_good() else f"the plant refused {node}: {code.name}"
    return refused
