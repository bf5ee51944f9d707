"""Plant server: the batch holds all truth, the nodes only show it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from asyncua import ua
from asyncua.crypto.permission_rules import User
from asyncua.server.server import Server
from asyncua.ua.status_codes import StatusCodes

from plant_sim import checkpoint
from plant_sim.batch import Batch
from plant_sim.faults import FaultKind, load
from plant_sim.server.events import Events
from plant_sim.server.lads import Lads
from plant_sim.server.options import Options
from plant_sim.server.ownership import OWNER, Ownership, Sessions
from plant_sim.server.simulation import Simulation
from plant_sim.server.space import GOOD, NAMESPACE, NEVER, STATUS, Space, code
from plant_sim.server.writes import ClientWrites, take
from plant_sim.tags import tags_of

_V = ua.VariantType
LONGEST_NAME = 200  # of who claims the plant; design
_WAITING = code(StatusCodes.BadWaitingForInitialData)


class PlantServer:
    """The plant that clients meet."""

    def __init__(self, options: Options, server: Server) -> None:
        """Inoculate, or go on from the checkpoint; ValueError says why that cannot be."""
        self._options, self._server = options, server
        self.design = options.design
        self._tags = tags_of(self.design)
        self.batch = Batch(self.design, options.seed, options.lease_s, options.nominal)
        memory = checkpoint.load(options.checkpoint) if options.checkpoint else None
        if memory is not None:
            if memory["start"] != options.start.isoformat():
                raise ValueError(f"the checkpoint's batch began at {memory['start']}, not {options.start.isoformat()}")
            self.batch.recall(memory["batch"])
        elif options.faults is not None:  # a checkpoint knows its faults already
            for fault in load(options.faults):
                self.batch.break_(fault)
        self.design.warm()  # or the first client to advance the plant would wait for the compiler
        self._space = Space(server, 0)  # until `build`
        self._events = Events(self.design)
        self._ownership = Ownership(cast(Sessions, server.iserver).lives)
        self.truth: checkpoint.TruthLog | None = None

    @property
    def time(self) -> datetime:
        """Process time."""
        return self._options.start + timedelta(seconds=self.batch.elapsed_s)

    async def build(self) -> None:
        """Lay out the address space, and take over client writes."""
        self._space = space = Space(self._server, await self._server.register_namespace(NAMESPACE))
        reactor, writable = await space.add_object("R1"), self._tags.writable
        for point in self._tags.points.values():
            await space.add_analog(reactor, point, point.tag in writable)
        for tag, kind in self._tags.plain.items():
            await space.add(reactor, tag, ua.VariantType[kind], tag in writable)
        await Simulation(self, lockstep=self._options.speed is None).build(space)
        await self._events.build(space)
        await Lads(space, self._tags).build(self.design)
        await space.keep_history(i.point.tag for i in self.design.online)
        inner = self._server.iserver
        tags = {space.nodes[tag]: tag for tag in writable} | space.setpoints
        inner.attribute_service = ClientWrites(inner.aspace, tags, self._take, self.taken)

    async def show(self) -> None:
        """Show everything as it is now."""
        batch, now, show = self.batch, self.time, self._space.show
        for tag, seen in batch.signals.items():
            await show(tag, seen.value, _V.Double, now, STATUS[seen.status])
        for pump, value in batch.local_setpoints().items():
            await show(f"{pump}.SP_LOCAL", value, _V.Double, now)
        for point in self.design.assays:
            await self._show_assay(point.tag, now)
        await show("BATCH.ID", batch.name, _V.String, now)
        await show("BATCH.START", self._options.start, _V.DateTime, now)
        await show("BATCH.PHASE", batch.phase.value, _V.String, now)
        await show("SIMULATION.SPEED", self._options.speed or 0.0, _V.Double, now)
        await self._show_supervision()
        await self._events.tell(batch.signals, now)

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

    def unreachable_until_s(self) -> float | None:
        """The process second at which a lost connection comes back; None while there is one."""
        losses = self.batch.faults.of(FaultKind.CONNECTION_LOSS, self.batch.elapsed_s)
        return max(f.until_s for f in losses) if losses else None

    async def taken(self) -> None:
        """Show what a client wrote and what follows from it, and save it."""
        await self._show_supervision()
        self._save()

    def _take(self, tag: str, written: ua.DataValue, user: User) -> ua.StatusCode:
        if tag == OWNER:
            return self._claimed(written, user)
        if not self._ownership.open_to(user):
            return code(StatusCodes.BadLocked)
        return take(self.batch, self._tags.points, self._options.start, tag, written)

    def _claimed(self, written: ua.DataValue, user: User) -> ua.StatusCode:
        name = written.Value.Value if written.Value is not None else None
        if not isinstance(name, str) or len(name) > LONGEST_NAME:
            return code(StatusCodes.BadTypeMismatch)
        return GOOD if self._ownership.claim(name, user) else code(StatusCodes.BadLocked)

    def _save(self) -> None:
        if self._options.checkpoint is not None:
            memory = {"start": self._options.start.isoformat(), "batch": self.batch.memory()}
            checkpoint.save(self._options.checkpoint, memory)

    async def _show_supervision(self) -> None:
        batch, lease, now, show = self.batch, self.batch.lease, self.time, self._space.show
        for pump, active in batch.active_setpoints().items():
            valid_until_s = lease.valid_until_s[pump]
            until = NEVER if valid_until_s is None else self._options.start + timedelta(seconds=valid_until_s)
            await show(f"{pump}.SP", lease.remote[pump], _V.Double, now)
            await show(f"{pump}.SP_ACTIVE", active, _V.Double, now)
            await show(f"{pump}.VALID_UNTIL", until, _V.DateTime, now)
        await show("SUPERVISOR.HEARTBEAT", lease.heartbeat, _V.UInt32, now)
        await show(OWNER, self._ownership.name, _V.String, now)
        await show("SUPERVISOR.LEASE_S", lease.lease_s, _V.Double, now)
        await show("SUPERVISOR.IN_CONTROL", batch.in_control(), _V.Boolean, now)
        await show("SUPERVISOR.LEASE_LAPSES", lease.lapses, _V.UInt32, now)

    async def _show_assay(self, tag: str, now: datetime) -> None:
        result = self.batch.laboratory.results.get(tag)
        if result is None:
            await self._space.show(tag, None, _V.Double, now, _WAITING)
            return
        sampled, seen = self._options.start + timedelta(seconds=result.sampled_s), result.signal
        await self._space.show(tag, seen.value, _V.Double, sampled, STATUS[seen.status])
