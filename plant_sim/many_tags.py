"""Load server of any number of plain tags, whose values move on once a period: a client's cost is measured at it."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from asyncua import ua
from asyncua.server.server import Server

NAMESPACE = "urn:neurotwin:plant"
_make_id: Any = ua.NodeId  # asyncua's annotations want its own string type


async def serve(endpoint: str, tags: list[dict[str, Any]], period_s: float) -> None:
    """Serve until cancelled. A tag has node, type, value, writable, moves, and with a unit its low and high."""
    server = Server()
    await server.init()
    server.set_endpoint(endpoint)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace(NAMESPACE)
    folder = await server.nodes.objects.add_object(_make_id("R1", index), f"{index}:R1")
    moving = []
    for tag in tags:
        kind = ua.VariantType[tag["type"]]
        value = datetime.fromisoformat(tag["value"]) if kind is ua.VariantType.DateTime else tag["value"]
        node = await folder.add_variable(
            _make_id(tag["node"], index), f"{index}:{tag['node']}", value, varianttype=kind
        )
        if tag.get("unit"):
            await node.add_property(0, "EURange", ua.Range(Low=tag["low"], High=tag["high"]))
            await node.add_property(0, "EngineeringUnits", ua.EUInformation(DisplayName=ua.LocalizedText(tag["unit"])))
        if tag["writable"]:
            await node.set_writable()
        if tag["moves"]:
            moving.append((node.nodeid, float(tag["value"])))
    draw = random.Random(0)
    async with server:
        print("ready", flush=True)
        while True:
            now = cast(ua.DateTime, datetime.now(UTC))
            for node_id, middle in moving:
                shown = ua.Variant(middle * draw.uniform(0.9, 1.1), ua.VariantType.Double)
                await server.write_attribute_value(node_id, ua.DataValue(shown, SourceTimestamp=now))
            await asyncio.sleep(period_s)


def main() -> None:
    """Run as a process of its own: `python -m plant_sim.many_tags ENDPOINT TAGS.json [PERIOD_S]`."""
    parser = argparse.ArgumentParser(prog="plant_sim.many_tags", description=__doc__)
    parser.add_argument("endpoint")
    parser.add_argument("tags", type=Path, help="JSON: a list of tags")
    parser.add_argument("--period", type=float, default=1.0, help="seconds between two values of a tag")
    given = parser.parse_args()
    try:
        asyncio.run(serve(given.endpoint, json.loads(given.tags.read_text()), given.period))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
