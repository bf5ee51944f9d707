"""Console users: signed in at the gateways, or at a machine of one's own where nobody has to."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from hmi.console.link import Link

LOCAL = "Local operator"
RANK = {"viewer": 0, "operator": 1, "engineer": 2}
KEPT = 500  # browsers that are remembered; the oldest go first (design)
CLAIMED_WITHIN_S = 60.0  # wall seconds (design)


@dataclass(slots=True)
class ConsoleUser:
    """One person: a name, and by gateway the token and the role. Without tokens, somebody at this very machine."""

    name: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)

    def may_act(self, link: Link, least: str = "operator") -> bool:
        """Whether this person's role there reaches that far."""
        return bool(link.open) or RANK[self.roles.get(link.url, "viewer")] >= RANK[least]

    def token(self, link: Link) -> str:
        """What is sent with what this person asks there."""
        return self.tokens.get(link.url, "")

    def title(self, link: Link) -> str:
        """Who this is, for the head of the page."""
        if link.open:
            return LOCAL
        return f"{self.name} ({self.roles.get(link.url, 'viewer')})"


class People:
    """The persons by the id of their browser, which is in a signed cookie; nothing of this is kept on disk."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = links
        self._known: dict[str, ConsoleUser] = {}
        self._tickets: dict[str, tuple[str, ConsoleUser, float]] = {}  # for which browser and whom, since when

    def at(self, browser: str) -> ConsoleUser | None:
        """Who sits there; None when somebody has to sign in first."""
        if all(link.open for link in self._links):
            return ConsoleUser()
        return self._known.get(browser)

    async def sign_in(self, browser: str, name: str, password: str, address: str) -> tuple[str, str]:
        """Sign in wherever this person is known: a ticket to be claimed at once, or "" and the reason why not."""
        person, reason = ConsoleUser(name), ""
        for link in self._links:
            if link.open:
                continue
            token, role, reason_here = await link.sign_in(name, password, address)
            if token:
                person.tokens[link.url], person.roles[link.url] = token, role
            reason = reason or reason_here
        if not person.tokens:
            return "", reason or "The controller is not reachable."
        ticket = secrets.token_urlsafe(32)
        self._tickets[ticket] = browser, person, monotonic()
        _bound(self._tickets)
        return ticket, ""

    async def claim(self, ticket: str, browser: str) -> str:
        """A new id for the browser that signed in, or "" for any other.

        The id from before is worth nothing then: whoever else knew it, or had planted it, is not signed in with it.
        """
        asked, person, at = self._tickets.pop(ticket, ("", ConsoleUser(), 0.0))
        if asked != browser or monotonic() - at > CLAIMED_WITHIN_S:
            return ""
        await self.sign_out(browser)
        renewed = secrets.token_urlsafe(32)
        self._known[renewed] = person
        _bound(self._known)
        return renewed

    async def sign_out(self, browser: str) -> None:
        """End this browser's sessions."""
        person = self._known.pop(browser, None)
        for link in self._links if person else ():
            if person and link.url in person.tokens:
                await link.sign_out(person.tokens[link.url])

    async def still(self, browser: str) -> bool:
        """Whether whoever sits there is signed in still."""
        person = self.at(browser)
        if person is None:
            return False
        for link in self._links:
            token = person.tokens.get(link.url)
            if token and not await link.still(token):
                await self.sign_out(browser)
                return False
        return True


def _bound(kept: dict[str, Any]) -> None:
    while len(kept) > KEPT:
        kept.pop(next(iter(kept)))
