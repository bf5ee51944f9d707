"""Batch report on request, made by a process of its own: the loop keeps its pace meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from controller.support.child_process import command_of, tied

MADE_WITHIN_S = 300.0  # wall seconds; ten days of a batch take a minute on a busy machine (design)


class Reports:
    """Makes one report at a time; whoever asks while it is being made is given the same."""

    def __init__(self, config: Path | None) -> None:
        self._config = config
        self._making: asyncio.Task[bytes | str] | None = None

    async def of(self, batch: str) -> bytes | str:
        """The report as HTML, or why there is none."""
        if not batch:
            return "there is no batch yet to report of"
        if self._config is None:
            return "the controller was not started from a configuration file, which the report needs"
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(_made(self._config, batch))
        return await asyncio.shield(self._making)


async def _made(config: Path, batch: str) -> bytes | str:
    with TemporaryDirectory(prefix="neurotwin-report-") as folder:
        path = Path(folder) / "report.html"
        command = command_of(["report", "--config", str(config), "--out", str(path), "--", batch])
        silent, piped = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*command, stdout=silent, stderr=piped, env=tied())
        try:
            _, told = await asyncio.wait_for(child.communicate(), MADE_WITHIN_S)
        except TimeoutError:
            return f"the report was not ready within {MADE_WITHIN_S:g} s; `neurotwin report {batch}` has no such limit"
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return path.read_bytes() if child.returncode == 0 else _sentence(told.decode(errors="replace"))


def _sentence(told: str) -> str:
    """The last thing that the command said, without its name."""
    lines = told.strip().splitlines() or ["it ended without a word"]
    return f"the report could not be made: {lines[-1].removeprefix('neurotwin: ')}"
