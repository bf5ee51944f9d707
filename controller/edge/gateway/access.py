"""Authentication and authorisation: sessions of people who signed in, the console's token, and what a role may do."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from controller.edge.users import RANK, UserRole, Users

TRIES_OF_ONE = RateLimitItemPerMinute(5)  # sign-ins a minute from one address under one name (design)
TRIES_OF_ALL = RateLimitItemPerMinute(60)  # and from one address under any (design)
TRIES_IN_STEP = RateLimitItemPerMinute(20)  # under one name from anywhere, until each has to wait (design)
SLOWED_S = 2.0  # seconds such a sign-in waits: somebody guesses from many addresses (design)
AT_ONCE = 2  # passwords that are checked at a time: each takes a processor and 64 MB on purpose (design)
SESSIONS_KEPT = 1000  # the oldest go first (design)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and in which role. `name` is "" for a program that holds the gateway's token."""

    name: str
    role: UserRole

    def may(self, least: UserRole) -> bool:
        """Whether this role is at least that one."""
        return RANK[self.role] >= RANK[least]


@dataclass(slots=True)
class SignedIn:
    """A person signed in: until when at most, and when last heard of."""

    person: Caller
    until: float
    heard: float


class Refused(Exception):
    """Somebody may not sign in; the text says why, `again_s` when to try again."""

    def __init__(self, text: str, again_s: float = 0.0) -> None:
        super().__init__(text)
        self.again_s = again_s


@dataclass
class Access:
    """The sessions of one gateway. Tokens are kept as digests only; `clock` is monotonic seconds."""

    users: Users
    token: str  # of programs that only look, such as the console
    session_s: float = 12 * 3600.0  # a shift
    idle_s: float = 3600.0
    clock: Callable[[], float] = time.monotonic
    _sessions: dict[str, SignedIn] = field(default_factory=dict)
    _limiter: MovingWindowRateLimiter = field(default_factory=lambda: MovingWindowRateLimiter(MemoryStorage()))
    _checking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def sign_in(self, name: str, password: str, address: str) -> tuple[str, Caller]:
        """A token for this person, or Refused. The password is checked in a thread: it takes its time on purpose.

        Only who tries too often from the same address is turned away: nobody can lock a person out from elsewhere.
        """
        hit = self._limiter.hit
        if not hit(TRIES_OF_ONE, "name", address, name) or not hit(TRIES_OF_ALL, "address", address):
            raise Refused("too many attempts; wait a minute and try again", 60.0)
        if not hit(TRIES_IN_STEP, "anywhere", name):
            await asyncio.sleep(SLOWED_S)
        async with self._checking:
            user = await asyncio.to_thread(self.users.verify, name, password)
        if user is None:
            raise Refused("name or password is wrong")
        person, now = Caller(user.name, user.role), self.clock()
        token = secrets.token_urlsafe(32)
        self._sessions[_digest(token)] = SignedIn(person, now + self.session_s, now)
        while len(self._sessions) > SESSIONS_KEPT:
            self._sessions.pop(next(iter(self._sessions)))
        return token, person

    def is_program(self, token: str) -> bool:
        """Whether this is the token of programs that only look, such as the console."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def sign_out(self, token: str) -> None:
        """End the session of this token, if there is one."""
        self._sessions.pop(_digest(token), None)

    def who(self, token: str, acting: bool = True) -> Caller | None:
        """Who holds this token; None when nobody does any more. Only what a person does keeps a session awake."""
        if self.is_program(token):
            return Caller("", UserRole.VIEWER)
        key, now = _digest(token), self.clock()
        session = self._sessions.get(key)
        if session is None:
            return None
        user = self.users.known().get(session.person.name)
        over = now >= min(session.until, session.heard + self.idle_s)
        if over or user is None or user.role is not session.person.role:
            del self._sessions[key]
            return None
        if acting:
            session.heard = now
        return session.person


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()
