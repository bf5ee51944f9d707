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


def test_a_scan_without_readings_leaves_the_ratio_alone(world: SimpleNamespace) -> None:
    ladder, _ = watch(Ladder(Mode.SHADOW, "", 2.0), replace(world.estimate, nis_dof=0), world.insight, (), GATES)
    assert ladder.nis_ratio == 2.0


def test_the_ratio_remembers_about_ten_scans(world: SimpleNamespace) -> None:
    misfit = replace(world.estimate, nis=12.0, nis_dof=2)
    ladder, _ = watch(Ladder(Mode.SHADOW, "", 1.0), misfit, world.insight, (), GATES)
    assert ladder.nis_ratio == pytest.approx(1.5)
    ladder, _ = watch(ladder, misfit, world.insight, (), GATES)
    assert ladder.nis_ratio == pytest.approx(1.95)


def test_every_objection_is_told_with_its_number_and_its_gate(world: SimpleNamespace) -> None:
    strange = replace(world.insight, novelty=0.9996, contributions={"weight": 0.2, "dissolved_oxygen": 0.8})
    ladder = Ladder(Mode.ADVISORY, "as it was", 3.3)
    after, objections = watch(ladder, replace(world.estimate, nis_dof=0), strange, ("the probe is bad",), GATES)
    assert objections == (
        "the probe is bad",
        "the readings are unusual: novelty 1.000 above 0.99, most of it dissolved_oxygen",
        "the twin does not fit: innovation ratio 3.30 above 3",
    )
    assert after == replace(ladder, failing=1)


def test_what_is_unusual_without_a_signal_says_so(world: SimpleNamespace) -> None:
    strange = replace(world.insight, novelty=0.999, contributions={})
    _, objections = watch(Ladder(Mode.AUTO, ""), world.estimate, strange, (), GATES)
    assert objections == ("the readings are unusual: novelty 0.999 above 0.99, most of it no signal",)


def test_at_its_gate_nothing_is_held_against_auto(world: SimpleNamespace) -> None:
    calm = replace(world.insight, novelty=0.99)
    ladder, objections = watch(Ladder(Mode.AUTO, "", 3.0), replace(world.estimate, nis_dof=0), calm, (), GATES)
    assert (objections, ladder.failing) == ((), 0)


def test_auto_is_given_up_for_the_first_objection_of_the_last_scan(world: SimpleNamespace) -> None:
    ladder = Ladder(Mode.AUTO, "", failing=2)
    after, _ = watch(ladder, world.estimate, world.insight, ("the probe is bad", "the link is down"), GATES)
    assert (after.mode, after.reason, after.failing) == (
        Mode.ADVISORY, "demoted from auto: the probe is bad", 3,
    )  # fmt: skip


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW, Mode.ADVISORY])
def test_only_auto_is_given_up(world: SimpleNamespace, mode: Mode) -> None:
    ladder = Ladder(mode, "as it was", failing=9)
    after, _ = watch(ladder, world.estimate, world.insight, ("the probe is bad",), GATES)
    assert (after.mode, after.reason, after.failing) == (mode, "as it was", 10)


def test_a_refusal_gives_every_reason_and_leaves_the_ladder_alone(world: SimpleNamespace) -> None:
    ladder = Ladder(Mode.SHADOW, "", failing=2)
    same, ruling = climb(ladder, request(world, Mode.ADVISORY), ("DO is bad", "pH is bad"), ("x",), False)
    assert (same, ruling.granted, ruling.reason) == (ladder, False, "advisory is refused: DO is bad; pH is bad")
    assert ruling.intent.mode is Mode.ADVISORY


def test_a_request_is_told_why_it_cannot_be(world: SimpleNamespace) -> None:
    ladder = Ladder(Mode.ADVISORY, "")
    same, ruling = climb(ladder, request(world, Mode.AUTO), (), (), True)
    assert (same, ruling.reason) == (ladder, "auto is refused: this plant is advisory only")
    same, ruling = climb(ladder, request(world, None), (), (), False)
    assert (same, ruling.granted, ruling.reason) == (ladder, False, "the request names no mode")
    assert ruling.intent == request(world, None)


def test_a_grant_says_who_asked_and_why_and_starts_with_full_patience(world: SimpleNamespace) -> None:
    ladder = Ladder(Mode.SHADOW, "", 2.5, 2)
    after, ruling = climb(ladder, request(world, Mode.ADVISORY), (), (), False)
    assert after == Ladder(Mode.ADVISORY, "ada: try", 2.5, 0)
    assert (ruling.granted, ruling.reason) == (True, "the mode is advisory")
    assert ruling.intent == request(world, Mode.ADVISORY)
    silent = replace(request(world, Mode.ADVISORY), reason="")
    assert climb(ladder, silent, (), (), False)[0].reason == "asked by ada"


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.SHADOW, Mode.ADVISORY])
@pytest.mark.parametrize("wanted", list(Mode))
def test_the_gates_of_every_step_up_are_those_of_the_table(world: SimpleNamespace, mode: Mode, wanted: Mode) -> None:
    up = list(Mode).index(wanted) > list(Mode).index(mode)
    for obstacles, objections in (((), ()), ((), ("novelty",)), (("DO is bad",), ("DO is bad",))):
        after, ruling = climb(Ladder(mode, ""), request(world, wanted), obstacles, objections, False)
        against = {Mode.ADVISORY: obstacles, Mode.AUTO: objections}.get(wanted, ())
        assert ruling.granted is not (up and bool(against))
        assert after.mode is (wanted if ruling.granted else mode)
