"""Write handling: what clients may write, and what becomes of it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from asyncua import ua
from asyncua.crypto.permission_rules import User
from asyncua.server.address_space import AddressSpace, AttributeService
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from plant_sim.batch import Batch
from plant_sim.instruments import Point
from plant_sim.server.space import GOOD, code

_V = ua.VariantType


class ClientWrites(AttributeService):
    """Takes what clients write to the plant's own setpoints; all other writes go asyncua's way."""

    def __init__(
        self,
        aspace: AddressSpace,
        tags: Mapping[ua.NodeId, str],
        take: Callable[[str, ua.DataValue, User], ua.StatusCode],
        taken: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(aspace)
        self._tags, self._take, self._taken = tags, take, taken

    async def write(self, params: ua.WriteParameters, user: User | None = None) -> list[ua.StatusCode]:
        """Take or refuse each item by itself."""
        codes, ours, user = [], False, user or User()
        for item in params.NodesToWrite:
            tag = self._tags.get(item.NodeId) if item.AttributeId == AttributeIds.Value else None
            if tag is not None:
                codes.append(self._take(tag, item.Value, user))
                ours = True
            else:
                codes += await super().write(ua.WriteParameters(NodesToWrite=[item]), user)
        if ours:
            await self._taken()
        return codes


def take(batch: Batch, points: Mapping[str, Point], start: datetime, tag: str, written: ua.DataValue) -> ua.StatusCode:
    """Accept or refuse one client write."""
    lease, (owner, _, part), variant = batch.lease, tag.partition("."), written.Value
    if variant is None or (written.StatusCode is not None and not written.StatusCode.is_good()):
        return code(StatusCodes.BadWriteNotSupported)
    match part, variant.VariantType, variant.Value:
        case "SP", _V.Double, float(value):
            point = points[tag]
            if not (math.isfinite(value) and point.low <= value <= point.high):
                return code(StatusCodes.BadOutOfRange)
            lease.remote[owner] = value
        case "VALID_UNTIL", _V.DateTime, datetime() as until:
            lease.valid_until_s[owner] = (until - start).total_seconds()
        case "HEARTBEAT", _V.UInt32, int(heartbeat):
            lease.beat(heartbeat, batch.elapsed_s)
        case _:
            return code(StatusCodes.BadTypeMismatch)
    return GOOD
