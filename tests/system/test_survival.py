"""The plant and the controller each survive the other's sudden death, and say so."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from typing import Any

from controller.edge.historian.wire import expand

LEASE_S = 1800.0  # process seconds; at --speed 300 this is 6 s by the wall


def controlled(house: Any, tools: Any) -> Any:
    """Start the controller and wait until a command of its own is in force at the plant."""
    process = house.start("run", str(house.config), "--mode", "auto", log="run.log")
    tools.wait_until(lambda: any("read back" in e for e in house.events()), 90, "a command is written", house)
    return process


def scans(house: Any) -> int:
    with closing(sqlite3.connect(f"file:{house.historian}?mode=ro", uri=True)) as base:
        return int(base.execute("SELECT count(*) FROM decision").fetchone()[0])


def test_a_killed_plant_is_noticed_awaited_and_taken_up_again(house: Any, tools: Any) -> None:
    plant = house.plant(speed="300")
    controller = controlled(house, tools)
    tools.kill(plant)
    tools.wait_until(lambda: any("is not reachable" in e for e in house.events()), 100, "the loss is told", house)
    before = scans(house)
    house.plant(speed="300")
    tools.wait_until(lambda: any("connected to" in e for e in house.events()), 150, "it is back", house)
    tools.wait_until(lambda: scans(house) >= before + 5, 150, "the loop goes on", house)
    assert controller.poll() is None


def test_a_killed_controller_leaves_the_plant_on_its_own_recipe_and_resumes_the_batch(house: Any, tools: Any) -> None:
    house.content["supervisor"]["lease_s"] = LEASE_S
    house.content["loop"]["command_valid_s"] = LEASE_S / 2
    house.save()
    house.plant(speed="300")
    controller = controlled(house, tools)

    def on_its_own() -> bool:
        now, recipe = tools.read_tags(house.endpoint, "FIC202.SP_ACTIVE", "FIC202.SP_LOCAL")
        return bool(now == recipe)

    # Its commands are valid for three seconds by the wall: on a busy machine one may lapse before the next is written.
    tools.wait_until(lambda: not on_its_own(), 150, "a command is in force", house)
    tools.kill(controller)
    tools.wait_until(on_its_own, LEASE_S / 300 + 20, "the plant is on its own recipe", house)
    before = scans(house)
    again = house.start("run", str(house.config), log="run2.log")
    tools.wait_until(lambda: any("resumed" in e for e in house.events()), 150, "the batch is resumed", house)
    tools.wait_until(lambda: scans(house) >= before + 3, 150, "the loop goes on", house)
    assert again.poll() is None
    with closing(sqlite3.connect(f"file:{house.historian}?mode=ro", uri=True)) as base:
        batches = base.execute("SELECT count(DISTINCT batch) FROM decision").fetchone()[0]
    assert batches == 1


def test_a_killed_neurocore_is_started_again_and_auto_is_given_up(house: Any, tools: Any) -> None:
    house.content["neurocore"]["backend"] = "lava-fixed"
    house.save()
    house.plant(speed="300")
    controller = controlled(house, tools)
    workers = [pid for pid in tools.descendants(controller.pid) if "neurocore.lava.worker" in tools.command_line(pid)]
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    tools.wait_until(lambda: any("NeuroCore was lost" in e for e in house.events()), 150, "the loss is told", house)
    before = scans(house)
    tools.wait_until(lambda: scans(house) >= before + 3, 150, "the loop goes on", house)
    with closing(sqlite3.connect(f"file:{house.historian}?mode=ro", uri=True)) as base:
        body = base.execute("SELECT body FROM decision ORDER BY id DESC LIMIT 1").fetchone()[0]
    assert expand(body).find(b'"mode":"advisory"') > 0
    assert controller.poll() is None
