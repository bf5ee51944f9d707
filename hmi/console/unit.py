"""Unit display: the vessel, its faceplates, where the batch stands, and what waits for an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hmi.console import words
from hmi.console.advice import SuggestionCard
from hmi.console.context import Context
from hmi.console.faceplates import Faceplates
from hmi.console.parts import Text, box, mark, panel, place, say
from hmi.console.synoptic import Synoptic
from hmi.console.tables import Estimates, EventTable, Measured

Json = Mapping[str, Any]
BATCH_EVERY_S = 1.0
CALM = ("idle", "running", "complete")  # states of a batch that nobody needs to look after


class UnitDisplay:
    """One reactor at a glance."""

    def __init__(self, context: Context) -> None:
        self._context = context
        with box("columns unit"):
            with box("stack left"):
                self._measured = Measured(context.plant)
                self._estimates = Estimates(context.plant)
            with box("stack middle"):
                self._progress = Progress(context)
                self._synoptic = Synoptic(context)
                self._events = EventTable(context.names)
            with box("stack right"):
                self._suggestion = SuggestionCard(context)
                self._plates = Faceplates(context)

    def show(self) -> None:
        """Hold everything that is known now."""
        link, start = self._context.link, self._context.start
        self._measured.show(link.decision)
        self._estimates.show(link.decision, link.assays, start)
        self._progress.show()
        self._synoptic.show()
        self._suggestion.show()
        self._plates.show()
        self._events.show(link.events, start)

    async def refresh(self) -> None:
        """Fetch the batch; everything else here comes with the turns."""
        batch = await self._context.link.look("/batch", BATCH_EVERY_S)
        if batch is not None:
            self._progress.follow(batch)
            self._plates.narrow(next((p["limits"] for p in batch["phases"] if p["state"] == "now"), {}))

    def change_ground(self) -> None:
        """The drawing takes its colours from the page."""


class Progress:
    """How far batch and phase are: elapsed fermentation time, batch time, state, and what ends the phase."""

    def __init__(self, context: Context) -> None:
        self._context = context
        outer, self._note = panel("Progress", "course")
        with outer:
            with box("bar").props('aria-hidden="true"'):
                self._fill = box("fill")
            with box("bar-text"):
                self._phase = Text("span", words.ABSENT, "strong")
                self._left = Text("span", "", "aside")
            with box("bar-text"):
                self._until, self._batch = Text("span", "", "aside"), Text("span", "", "aside")

    def show(self) -> None:
        """Hold the time that has passed, and the phase as the plant calls it."""
        status, now = self._context.link.status, self._context.now
        length: float | None = self._context.plant["batch_length_h"]
        phase = "" if status is None else status["batch"]["phase"]
        say(self._phase, words.title(phase) if phase else words.ABSENT)
        over = now is not None and length is not None and now > length
        mark(self._fill, "over", over)
        share = min(1.0, max(0.0, (now or 0.0) / length)) if length else 0.0
        place(self._fill, f"width:{100 * share:.1f}%")
        if now is None or length is None:
            say(self._left, "")
        else:
            rest = length - now
            say(self._left, f"{words.clock(abs(rest))} {'left' if rest >= 0 else 'past its planned end'}")
        say(self._note, f"{words.clock(now)} since inoculation ({100 * share:.0f} %)")

    def follow(self, batch: Json) -> None:
        """Hold the recipe's phase, its age and its end, and the state of the batch."""
        say(self._batch, f"Batch {batch['state']}, batch time {words.clock(batch['batch_h'])}")
        mark(self._batch, "abnormal-text", batch["state"] not in CALM)
        names = [phase["name"] for phase in batch["phases"]]
        if batch["phase"] not in names:
            say(self._until, "")
            return
        at = names.index(batch["phase"])
        age = f"for {words.clock(batch['phase_h'])}"
        known, units = self._context.names, words.units(self._context.plant)
        ends = words.conditions(batch["phases"][at]["ends_when"], known, units)
        say(self._until, f"Phase {at + 1} of {len(names)}, {age}" + (f", until {ends}" if ends else ""))
