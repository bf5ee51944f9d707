"""The plant tells of its own alarms: once when one begins, and once when it is over."""

from __future__ import annotations

import asyncio

from asyncua import ua


def test_a_failed_instrument_and_foam_are_told_once_and_their_end_too(with_plant):
    class Heard:
        def __init__(self):
            self.events = []

        def event_notification(self, event):
            self.events.append((event.SourceName, event.Message.Text, event.Severity, event.Retain))

        def status_change_notification(self, status):
            raise AssertionError(status)

    async def scenario(plant):
        heard = Heard()
        subscription = await plant.client.create_subscription(50, heard)
        await subscription.subscribe_alarms_and_conditions(ua.ObjectIds.Server, ua.ObjectIds.ExclusiveLevelAlarmType)
        await plant.call("INJECT_FAULT", "bad", "TIC101.PV", 0.0, 0.0)
        await plant.call("INJECT_FAULT", "foam", "R1", 1000.0, 0.0)
        for _ in range(4):
            await plant.advance(120.0)
        await plant.call("CLEAR_FAULT", "TIC101.PV")
        await plant.advance(120.0)
        expected = [
            ("TIC101.PV", "Temperature: the instrument has failed", 700, True),
            ("LI102.PV", "Foam level is above 70 %", 700, True),
            ("TIC101.PV", "Temperature is back to normal", 1, False),
        ]
        async with asyncio.timeout(20):
            while len(heard.events) < len(expected):
                await asyncio.sleep(0.05)
        assert sorted(heard.events) == sorted(expected)

    with_plant(scenario, seed=3)
