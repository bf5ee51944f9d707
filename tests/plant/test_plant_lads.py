"""The plant as a laboratory device: functions with the flat tags' values, units and setpoints."""

from __future__ import annotations

import pytest

from controller.processes.penicillin.plant import DESIGN as PENICILLIN

FUNCTIONS = "DeviceSet/R1/FunctionalUnitSet/FermentationUnit/FunctionSet"


def test_each_instrument_is_a_function_that_shows_what_its_tag_shows(with_plant):
    async def scenario(plant):
        await plant.advance(600.0)
        path = [f"{plant.index}:{name}" for name in FUNCTIONS.split("/")]
        functions = await (await plant.client.nodes.objects.get_child(path)).get_children()
        seen = {}
        for function in functions:
            parts = {(await n.read_browse_name()).Name: n for n in await function.get_children()}
            tag = await parts["SignalTag"].read_value()
            seen[tag] = parts
            value = parts.get("SensorValue") or parts["CurrentValue"]
            shown, flat = await plant.client.read_attributes([value, plant.node(tag)])
            assert (shown.Value, shown.StatusCode, shown.SourceTimestamp) == (
                flat.Value,
                flat.StatusCode,
                flat.SourceTimestamp,
            )
            assert (await (await value.get_child("0:EngineeringUnits")).read_value()).DisplayName.Text
        assert set(seen) == {i.point.tag for i in PENICILLIN.online}
        assert {tag for tag, parts in seen.items() if "TargetValue" in parts} == {
            f"{owner}.PV" for owner in (*PENICILLIN.pumps, *PENICILLIN.loops)
        }
        device = await plant.client.nodes.objects.get_child([f"{plant.index}:DeviceSet", f"{plant.index}:R1"])
        assert await (await device.get_child(f"{plant.index}:SerialNumber")).read_value() == "SIM-R1"

    with_plant(scenario, seed=3)


def test_a_target_value_is_the_setpoint_of_its_tag_with_the_same_limits(with_plant):
    async def scenario(plant):
        path = [f"{plant.index}:{name}" for name in (*FUNCTIONS.split("/"), "Temperature", "TargetValue")]
        target = await plant.client.nodes.objects.get_child(path)
        await target.write_value(26.0)
        assert await plant.value("TIC101.SP") == 26.0
        assert await target.read_value() == 26.0
        with pytest.raises(Exception, match="BadOutOfRange"):
            await target.write_value(45.0)
        assert await target.read_value() == 26.0

    with_plant(scenario)
