"""A small real OPC UA server whose every value, status, unit and answer the tests decide, and the simulated plant."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.address_space import AttributeService
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds

from controller.edge.opcua.tags import KINDS, WRITTEN, Tag, TagKind, tags_of
from controller.processes import find
from controller.settings import Settings, load

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(hours=60)
TYPES = {
    TagKind.NUMBER: ua.VariantType.Double,
    TagKind.INTEGER: ua.VariantType.UInt32,
    TagKind.TIME: ua.VariantType.DateTime,
    TagKind.FLAG: ua.VariantType.Boolean,
    TagKind.TEXT: ua.VariantType.String,
}
VALUES = {
    "supervisor.lease_node": 3600.0,
    "batch.id": "B-001",
    "batch.start": START,
    "batch.phase": "production",
    "feed.active": 0.042,
    "feed.local": 0.042,
    "precursor_feed.active": 0.0005,
    "precursor_feed.local": 0.0005,
}
BLANK = {TagKind.NUMBER: 0.0, TagKind.INTEGER: 0, TagKind.TIME: START, TagKind.FLAG: False, TagKind.TEXT: ""}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Tampered(AttributeService):
    """Client writes land, but for the tags that the test wants to refuse or to change."""

    plant: SmallPlant

    def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        self.plant.largest_read = max(self.plant.largest_read, len(params.NodesToRead))
        return super().read(params)

    async def write(self, params: ua.WriteParameters, user: Any = None) -> list[ua.StatusCode]:
        codes = []
        self.plant.largest_write = max(self.plant.largest_write, len(params.NodesToWrite))
        for item in params.NodesToWrite:
            tag = str(item.NodeId.Identifier)
            if item.AttributeId == AttributeIds.Value and tag in self.plant.known():
                self.plant.writes.append(tag)
            if tag in self.plant.refused:
                codes.append(ua.StatusCode(self.plant.refused[tag]))
                continue
            if tag in self.plant.changed:
                item.Value = ua.DataValue(ua.Variant(self.plant.changed[tag], ua.VariantType.Double))
            if self.plant.late_s:
                asyncio.get_running_loop().call_later(self.plant.late_s, self._land, item, user)
                codes.append(ua.StatusCode())
                continue
            codes += await super().write(ua.WriteParameters(NodesToWrite=[item]), user)
            await self._follow(tag, item.Value, user)
        return codes

    def _land(self, item: ua.WriteValue, user: Any) -> None:
        """What a gateway took reaches the device, and shows in its cache."""
        task = asyncio.ensure_future(super().write(ua.WriteParameters(NodesToWrite=[item]), user))
        tag = str(item.NodeId.Identifier)
        task.add_done_callback(lambda _: asyncio.ensure_future(self._follow(tag, item.Value, user)))

    async def _follow(self, tag: str, value: ua.DataValue, user: Any) -> None:
        """The process follows a setpoint, if it follows at all."""
        active = tag.removesuffix(".SP") + ".SP_ACTIVE"
        if tag.endswith(".SP") and self.plant.follows and active in self.plant.known():
            await self.plant.put(active, value.Value.Value)


class SmallPlant:
    """An asyncua server in a thread of its own, with the tags of a configuration; no process behind it."""

    def __init__(self, settings: Settings, port: int) -> None:
        self.settings = settings
        self.port = port
        self.refused: dict[str, int] = {}
        self.changed: dict[str, float] = {}
        self.writes: list[str] = []
        self.late_s = 0.0  # how much later a written value shows
        self.follows = True  # is a setpoint that was taken in force at once?
        self.largest_read = self.largest_write = 0
        self._spoiled = False
        self._nodes: dict[str, Node] = {}
        self._layout: tuple[int, tuple[str, ...]] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(90)  # a busy machine starts a server slowly

    def start(self, foreign_namespaces: int = 0, without: tuple[str, ...] = ()) -> None:
        self._nodes, self._spoiled = {}, False
        self.do(self._start(foreign_namespaces, without))
        self.do(self._reset())
        self._layout = (foreign_namespaces, without)

    def stop(self) -> None:
        if self._layout is not None:
            self._layout = None
            self.do(self._server.stop())

    def end(self) -> None:
        self.stop()
        self.do(self._give_up())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _give_up(self) -> None:
        """End what asyncua's server leaves running for clients that vanished."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def remember(self, tag: str, values: list[tuple[datetime, float, int]]) -> None:
        """Give the tag a history; the next reset takes it back."""
        self._spoiled = True
        self.do(self._remember(tag, values))

    async def _remember(self, tag: str, values: list[tuple[datetime, float, int]]) -> None:
        node, store = self._nodes[tag].nodeid, self._server.iserver.history_manager.storage
        await store.new_historized_node(node, None)
        for at, value, status in values:
            shown = ua.DataValue(ua.Variant(value, self._types[tag]), ua.StatusCode(status), SourceTimestamp=at)
            await store.save_node_value(node, shown)

    def limit(self, name: str, most: int) -> None:
        """State one of the server's operation limits; the next reset takes it back."""
        self._spoiled = True
        node = getattr(ua.ObjectIds, f"Server_ServerCapabilities_OperationLimits_{name}")
        self.do(self._server.get_node(ua.NodeId(node)).write_value(most, ua.VariantType.UInt32))
        self.largest_read = 0

    def freeze(self, seconds: float) -> None:
        """Stop answering without closing a socket, as a process that hangs does."""
        self._loop.call_soon_threadsafe(time.sleep, seconds)

    def show(self, tag: str, value: Any, status: int = 0, time: datetime | None = NOW) -> None:
        self.do(self._show(tag, value, status, time))

    def reset(self) -> None:
        """Everything as it was at first; a server that was stopped or laid out differently is started anew."""
        self.refused, self.changed, self.writes = {}, {}, []
        self.late_s, self.follows = 0.0, True
        if self._layout != (0, ()) or self._spoiled:
            self.stop()
        if self._layout is None:
            self.start()
        else:
            self.do(self._reset())

    def known(self) -> set[str]:
        return set(self._nodes)

    def held(self, tag: str) -> Any:
        return self.do(self._nodes[tag].read_value())

    def state_unit(self, tag: str, unit: str) -> None:
        self.do(self._property(tag, "0:EngineeringUnits", ua.EUInformation(DisplayName=ua.LocalizedText(unit))))

    def state_range(self, tag: str, low: float, high: float) -> None:
        self.do(self._property(tag, "0:EURange", ua.Range(Low=low, High=high)))

    def protect(self, tag: str) -> None:
        self.do(self._nodes[tag].set_writable(False))

    async def _property(self, tag: str, name: str, value: Any) -> None:
        await (await self._nodes[tag].get_child([name])).write_value(value)

    async def _start(self, foreign_namespaces: int, without: tuple[str, ...]) -> None:
        self._server = Server()
        await self._server.init()
        self._server.set_endpoint(f"opc.tcp://127.0.0.1:{self.port}/neurotwin")
        self._server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        for number in range(foreign_namespaces):
            await self._server.register_namespace(f"urn:foreign:{number}")
        index = await self._server.register_namespace(self.settings.connection.namespace)
        reactor = await self._server.nodes.objects.add_object(ua.NodeId("R1", index), f"{index}:R1")
        self._types: dict[str, ua.VariantType] = {}
        for tag in tags_of(self.settings):
            if KINDS[tag.key] is not TagKind.METHOD and tag.node not in without:
                await self._add(reactor, index, tag)
        inner = self._server.iserver
        inner.attribute_service = _Tampered(inner.aspace)
        inner.attribute_service.plant = self
        await self._server.start()

    async def _add(self, reactor: Node, index: int, tag: Tag) -> None:
        kind = TYPES[KINDS[tag.key]]
        node = await reactor.add_variable(
            ua.NodeId(tag.node, index), f"{index}:{tag.node}", BLANK[KINDS[tag.key]], varianttype=kind
        )
        self._types[tag.node], self._nodes[tag.node] = kind, node
        if tag.unit and kind is ua.VariantType.Double:
            await node.add_property(0, "EURange", ua.Range(Low=0, High=1))
            await node.add_property(0, "EngineeringUnits", ua.EUInformation())

    async def _reset(self) -> None:
        for tag in tags_of(self.settings):
            if tag.node not in self._nodes:
                continue
            middle = (tag.low + tag.high) / 2 if tag.low is not None and tag.high is not None else 0.0
            blank = middle if KINDS[tag.key] is TagKind.NUMBER else BLANK[KINDS[tag.key]]
            waiting = ua.StatusCodes.BadWaitingForInitialData if tag.node.startswith("LAB.") else 0
            await self._show(tag.node, VALUES.get(f"{tag.owner}.{tag.key}", blank), waiting, NOW)
            if tag.unit and KINDS[tag.key] is TagKind.NUMBER:
                variable = self.settings.plant_record().variable(tag.owner)
                await self._property(tag.node, "0:EURange", ua.Range(Low=variable.low, High=variable.high))
                unit = ua.EUInformation(DisplayName=ua.LocalizedText(tag.unit))
                await self._property(tag.node, "0:EngineeringUnits", unit)
            if tag.key in WRITTEN:
                await self._nodes[tag.node].set_writable()

    async def put(self, tag: str, value: Any) -> None:
        """Show a good value, from within the server."""
        await self._show(tag, value, 0, NOW)

    async def _show(self, tag: str, value: Any, status: int, time: datetime | None) -> None:
        shown = ua.DataValue(ua.Variant(value, self._types[tag]), ua.StatusCode(status), SourceTimestamp=time)
        await self._server.write_attribute_value(self._nodes[tag].nodeid, shown)


