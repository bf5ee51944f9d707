"""Origin check: pages of other sites and other names for this machine are kept away, from sockets as well."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# NiceGUI's pages are made of inline scripts and styles, and Vue compiles its templates in the browser. What holds is
# that nothing is fetched from, sent to, or framed by anybody else.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none';"
    " base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
OURS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class SameOrigin:
    """Middleware that serves known names only, and its own pages only. `names` None: whatever it is called by."""

    def __init__(self, app: ASGIApp, names: Collection[str] | None) -> None:
        self._app, self._names = app, None if names is None else {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or turn it away."""
        if scope["type"] in {"http", "websocket"} and not self._welcome(Headers(scope=scope)):
            if scope["type"] == "http":
                await PlainTextResponse("This console serves its own pages only.", 403)(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(OURS)
            await send(message)

        await self._app(scope, receive, sealed if scope["type"] == "http" else send)

    def _welcome(self, headers: Headers) -> bool:
        host, origin = headers.get("host", ""), headers.get("origin")
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        known = self._names is None or is_loopback(name) or name in self._names
        return known and (origin is None or urlsplit(origin).netloc == host)


def is_loopback(name: str) -> bool:
    """Whether the name is one of this machine's names for itself."""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
