"""A laboratory result is used exactly once, also when it arrives between two turns."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from asyncua import Client, ua

SCAN_S = 1500.0
LOOKS_S = 2.0  # wall time in which the controller looks at the plant many times without taking a turn


def advance(endpoint: str, seconds: float) -> None:
    async def advancing() -> None:
        async with Client(endpoint, timeout=20) as client:
            index = await client.get_namespace_index("urn:neurotwin:plant")
            simulation = client.get_node(ua.NodeId("SIMULATION", index))
            method = ua.NodeId("SIMULATION.ADVANCE", index)
            await simulation.call_method(method, ua.Variant(seconds, ua.VariantType.Double))

    asyncio.run(advancing())


def test_a_result_that_arrives_between_two_turns_is_not_lost(house: Any, tools: Any) -> None:
    house.content["connection"] |= {"poll_s": 0.05, "scan_s": SCAN_S}
    house.content["loop"] |= {"command_valid_s": 2 * SCAN_S}
    house.save()
    house.plant(speed="max")
    house.start("run", str(house.config), log="run.log")
    turns = "SELECT count(*) FROM decision"
    tools.wait_until(lambda: house.query(turns) == 1, 60, "the first turn", house)
    advance(house.endpoint, 16 * 3600.0 - 60.0)
    tools.wait_until(lambda: house.query(turns) == 2, 30, "the turn just before the results", house)
    advance(house.endpoint, 120.0)  # the results of the 12 h sample are out now, and the next turn is not due yet
    time.sleep(LOOKS_S)
    assert house.query(turns) == 2
    advance(house.endpoint, SCAN_S)
    tools.wait_until(lambda: house.query(turns) == 3, 30, "the next turn", house)
    assert house.query("SELECT count(DISTINCT variable) FROM assay") == 5
    assert house.query("SELECT count(*) FROM assay") == 5
