"""The standing command: renewed on good evidence, dropped for a reason, moved step by step to where it shall rest."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.loop import standing_command
from controller.loop.records import Command, Mode, Move
from controller.loop.standing_command import Terms, still_standing

HOUR = timedelta(hours=1)


def step_to(*arguments: Any) -> tuple[Command | None, bool]:
    return standing_command.ramp(*arguments)[:2]


@pytest.fixture
def terms(world: SimpleNamespace) -> Terms:
    return Terms(Mode.AUTO, (), world.snapshot, world.situation, world.envelope, HOUR / 2, world.plant)


@pytest.fixture
def standing(world: SimpleNamespace) -> Command:
    """0.0015 L/h of precursor where 0.0005 were, commanded two hours ago; a step is 0.0005, the rate 0.001 an hour."""
    move = Move("precursor_feed", 0.0015, "L/h", 0.0005)
    return Command("S1", (move,), world.now - 2 * HOUR, world.now + HOUR / 4, "ada")


def at(terms: Terms, **setpoints: float) -> Terms:
    return replace(terms, situation=replace(terms.situation, setpoints=setpoints))


def values(command: Command | None) -> dict[str, float]:
    return {m.variable: m.value for m in command.moves} if command else {}


def test_nothing_stands_and_nothing_is_said(terms: Terms) -> None:
    assert still_standing(None, terms) == (None, ())


def test_on_good_evidence_the_lease_is_renewed_and_nothing_else(terms: Terms, standing: Command) -> None:
    kept, notes = still_standing(standing, at(terms, precursor_feed=0.0015))
    assert kept == replace(standing, valid_until=terms.snapshot.time + HOUR / 2)
    assert notes == ()


def test_what_stands_against_it_keeps_the_lease_as_it_is(terms: Terms, standing: Command) -> None:
    blind = replace(at(terms, precursor_feed=0.0015), obstacles=("the probe is bad", "the link is down"))
    assert still_standing(standing, blind) == (standing, ("the lease is not renewed: the probe is bad",))


@pytest.mark.parametrize("late", [timedelta(0), HOUR])
def test_a_lease_that_has_run_out_is_not_renewed_however_good_the_evidence(
    terms: Terms, standing: Command, late: timedelta
) -> None:
    ended = replace(standing, valid_until=terms.snapshot.time - late)
    told = "the lease of the command ran out; the plant is on its own recipe"
    assert still_standing(ended, at(terms, precursor_feed=0.0015)) == (None, (told,))


@pytest.mark.parametrize(("phase", "told"), [("harvest", "harvest"), ("", "unknown")])
def test_a_command_ends_with_the_phases_of_its_variables(
    terms: Terms, standing: Command, phase: str, told: str
) -> None:
    there = at(terms, precursor_feed=0.0015)
    ended = replace(there, situation=replace(there.situation, phase=phase))
    assert still_standing(standing, ended) == (None, (f"precursor_feed was given back: the phase is {told}",))
    growing = replace(there, situation=replace(there.situation, phase="growth"))
    assert still_standing(standing, growing)[0] is not None


def test_a_variable_that_has_no_limit_any_more_is_given_back(terms: Terms, standing: Command) -> None:
    bare = replace(at(terms, precursor_feed=0.0015), envelope=replace(terms.envelope, limits=terms.envelope.limits[:1]))
    kept, notes = still_standing(standing, bare)
    assert kept is None
    assert notes == ("precursor_feed was given back: the phase is production",)


@pytest.mark.parametrize("in_force", [0.0015 * (1 + 2e-6), 0.0015 * (1 - 2e-6), 0.0, -0.0015, 1.0])
def test_a_setpoint_that_is_not_in_force_drops_the_command(terms: Terms, standing: Command, in_force: float) -> None:
    kept, notes = still_standing(standing, at(terms, precursor_feed=in_force))
    assert kept is None
    assert notes == (
        f"precursor_feed is {in_force:g} L/h at the plant, not the commanded 0.0015: the command is dropped",
    )


def test_a_setpoint_that_is_no_number_drops_the_command(terms: Terms, standing: Command) -> None:
    assert still_standing(standing, at(terms, precursor_feed=math.nan))[0] is None


@pytest.mark.parametrize("in_force", [0.0015, 0.0015 * (1 + 5e-7), 0.0015 * (1 - 5e-7)])
def test_a_setpoint_that_differs_by_its_last_digits_is_in_force(
    terms: Terms, standing: Command, in_force: float
) -> None:
    assert still_standing(standing, at(terms, precursor_feed=in_force))[0] is not None


def test_a_setpoint_of_nothing_is_in_force_at_nothing(terms: Terms, standing: Command) -> None:
    closed = replace(standing, moves=(replace(standing.moves[0], value=0.0),))
    assert still_standing(closed, at(terms, precursor_feed=0.0))[0] is not None
    assert still_standing(closed, at(terms, precursor_feed=1e-9))[0] is None


def test_every_move_of_the_command_is_looked_at(terms: Terms, standing: Command) -> None:
    both = replace(standing, moves=(Move("feed", 0.04, "L/h", 0.042), *standing.moves))
    assert still_standing(both, at(terms, feed=0.04, precursor_feed=0.0015))[0] is not None
    for setpoints in ({"feed": 0.042, "precursor_feed": 0.0015}, {"feed": 0.04, "precursor_feed": 0.0005}):
        assert still_standing(both, at(terms, **setpoints))[0] is None
    growing = at(terms, feed=0.04, precursor_feed=0.0015)
    growing = replace(growing, situation=replace(growing.situation, phase="growth"))
    assert still_standing(both, growing)[1] == ("feed was given back: the phase is growth",)


def test_a_setpoint_that_is_not_known_makes_no_other_command_of_it(terms: Terms, standing: Command) -> None:
    kept, _ = still_standing(standing, at(terms))
    assert kept is None or kept.moves == standing.moves


def test_a_hold_goes_one_step_towards_its_target_and_has_not_arrived(terms: Terms, standing: Command) -> None:
    command, arrived = step_to(
        standing, "hold", {"precursor_feed": 0.0002}, "hold by ada", at(terms, precursor_feed=0.0015)
    )
    now = terms.snapshot.time
    move = Move("precursor_feed", pytest.approx(0.001), "L/h", 0.0015)
    assert command == Command(f"hold-{now:%Y%m%dT%H%M%S}", (move,), now, now + HOUR / 2, "hold by ada", "hold")
    assert not arrived


def test_a_step_keeps_to_the_rate_since_the_command_before(terms: Terms, standing: Command) -> None:
    recent = replace(standing, issued_at=terms.snapshot.time - HOUR / 4)
    command, _ = step_to(recent, "hold", {"precursor_feed": 0.0002}, "hold", at(terms, precursor_feed=0.0015))
    assert values(command) == {"precursor_feed": pytest.approx(0.00125)}


def test_what_is_in_force_where_it_shall_rest_has_arrived(terms: Terms, standing: Command) -> None:
    command, arrived = step_to(standing, "hold", {"precursor_feed": 0.0015}, "hold", at(terms, precursor_feed=0.0015))
    assert arrived
    assert command == replace(standing, purpose="hold")


def test_without_a_command_a_hold_moves_only_what_is_elsewhere(terms: Terms) -> None:
    there = at(terms, feed=0.042, precursor_feed=0.0005)
    command, arrived = step_to(None, "hold", {"feed": 0.042, "precursor_feed": 0.0002}, "hold", there)
    assert values(command) == {"precursor_feed": 0.0002}
    assert command is not None
    assert command.moves[0].previous == 0.0005
    nothing, arrived = step_to(None, "hold", {"feed": 0.042, "precursor_feed": 0.0005}, "hold", there)
    assert (nothing, arrived) == (None, True)


def test_a_target_outside_the_range_is_the_edge_of_it(terms: Terms) -> None:
    command, _ = step_to(None, "hold", {"feed": 0.01}, "hold", at(terms, feed=0.037))
    assert values(command) == {"feed": 0.035}
    for target, edge in ((0.01, 0.035), (0.09, 0.045)):
        _, arrived = step_to(None, "hold", {"feed": target}, "hold", at(terms, feed=edge))
        assert arrived


def test_one_variable_on_its_way_is_not_arrived_whatever_the_others_are(terms: Terms) -> None:
    there = at(terms, feed=0.042, precursor_feed=0.002)
    for targets in (
        {"feed": 0.042, "precursor_feed": 0.0},
        {"feed": 0.036, "precursor_feed": 0.002},
    ):
        assert step_to(None, "hold", targets, "hold", there)[1] is False


def test_what_is_commanded_already_stays_in_the_command_while_others_move(terms: Terms, standing: Command) -> None:
    command, _ = step_to(standing, "hold", {"feed": 0.036}, "hold", at(terms, feed=0.04, precursor_feed=0.0015))
    assert values(command) == {"precursor_feed": 0.0015, "feed": 0.036}


@pytest.mark.parametrize("lost", ["present", "target", "phase", "range"])
def test_what_may_not_be_moved_stays_where_it_is(terms: Terms, lost: str) -> None:
    there = at(terms, feed=0.042, precursor_feed=0.0015)
    targets = {"precursor_feed": 0.0002}
    if lost == "present":
        there = at(terms, precursor_feed=math.nan)
    if lost == "target":
        targets = {"precursor_feed": math.nan}
    if lost == "phase":
        there = replace(there, situation=replace(there.situation, phase="harvest"))
    if lost == "range":
        there = at(terms, precursor_feed=0.9)
    assert step_to(None, "hold", targets, "hold", there)[0] is None


def test_what_may_not_be_moved_keeps_no_other_from_moving(terms: Terms) -> None:
    for setpoints in ({"precursor_feed": 0.0005}, {"feed": 0.9, "precursor_feed": 0.0005}):
        targets = {"feed": 0.036, "precursor_feed": 0.0002}
        command, _ = step_to(None, "hold", targets, "hold", at(terms, **setpoints))
        assert values(command) == {"precursor_feed": 0.0002}


@pytest.mark.parametrize("purpose", ["hold", "restart", "handback"])
def test_while_something_stands_against_it_the_command_is_left_alone(
    terms: Terms, standing: Command, purpose: str
) -> None:
    blind = replace(at(terms, precursor_feed=0.0015), obstacles=("the probe is bad",))
    assert step_to(standing, purpose, {"precursor_feed": 0.0002}, "x", blind) == (standing, False)
    assert step_to(None, purpose, {"precursor_feed": 0.0002}, "x", blind)[0] is None


def test_a_handback_steps_towards_the_plants_own_setpoint(terms: Terms, standing: Command) -> None:
    command, arrived = step_to(standing, "handback", {"precursor_feed": 0.0002}, "x", at(terms, precursor_feed=0.0015))
    assert (values(command), arrived) == ({"precursor_feed": pytest.approx(0.001)}, False)
    assert command is not None
    assert command.purpose == "handback"


@pytest.mark.parametrize("local", [0.001, 0.0011, 0.002])
def test_a_handback_within_a_step_of_the_plants_own_setpoint_is_done(
    terms: Terms, standing: Command, local: float
) -> None:
    there = at(terms, precursor_feed=0.0015)
    assert step_to(standing, "handback", {"precursor_feed": local}, "x", there) == (None, True)


def test_a_handback_leaves_alone_what_was_never_taken(terms: Terms, standing: Command) -> None:
    there = at(terms, feed=0.045, precursor_feed=0.0015)
    command, _ = step_to(standing, "handback", {"feed": 0.035, "precursor_feed": 0.0002}, "x", there)
    assert set(values(command)) == {"precursor_feed"}
    assert step_to(standing, "handback", {"feed": 0.035, "precursor_feed": 0.0015}, "x", there) == (None, True)


def test_a_handback_of_two_ends_when_both_are_near(terms: Terms, standing: Command) -> None:
    both = replace(standing, moves=(Move("feed", 0.045, "L/h", 0.042), *standing.moves))
    there = at(terms, feed=0.045, precursor_feed=0.0015)
    command, arrived = step_to(both, "handback", {"feed": 0.044, "precursor_feed": 0.0002}, "x", there)
    assert not arrived
    assert values(command) == {"feed": 0.045, "precursor_feed": pytest.approx(0.001)}
    assert step_to(both, "handback", {"feed": 0.044, "precursor_feed": 0.0014}, "x", there) == (None, True)


def test_without_a_command_there_is_nothing_to_hand_back(terms: Terms) -> None:
    there = at(terms, precursor_feed=0.002)
    assert step_to(None, "handback", {"precursor_feed": 0.0}, "x", there) == (None, True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    present=st.floats(0.03, 0.05),
    target=st.floats(0.0, 0.1),
    minutes=st.floats(0.0, 120.0),
    purpose=st.sampled_from(["hold", "restart", "handback"]),
)
def test_whatever_the_target_a_step_stays_in_the_limits_and_brings_it_no_further(
    terms: Terms, present: float, target: float, minutes: float, purpose: str
) -> None:
    now = terms.snapshot.time
    before = Command("S1", (Move("feed", present, "L/h", present),), now - timedelta(minutes=minutes), now + HOUR, "a")
    command, _ = step_to(before, purpose, {"feed": target}, "x", at(terms, feed=present))
    value = values(command).get("feed", present)
    goal = min(max(target, 0.035), 0.045)
    assert value == present or 0.035 <= value <= 0.045
    assert abs(value - present) <= min(0.005, 0.01 * minutes / 60.0) + 1e-10  # times are of microseconds
    assert abs(value - goal) <= abs(present - goal)


def course(terms: Terms, targets: dict[str, float], scans: int) -> list[Any]:
    """The precursor feed scan by scan, on a plant that obeys."""
    command, there, found = None, at(terms, precursor_feed=0.002), []
    for k in range(scans):
        time = terms.snapshot.time + k * timedelta(minutes=5)
        there = replace(there, snapshot=replace(there.snapshot, time=time))
        command, _ = step_to(command, "hold", targets, "hold", there)
        found.append(values(command)["precursor_feed"])
        there = at(there, **values(command))
    return found


def test_scan_by_scan_a_hold_comes_to_its_target_and_stays_there(terms: Terms) -> None:
    found = course(terms, {"precursor_feed": 0.0002}, 40)
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(0.0002)
    assert found[5] > 0.0005


def test_a_hold_stands_to_the_end_of_its_lease_and_not_beyond(terms: Terms, standing: Command) -> None:
    held = replace(standing, purpose="hold")
    elsewhere = at(terms, precursor_feed=0.0003)  # a suggestion would be dropped for that
    assert still_standing(held, elsewhere) == (held, ())
    ended = replace(held, valid_until=terms.snapshot.time)
    assert still_standing(ended, elsewhere)[0] is None


def test_without_a_command_there_is_nothing_to_hand_back_whatever_stands_against_it(terms: Terms) -> None:
    blind = replace(terms, obstacles=("the probe is bad",))
    assert standing_command.ramp(None, "handback", {"precursor_feed": 0.0}, "ada", blind) == (None, True, ())


def test_what_the_gate_keeps_is_not_waited_for_unless_it_was_commanded(terms: Terms, standing: Command) -> None:
    spent = tuple(replace(limit, allowance=0.01) for limit in terms.envelope.limits)
    fed = replace(terms.situation, setpoints={"precursor_feed": 0.0015}, fed={"precursor_feed": 0.02})
    terms = replace(terms, envelope=replace(terms.envelope, limits=spent), situation=fed)
    assert standing_command.ramp(None, "restart", {"precursor_feed": 0.0005}, "ada", terms).arrived is True
    assert standing_command.ramp(standing, "restart", {"precursor_feed": 0.0005}, "ada", terms).arrived is False
