"""What people ask of a running controller is answered once, with what the turn ruled and what the plant did."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from controller.edge.actuator import Done
from controller.edge.gateway.reporting import RunnerSource
from controller.edge.opcua import Scan
from controller.edge.requests import Requests, answer
from controller.loop.records import Command, Decision, Intent, Mode, Move, Ruling

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
MODE = Intent("mode", "ada", NOW, mode=Mode.ADVISORY)
ACCEPT = Intent("accept", "ada", NOW, suggestion="S-1")
NONSENSE = Intent("dance", "ada", NOW)


@pytest.fixture
def turned(world: SimpleNamespace) -> Decision:
    """A turn that granted two of three requests, in another order."""
    return Decision(
        time=world.now,
        plant="R1",
        mode=Mode.ADVISORY,
        mode_reason="asked for",
        snapshot=world.snapshot,
        situation=world.situation,
        estimate=world.estimate,
        insight=world.insight,
        baseline=None,
        proposal=None,
        proposed=None,
        verdict=None,
        command=None,
        open=False,
        rulings=(Ruling(ACCEPT, True, "accepted"), Ruling(MODE, True, "the mode is advisory")),
    )


def test_each_gets_its_own_ruling_and_an_unknown_kind_is_refused(turned: Decision) -> None:
    async def run() -> list[Ruling]:
        requests = Requests()
        asked = [requests.put(intent) for intent in (MODE, ACCEPT, NONSENSE)]
        assert requests
        answer(requests.take(), turned, Done(events=[("written", "feed = 0.04 L/h, read back")]))
        assert not requests
        return await asyncio.gather(*asked)

    mode, accepted, nonsense = asyncio.run(run())
    assert mode == Ruling(MODE, True, "the mode is advisory")
    assert accepted.granted and "read back" in accepted.reason
    assert nonsense == Ruling(NONSENSE, False, "unknown request 'dance'")


def test_what_the_plant_refused_is_not_granted(turned: Decision) -> None:
    async def run() -> Ruling:
        requests = Requests()
        asked = requests.put(ACCEPT)
        answer(requests.take(), turned, Done(faults=("feed: refused",), events=[("refused", "feed: refused")]))
        return await asked

    ruling = asyncio.run(run())
    assert not ruling.granted and "feed: refused" in ruling.reason


@pytest.mark.parametrize(("active", "owner"), [(0.04100000113248825, "supervisor"), (0.0411, "recipe")])
def test_a_setpoint_that_a_32_bit_plant_holds_is_still_ours(
    turned: Decision, active: float, owner: str, world: SimpleNamespace
) -> None:
    scan = Scan(world.snapshot, "B-001", NOW, "production", {"feed": active}, {"feed": 0.042})
    command = Command("S-1", (Move("feed", 0.041, "L/h", 0.042),), NOW, NOW, "ada")
    source = RunnerSource(cast(Any, SimpleNamespace(scan=scan)), *cast(Any, (None, None, None)))
    assert source._setpoints(replace(turned, command=command))["feed"]["owner"] == owner


def test_who_waits_is_let_go_when_no_turn_will_be_taken_any_more() -> None:
    async def run() -> bool:
        requests = Requests()
        asked = requests.put(MODE)
        requests.cancel()
        return asked.cancelled()

    assert asyncio.run(run())
