"""A plant to talk to: served in this process, in lockstep, on a free port of the loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from asyncua import Client, Node, ua

from controller.processes.penicillin.plant import DESIGN as PENICILLIN
from plant_sim.server import NAMESPACE, Options, serve

TYPES = {
    "SP": ua.VariantType.Double,
    "PV": ua.VariantType.Double,
    "SP_ACTIVE": ua.VariantType.Double,
    "VALID_UNTIL": ua.VariantType.DateTime,
    "HEARTBEAT": ua.VariantType.UInt32,
}


@dataclass
class Remote:
    """The plant as an OPC UA client meets it."""

    client: Client
    index: int

    def node(self, tag: str) -> Node:
        return self.client.get_node(ua.NodeId(tag, self.index))

    async def read(self, *tags: str) -> dict[str, ua.DataValue]:
        values = await self.client.read_attributes([self.node(tag) for tag in tags])
        return dict(zip(tags, values, strict=True))

    async def value(self, tag: str) -> Any:
        return (await self.read(tag))[tag].Value.Value

    async def write(self, values: dict[str, Any]) -> list[str]:
        """Write in one request, each value with its node's own type; the names of the status codes."""
        variants = [ua.Variant(v, TYPES[tag.partition(".")[2]]) for tag, v in values.items()]
        codes = await self.client.write_values(
            [self.node(tag) for tag in values], [ua.DataValue(v) for v in variants], raise_on_partial_error=False
        )
        return [code.name for code in codes]

    async def call(self, method: str, *arguments: Any) -> Any:
        simulation = self.node("SIMULATION")
        return await simulation.call_method(self.node(f"SIMULATION.{method}").nodeid, *arguments)

    async def advance(self, seconds: float) -> datetime:
        time: datetime = await self.call("ADVANCE", seconds)
        return time


def free_endpoint() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"opc.tcp://127.0.0.1:{probe.getsockname()[1]}/neurotwin"


@asynccontextmanager
async def connected(endpoint: str) -> AsyncIterator[Remote]:
    # The server shares this event loop: a long advance on a busy machine is no lost connection.
    async with Client(endpoint, timeout=40.0, watchdog_intervall=40.0) as client:
        yield Remote(client, await client.get_namespace_index(NAMESPACE))


@asynccontextmanager
async def serving(options: Options) -> AsyncIterator[Remote]:
    ready = asyncio.Event()
    task = asyncio.create_task(serve(options, ready))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        task.result()
    try:
        async with connected(options.endpoint) as remote:
            yield remote
    finally:
        task.cancel()
        await asyncio.wait({task})


Scenario = Callable[[Remote], Awaitable[None]]


@pytest.fixture
def with_plant() -> Callable[..., None]:
    """Run a scenario against a plant that is served for it alone."""

    def run(scenario: Scenario, **options: Any) -> None:
        async def main() -> None:
            async with serving(Options(PENICILLIN, endpoint=free_endpoint(), **options)) as remote:
                await scenario(remote)

        asyncio.run(main())

    return run


@pytest.fixture
def endpoint() -> str:
    return free_endpoint()


@pytest.fixture
def connect() -> Callable[[str], Any]:
    return connected
