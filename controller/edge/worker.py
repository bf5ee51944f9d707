"""Worker thread: whatever blocks runs here, one job after the other, so that the event loop stays free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """One thread that Lava's pipe, the filter and SQLite share."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="turn")

    async def do(self, job: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """What the job returns, or raises, once the jobs before it are done."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: job(*arguments, **named))

    def close(self) -> None:
        """Wait for the last job."""
        self._thread.shutdown(wait=True)
