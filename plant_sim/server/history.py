"""HistoryRead store: what the plant's tags showed, kept in memory as raw values for clients that were away."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from asyncua import ua
from asyncua.common.events import Event
from asyncua.common.node import Node
from asyncua.server.history import HistoryStorageInterface

KEPT = 20_000  # values per tag: a batch of 230 h at one a minute, and more
AT_ONCE = 10_000  # values per answer; the rest follows by continuation point
_NO_TIME = ua.get_win_epoch()


class ValueHistory(HistoryStorageInterface):
    """Values by node and process time, appended as they are shown; nothing is sampled, so nothing is missed.

    asyncua's own store listens through a subscription, which drops what is written faster than it publishes.
    """

    def __init__(self, nodes: Iterable[ua.NodeId], kept: int = KEPT) -> None:
        """Begin empty; only these nodes are kept."""
        super().__init__(AT_ONCE)
        self._values: dict[ua.NodeId, deque[ua.DataValue]] = {node: deque(maxlen=kept) for node in nodes}

    def append(self, node: ua.NodeId, value: ua.DataValue) -> None:
        """Keep what this node shows; the same instant again replaces what was there."""
        values = self._values.get(node)
        if values is None:
            return
        if values and values[-1].SourceTimestamp == value.SourceTimestamp:
            values.pop()
        values.append(value)

    async def read_node_history(
        self, node_id: ua.NodeId, start: datetime | None, end: datetime | None, nb_values: int
    ) -> tuple[list[ua.DataValue], datetime | None]:
        """Values from start to end, both included; backwards from end when there is no start.

        Part 11, 6.5.3: two of start, end and count are enough, and a start after the end turns the order round.
        """
        values = list(self._values.get(node_id, ()))
        times = [v.SourceTimestamp for v in values if v.SourceTimestamp is not None]  # each has one
        start, end = (None if t is None or t == _NO_TIME else t for t in (start, end))
        backwards = start is None or (end is not None and start > end)
        early, late = (end, start) if backwards and start is not None else (start, end)
        first = 0 if early is None else bisect_left(times, early)
        last = len(values) if late is None else bisect_right(times, late)
        found = values[first:last]
        if backwards:
            found.reverse()
        if nb_values:
            found = found[:nb_values]
        if len(found) <= AT_ONCE:
            return found, None
        return found[:AT_ONCE], found[AT_ONCE].SourceTimestamp

    async def init(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def new_historized_node(self, node_id: ua.NodeId, period: timedelta | None, count: int = 0) -> None:
        """Every kept node is known from the start."""

    async def save_node_value(self, node_id: ua.NodeId, datavalue: ua.DataValue) -> None:
        """The same as `append`, for who comes through asyncua."""
        self.append(node_id, datavalue)

    async def new_historized_event(
        self, source_id: ua.NodeId, evtypes: list[Node], period: timedelta | None, count: int = 0
    ) -> None:
        """Events are told, not kept."""

    async def save_event(self, event: Event) -> None:
        """Events are told, not kept."""

    async def read_event_history(
        self, source_id: ua.NodeId, start: datetime | None, end: datetime | None, nb_values: int, evfilter: Any
    ) -> tuple[list[Event], datetime | None]:
        """None."""
        return [], None
