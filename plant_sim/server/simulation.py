"""Simulation methods, which no real plant has: its time can be moved and its instruments spoiled."""

from __future__ import annotations

import math

from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from plant_sim.faults import Fault, FaultKind
from plant_sim.server.simulated import Simulated
from plant_sim.server.space import Space, code, node_id

LONGEST_ADVANCE_S = 86400.0
_V = ua.VariantType
_Answer = ua.StatusCode | list[ua.Variant]


class Simulation:
    """The object SIMULATION of one plant."""

    def __init__(self, plant: Simulated, lockstep: bool) -> None:
        self._plant, self._lockstep = plant, lockstep

    async def build(self, space: Space) -> None:
        """Add the object and its methods."""
        simulation = await space.add_object("SIMULATION")
        await space.add(simulation, "SIMULATION.SPEED", _V.Double)
        for name, method, takes, gives in (
            ("ADVANCE", self._on_advance, [_V.Double], [_V.DateTime]),
            ("SET_FAULT", self._on_set_fault, [_V.String, _V.String, _V.Double], []),
            ("INJECT_FAULT", self._on_inject_fault, [_V.String, _V.String, _V.Double, _V.Double], []),
            ("CLEAR_FAULT", self._on_clear_fault, [_V.String], [_V.UInt32]),
        ):
            id = node_id(f"SIMULATION.{name}", space.index)
            await simulation.add_method(id, f"{space.index}:{name}", method, takes, gives)

    async def _on_advance(self, parent: ua.NodeId, *given: ua.Variant) -> _Answer:
        if not self._lockstep:
            return code(StatusCodes.BadInvalidState)  # the clock is the only one that moves it
        if self._plant.unreachable_until_s() is not None:
            return code(StatusCodes.BadNoCommunication)  # about to hang up
        match [v.Value for v in given]:
            case [float(seconds)] if 0.0 < seconds <= LONGEST_ADVANCE_S:  # false for NaN
                await self._plant.advance(seconds)
                return [ua.Variant(self._plant.time, _V.DateTime)]
        return code(StatusCodes.BadInvalidArgument)

    async def _on_set_fault(self, parent: ua.NodeId, *given: ua.Variant) -> _Answer:
        """(tag, kind, value): spoil one part until it is mended; kind "none" mends it."""
        match [v.Value for v in given]:
            case [str(tag), FaultKind.NONE.value, float()]:
                return await self._mend(tag)
            case [str(tag), str(kind), float(value)]:
                return await self._break(kind, tag, value, math.inf)
        return code(StatusCodes.BadInvalidArgument)

    async def _on_inject_fault(self, parent: ua.NodeId, *given: ua.Variant) -> _Answer:
        """(kind, tag, value, hours): from now for so many process hours; 0 hours: until it is mended."""
        match [v.Value for v in given]:
            case [str(kind), str(tag), float(value), float(hours)] if hours >= 0.0:
                return await self._break(kind, tag, value, hours or math.inf)
        return code(StatusCodes.BadInvalidArgument)

    async def _on_clear_fault(self, parent: ua.NodeId, *given: ua.Variant) -> _Answer:
        """(tag): mend everything that is wrong with it; how many faults that were."""
        match [v.Value for v in given]:
            case [str(tag)]:
                cleared = self._plant.batch.faults.clear(tag)
                await self._plant.taken()
                return [ua.Variant(cleared, _V.UInt32)]
        return code(StatusCodes.BadInvalidArgument)

    async def _break(self, kind: str, tag: str, value: float, hours: float) -> _Answer:
        batch = self._plant.batch
        if kind not in set(FaultKind):
            return code(StatusCodes.BadInvalidArgument)
        try:
            batch.break_(Fault(FaultKind(kind), tag, value, batch.elapsed_s, batch.elapsed_s + 3600.0 * hours))
        except ValueError:
            return code(StatusCodes.BadInvalidArgument)
        await self._plant.taken()
        return []

    async def _mend(self, tag: str) -> _Answer:
        if self._plant.batch.parts.objection(Fault(FaultKind.NONE, tag)):
            return code(StatusCodes.BadInvalidArgument)
        self._plant.batch.faults.clear(tag)
        await self._plant.taken()
        return []