def settings_at(port: int, **connection: Any) -> Settings:
    """The shipped configuration for a plant on this port, with less patience than in production."""
    shipped = load(find("penicillin").configuration)
    patience = {"timeout_s": 2.0, "reconnect_max_delay_s": 1.0, **connection}
    endpoint = f"opc.tcp://127.0.0.1:{port}/neurotwin"
    return replace(shipped, connection=replace(shipped.connection, endpoint=endpoint, **patience))


@pytest.fixture(scope="session")
def small_plant() -> Iterator[SmallPlant]:
    port = free_port()
    small = SmallPlant(settings_at(port), port)
    yield small
    small.end()


@pytest.fixture
def plant(small_plant: SmallPlant) -> SmallPlant:
    """The small server, running, with good values everywhere."""
    small_plant.reset()
    return small_plant


class Simulator:
    """The simulated plant as a process of its own, in lockstep, so that it can be killed."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._checkpoint = folder / "plant.json"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "plant_sim.server",
            "--design",
            "controller.processes.penicillin.plant:DESIGN",
            "--seed",
            "7",
            "--checkpoint",
            str(self._checkpoint),
        ]
        endpoint = f"opc.tcp://127.0.0.1:{self.port}/neurotwin"
        self._process = subprocess.Popen(
            [*command, "--endpoint", endpoint], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        if self._process.stdout is None or b"plant ready" not in self._process.stdout.readline():
            raise RuntimeError("the simulated plant did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def signal(self, number: int) -> None:
        if self._process is not None:
            os.kill(self._process.pid, number)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """The simulated plant, running."""
    running = Simulator(tmp_path_factory.mktemp("plant"))
    running.start()
    yield running
    running.kill()


@pytest.fixture
def at() -> Callable[..., Settings]:
    return settings_at


@pytest.fixture
def unused_port() -> int:
    return free_port()
