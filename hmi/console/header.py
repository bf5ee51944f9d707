"""Page header: what runs, for how long, in which mode and by whose will; below it the banner."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from hmi.console import words
from hmi.console.alerts import Alert
from hmi.console.context import Context
from hmi.console.parts import Text, box, button, mark, place, say, show
from hmi.console.subject import subject

Json = Mapping[str, Any]
RESEARCH = "Research use only. Advisory. Not a medical device."
ALERTS_SHOWN = 4
SIGNS = {"bad": "✕", "warn": "▲"}


class Header:
    """Plant, batch, phase, elapsed time, mode, and the controls that concern the whole page."""

    def __init__(
        self,
        context: Context,
        change_mode: Callable[[], None],
        change_ground: Callable[[], None],
        sign_out: Callable[[], Awaitable[None]],
    ) -> None:
        plant, self._context = context.plant, context
        self._length: float | None = plant["batch_length_h"]
        self._subject = subject(plant)
        with box("header", "header"):
            with box("brand"):
                Text("span", "NeuroTwin")
            with _field(self._subject.noun):
                Text("span", plant["name"], "strong")
                Text("span", plant["text"] or words.title(plant["model"]), "aside")
            with _field(self._subject.run):
                self._batch = Text("span", words.ABSENT, "strong")
            with _field("Phase"):
                self._phase = Text("span", words.ABSENT, "strong")
            with _field(self._subject.elapsed):
                self._elapsed = Text("span", words.ABSENT, "strong")
                self._of = Text("span", "", "aside")
                with box("progress").props('aria-hidden="true"'):
                    self._progress = box("done")
            with box("mode"):
                with _field("Mode"):
                    self._mode = Text("span", words.ABSENT, "mode-name")
                    self._why = Text("span", "", "aside why")
                self._change = button("Change mode", change_mode)
                show(self._change, context.may_act)
            with _field("Signed in"):
                Text("span", context.person.title(context.link), "who")
                if context.link.open:
                    Text("span", "nobody signs in on this machine", "aside who-note")
                else:
                    ui.button("Sign out", on_click=sign_out, color=None).props("flat dense no-caps").classes("out")
            ground_button(change_ground)
        if plant["advisory_only"]:
            Text("div", RESEARCH, "research")

    def show(self) -> None:
        """Hold batch, phase, time and mode."""
        context = self._context
        status, now = context.link.status, context.now
        if status is not None:
            batch = status["batch"]
            say(self._batch, batch["id"] or words.ABSENT)
            say(self._phase, batch["phase"] or words.ABSENT)
            say(self._mode, status["mode"].upper())
            say(self._why, status["mode_reason"])
            self._why.props["title"] = status["mode_reason"]
            mark(self._mode, "demoted", status["mode_reason"].lower().startswith("demoted"))
        say(self._elapsed, words.ABSENT if now is None else self._subject.age(now))
        say(self._of, "" if self._length is None else f"of {self._told(self._length)}")
        share = min(1.0, max(0.0, (now or 0.0) / self._length)) if self._length else 0.0
        place(self._progress, f"width:{100 * share:.1f}%")
        self._change.set_enabled(context.reachable)

    def _told(self, hours: float) -> str:
        return f"{hours / 24:g} days" if self._subject.in_days else f"{hours:g} h"


def ground_button(change_ground: Callable[[], None]) -> None:
    """The button that switches between light and dark."""
    made = ui.button(icon="contrast", on_click=change_ground, color=None).props("flat dense round")
    made.props('aria-label="Switch between light and dark"')


def _field(caption: str) -> ui.element:
    """A captioned value."""
    with box("field") as outer:
        Text("span", caption, "caption")
    return outer


class Banner:
    """Always there: grey when all is well, otherwise one line for each thing that is not."""

    def __init__(self) -> None:
        with box("banner").props('role="status" aria-live="polite"') as self._outer:
            self._lines = [Text("div", classes="line") for _ in range(ALERTS_SHOWN)]

    def show(self, alerts: Sequence[Alert], calm: str) -> None:
        """Hold the alerts, or the calm sentence when there is none."""
        texts = [(alert.level, f"{SIGNS[alert.level]} {alert.text}") for alert in alerts]
        if len(texts) > ALERTS_SHOWN:
            more = len(texts) - ALERTS_SHOWN + 1
            texts = [*texts[: ALERTS_SHOWN - 1], ("warn", f"▲ {more} more; see the tables below.")]
        shown = texts or [("calm", f"✓ {calm}")]
        for index, line in enumerate(self._lines):
            show(line, index < len(shown))
            level, text = shown[index] if index < len(shown) else ("calm", "")
            say(line, text)
            for name in ("bad", "warn", "calm"):
                mark(line, name, name == level)


def calm_sentence(status: Json | None, heard_s: float) -> str:
    """What the banner says when there is nothing to say."""
    if status is None:
        return "Waiting for the first answer of the controller."
    age = None if status["scan_age_s"] is None else status["scan_age_s"] + heard_s
    pending = status["outbox_pending"]
    outbox = f" {pending} records wait for InfluxDB." if pending else ""
    if not status["scans"]:
        return "Link to the plant good. Waiting for the first scan."
    return f"Link to the plant good. Scan {status['scans']}, {words.ago(age)}. All readings good.{outbox}"
