"""The gateway listens to this machine only: other names for it and pages of other sites are turned away.

A web page anywhere can make its visitor's browser send requests to 127.0.0.1, and a name server can make a
foreign name point there (DNS rebinding). Host and Origin, which no page can forge, tell those apart.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_MAX = 16_384  # bytes; an intent is a few hundred (design)


class Loopback:
    """Middleware that answers only requests made to a loopback name, and writes only from the same origin."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with the objection to it."""
        objection = _objection(scope["method"], Headers(scope=scope)) if scope["type"] == "http" else None
        if objection is None:
            await self._app(scope, receive, send)
            return
        status, reason = objection
        await JSONResponse({"detail": reason}, status)(scope, receive, send)


def _objection(method: str, headers: Headers) -> tuple[int, str] | None:
    host = headers.get("host", "")
    if not _is_loopback(host):
        return 421, f"this gateway serves its own machine only, not the name {host!r}"
    if method in SAFE:
        return None
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return 403, f"requests from pages of another origin are refused: {origin!r}"
    if headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        return 415, "the content type must be application/json"
    length = headers.get("content-length", "")
    if not length.isdecimal() or int(length) > BODY_MAX:
        return 413, f"the body must have a stated length of at most {BODY_MAX} bytes"
    return None


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
