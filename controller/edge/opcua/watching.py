"""Subscription that tells when a scan is worth its request: process time moved on, or a laboratory result came.

What it delivers is never acted upon. A scan is one batched read, so that all its values are of one moment, and a
server without subscriptions is simply read at every look.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.uaerrors import UaError

from controller.edge.opcua.batches import Limits, portions
from controller.edge.opcua.lookup import raw
from twin.signals import Quality

KEEP_ALIVE_S = 1.0  # how often the server says that it is still there when nothing changes (design)
PATIENCE = 4.0  # so many may be missing before the subscription counts as dead


@dataclass(slots=True)
class MonitoredItems:
    """What the plant has told by itself since the last scan."""

    latest: datetime | None = None  # the newest source time of an on-line value that is not bad
    results: int = 0  # laboratory results since the last scan
    ended: bool = False
    _heard: float = field(default_factory=time.monotonic)

    @property
    def alive(self) -> bool:
        """Has the server published lately?"""
        return not self.ended and time.monotonic() - self._heard < PATIENCE * KEEP_ALIVE_S

    def take(self, published: ua.PublishResult, online: int) -> None:
        """Note what was published; handles below `online` are of on-line values, the others of results."""
        self._heard = time.monotonic()
        for told in published.NotificationMessage.NotificationData or ():
            if isinstance(told, ua.StatusChangeNotification):
                self.ended = True
            for item in getattr(told, "MonitoredItems", ()):
                if item.ClientHandle >= online:
                    self.results += 1
                else:
                    self._moved(item.Value)

    def _moved(self, value: ua.DataValue) -> None:
        held = raw(value)
        if (
            held.time is not None
            and held.status is not Quality.BAD
            and (self.latest is None or held.time > self.latest)
        ):
            self.latest = held.time


async def watch(
    client: Client, online: Sequence[Node], results: Sequence[Node], period_s: float, limits: Limits
) -> MonitoredItems | None:
    """Subscribe to these values; None when the server does not offer it, or not for each of them."""
    seen = MonitoredItems()
    asked = ua.CreateSubscriptionParameters()
    asked.RequestedPublishingInterval = 1000.0 * period_s
    asked.RequestedMaxKeepAliveCount = max(1, round(KEEP_ALIVE_S / period_s))
    asked.RequestedLifetimeCount = 60 * asked.RequestedMaxKeepAliveCount
    asked.PublishingEnabled = True
    session = client.uaclient.session
    try:
        made = await session.create_subscription(asked, lambda told: seen.take(told, len(online)))
        for part in portions([*enumerate([*online, *results])], limits.monitored):
            items = ua.CreateMonitoredItemsParameters()
            items.SubscriptionId = made.SubscriptionId
            items.TimestampsToReturn = ua.TimestampsToReturn.Source
            items.ItemsToCreate = [_item(handle, node, 1000.0 * period_s) for handle, node in part]
            done = await session.create_monitored_items(items)
            if not all(item.StatusCode.is_good() for item in done):
                await session.delete_subscriptions([made.SubscriptionId])
                return None
    except UaError:
        return None
    return seen


def _item(handle: int, node: Node, sampling_ms: float) -> ua.MonitoredItemCreateRequest:
    """Tell of a new value, status or source time; only the newest counts, so nothing is queued."""
    wanted = ua.MonitoringParameters()
    wanted.ClientHandle, wanted.SamplingInterval, wanted.QueueSize = handle, sampling_ms, 1
    wanted.Filter = ua.DataChangeFilter(Trigger=ua.DataChangeTrigger.StatusValueTimestamp)
    item = ua.MonitoredItemCreateRequest()
    item.ItemToMonitor.NodeId = node.nodeid
    item.ItemToMonitor.AttributeId = AttributeIds.Value
    item.MonitoringMode = ua.MonitoringMode.Reporting
    item.RequestedParameters = wanted
    return item
