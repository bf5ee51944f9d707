"""The rows for InfluxDB say what was recorded, and a real InfluxDB reads them so."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from controller.edge.historian.lineprotocol import event_line, line, lines
from controller.edge.historian.series import samples
from controller.loop.records import Abstention, Decision
from twin.signals import Assay, Quality, Reading

if TYPE_CHECKING:
    from conftest import Influx  # type: ignore[import-not-found]

Make = Callable[..., Decision]
AWKWARD = 'a "quoted", back\\slashed = é µ 90 % \\" end\\'


def of(decision: Decision) -> dict[str, str]:
    """The rows of one decision by measurement."""
    rows = list(lines(decision, samples(decision)))
    return {row.split(",")[0]: row for row in rows}


def test_the_measurements_tags_and_fields_are_those_of_the_schema(decision: Make, start: datetime) -> None:
    rows = of(decision(0))
    assert sorted(rows) == ["alarm", "estimate", "neurocore", "process", "quality", "setpoint", "suggestion"]
    t_ns = int(start.timestamp()) * 10**9
    assert all(row.startswith(f"{name},batch=B1,plant=R1 ") for name, row in rows.items())
    assert all(row.endswith(f" {t_ns}") for row in rows.values())
    assert rows["setpoint"] == f"setpoint,batch=B1,plant=R1 feed=0.042 {t_ns}"
    assert " variable_0=0i,variable_1=0i,variable_2=0i " in rows["quality"]
    assert ",novelty=0.125,stability=0.875,learned=1.0,contribution_dissolved_oxygen=1.0," in rows["neurocore"]
    assert ' active_count=0i,unacknowledged_count=0i,phase="growth" ' in rows["alarm"]
    assert " open=1i,feed=0.041,gain=8.0,gain_low=3.0,gain_high=12.0," in rows["suggestion"]


def test_what_is_not_finite_is_left_out_and_its_quality_kept(decision: Make) -> None:
    made = decision(0)
    odd = {"a": Reading(math.nan, "", None, Quality.GOOD), "b": Reading(None, "", None, Quality.BAD)}
    odd |= {"c": Reading(1e-5, "", None, Quality.UNCERTAIN)}
    rows = of(replace(made, snapshot=replace(made.snapshot, readings=odd)))
    assert " c=1e-05 " in rows["process"]
    assert " a=2i,b=2i,c=1i " in rows["quality"]
    assert list(line("process", "R1", "B1", {"a": math.nan, "b": None}, 1)) == []


def test_the_words_of_a_suggestion_are_sent_by_the_turn_that_made_it_only(decision: Make) -> None:
    assert 'kind="setpoints"' in of(decision(0))["suggestion"]
    assert "kind" not in of(decision(1))["suggestion"]
    assert "gain=8.0" in of(decision(1))["suggestion"]


def test_an_abstention_is_told_once(decision: Make, abstention: Abstention) -> None:
    assert ' abstention="nothing better was found" ' in of(decision(0, proposal=abstention))["suggestion"]
    assert "suggestion" not in of(decision(1, proposal=abstention))


def test_an_assay_is_of_its_sampling_time(decision: Make, start: datetime) -> None:
    made = decision(0)
    assay = Assay("biomass", 12.5, "g/L", start - timedelta(hours=4), start, Quality.UNCERTAIN)
    rows = list(lines(replace(made, snapshot=replace(made.snapshot, assays=(assay,))), samples(made)))
    t_ns = int((start - timedelta(hours=4)).timestamp()) * 10**9
    assert f"process,batch=B1,plant=R1 biomass=12.5 {t_ns}" in rows
    assert f"quality,batch=B1,plant=R1 biomass=1i {t_ns}" in rows


def test_a_row_stays_one_row_and_an_empty_batch_is_no_tag() -> None:
    [row] = event_line("R1", "", "link", "lost:\n  no answer\r\n", 1_000_000, 7)
    assert row == 'alarm,plant=R1 link="lost: no answer" 1000000007'


def test_two_events_of_one_instant_are_two_points() -> None:
    rows = [row for number in (1, 2) for row in event_line("R1", "B1", "link", "lost", 5, number)]
    assert len({row.rsplit(" ", 1)[1] for row in rows}) == 2


def test_influxdb_reads_a_whole_decision_back(decision: Make, influx: Influx) -> None:
    made = decision(0)
    status, answer = influx.post("/write?db=bio&precision=ns", "\n".join(lines(made, samples(made))))
    assert (status, answer) == (204, "")
    [process] = influx.select('SELECT * FROM "process"')
    assert (process.pop("plant"), process.pop("batch")) == ("R1", "B1")
    assert process.pop("time") == int(made.time.timestamp()) * 10**9
    assert process == {name: reading.value for name, reading in made.snapshot.readings.items()}
    [suggestion] = influx.select('SELECT reason, gain, "open" FROM suggestion')
    assert suggestion["reason"] == made.proposal.reason  # type: ignore[union-attr]
    assert (suggestion["gain"], suggestion["open"]) == (8.0, 1)
    [mean] = influx.select("SELECT mean(biomass) FROM estimate WHERE plant = 'R1' AND batch = 'B1'")
    assert mean["mean"] == made.estimate["biomass"]


@pytest.mark.parametrize("name", ["plain", "with space", "a,b=c", "é µ/90 %", "semi;colon 'quoted'"])
def test_influxdb_reads_awkward_names_and_texts_back(influx: Influx, name: str) -> None:
    rows = [*line("process", name, name, {name: 1.5, "text": AWKWARD}, 10), *line("process", "R1", "", {"x": 2.0}, 20)]
    assert influx.post("/write?db=bio&precision=ns", "\n".join(rows)) == (204, "")
    assert influx.select('SELECT * FROM "process" WHERE "time" = 10') == [
        {"time": 10, "batch": name, "plant": name, "text": AWKWARD, name: 1.5, "x": None}
    ]


def test_influxdb_reads_a_backslash_in_a_name_as_a_slash(influx: Influx) -> None:
    rows = [*line("process", "R1\\", "a\\,b\\", {"x\\": 1.5}, 10)]
    assert influx.post("/write?db=bio&precision=ns", "\n".join(rows)) == (204, "")
    assert influx.select('SELECT * FROM "process"') == [{"time": 10, "batch": "a/,b/", "plant": "R1/", "x/": 1.5}]


def test_influxdb_keeps_one_point_of_a_row_that_is_sent_twice(decision: Make, influx: Influx) -> None:
    made = decision(0)
    for _ in range(2):
        influx.post("/write?db=bio&precision=ns", "\n".join(lines(made, samples(made))))
    assert len(influx.select('SELECT * FROM "process"')) == 1
