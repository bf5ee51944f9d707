"""People climb the mode ladder when its gates hold; the loop only ever steps down."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from controller.loop.mode_ladder import Gates, Ladder, climb, watch
from controller.loop.records import Intent, Mode

GATES = Gates(novelty_max=0.99, nis_ratio_max=3.0, patience=3)


def request(world: SimpleNamespace, mode: Mode | None) -> Intent:
    return Intent("mode", "ada", world.now, mode=mode, reason="try")


def test_auto_is_granted_only_without_objections(world: SimpleNamespace) -> None:
    ladder = Ladder(Mode.ADVISORY, "")
    refused, ruling = climb(ladder, request(world, Mode.AUTO), (), ("novelty 1.00",), False)
    assert (refused, ruling.granted, ruling.reason) == (ladder, False, "auto is refused: novelty 1.00")
    granted, ruling = climb(ladder, request(world, Mode.AUTO), (), (), False)
    assert (granted.mode, granted.reason, ruling.granted) == (Mode.AUTO, "ada: try", True)


def test_advisory_needs_evidence_but_not_a_calm_plant(world: SimpleNamespace) -> None:
    ladder = Ladder(Mode.SHADOW, "")
    assert climb(ladder, request(world, Mode.ADVISORY), (), ("novelty",), False)[1].granted
    assert not climb(ladder, request(world, Mode.ADVISORY), ("DO is bad",), (), False)[1].granted


def test_stepping_down_is_always_granted(world: SimpleNamespace) -> None:
    for mode in (Mode.ADVISORY, Mode.SHADOW, Mode.OFF):
        assert climb(Ladder(Mode.AUTO, ""), request(world, mode), ("x",), ("y",), False)[0].mode is mode


def test_an_advisory_plant_has_no_auto_and_a_request_must_name_a_mode(world: SimpleNamespace) -> None:
    assert not climb(Ladder(Mode.ADVISORY, ""), request(world, Mode.AUTO), (), (), True)[1].granted
    assert not climb(Ladder(Mode.ADVISORY, ""), request(world, None), (), (), False)[1].granted


def test_auto_is_given_up_after_patience_scans_and_says_why(world: SimpleNamespace) -> None:
    strange = replace(world.insight, novelty=0.999)
    ladder = Ladder(Mode.AUTO, "")
    for scan in range(3):
        assert ladder.mode is Mode.AUTO, scan
        ladder, _ = watch(ladder, world.estimate, strange, (), GATES)
    assert ladder.mode is Mode.ADVISORY
    assert ladder.reason.startswith("demoted from auto: the readings are unusual: novelty 0.999 above 0.99")


def test_a_passing_scan_restores_patience(world: SimpleNamespace) -> None:
    strange = replace(world.insight, novelty=0.999)
    ladder = Ladder(Mode.AUTO, "")
    for insight in (strange, strange, world.insight, strange, strange):
        ladder, _ = watch(ladder, world.estimate, insight, (), GATES)
    assert ladder.mode is Mode.AUTO


def test_a_twin_that_stops_fitting_is_an_objection(world: SimpleNamespace) -> None:
    ladder = Ladder(Mode.ADVISORY, "")
    misfit = replace(world.estimate, nis=60.0)
    for _ in range(5):
        ladder, objections = watch(ladder, misfit, world.insight, (), GATES)
    assert ladder.nis_ratio > 3.0
    assert objections[0].startswith("the twin does not fit")


@pytest.mark.parametrize("nis_dof", [0])
def test_a_scan_without_readings_leaves_the_ratio_alone(world: SimpleNamespace, nis_dof: int) -> None:
    ladder, _ = watch(Ladder(Mode.SHADOW, "", 2.0), replace(world.estimate, nis_dof=nis_dof), world.insight, (), GATES)
    assert ladder.nis_ratio == 2.0
