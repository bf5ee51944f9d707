"""Course display on one page: what is measured, estimated, advised and learned, around its trends."""

from __future__ import annotations

from hmi.console.advice import InsightCard, SuggestionCard
from hmi.console.context import Context
from hmi.console.parts import box
from hmi.console.tables import Estimates, EventTable, Measured, Setpoints
from hmi.console.trends import Trends


class CourseDisplay:
    """The page of what has no vessel."""

    def __init__(self, context: Context) -> None:
        self._context = context
        with box("columns"):
            with box("stack left"):
                self._measured = Measured(context.plant)
                self._estimates = Estimates(context.plant)
            with box("stack middle"):
                self._trends = Trends(context, screens=0.85)
                self._events = EventTable(context.names)
            with box("stack right"):
                self._suggestion = SuggestionCard(context)
                self._setpoints = Setpoints(context.plant)
                self._insight = InsightCard(context.plant)

    def show(self) -> None:
        """Hold everything that is known now."""
        link, start = self._context.link, self._context.start
        self._measured.show(link.decision)
        self._estimates.show(link.decision, link.assays, start)
        self._setpoints.show(link.status, start)
        self._suggestion.show()
        self._insight.show(link.decision)
        self._events.show(link.events, start)

    async def refresh(self) -> None:
        """Draw the trends."""
        await self._trends.refresh()

    def change_ground(self) -> None:
        """Draw in the colours of the other ground."""
        self._trends.change_ground()
