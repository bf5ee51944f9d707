"""Read and Write services: any of the looked-up tags in one request each, answered in time or the plant is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from asyncua import ua

from controller.edge.opcua.connection import ClientSession, Connection
from controller.edge.opcua.lookup import raw
from controller.edge.opcua.raw import Raw


async def read_tags(wire: Connection, session: ClientSession, nodes: Iterable[str]) -> dict[str, Raw]:
    """What these tags hold, by tag."""
    wanted = list(nodes)
    if not wanted:
        return {}
    question = session.client.read_attributes([session.nodes[n] for n in wanted])
    return dict(zip(wanted, map(raw, await wire.ask(session, question)), strict=True))


async def write_tags(wire: Connection, session: ClientSession, values: Mapping[str, object]) -> dict[str, str]:
    """Write these tags; by tag the reason why the plant refused, or ""."""
    if not values:
        return {}
    nodes = [session.nodes[n] for n in values]
    sent = [ua.DataValue(ua.Variant(v, session.types.get(n, ua.VariantType.Double))) for n, v in values.items()]
    codes = await wire.ask(session, session.client.write_values(nodes, sent, raise_on_partial_error=False))
    return {
        n: "" if code.is_good() else f"the plant refused it: {code.name}" for n, code in zip(values, codes, strict=True)
    }
