"""Request guard: foreign names, foreign pages, strangers, and those whose role does not reach are turned away.

A web page anywhere can make its visitor's browser send requests to 127.0.0.1, and a name server can make a
foreign name point there (DNS rebinding). Host and Origin, which no page can forge, tell those apart. Who may do
what is told by a token in the Authorization header, which no other site's page can send either.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.edge.gateway import malformed
from controller.edge.gateway.access import Access, Caller
from controller.edge.users import UserRole

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
BODILESS = SAFE | {"DELETE"}
BODY_MAX = 16_384  # bytes; an intent is a few hundred (design)
BODY_WITHIN_S = 10.0  # wall seconds (design)
OPEN = frozenset({"/api/v1/health", "/api/v1/session"})  # whoever asks may know that somebody is there, and sign in
LOOKING = frozenset({"/api/v1/what-if"})  # posts that change nothing

ENGINEERING = ("/out_of_service", "/in_service")  # an alarm that nobody hears is no operator's decision

Objection = tuple[int, str]


class Guard:
    """Middleware over the whole gateway. `names` are those under which it is reached besides loopback ones.

    Without `access` there is no sign-in: whoever reaches it may do everything, so it must be on loopback.
    """

    def __init__(self, app: ASGIApp, access: Access | None = None, names: Collection[str] = ()) -> None:
        self._app, self._access = app, access
        self._names = {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with the objection to it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        objection = self._of_wire(scope["method"], headers)
        if objection is None and self._access is not None:
            objection = self._of_person(scope, headers, self._access)
        if objection is None and scope["method"] not in BODILESS:
            objection, receive = await self._of_body(receive, scope.get("state", {}).get("person"))
        if objection is None:
            await self._app(scope, receive, send)
            return
        status, reason = objection
        told = {"WWW-Authenticate": "Bearer"} if status == 401 else None
        await JSONResponse({"detail": reason}, status, told)(scope, receive, send)

    def _of_wire(self, method: str, headers: Headers) -> Objection | None:
        host = headers.get("host", "")
        if not self._is_ours(host):
            return 421, f"this gateway is not known by the name {host!r}"
        if method in SAFE:
            return None
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, f"requests from pages of another origin are refused: {origin!r}"
        if method in BODILESS:
            return None
        if headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
            return 415, "the content type must be application/json"
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > BODY_MAX:
            return 413, f"the body must have a stated length of at most {BODY_MAX} bytes"
        return None

    def _of_person(self, scope: Scope, headers: Headers, access: Access) -> Objection | None:
        path, method = scope["path"], scope["method"]
        if path in OPEN and (path != "/api/v1/session" or method == "POST"):
            return None
        scheme, _, token = headers.get("authorization", "").partition(" ")
        looks = method in SAFE
        person = access.who(token.strip(), acting=not looks) if scheme.lower() == "bearer" else None
        if person is None:
            return 401, "sign in first: POST a name and a password to /api/v1/session"
        scope.setdefault("state", {})["person"] = person
        if looks or path in LOOKING or path == "/api/v1/session":
            return None
        if not person.name or not person.may(UserRole.OPERATOR):
            whom = person.name or "a program with the gateway's token"
            return 403, f"{whom} may look only; this needs the role operator or engineer"
        if path.endswith(ENGINEERING) and not person.may(UserRole.ENGINEER):
            return 403, f"{person.name} is {person.role}; this needs the role engineer"
        return None

    async def _of_body(self, receive: Receive, person: Caller | None) -> tuple[Objection | None, Receive]:
        try:
            async with asyncio.timeout(BODY_WITHIN_S):
                body = await _body(receive)
        except TimeoutError:
            return (408, f"the body did not come within {BODY_WITHIN_S:g} s"), receive
        return _objection_to(body, person), _again(body)

    def _is_ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
            return name == "localhost" or name in self._names or ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


def _objection_to(body: bytes, person: Caller | None) -> Objection | None:
    """It is plain JSON, and nobody acts in another's name: whoever is named in it must be the one who signed in."""
    try:
        asked = malformed.read(body)
    except ValueError as fault:
        return 422, str(fault)
    named = asked.get("by") if isinstance(asked, dict) else None
    if person is not None and isinstance(named, str) and named.strip() != person.name:
        return 403, f"you are signed in as {person.name!r} and cannot act as {named.strip()!r}"
    return None


async def _body(receive: Receive) -> bytes:
    """The whole body; its length was checked."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        if not message.get("more_body", False) or sum(map(len, parts)) > BODY_MAX:
            return b"".join(parts)


def _again(body: bytes) -> Receive:
    """A receiver that gives the body once more to whoever reads it next."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive
