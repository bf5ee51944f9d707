"""What no real plant has: its time can be moved and its instruments spoiled, by the methods of SIMULATION."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from plant_sim.instruments import Fault, FaultKind
from plant_sim.server.space import Space, code, node_id

if TYPE_CHECKING:
    from plant_sim.server.plant import PlantServer

LONGEST_ADVANCE_S = 86400.0
_V = ua.VariantType
_Answer = ua.StatusCode | list[ua.Variant]


class Simulation:
    """The object SIMULATION of one plant."""

    def __init__(self, plant: PlantServer, lockstep: bool) -> None:
        self._plant, self._lockstep = plant, lockstep

    async def build(self, space: Space) -> None:
        """Add the object and its methods."""
        simulation = await space.add_object("SIMULATION")
        await space.add(simulation, "SIMULATION.SPEED", _V.Double)
        for name, method, takes, gives in (
            ("ADVANCE", self._on_advance, [_V.Double], [_V.DateTime]),
            ("SET_FAULT", self._on_set_fault, [_V.String, _V.String, _V.Double], []),
        ):
            id = node_id(f"SIMULATION.{name}", space.index)
            await simulation.add_method(id, f"{space.index}:{name}", method, takes, gives)

    async def _on_advance(self, parent: ua.NodeId, *given: ua.Variant) -> _Answer:
        if not self._lockstep:
            return code(StatusCodes.BadInvalidState)  # the clock is the only one that moves it
        match [v.Value for v in given]:
            case [float(seconds)] if 0.0 < seconds <= LONGEST_ADVANCE_S:  # false for NaN
                await self._plant.advance(seconds)
                return [ua.Variant(self._plant.time, _V.DateTime)]
        return code(StatusCodes.BadInvalidArgument)

    async def _on_set_fault(self, parent: ua.NodeId, *given: ua.Variant) -> _Answer:
        match [v.Value for v in given]:
            case [str(tag), str(kind), float(value)] if (
                tag in self._plant.process.faultable and kind in set(FaultKind) and math.isfinite(value)
            ):
                self._plant.batch.panel.set_fault(Fault(FaultKind(kind), tag, value))
                await self._plant.taken()
                return []
        return code(StatusCodes.BadInvalidArgument)
