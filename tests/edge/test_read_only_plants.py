"""A plant that may only be read, or that does not look after itself, is watched and advised, and says what it lacks."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from controller.edge import check
from controller.edge.actuator import Actuator
from controller.edge.opcua import PlantLink
from controller.edge.opcua.supervision import against_auto, unsupervised
from controller.edge.opcua.tags import KINDS, WRITTEN, TagKind, tags_of
from controller.loop.records import Command, Mode, Move
from controller.settings import Settings
from controller.tables import SupervisorTable

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
COMMAND = Command("S1", (Move("feed", 0.04, "L/h", 0.042),), NOW, NOW + timedelta(hours=1), "ada")


def told(settings: Settings) -> str:
    """Scan, ask for a write as an operator's acceptance would, in ADVISORY; why it was refused."""

    async def run() -> str:
        link = PlantLink(settings)
        actuator = Actuator(link)
        try:
            await link.connect(10.0)
            assert (await link.read()).snapshot.readings["dissolved_oxygen"].usable
            quiet = await actuator.act(SimpleNamespace(command=None, mode=Mode.ADVISORY))  # type: ignore[arg-type]
            assert (quiet.events, quiet.faults, link.supervision) == ([], (), "")
            done = await actuator.act(SimpleNamespace(command=COMMAND, mode=Mode.ADVISORY))  # type: ignore[arg-type]
            ((kind, _),) = done.events
            assert kind == "refused"
            assert link.forbidden in done.faults[0]
            return link.forbidden
        finally:
            await link.close()

    return asyncio.run(run())


def test_with_rights_to_read_only_everything_is_read_and_nothing_is_tried_to_be_written(plant: Any) -> None:
    for tag in tags_of(plant.settings):
        if tag.key in WRITTEN and KINDS[tag.key] is not TagKind.METHOD:
            plant.protect(tag.node)
    why = told(plant.settings)
    assert "must be writable, and the server does not let us" in why
    assert plant.writes == []
    rows = asyncio.run(check.rows_connected(plant.settings))
    assert {row["verdict"] for row in rows} == {"ok"}
    assert sum(bool(row["remark"]) for row in rows) == 6
    assert against_auto(plant.settings, why) == why


def test_without_a_supervisor_table_there_is_no_heartbeat_and_no_writing(plant: Any) -> None:
    settings = replace(plant.settings, supervisor=SupervisorTable())
    assert "[supervisor] has no heartbeat" in told(settings)
    assert plant.writes == []
    (remark,) = check.remarks(settings)
    assert remark.startswith("nothing can be written: [supervisor] has no heartbeat")


def test_a_plant_that_does_not_look_after_itself_has_auto_only_where_that_is_wanted(plant: Any) -> None:
    shipped = plant.settings
    assert check.remarks(shipped) == []
    endless = replace(shipped, variable=tuple(replace(v, valid_until=None) for v in shipped.variables))
    blind = replace(shipped, supervisor=SupervisorTable("SUPERVISOR.HEARTBEAT"))
    for settings, sentence in ((endless, "feed, precursor_feed has no valid_until tag"), (blind, "watches the heart")):
        (remark,) = check.remarks(settings)
        assert sentence in remark and "unsupervised = true" in remark
        assert remark == against_auto(settings, "")
        wanted = replace(settings, supervisor=replace(settings.supervisor, unsupervised=True))
        assert against_auto(wanted, "") == ""
        assert check.remarks(wanted) == list(unsupervised(settings))  # said all the same
