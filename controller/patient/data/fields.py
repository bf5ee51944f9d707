"""Fields of a FHIR element, each to be understood: whatever remains unread makes the order unreadable by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class Unreadable(Exception):
    """What of an order is not understood, as the end of a sentence that begins with the order's name."""


@dataclass(slots=True)
class Fields:
    """The fields of one element that were not looked at yet; those that remain make the order unreadable."""

    path: str
    left: dict[str, Any]

    @classmethod
    def of(cls, element: Any, path: str) -> Fields:
        """The element's fields without what may be ignored by anybody: its id and its extensions."""
        if not isinstance(element, Mapping):
            raise Unreadable(f"{path} is no element")
        return cls(path, {key: value for key, value in element.items() if key not in {"id", "extension"}})

    def take(self, name: str, default: Any = None) -> Any:
        """A field that is understood."""
        return self.left.pop(name, default)

    def done(self) -> None:
        """Refuse what is left."""
        if self.left:
            raise Unreadable(f"{self.path}.{min(self.left)} is not understood")
