"""Write ownership: whoever claimed the plant first may write to it, for as long as its session lives.

A claim is a write to SUPERVISOR.OWNER, granted or refused at once, as a lock of OPC 10000-100 (Locking) is. It ends
when its owner writes "", or when its session ends. The same name may claim anew from another session: a controller
that was started again need not wait for the session that it left behind. Without a claim, anybody may write.
"""

from __future__ import annotations

from collections.abc import Callable

from asyncua.crypto.permission_rules import User
from asyncua.server.internal_server import InternalServer

OWNER = "SUPERVISOR.OWNER"


class Sessions(InternalServer):
    """asyncua's server, which also tells who is still there."""

    def lives(self, user: User) -> bool:
        """Whether the session that this user stands for has not ended."""
        return any(session.user is user for session in self._external_sessions.values())


class Ownership:
    """The claim to one plant. A `User` stands for one session: the server makes one for each that is activated."""

    def __init__(self, lives: Callable[[User], bool]) -> None:
        """Nobody's, at first; `lives` tells whether a session still does."""
        self._lives = lives
        self._name = ""
        self._holder: User | None = None

    @property
    def name(self) -> str:
        """By what name the plant is claimed, or ""."""
        if self._holder is not None and not self._lives(self._holder):
            self._name, self._holder = "", None
        return self._name

    def claim(self, name: str, by: User) -> bool:
        """Take it by this name, or give it back by ""; False when it is another one's."""
        if self.name not in ("", name) and self._holder is not by:
            return False
        self._name, self._holder = name, by if name else None
        return True

    def open_to(self, user: User) -> bool:
        """Whether this session may write setpoints and the heartbeat."""
        return not self.name or self._holder is user
