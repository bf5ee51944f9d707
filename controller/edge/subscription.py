"""Subscription: whoever listens is told the process time of each turn as it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

BEHIND = 8  # turns that a listener may be late; later ones it does not hear of (design)


class Subscription:
    """The listeners of one controller."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Queue[datetime]] = set()

    def tell(self, time: datetime) -> None:
        """A turn was taken."""
        for queue in self._listeners:
            if not queue.full():
                queue.put_nowait(time)

    async def listen(self) -> AsyncIterator[datetime]:
        """The process time of each turn from now on."""
        queue: asyncio.Queue[datetime] = asyncio.Queue(maxsize=BEHIND)
        self._listeners.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.discard(queue)
