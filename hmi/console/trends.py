"""Trend panel: what one person watches, over which window; its chart is updated in place."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Any

from nicegui import events, ui

from hmi.console import chart, parts, strips, words
from hmi.console.context import Context
from hmi.console.palette import DARK, LIGHT
from hmi.console.parts import Text, box, say, titled, toggle
from hmi.console.subject import subject

Json = Mapping[str, Any]
EVERY_S = 2.0  # a trend is drawn anew at most this often (design)
BUCKETS = 360  # a trend is that many points across, about one to two pixels each (design)
MARKS_EVERY_S = 5.0  # suggestions and notes are few (design)
SETTLED_MS = 60  # a zoom that rests this long is taken for what is wanted (design)
MARGIN = 0.25  # share of the window that is fetched to either side, so that a small move shows something (design)
STEP = 0.5  # of a point: less than that nobody sees move (design)
DEFAULT = 4
MOST = 20  # strips; from the seventh on they reach below the screen (design)
FUTURE = 0.25  # share of a following window that shows what is to come (design)
KEY = (
    ("measured", "measured"),
    ("setpoint", "setpoint"),
    ("estimate", "estimate ± SD"),
    ("assay", "assay"),
    ("plan", "present plan, 80 %"),
    ("suggested", "with suggestion, 80 %"),
    ("lost", "bad"),
)
SIGNS = "lines: S sample, M mode, ✓ ✕ answer, ✎ note, ▸ phase"


# While somebody still turns the wheel, nothing is fetched.
SETTLED = f"""(() => {{
  let due;
  return moved => {{ clearTimeout(due); due = setTimeout(() => emit(moved), {SETTLED_MS}); }};
}})()"""


class Trends:
    """Strips of the chosen variables; the tab remembers the choice, and one time range for all displays.

    `offered` are the variables that this display is about; none means all there are. `screens` is how much of a
    screen's height the chart is given.
    """

    def __init__(
        self,
        context: Context,
        title: str = "Trends",
        key: str = "chosen",
        offered: Sequence[str] = (),
        screens: float = 1.0,
    ) -> None:
        link, plant, prefs = context.link, context.plant, context.prefs
        self._context, self._key, self._screens = context, key, screens
        self._link, self._plant, self._prefs = link, plant, prefs
        self._seen: tuple[object, ...] = ()
        self._drawn_at, self._drawn_to, self._placed = 0.0, -math.inf, False
        self._wishes, self._kinds = 0, list[tuple[str, frozenset[str]]]()
        self._drawing = asyncio.Lock()
        self._subject = subject(plant)
        available = {n: text for n, text in strips.choices(plant).items() if not offered or n in offered}
        chosen = [name for name in prefs.get(key, []) if name in available][:MOST]
        chosen = chosen or ([n for n in offered if n in available][:DEFAULT] or strips.preferred(plant))
        outer, bar, self._note = titled(title, "trends")
        with bar:
            kept = prefs.get("window", "batch")
            windows = dict(self._subject.windows)
            self._window = toggle(windows, kept if kept in windows else "batch", self._change_window)
        with outer:
            self._chosen = ui.select(available, multiple=True, value=chosen, on_change=self._choose)
            self._chosen.props(f'dense outlined use-chips options-dense :max-values="{MOST}" aria-label="Variables"')
            self._chosen.props("virtual-scroll-slice-size=60")  # all: a list that grows while it is scrolled jumps
            self._chosen.classes("chosen")
            with box("key"):
                for name, text in KEY:
                    if name == "setpoint" and plant["advisory_only"]:
                        continue
                    with box("key-entry", "span"):
                        box(f"swatch {name}", "i")
                        Text("span", text)
                Text("span", SIGNS, "key-entry")
            self._room = box("chart-room").props('tabindex="0" role="group" aria-label="Charts"')
        self._chart = self._empty_chart()

    def _empty_chart(self) -> ui.echart:
        """A chart in place of the one before, if there was one."""
        self._room.clear()
        with self._room:
            return ui.echart({}).classes("chart").on("chart:datazoom", self._zoomed, js_handler=SETTLED)

    async def _choose(self) -> None:
        self._prefs[self._key] = list(self._chosen.value)[:MOST]
        await self._again(False)

    async def _change_window(self) -> None:
        if self._window.value != "own":  # that one is set by a zoom, which draws by itself
            self._prefs["window"] = self._window.value
            await self._again(False)

    async def _again(self, placed: bool) -> None:
        """Draw at once; unless the window is `placed` already, it is put where it belongs."""
        self._placed, self._wishes = placed, self._wishes + 1
        wish = self._wishes
        async with self._drawing:  # what is being drawn now may not know of the change yet
            self._seen = ()
        if wish == self._wishes:  # of several in a row, the last is what is wanted
            await self.refresh()

    def change_ground(self) -> None:
        """Draw in the colours of the other ground."""
        self._seen = ()

    async def _zoomed(self, event: events.GenericEventArguments) -> None:
        """Somebody zoomed or moved: keep it, and fetch what that window shows in its own detail."""
        told = event.args[0] if isinstance(event.args, list) else event.args
        moved = (told.get("batch") or [told])[0]
        length = self._length()
        if moved.get("start") is None or moved.get("end") is None:
            return
        self._prefs["own"] = [moved["start"] / 100.0 * length, moved["end"] / 100.0 * length]
        self._prefs["window"] = "own"
        self._window.value = "own"
        await self._again(True)

    def _length(self) -> float:
        """The hours that the axis spans: the batch, or what there is of it when its length is not known."""
        now = self._context.now or 0.0
        return max(float(self._plant["batch_length_h"] or 0.0), now * 1.02, 1.0)

    def _span(self, now: float) -> tuple[float, float]:
        """The window in hours."""
        length, kind = self._length(), self._window.value
        if kind == "own" and "own" in self._prefs:
            first, last = self._prefs["own"]
            return max(0.0, first), min(length, last)
        if kind in {"batch", "own"}:
            return 0.0, length
        width = min(float(kind), length)
        last = min(length, max(width, now + FUTURE * width))
        return last - width, last

    async def refresh(self) -> None:
        """Draw when there is something new, but not too often."""
        start, now = self._context.start, self._context.now
        if self._drawing.locked() or start is None or now is None:
            say(self._note, "" if now is not None else "nothing recorded yet")
            return
        known, window = self._known(), self._span(now)
        moved = now - self._drawn_to >= STEP * (window[1] - window[0]) / BUCKETS
        if self._seen and (monotonic() - self._drawn_at < EVERY_S or (self._seen == known and not moved)):
            return
        async with self._drawing:
            self._seen, self._drawn_at, self._drawn_to = known, monotonic(), now
            await self._draw(start, now)

    def _known(self) -> tuple[object, ...]:
        """Everything drawn here that does not come with time alone: a change of it is drawn soon."""
        link, decision = self._link, self._link.decision or {}
        made = decision.get("baseline_made_at"), decision.get("proposed_made_at")
        marked = next((e["time"] + e["text"] for e in link.events if e["kind"] in chart.MARKING), "")
        return (made, marked, len(link.assays), link.away is None)

    async def _draw(self, start: datetime, now: float) -> None:
        chosen, window, wish = list(self._chosen.value)[:MOST], self._span(now), self._wishes
        margin = MARGIN * (window[1] - window[0])
        first, last = max(0.0, window[0] - margin), min(now, window[1] + margin)
        names = [series for name in chosen for series in strips.series_of(name, self._plant)]
        trend: Json = {}
        if chosen and last > first:
            edges = strips.at(start, first), strips.at(start, last + 1e-3)
            buckets = max(1, round(BUCKETS * (last - first) / (window[1] - window[0])))
            trend = await self._link.trend(names, *edges, min(buckets, 2000))
            if not trend and self._link.away is not None:
                return  # keep what is drawn: the banner says that it is old
        forecasts = await self._link.forecasts()
        marks = await self._marks(start)
        if wish != self._wishes:
            return  # by now something else is wanted
        drawn = [strips.strip(name, self._plant, start, trend, self._link.assays, forecasts) for name in chosen]
        kinds, own = [(strip.name, strip.shows) for strip in drawn], self._window.value == "own"
        anew, self._kinds = kinds != self._kinds, kinds
        places, self._placed = anew or not (own and self._placed), True
        palette = DARK if self._context.dark else LIGHT
        built = chart.options(drawn, now, self._length(), window, places, palette, self._subject, marks, self._screens)
        if anew and self._chart.options:  # in the old one, lines of what was shown before would stay
            self._chart = self._empty_chart()
        parts.place(self._chart, f"min-height:{chart.room_px(len(drawn))}px")
        self._chart.options.clear()
        self._chart.options.update(built)
        self._chart.update()
        say(self._note, f"{words.elapsed(window[0])} to {words.elapsed(window[1])}")

    async def _marks(self, start: datetime) -> list[chart.Mark]:
        """What happened in this batch, from the record: the page's own list of events is short."""
        answered = await self._link.look("/suggestions", MARKS_EVERY_S) or []
        happened = await self._link.look("/events", MARKS_EVERY_S, limit=500, kind=list(chart.SIGNS)) or []
        marks = chart.marks_of(answered, happened, self._link.assays, start)
        return marks if self._screens >= 1.0 else chart.brief(marks)


class TrendsDisplay:
    """Trends over the whole page."""

    def __init__(self, context: Context) -> None:
        with box("stack tall"):
            self._trends = Trends(context)

    def show(self) -> None:
        """Nothing is held here besides the chart."""

    async def refresh(self) -> None:
        """Draw when there is something new."""
        await self._trends.refresh()

    def change_ground(self) -> None:
        """Draw in the colours of the other ground."""
        self._trends.change_ground()
