"""What the plant's tags showed can be read again by a client that was away."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from asyncua import ua

from plant_sim.server import START
from plant_sim.server.history import ValueHistory

MINUTE = timedelta(minutes=1)


def values(*minutes: int) -> list[ua.DataValue]:
    return [
        ua.DataValue(ua.Variant(float(m), ua.VariantType.Double), SourceTimestamp=START + m * MINUTE) for m in minutes
    ]


def minutes(found: list[ua.DataValue]) -> list[float]:
    return [v.Value.Value for v in found]


def test_a_client_that_was_away_reads_every_value_it_missed_with_status_and_process_time(with_plant):
    async def scenario(plant):
        seen = {}
        for n in range(1, 31):
            if n == 20:
                await plant.call("SET_FAULT", "AIC102.PV", "bad", 0.0)
            await plant.advance(300.0)
            shown = (await plant.read("AIC102.PV"))["AIC102.PV"]
            seen[START + n * 5 * MINUTE] = (shown.Value.Value, shown.StatusCode.name)
        node = plant.node("AIC102.PV")
        assert ua.AccessLevel.HistoryRead in await node.get_access_level()
        early, late = START + 50 * MINUTE, START + 120 * MINUTE
        missed = await node.read_raw_history(early, late)
        assert {v.SourceTimestamp: (v.Value.Value, v.StatusCode.name) for v in missed} == {
            time: what for time, what in seen.items() if early <= time <= late
        }
        newest = await node.read_raw_history(None, late, numvalues=2)
        assert [v.SourceTimestamp for v in newest] == [late, late - 5 * MINUTE]

    with_plant(scenario, seed=3)


def test_only_the_online_tags_keep_a_history(with_plant):
    async def scenario(plant):
        await plant.advance(60.0)
        assert ua.AccessLevel.HistoryRead not in await plant.node("LAB.BIOMASS").get_access_level()
        assert await plant.node("LAB.BIOMASS").read_raw_history(START, START + MINUTE) == []
        assert len(await plant.node("WI101.PV").read_raw_history(START, START + MINUTE)) == 2

    with_plant(scenario)


@pytest.mark.parametrize(
    ("start", "end", "count", "expected"),
    [
        (2, 5, 0, [2, 3, 4, 5]),
        (2, 5, 2, [2, 3]),
        (2, None, 0, [2, 3, 4, 5, 6, 7, 8, 9]),
        (5, 2, 0, [5, 4, 3, 2]),
        (None, 3, 0, [3, 2, 1, 0]),
        (None, None, 3, [9, 8, 7]),
        (20, 30, 0, []),
    ],
)
def test_raw_values_come_in_the_order_and_number_that_is_asked(start, end, count, expected):
    node = ua.NodeId("X", 2)
    history = ValueHistory([node])
    for value in values(*range(10)):
        history.append(node, value)
    at = {None: None} | {m: START + m * MINUTE for m in range(31)}
    found, more = asyncio.run(history.read_node_history(node, at[start], at[end], count))
    assert (minutes(found), more) == (expected, None)


def test_the_same_instant_again_replaces_and_the_oldest_go_when_it_is_full():
    node = ua.NodeId("X", 2)
    history = ValueHistory([node], kept=4)
    for value in values(0, 1, 2, 2, 3, 4):
        history.append(node, value)
    found, _ = asyncio.run(history.read_node_history(node, START, None, 0))
    assert minutes(found) == [1, 2, 3, 4]
