"""What the gateway asks of the loop behind it: the Source, and the shape of each of its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from controller.edge.wire import Number, QualityName, View
from controller.records import Decision, Intent, Mode, Ruling
from twin.signals import Assay, Role

Bucket = tuple[int, float | None, float | None, float | None, int]


class Source(Protocol):
    """The loop as the gateway sees it. Everything is called on the event loop that serves the gateway.

    `plant`, `status` and the rows of `events` have the keys of PlantView, StatusView and EventView below; what has a
    default there may be left out.
    """

    def plant(self) -> Mapping[str, Any]:
        """What does not change: PlantView."""

    def latest(self) -> Decision | None:
        """The last turn, None before the first."""

    def status(self) -> Mapping[str, Any]:
        """How the controller is doing: StatusView."""

    async def trend(
        self, series: list[str], start: datetime, end: datetime, buckets: int
    ) -> Mapping[str, Sequence[Bucket]]:
        """By series, buckets in time order: t_ms, min, mean, max, worst quality. A bucket without values is left out.

        Series are named `process.X`, `setpoint.X`, `estimate.X`, `estimate.X_sd`, `neurocore.novelty`, ...; one that
        is not known is left out as well.
        """

    async def assays(self) -> Sequence[Assay]:
        """The laboratory results of the batch, oldest first."""

    async def events(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """The latest events, newest first: EventView."""

    async def submit(self, intent: Intent) -> Ruling:
        """Put the intent before the next turn and wait, as long as that takes, for what became of it.

        The gateway bounds its own waiting; a loop that ends cancels what it will not judge any more.
        """

    def subscribe(self) -> AsyncIterator[datetime]:
        """The process time of each turn, as it is taken; ends when the loop ends."""


class TrendView(View):
    """Decimated history: by series, rows of t_ms, min, mean, max, worst quality (0 good, 1 uncertain, 2 bad)."""

    series: dict[str, list[tuple[int, Number, Number, Number, int]]]
