"""Display context: the line to its reactor, what is controlled, who looks at it, and what that person chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from hmi.console import words
from hmi.console.link import Link
from hmi.console.people import ConsoleUser

Json = Mapping[str, Any]


@dataclass(slots=True)
class Context:
    """One tab's view of one reactor. `prefs` lives as long as the tab."""

    link: Link
    plant: Json
    person: ConsoleUser
    prefs: dict[str, Any]
    dark: bool = False
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = words.names(self.plant)

    @property
    def start(self) -> datetime | None:
        """Inoculation."""
        return None if self.link.status is None else words.moment(self.link.status["batch"]["start"])

    @property
    def now(self) -> float | None:
        """Elapsed hours at the latest turn."""
        decision = self.link.decision
        return None if decision is None else words.hours(decision["time"], self.start)

    @property
    def reachable(self) -> bool:
        """Whether the controller answers."""
        return self.link.away is None

    @property
    def may_engineer(self) -> bool:
        """Whether this person may also change what operators must not."""
        return self.person.may_act(self.link, "engineer")

    @property
    def may_act(self) -> bool:
        """Whether this person's role allows more than looking."""
        return self.person.may_act(self.link)


class Display(Protocol):
    """The part of a page below head and banner."""

    def show(self) -> None:
        """Hold what is known now; called when something has changed."""

    async def refresh(self) -> None:
        """Fetch what is asked for separately; called at every tick."""

    def change_ground(self) -> None:
        """Draw in the colours of the other ground."""
