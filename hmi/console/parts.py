"""Display elements that panels are made of; the browser hears of a change only if there is one."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement
from nicegui.events import ClickEventArguments, Handler, ValueChangeEventArguments


class Text(TextElement):
    """Words in an element of any tag; NiceGUI's label knows only one."""

    def __init__(self, tag: str, text: str = "", classes: str = "") -> None:
        super().__init__(tag=tag, text=text)
        self.classes(classes)


def box(classes: str, tag: str = "div") -> ui.element:
    """An element that holds others."""
    return ui.element(tag).classes(classes)


def say(element: Text, text: str) -> None:
    """Let the element hold these words."""
    if element.text != text:
        element.set_text(text)


def mark(element: ui.element, name: str, on: bool) -> None:
    """Give or take a class."""
    if on and name not in element.classes:
        element.classes(add=name)
    elif not on and name in element.classes:
        element.classes(remove=name)


def place(element: ui.element, style: str) -> None:
    """Set the inline style."""
    wanted = dict(rule.split(":", 1) for rule in style.split(";"))
    if dict(element.style) != wanted:
        element.style(replace=style)


def label(element: ui.element, text: str) -> None:
    """Name the element for those who hear the page."""
    if element.props.get("aria-label") != text:
        element.props(f'aria-label="{text}"')


def show(element: ui.element, on: bool) -> None:
    """Show or hide."""
    if element.visible != on:
        element.set_visibility(on)


def titled(title: str, classes: str = "") -> tuple[ui.element, ui.element, Text]:
    """A panel, its title bar, and the words in that."""
    with box(f"panel {classes}", "section") as outer, box("panel-title") as bar:
        Text("h2", title)
        note = Text("span", classes="note")
    return outer, bar, note


def panel(title: str, classes: str = "") -> tuple[ui.element, Text]:
    """A titled panel, and the words at the right of its title."""
    outer, _, note = titled(title, classes)
    return outer, note


class Right(str):
    """A heading that stands at the right, as the numbers below it do."""


def head(*cells: str) -> None:
    """A table's heading."""
    with ui.element("thead"), ui.element("tr"):
        for cell in cells:
            Text("th", cell, "over-numbers" if isinstance(cell, Right) else "").props('scope="col"')


def button(text: str, do: Handler[ClickEventArguments], filled: bool = False) -> ui.button:
    """A button in the page's own colours."""
    made = ui.button(text, on_click=do, color=None).props("unelevated no-caps")
    return made.classes("act filled" if filled else "act")


def toggle(offered: dict[str, str], value: str, changed: Handler[ValueChangeEventArguments[str]]) -> ui.toggle:
    """One of several, in the page's own colours."""
    made = ui.toggle(offered, value=value, on_change=changed).props("no-caps unelevated dense")
    return made.props("toggle-color=chosen toggle-text-color=chosen color=other text-color=other")


class Gauge:
    """A value's place in its normal span, as a mark on a bar; where given, with its target and its limits."""

    def __init__(self, low: float, high: float, band: tuple[float, float] | None = None) -> None:
        self._low, self._high = low, high
        with box("gauge").props('aria-hidden="true"') as self.bar:
            self._band, self._target, self._pointer = box("band"), box("target"), box("pointer")
        show(self._band, band is not None)
        show(self._target, False)
        if band is not None:
            self.narrow(*band)

    def show(self, value: float | None, target: float | None = None) -> None:
        """Move the marks; without a value there is none."""
        for marked, number in ((self._pointer, value), (self._target, target)):
            show(marked, number is not None)
            if number is not None:
                place(marked, f"left:{self._share(number):.1f}%")

    def narrow(self, low: float, high: float) -> None:
        """Mark the part of the span within which it may be set."""
        first, last = self._share(low), self._share(high)
        place(self._band, f"left:{first:.1f}%;width:{max(0.0, last - first):.1f}%")

    def _share(self, value: float) -> float:
        return 100.0 * min(1.0, max(0.0, (value - self._low) / (self._high - self._low)))


class Lines:
    """A list of sentences that grows and shrinks in place."""

    def __init__(self, classes: str) -> None:
        self._list = box(classes, "ul")
        self._items: list[Text] = []

    def show(self, sentences: Sequence[str]) -> None:
        """Hold exactly these sentences."""
        show(self._list, bool(sentences))
        while len(self._items) > len(sentences):
            self._items.pop().delete()
        with self._list:
            self._items += [Text("li") for _ in range(len(sentences) - len(self._items))]
        for item, sentence in zip(self._items, sentences, strict=True):
            say(item, sentence)
