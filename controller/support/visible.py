"""Visible text: control, bidirectional and escape characters are refused at the door and escaped before they are shown.

A line break in a note would forge a line of the log, an escape sequence would rewrite a terminal, and a change of
writing direction would let a text read otherwise than it is.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import MutableMapping
from typing import Any

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # Unicode's general categories
JOINERS = "\u200c\u200d"  # that some scripts cannot be written without


def only_visible(text: str) -> str:
    """The text as it is; ValueError when it holds a character that nobody can see."""
    found = next((char for char in text if _hidden(char)), None)
    if found is not None:
        raise ValueError(f"holds the character {_escaped(found)}, which cannot be seen; leave it out")
    return text


def visible(text: str) -> str:
    """The text with what nobody can see as its escape in Python's notation, and on one line."""
    return text if text.isascii() and text.isprintable() else "".join(map(_shown, text))


def visible_lines(text: str) -> str:
    """Of a text of several lines, each made visible."""
    return "\n".join(map(visible, text.split("\n")))


def in_log(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog: whatever is said, by the plant or by people, stays on its line."""
    return {visible(key): visible(value) if isinstance(value, str) else value for key, value in event.items()}


def in_record(record: logging.LogRecord) -> bool:
    """A filter of logging: the same for what libraries say, which repeats what a server sent."""
    record.msg, record.args = visible(record.getMessage()), ()
    return True


def _shown(char: str) -> str:
    return _escaped(char) if _hidden(char) else char


def _hidden(char: str) -> bool:
    return unicodedata.category(char) in HIDDEN and char not in JOINERS


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
