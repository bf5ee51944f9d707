"""Claim of a plant that lets one session at a time write: asked for before the first write, seen at every scan."""

from __future__ import annotations

import hashlib
import socket

from controller.settings import Settings

HELD = (
    "another controller is at work at this plant, which it claimed as {!r}: this one only looks on; end that one, "
    "or leave it the plant"
)


class Claim:
    """By what name this controller claims its plant, and who holds it."""

    def __init__(self, settings: Settings) -> None:
        self.node = settings.supervisor.owner
        self.name = identity(settings)
        self._other = ""
        self._session: object = None  # in which it was granted

    @property
    def rival(self) -> str:
        """Why nothing may be written because another controller holds the plant, or ""."""
        return HELD.format(self._other) if self._other else ""

    def seen(self, held: object) -> None:
        """The plant names this owner at a scan."""
        self._other = held if isinstance(held, str) and held not in ("", self.name) else ""
        if held != self.name:
            self._session = None

    def granted(self, session: object) -> bool:
        """Is it ours in this session?"""
        return self._session is session

    def answered(self, session: object, refused: str, held: object) -> str:
        """What the plant said to our claim, and whom it names now; why nothing may be written, or ""."""
        self._session = None if refused else session
        if refused and isinstance(held, str) and held not in ("", self.name):
            self._other = held
            return f"another controller was quicker to claim this plant, {held!r}: {refused}"
        return refused


def identity(settings: Settings) -> str:
    """The controller by machine and historian: the same after a restart; a historian has one writer at a time."""
    place = hashlib.sha256(str(settings.historian_path().resolve()).encode()).hexdigest()[:12]
    return f"{socket.gethostname()[:60]}/{settings.plant.name}/{place}"
