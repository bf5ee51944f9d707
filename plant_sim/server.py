"""The simulated plant as an OPC UA server: address space, process time, client writes and restarts."""

from __future__ import annotations

import argparse
import asyncio
import math
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from asyncua import ua
from asyncua.common.node import Node
from asyncua.crypto.permission_rules import User
from asyncua.server.address_space import AddressSpace, AttributeService
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from plant_sim import checkpoint
from plant_sim.batch import Batch
from plant_sim.instruments import Fault, FaultKind, Point, Status
from plant_sim.processes import PROCESSES
from plant_sim.tags import tags_of

NAMESPACE = "urn:neurotwin:plant"
ENDPOINT = "opc.tcp://127.0.0.1:4840/neurotwin"  # loopback: nobody else can reach it
START = datetime(2026, 1, 1, tzinfo=UTC)
NEVER = datetime(1601, 1, 1, tzinfo=UTC)  # OPC UA's null time: no remote setpoint may be used
LONGEST_ADVANCE_S = 86400.0
UNECE = "http://www.opcfoundation.org/UA/units/un/cefact"

_V = ua.VariantType


def _code(code: int) -> ua.StatusCode:
    return ua.StatusCode(ua.UInt32(code))


def _id(name: str, index: int) -> ua.NodeId:
    return ua.NodeId(ua.String(name), ua.Int16(index))


_STATUS = {
    Status.GOOD: _code(StatusCodes.Good),
    Status.UNCERTAIN: _code(StatusCodes.UncertainSensorNotAccurate),
    Status.BAD: _code(StatusCodes.BadSensorFailure),
}
_GOOD = _STATUS[Status.GOOD]
_WAITING = _code(StatusCodes.BadWaitingForInitialData)


@dataclass(frozen=True)
class Options:
    """How to run the plant."""

    endpoint: str = ENDPOINT
    seed: int | None = None  # of what varies; None is the nominal plant
    speed: float | None = None  # process seconds per second; None: lockstep, a client advances it
    checkpoint: Path | None = None
    truth: Path | None = None
    lease_s: float = 3600.0
    scan_s: float = 60.0  # process seconds between published values when running by speed
    start: datetime = START
    nominal: bool = False  # no variation, with the seed's instrument noise
    process: str = "penicillin"  # one of plant_sim.processes


