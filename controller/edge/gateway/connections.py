"""Connection limits of the gateway: who connects and says nothing is hung up on, and never keeps others out.

The gateway runs in the controller's process, so files that idle connections hold would be missing to the plant's link
and to the historian.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 256  # connections at a time; a console has a handful (design)
SILENT_S = 10.0  # wall seconds until a new connection has to have asked for something (design)
FILES = 16_384  # that may be open, where the machine allows it: handshakes that stand still hold some (design)


class Connection(H11Protocol):
    """One connection to the gateway. When there are too many, the oldest that has asked for nothing yet makes room."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it in, if need be in the place of a silent one."""
        super().connection_made(transport)
        self.since = self.loop.time()
        if len(self._standing()) > MOST:
            silent = [one for one in self._standing() if one.cycle is None]
            min(silent, key=lambda one: one.since).transport.close()
        self.loop.call_later(SILENT_S, self._asked_or_gone)

    def _standing(self) -> list[Connection]:
        return [one for one in cast("set[Any]", self.connections) if not one.transport.is_closing()]

    def _asked_or_gone(self) -> None:
        if self.cycle is None:
            self.transport.close()


def allow_files() -> None:
    """Let this process open as many files as it may need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
