"""What-ifs of whoever may look have a thread and a short queue of their own: no turn ever waits for one."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tomli_w

from controller.edge import runner as module
from controller.edge.historian import Historian
from controller.edge.opcua import PlantLink
from controller.edge.runner import WHAT_IFS, Runner
from controller.edge.worker import Busy, Worker
from controller.loop.mode_ladder import Gates
from controller.loop.turn import Cadence, Parts
from controller.processes import find
from controller.settings import load
from twin.signals import Plant


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "plant.toml"
    path.write_text(tomli_w.dumps(find("penicillin").content()))
    return path


def parts_of(world: Any) -> Parts:
    nothing: Any = SimpleNamespace(step=lambda: None)
    plant: Plant = world.plant
    cadence = Cadence(timedelta(hours=1), timedelta(hours=0.5))
    return Parts(plant, nothing, nothing, nothing, world.envelope, Gates(0.99, 3.0, 3), cadence)


def test_sixty_what_ifs_at_once_hold_up_no_turn_and_most_are_told_to_come_back(
    config: Path, world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    going, threads = threading.Event(), set()

    def slow(*_: Any) -> str:
        threads.add(threading.current_thread().name)
        going.wait(100)
        return "looked at"

    monkeypatch.setattr(module, "what_if", slow)

    async def run(historian: Historian) -> list[Any]:
        settings, parts = load(config), parts_of(world)
        core: Any = parts.core
        runner = Runner(settings, parts, core, lambda: core, PlantLink(settings), historian)
        decision: Any = world
        runner.decision = decision
        asked = [asyncio.create_task(runner.what_if(())) for _ in range(60)]
        await asyncio.sleep(0)
        try:
            turn = await asyncio.wait_for(runner._worker.do(lambda: "a turn"), 20)
        finally:
            going.set()
        assert turn == "a turn"
        return await asyncio.gather(*asked, return_exceptions=True)

    with Historian(config.with_name("plant.sqlite")) as historian:
        told = asyncio.run(run(historian))
    assert told.count("looked at") == WHAT_IFS
    assert sum(isinstance(one, Busy) for one in told) == 60 - WHAT_IFS
    assert threads == {"what-if_0"}


def test_a_job_that_nobody_waits_for_any_more_still_counts_until_it_ends() -> None:
    async def run() -> None:
        worker, going = Worker("look", 1), threading.Event()
        given_up = asyncio.create_task(worker.do(going.wait, 100))
        await asyncio.sleep(0.05)
        given_up.cancel()
        with pytest.raises(Busy):
            await worker.do(lambda: None)
        going.set()
        while True:
            try:
                assert await worker.do(lambda: "next") == "next"
                break
            except Busy:
                await asyncio.sleep(0.01)
        worker.close()

    asyncio.run(run())
