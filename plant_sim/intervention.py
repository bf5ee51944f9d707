"""Intervention beside a running simulated plant: spoils its instruments, and watches whose setpoints are in force."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.uaerrors import UaError

from plant_sim.many_tags import NAMESPACE

TIMEOUT_S = 10.0
T = TypeVar("T")
_make_id: Any = ua.NodeId  # asyncua's annotations want its own string type


@dataclass(frozen=True, slots=True)
class PumpState:
    """One look at a pump: what it does, what its recipe would do, and the lease of who steers it."""

    pump: str
    time: datetime
    active: float
    local: float
    valid_until: datetime
    in_control: bool

    @property
    def unleased(self) -> bool:
        """Does the plant follow a setpoint that no live lease covers?"""
        steered = not math.isclose(self.active, self.local, rel_tol=1e-9, abs_tol=1e-12)
        return steered and not (self.in_control and self.valid_until >= self.time)


def set_fault(endpoint: str, tag: str, kind: str, value: float = 0.0) -> None:
    """Spoil an instrument, or mend it with kind "none"; OSError when the plant is away."""
    _ask(_set_fault(endpoint, tag, kind, value))


def look(endpoint: str, pumps: Sequence[str]) -> list[PumpState]:
    """What each pump does now; OSError when the plant is away."""
    return _ask(_look(endpoint, pumps))


def _ask(question: Coroutine[Any, Any, T]) -> T:
    async def patiently() -> T:
        return await asyncio.wait_for(question, TIMEOUT_S)

    try:
        return asyncio.run(patiently())
    except UaError as fault:
        raise ConnectionError(f"the plant did not answer: {fault}") from fault


async def _set_fault(endpoint: str, tag: str, kind: str, value: float) -> None:
    async with Client(endpoint, timeout=TIMEOUT_S) as client:
        index = await client.get_namespace_index(NAMESPACE)
        simulation = client.get_node(_make_id("SIMULATION", index))
        given = [ua.Variant(tag, ua.VariantType.String), ua.Variant(kind, ua.VariantType.String)]
        method = _make_id("SIMULATION.SET_FAULT", index)
        await simulation.call_method(method, *given, ua.Variant(value, ua.VariantType.Double))


async def _look(endpoint: str, pumps: Sequence[str]) -> list[PumpState]:
    parts = ("SP_ACTIVE", "SP_LOCAL", "VALID_UNTIL")
    async with Client(endpoint, timeout=TIMEOUT_S) as client:
        index = await client.get_namespace_index(NAMESPACE)
        tags = ["SUPERVISOR.IN_CONTROL", *(f"{pump}.{part}" for pump in pumps for part in parts)]
        nodes = [client.get_node(_make_id(tag, index)) for tag in tags]
        held: list[Any] = await client.read_attributes(nodes)
    in_control, rest = bool(held[0].Value.Value), held[1:]
    seen = []
    for number, pump in enumerate(pumps):
        active, local, until = rest[3 * number : 3 * number + 3]
        values = active.Value.Value, local.Value.Value, until.Value.Value
        seen.append(PumpState(pump, active.SourceTimestamp, *values, in_control))
    return seen
