"""Alarm notification by mail, chat or phone through apprise: in the background, and with no word of the addresses.

The addresses may hold passwords. They are read from a file, never logged, and a failure names their line only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import apprise
import structlog

from controller.loop.alarm_records import Priority
from controller.loop.alarms import Definition
from controller.support.user_error import UserError
from controller.tables import NotificationTable

log = structlog.get_logger()
WAITING = 100  # messages that may wait; beyond, the oldest is dropped and that is told (design)
ORDER = tuple(Priority)


class NotificationFault(UserError):
    """The addresses cannot be used; the text names the file and the line."""


class Notifier:
    """Tells every address of alarms that are urgent enough. `tell` never waits; `work` sends."""

    def __init__(self, table: NotificationTable, plant: str) -> None:
        logging.getLogger("apprise").disabled = True  # it would write addresses into the log
        self._plant, self._file, self._timeout_s = plant, table.url_file, table.timeout_s
        self._least = Priority(table.least_priority)
        self._targets = [_target(url, number, table.url_file) for number, url in enumerate(table.urls(), 1)]
        self._waiting: asyncio.Queue[tuple[str, str]] = asyncio.Queue(WAITING)

    def urgent(self, definition: Definition) -> bool:
        """Whether alarms of this priority are told at all."""
        return ORDER.index(definition.priority) <= ORDER.index(self._least)

    def tell(self, definition: Definition, message: str, when: str) -> None:
        """Queue one alarm, with its consequence and what to do."""
        if not self.urgent(definition):
            return
        title = f"[{definition.priority.upper()}] {self._plant}: {definition.text}"
        body = f"{message}\n{when}\n\nConsequence: {definition.consequence}\nWhat to do: {definition.response}"
        if self._waiting.full():
            dropped, _ = self._waiting.get_nowait()
            log.warning("a notification was dropped: too many wait", title=dropped)
        self._waiting.put_nowait((title, body))

    async def work(self, failed: Callable[[str], Awaitable[None]]) -> None:
        """Send what is queued, until cancelled; `failed` hears of each message that an address did not take."""
        while True:
            title, body = await self._waiting.get()
            for number, target in enumerate(self._targets, 1):
                why = await self._sent(target, title, body)
                if why:
                    await failed(f"{title!r} was not told to address {number} of {self._file.name}: {why}")

    async def _sent(self, target: apprise.Apprise, title: str, body: str) -> str:
        """Why the message did not arrive, or ""."""
        try:
            async with asyncio.timeout(self._timeout_s):
                taken = await asyncio.to_thread(target.notify, body=body, title=title)
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except Exception as error:  # a plug-in of any kind may raise anything; its text may hold the address
            return type(error).__name__
        return "" if taken else "it was refused, or could not be reached"


def _target(url: str, number: int, file: Path) -> apprise.Apprise:
    target = apprise.Apprise()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its first use loads a hundred plug-ins, some of which use what is outdated
        understood = target.add(url)
    if not understood:
        raise NotificationFault(f"{file}: address {number} is none that apprise understands; mend that line")
    return target


@contextlib.asynccontextmanager
async def notifying(
    table: NotificationTable | None, plant: str, failed: Callable[[str], Awaitable[None]]
) -> AsyncIterator[Notifier | None]:
    """A notifier that works while the block runs; None without a [notification] table."""
    if table is None:
        yield None
        return
    notifier = Notifier(table, plant)
    task = asyncio.create_task(notifier.work(failed))
    try:
        yield notifier
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
