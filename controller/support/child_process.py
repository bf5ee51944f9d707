"""Processes that end when they should: on a signal, cleanly; and with their parent, whatever happens to it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

LIFELINE = "NEUROTWIN_PARENT"  # set by `spawn` for its children: the process they must not outlive
PR_SET_PDEATHSIG = 1  # Linux prctl(2)


def die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent dies, if this process was started by `spawn`."""
    parent = os.environ.pop(LIFELINE, "")
    if not parent or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before the request
        raise SystemExit(1)


def spawn(arguments: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start `neurotwin ARGUMENTS` as a child that ends with this process."""
    # A session of its own keeps Ctrl-C for the parent, which then ends its children in order.
    return subprocess.Popen(command_of(arguments), env=tied(), start_new_session=True, **options)


def command_of(arguments: Sequence[str]) -> list[str]:
    """`neurotwin ARGUMENTS` as this very installation runs it."""
    return [sys.executable, "-m", "controller.cli", *arguments]


def tied() -> dict[str, str]:
    """The environment of a child that ends with this process."""
    return {**os.environ, LIFELINE: str(os.getpid())}


def end(child: subprocess.Popen[bytes], patience_s: float = 10.0) -> None:
    """Ask a child to stop, and make it when it doesn't."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(patience_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(patience_s)


def until_stopped(work: Coroutine[Any, Any, object]) -> None:
    """Run a coroutine until it ends or SIGINT or SIGTERM asks it to; its own `finally` cleans up."""

    async def watched() -> None:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            if not task.cancelled():
                raise

    asyncio.run(watched())
