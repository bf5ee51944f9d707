"""Worker thread: whatever blocks runs here, one job after the other, so that the event loop stays free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Busy(Exception):
    """As many jobs as may are under way or wait already."""


class Worker:
    """One thread: of the turn, which Lava's pipe, the filter and SQLite share, or of what people look at beside it.

    With `most`, no more jobs than that are under way or wait at a time; one more raises Busy.
    """

    def __init__(self, name: str = "turn", most: int | None = None) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._most = most
        self._taken: list[Future[Any]] = []

    async def do(self, job: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What the job returns, or raises, once the jobs before it are done."""
        self._taken = [taken for taken in self._taken if not taken.done()]
        if self._most is not None and len(self._taken) >= self._most:
            raise Busy
        taken = self._thread.submit(job, *arguments, **named)
        self._taken.append(taken)
        return await asyncio.wrap_future(taken)

    def close(self) -> None:
        """Wait for the last job."""
        self._thread.shutdown(wait=True)