class _ClientWrites(AttributeService):
    """Takes what clients write to the plant's own setpoints; all other writes go asyncua's way."""

    def __init__(
        self,
        aspace: AddressSpace,
        tags: dict[ua.NodeId, str],
        take: Callable[[str, ua.DataValue], ua.StatusCode],
        taken: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(aspace)
        self._tags, self._take, self._taken = tags, take, taken

    async def write(self, params: ua.WriteParameters, user: User | None = None) -> list[ua.StatusCode]:
        codes, ours = [], False
        for item in params.NodesToWrite:
            tag = self._tags.get(item.NodeId) if item.AttributeId == AttributeIds.Value else None
            if tag is not None:
                codes.append(self._take(tag, item.Value))
                ours = True
            else:
                codes += await super().write(ua.WriteParameters(NodesToWrite=[item]), user or User())
        if ours:
            await self._taken()
        return codes


class PlantServer:
    """One batch behind one OPC UA server; the batch holds all truth, the nodes only show it."""

    def __init__(self, options: Options, server: Server) -> None:
        """Inoculate, or go on from the checkpoint; ValueError says why that cannot be."""
        self._options, self._server = options, server
        if options.process not in PROCESSES:
            raise ValueError(f"no process is called {options.process!r}; there are {', '.join(PROCESSES)}")
        self.process = PROCESSES[options.process]
        self._tags = tags_of(self.process)
        self.batch = Batch(options.seed, options.lease_s, options.nominal, process=self.process)
        memory = checkpoint.load(options.checkpoint) if options.checkpoint else None
        if memory is not None:
            if memory["start"] != options.start.isoformat():
                raise ValueError(f"the checkpoint's batch began at {memory['start']}, not {options.start.isoformat()}")
            self.batch.recall(memory["batch"])
        self.process.warm()  # or the first client to advance the plant would wait for the compiler
        self._nodes: dict[str, ua.NodeId] = {}
        self.truth: checkpoint.TruthLog | None = None

    @property
    def time(self) -> datetime:
        """Process time."""
        return self._options.start + timedelta(seconds=self.batch.elapsed_s)

    async def build(self) -> None:
        """Lay out the address space, and take over client writes."""
        index = await self._server.register_namespace(NAMESPACE)
        reactor = await self._server.nodes.objects.add_object(_id("R1", index), f"{index}:R1")
        for point in self._tags.points.values():
            await self._add_analog(reactor, index, point)
        for tag, kind in self._tags.plain.items():
            await self._add(reactor, index, tag, ua.VariantType[kind])
        await self._add_simulation(index)
        tags = {self._nodes[tag]: tag for tag in self._tags.writable}
        inner = self._server.iserver
        inner.attribute_service = _ClientWrites(inner.aspace, tags, self._take, self._taken)

    async def show(self) -> None:
        """Show everything as it is now."""
        batch, now = self.batch, self.time
        for tag, seen in batch.signals.items():
            await self._show(tag, seen.value, _V.Double, now, _STATUS[seen.status])
        for tag, value in self.process.setpoints.items():
            await self._show(tag, value, _V.Double, now)
        for pump, value in batch.local_setpoints().items():
            await self._show(f"{pump}.SP_LOCAL", value, _V.Double, now)
        for point in self.process.assays:
            await self._show_assay(point.tag, now)
        await self._show("BATCH.ID", batch.name, _V.String, now)
        await self._show("BATCH.START", self._options.start, _V.DateTime, now)
        await self._show("BATCH.PHASE", batch.phase.value, _V.String, now)
        await self._show("SIMULATION.SPEED", self._options.speed or 0.0, _V.Double, now)
        await self._show_supervision()

    def keep(self) -> None:
        """Log the truth of this instant, and save the batch."""
        if self.truth is not None:
            self.truth.write(self.time.isoformat(), self.batch.elapsed_s / 3600.0, self.batch.truth())
        self._save()

    async def advance(self, seconds: float) -> None:
        """Move process time on, show and keep."""
        self.batch.advance(seconds)
        await self.show()
        self.keep()

    async def _taken(self) -> None:
        """Show what a client wrote and what follows from it, and save it."""
        await self._show_supervision()
        self._save()

    def _save(self) -> None:
        if self._options.checkpoint is not None:
            memory = {"start": self._options.start.isoformat(), "batch": self.batch.memory()}
            checkpoint.save(self._options.checkpoint, memory)

    async def _show_supervision(self) -> None:
        batch, lease, now = self.batch, self.batch.lease, self.time
        for pump, active in batch.active_setpoints().items():
            valid_until_s = lease.valid_until_s[pump]
            until = NEVER if valid_until_s is None else self._options.start + timedelta(seconds=valid_until_s)
            await self._show(f"{pump}.SP", lease.remote[pump], _V.Double, now)
            await self._show(f"{pump}.SP_ACTIVE", active, _V.Double, now)
            await self._show(f"{pump}.VALID_UNTIL", until, _V.DateTime, now)
        await self._show("SUPERVISOR.HEARTBEAT", lease.heartbeat, _V.UInt32, now)
        await self._show("SUPERVISOR.LEASE_S", lease.lease_s, _V.Double, now)
        await self._show("SUPERVISOR.IN_CONTROL", batch.in_control(), _V.Boolean, now)
        await self._show("SUPERVISOR.LEASE_LAPSES", lease.lapses, _V.UInt32, now)

    def _take(self, tag: str, written: ua.DataValue) -> ua.StatusCode:
        """Accept or refuse one client write."""
        lease, (owner, _, part), variant = self.batch.lease, tag.partition("."), written.Value
        if variant is None or (written.StatusCode is not None and not written.StatusCode.is_good()):
            return _code(StatusCodes.BadWriteNotSupported)
        match part, variant.VariantType, variant.Value:
            case "SP", _V.Double, float(value):
                point = self._tags.points[tag]
                if not (math.isfinite(value) and point.low <= value <= point.high):
                    return _code(StatusCodes.BadOutOfRange)
                lease.remote[owner] = value
            case "VALID_UNTIL", _V.DateTime, datetime() as until:
                lease.valid_until_s[owner] = (until - self._options.start).total_seconds()
            case "HEARTBEAT", _V.UInt32, int(heartbeat):
                lease.beat(heartbeat, self.batch.elapsed_s)
            case _:
                return _code(StatusCodes.BadTypeMismatch)
        return _GOOD

    async def _show(
        self, tag: str, value: object, kind: ua.VariantType, time: datetime, status: ua.StatusCode = _GOOD
    ) -> None:
        variant = ua.Variant(value, kind) if value is not None else ua.Variant(None, _V.Null)
        source, clock = cast(ua.DateTime, time), cast(ua.DateTime, datetime.now(UTC))
        shown = ua.DataValue(variant, status, SourceTimestamp=source, ServerTimestamp=clock)
        await self._server.write_attribute_value(self._nodes[tag], shown)

    async def _show_assay(self, tag: str, now: datetime) -> None:
        result = self.batch.laboratory.results.get(tag)
        if result is None:
            await self._show(tag, None, _V.Double, now, _WAITING)
            return
        sampled = self._options.start + timedelta(seconds=result.sampled_s)
        seen = result.signal
        await self._show(tag, seen.value, _V.Double, sampled, _STATUS[seen.status])

    async def _add(self, parent: Node, index: int, tag: str, kind: ua.VariantType) -> Node:
        initial = {_V.DateTime: NEVER, _V.String: "", _V.Boolean: False, _V.UInt32: 0}.get(kind, 0.0)
        node = await parent.add_variable(_id(tag, index), f"{index}:{tag}", initial, varianttype=kind)
        if tag in self._tags.writable:
            await node.set_writable()
        self._nodes[tag] = node.nodeid
        return node

    async def _add_analog(self, parent: Node, index: int, point: Point) -> None:
        node = await self._add(parent, index, point.tag, _V.Double)
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

    async def _add_simulation(self, index: int) -> None:
        """What no real plant has: its time can be moved and its instruments spoiled."""
        simulation = await self._server.nodes.objects.add_object(_id("SIMULATION", index), f"{index}:SIMULATION")
        await self._add(simulation, index, "SIMULATION.SPEED", _V.Double)
        for name, method, takes, gives in (
            ("ADVANCE", self._on_advance, [_V.Double], [_V.DateTime]),
            ("SET_FAULT", self._on_set_fault, [_V.String, _V.String, _V.Double], []),
        ):
            node_id = _id(f"SIMULATION.{name}", index)
            await simulation.add_method(node_id, f"{index}:{name}", method, takes, gives)

    async def _on_advance(self, parent: ua.NodeId, *given: ua.Variant) -> ua.StatusCode | list[ua.Variant]:
        if self._options.speed is not None:
            return _code(StatusCodes.BadInvalidState)  # the clock is the only one that moves it
        match [v.Value for v in given]:
            case [float(seconds)] if 0.0 < seconds <= LONGEST_ADVANCE_S:  # false for NaN
                await self.advance(seconds)
                return [ua.Variant(self.time, _V.DateTime)]
        return _code(StatusCodes.BadInvalidArgument)

    async def _on_set_fault(self, parent: ua.NodeId, *given: ua.Variant) -> ua.StatusCode | list[ua.Variant]:
        match [v.Value for v in given]:
            case [str(tag), str(kind), float(value)] if (
                tag in self.process.faultable and kind in set(FaultKind) and math.isfinite(value)
            ):
                self.batch.panel.set_fault(Fault(FaultKind(kind), tag, value))
                await self._taken()
                return []
        return _code(StatusCodes.BadInvalidArgument)


async def _run(plant: PlantServer, options: Options) -> None:
    """Keep process time in step with the clock; one that cannot keep up falls behind rather than jumps."""
    if options.speed is None:
        await asyncio.Event().wait()  # for ever: clients advance it
        return
    clock = asyncio.get_running_loop().time
    due = clock()
    while True:
        due = max(due + options.scan_s / options.speed, clock())
        await asyncio.sleep(due - clock())
        await plant.advance(options.scan_s)


async def serve(options: Options, ready: asyncio.Event | None = None) -> None:
    """Serve until cancelled; ValueError or OSError when it cannot start."""
    server = Server()
    plant = PlantServer(options, server)
    await server.init()
    server.set_endpoint(options.endpoint)
    server.set_server_name("NeuroTwin simulated plant")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    server.allow_remote_admin(False)
    await plant.build()
    await plant.show()
    async with server:  # only who holds the port may write to the batch's files
        with ExitStack() as stack:
            if options.truth is not None:
                hours = plant.batch.elapsed_s / 3600.0
                plant.truth = stack.enter_context(checkpoint.TruthLog(options.truth, hours))
            plant.keep()
            if ready is not None:
                ready.set()
            await _run(plant, options)


def _positive(text: str) -> float:
    if not (math.isfinite(number := float(text)) and number > 0.0):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _speed(text: str) -> float | None:
    return None if text == "max" else _positive(text)


def _utc(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _arguments(argv: list[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="plant_sim.server", description=__doc__)
    parser.add_argument("--endpoint", default=ENDPOINT, help="where to serve (default %(default)s)")
    parser.add_argument("--process", choices=tuple(PROCESSES), default="penicillin", help="default %(default)s")
    parser.add_argument("--seed", type=int, help="of what varies between batches (default: the nominal plant)")
    parser.add_argument("--nominal", action="store_true", help="the nominal plant with this seed's noise")
    parser.add_argument("--speed", type=_speed, help="process seconds per second; max (default): clients advance it")
    parser.add_argument(
        "--scan", dest="scan_s", type=_positive, default=60.0, help="process seconds between values (default 60)"
    )
    parser.add_argument(
        "--lease",
        dest="lease_s",
        type=_positive,
        default=3600.0,
        help="process seconds a heartbeat lasts (default 3600)",
    )
    parser.add_argument("--checkpoint", type=Path, help="file to go on from after a restart")
    parser.add_argument("--truth", type=Path, help="CSV file of what really is in the vessel, for a judge")
    parser.add_argument("--start", type=_utc, default=START, help="process time of inoculation")
    return Options(**vars(parser.parse_args(argv)))


async def _main(options: Options) -> None:
    ready = asyncio.Event()
    serving = asyncio.create_task(serve(options, ready))
    for stop in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(stop, serving.cancel)
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if ready.is_set():
        print(f"plant ready {options.endpoint}", flush=True)
    try:
        await serving
    except asyncio.CancelledError:
        pass


def main(argv: list[str] | None = None) -> int:
    """Run the plant as a process of its own, until SIGTERM or SIGINT."""
    try:
        asyncio.run(_main(_arguments(argv)))
    except (ValueError, OSError) as error:
        print(f"the plant cannot run: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
