"""Operator requests: what people ask waits for the next turn, and is told what became of it there and at the plant."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from controller.edge.actuator import Done, carried_out
from controller.loop.records import Decision, Intent, Ruling


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """An intent, and who waits for the answer."""

    intent: Intent
    answer: asyncio.Future[Ruling]


class Requests:
    """Those that wait for the next turn."""

    def __init__(self) -> None:
        self._waiting: list[Request] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, intent: Intent) -> asyncio.Future[Ruling]:
        """Ask before the next turn; the future holds what became of it."""
        answer: asyncio.Future[Ruling] = asyncio.get_running_loop().create_future()
        self._waiting.append(Request(intent, answer))
        return answer

    def take(self) -> list[Request]:
        """All that wait, for the turn that is taken now."""
        taken, self._waiting = self._waiting, []
        return taken

    def cancel(self) -> None:
        """No turn will be taken any more."""
        for request in self._waiting:
            request.answer.cancel()


def answer(requests: list[Request], decision: Decision, done: Done) -> None:
    """Tell everybody who still waits what became of the request."""
    for request in requests:
        if not request.answer.done():
            request.answer.set_result(carried_out(_ruling(request.intent, decision), done))


def _ruling(intent: Intent, decision: Decision) -> Ruling:
    found = next((r for r in decision.rulings if r.intent is intent), None)
    return found or Ruling(intent, False, f"unknown request {intent.kind!r}")
