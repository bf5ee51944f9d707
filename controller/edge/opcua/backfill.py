"""HistoryRead after an outage: what the plant remembers, raw values judged like any other reading."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.ua.uaerrors import UaError

from controller.edge.opcua.lookup import raw
from controller.edge.opcua.scanning import judge
from twin.signals import Reading, Variable

PAGE = 1000  # values a request; the server may give fewer (design)
MOST_VALUES = 20_000  # of one variable: a day at 5 s; beyond that the newest are missing, and the count shows it


async def remembered(
    client: Client, node: Node, variable: Variable, start: datetime, end: datetime
) -> tuple[Reading, ...]:
    """The readings of (start, end) that the server remembers, oldest first; none when it does not answer for them."""
    found: list[Reading] = []
    while len(found) < MOST_VALUES:
        try:
            page = await _page(client, node, start, end)
        except UaError:  # BadHistoryOperationUnsupported, BadNoData, BadUserAccessDenied: it has none for us
            break
        fresh = [r for r in (judge(variable, raw(v)) for v in page) if r.time is not None and start < r.time < end]
        if not fresh:
            break
        found += sorted(fresh, key=lambda r: r.time or start)
        start = found[-1].time or end
    return tuple(found)


async def _page(client: Client, node: Node, start: datetime, end: datetime) -> Sequence[ua.DataValue]:
    """One request from a moment on; the next begins after the last value, so no continuation point is kept open."""
    details = ua.ReadRawModifiedDetails()
    details.IsReadModified, details.ReturnBounds, details.NumValuesPerNode = False, False, PAGE
    details.StartTime, details.EndTime = start + timedelta(microseconds=1), end
    asked = ua.HistoryReadValueId()
    asked.NodeId = node.nodeid
    request = ua.HistoryReadParameters()
    request.HistoryReadDetails = details
    request.TimestampsToReturn = ua.TimestampsToReturn.Source
    request.ReleaseContinuationPoints = False
    request.NodesToRead = [asked]
    (result,) = await client.uaclient.history_read(request)
    result.StatusCode.check()
    if result.ContinuationPoint:
        request.ReleaseContinuationPoints = True
        asked.ContinuationPoint = result.ContinuationPoint
        await client.uaclient.history_read(request)
    held = result.HistoryData
    return held.DataValues or () if isinstance(held, ua.HistoryData) else ()
