"""Safety refuses by default, holds to limits and gives its reasons."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.loop.envelope import Bound, beyond
from controller.loop.records import Abstention, Command, Move, Narrowing, Verdict
from controller.loop.safety import admit
from twin.records import Band, Forecast
from twin.signals import Quality


def judged(world: SimpleNamespace, **changed: object) -> Verdict:
    given_ = {
        "proposal": world.proposal,
        "snapshot": world.snapshot,
        "baseline": world.baseline,
        "proposed": world.proposed,
        "envelope": world.envelope,
        "plant": world.plant,
        "situation": world.situation,
        **changed,
    }
    return admit(**given_)


def moved(world: SimpleNamespace, variable: str, value: float, unit: str = "L/h") -> Verdict:
    return judged(world, proposal=replace(world.proposal, moves=(Move(variable, value, unit, 0.0005),)))


def test_a_sound_proposal_is_admitted_as_it_is(world: SimpleNamespace) -> None:
    verdict = judged(world)
    assert verdict.admitted
    assert verdict.moves == (Move("precursor_feed", 0.001, "L/h", 0.0005),)
    assert verdict.narrowed == verdict.refusals == ()


def test_an_abstention_is_not_a_proposal(world: SimpleNamespace) -> None:
    verdict = judged(world, proposal=Abstention(world.now, "no gain"))
    assert not verdict.admitted
    assert verdict == Verdict((), (), ("nothing is proposed: no gain",))


def test_a_step_is_held_to_the_largest_one_from_the_setpoint_in_force(world: SimpleNamespace) -> None:
    verdict = moved(world, "precursor_feed", 0.0019)
    assert verdict.moves[0].value == pytest.approx(0.001)
    told = "held to a step of 0.0005 L/h from 0.0005"
    assert verdict.narrowed == (Narrowing("precursor_feed", 0.0019, 0.001, told),)


@pytest.mark.parametrize(("hours", "granted"), [(0.25, 0.00075), (0.5, 0.001), (3.0, 0.001)])
def test_successive_commands_are_held_to_the_rate(world: SimpleNamespace, hours: float, granted: float) -> None:
    issued = world.now - timedelta(hours=hours)
    standing = Command("S0", world.proposal.moves, issued, world.now + timedelta(hours=1), "ada")
    assert judged(world, standing=standing).moves[0].value == pytest.approx(granted)
    other = replace(standing, moves=(Move("feed", 0.042, "L/h", 0.04),), issued_at=world.now)
    assert judged(world, standing=other).moves[0].value == 0.001


@pytest.mark.parametrize("ahead_s", [0.0, 60.0])
def test_a_variable_moved_this_instant_is_not_moved_again(world: SimpleNamespace, ahead_s: float) -> None:
    issued = world.now + timedelta(seconds=ahead_s)
    standing = Command("S0", world.proposal.moves, issued, world.now + timedelta(hours=1), "ada")
    verdict = judged(world, standing=standing)
    assert verdict.refusals == ("precursor_feed stays at 0.0005 L/h: held to a step of 0 L/h from 0.0005",)


def test_a_move_to_where_it_is_already_is_refused(world: SimpleNamespace) -> None:
    assert moved(world, "precursor_feed", 0.0005).refusals == (
        "precursor_feed stays at 0.0005 L/h: it is there already",
    )


@pytest.mark.parametrize(("asked", "held"), [(0.0451, 0.045), (0.0349, 0.035)])
def test_a_move_is_held_to_the_range(world: SimpleNamespace, asked: float, held: float) -> None:
    at_edge = replace(world.situation, setpoints={"feed": 0.040, "precursor_feed": 0.0005})
    wide = replace(world.envelope, limits=tuple(replace(x, max_step=1.0) for x in world.envelope.limits))
    proposal = replace(world.proposal, moves=(Move("feed", asked, "L/h", 0.04),))
    verdict = judged(world, proposal=proposal, situation=at_edge, envelope=wide)
    assert verdict.moves[0].value == held
    assert verdict.narrowed[0].reason == "held to [0.035, 0.045] L/h"
    assert verdict.moves[0].previous == 0.040


@pytest.mark.parametrize(
    ("variable", "value", "unit", "sentence"),
    [
        ("agitation", 30.0, "W", "agitation has no limits configured, so it is never written"),
        ("precursor_feed", math.nan, "L/h", "precursor_feed would be set to nan, which is not a number"),
        ("precursor_feed", math.inf, "L/h", "precursor_feed would be set to inf, which is not a number"),
        ("precursor_feed", 0.001, "mL/h", "precursor_feed is proposed in mL/h and limited in L/h"),
    ],
)
def test_a_move_that_makes_no_sense_is_refused(
    world: SimpleNamespace, variable: str, value: float, unit: str, sentence: str
) -> None:
    verdict = moved(world, variable, value, unit)
    assert verdict.refusals == (sentence,)
    assert verdict.moves == ()


def test_one_bad_move_refuses_the_whole_suggestion(world: SimpleNamespace) -> None:
    moves = (*world.proposal.moves, Move("agitation", 30.0, "W", 20.0))
    verdict = judged(world, proposal=replace(world.proposal, moves=moves))
    assert verdict.moves == ()
    assert not verdict.admitted


def test_feed_moves_only_in_its_phase(world: SimpleNamespace) -> None:
    proposal = replace(world.proposal, moves=(Move("feed", 0.044, "L/h", 0.042),))
    growing = replace(world.situation, phase="growth")
    assert judged(world, proposal=proposal).admitted
    refused = judged(world, proposal=proposal, situation=growing)
    assert refused.refusals == ("feed may be moved in production, and the batch is in growth",)
    unknown = judged(world, proposal=proposal, situation=replace(world.situation, phase=""))
    assert unknown.refusals == ("feed may be moved in production, and the batch is in no phase",)


@pytest.mark.parametrize(("phases", "told"), [(("growth", "feed"), "growth, feed"), ((), "no phase")])
def test_where_a_variable_may_be_moved_is_told(world: SimpleNamespace, phases: tuple[str, ...], told: str) -> None:
    limits = tuple(replace(x, phases=phases) for x in world.envelope.limits)
    verdict = judged(world, envelope=replace(world.envelope, limits=limits))
    assert verdict.refusals == (f"precursor_feed may be moved in {told}, and the batch is in production",)


@pytest.mark.parametrize("setpoints", [{}, {"precursor_feed": math.nan}])
def test_a_move_from_an_unknown_setpoint_is_refused(world: SimpleNamespace, setpoints: dict[str, float]) -> None:
    verdict = judged(world, situation=replace(world.situation, setpoints=setpoints))
    assert verdict.refusals == ("the setpoint in force of precursor_feed is not known",)


@pytest.mark.parametrize("quality", [Quality.UNCERTAIN, Quality.BAD])
def test_evidence_that_is_not_good_refuses(
    world: SimpleNamespace, with_reading: Callable[..., object], quality: Quality
) -> None:
    verdict = judged(world, snapshot=with_reading("dissolved_oxygen", world.reading(quality=quality)))
    assert verdict.refusals == (f"dissolved_oxygen is {quality.name.lower()}: made so",)


def test_evidence_that_is_absent_stale_or_not_a_number_refuses(
    world: SimpleNamespace, with_reading: Callable[..., object]
) -> None:
    absent = judged(world, snapshot=with_reading("dissolved_oxygen", None))
    assert absent.refusals == ("dissolved_oxygen has no reading",)
    stale = judged(world, snapshot=with_reading("dissolved_oxygen", world.reading(age_s=901.0)))
    assert stale.refusals == ("dissolved_oxygen is older than 900 s",)
    assert judged(world, snapshot=with_reading("dissolved_oxygen", world.reading(age_s=900.0))).admitted
    nan = judged(world, snapshot=with_reading("dissolved_oxygen", world.reading(math.nan)))
    assert nan.refusals == ("dissolved_oxygen is good: not a number",)
    ageless = judged(world, snapshot=with_reading("dissolved_oxygen", replace(world.reading(), time=None)))
    assert ageless.refusals == ("dissolved_oxygen is older than 900 s",)


def test_an_expired_or_future_suggestion_is_refused(world: SimpleNamespace) -> None:
    late = replace(world.proposal, expires_at=world.now)
    early = replace(world.proposal, made_at=world.now + timedelta(seconds=1))
    assert judged(world, proposal=late).refusals == ("the suggestion was valid until 2026-01-03 12:00",)
    assert not judged(world, proposal=early).admitted


def test_any_fault_refuses_and_is_told(world: SimpleNamespace) -> None:
    verdict = judged(world, situation=replace(world.situation, faults=("the link is not synchronised",)))
    assert verdict.refusals == ("the link is not synchronised",)


def test_nothing_is_ever_admitted_for_an_advisory_plant(world: SimpleNamespace) -> None:
    verdict = judged(world, plant=replace(world.plant, advisory_only=True))
    assert verdict.refusals == ("this plant is advisory only: nothing is ever written to it",)


def test_a_plan_that_leaves_the_envelope_is_refused_with_the_number(world: SimpleNamespace) -> None:
    low = judged(world, proposed=world.forecast(low=19.9))
    assert low.refusals == ("dissolved_oxygen would fall to 19.9 %, below 20",)
    high = judged(world, proposed=world.forecast(high=121.0))
    assert high.refusals == ("dissolved_oxygen would rise to 121 %, above 120",)
    assert judged(world, proposed=world.forecast(low=20.0, high=120.0)).admitted


def test_a_plan_that_leaves_the_envelope_less_than_doing_nothing_is_not_refused_for_it(
    world: SimpleNamespace,
) -> None:
    assert judged(world, baseline=world.forecast(low=10.0), proposed=world.forecast(low=15.0)).admitted
    assert not judged(world, baseline=world.forecast(low=15.0), proposed=world.forecast(low=10.0)).admitted
    assert judged(world, baseline=world.forecast(high=140.0), proposed=world.forecast(high=130.0)).admitted


@pytest.mark.parametrize(
    ("baseline", "proposed", "refused"),
    [
        # Either way it ends at nothing, and which of them ends lower is chance; the plan's hours above it count.
        ((12.0, 1e-9, 1e-9), (12.0, 8.0, 1e-12), False),
        ((12.0, 1e-9, 1e-9), (12.0, 1e-9, 1e-12), True),  # no better at any hour
        ((12.0, 5.0, 5.0), (19.0, 19.0, 4.81), False),  # deeper by less than a hundredth of the bound
        ((12.0, 5.0, 5.0), (19.0, 19.0, 4.79), True),  # and by more
        ((12.0, 5.0, 5.0), (12.0, 5.2, 4.8), True),  # as far beyond it on the whole
        ((20.0, 20.0, 20.0), (50.0, 50.0, 19.99), True),  # doing nothing keeps the bound
        ((130.0, 130.0, 130.0), (121.0, 121.0, 131.19), False),  # above the upper bound likewise
        ((130.0, 130.0, 130.0), (121.0, 121.0, 131.21), True),
    ],
)
def test_who_is_beyond_a_bound_anyway_may_take_the_plan_that_is_beyond_it_less(
    world: SimpleNamespace, baseline: tuple[float, ...], proposed: tuple[float, ...], refused: bool
) -> None:
    times = tuple(world.now + timedelta(hours=h) for h in (0.0, 1.0, 2.0))

    def forecast(oxygen: tuple[float, ...]) -> Forecast:
        return replace(world.proposed, times=times, bands={"dissolved_oxygen": Band(*[oxygen] * 5)})

    envelope = replace(world.envelope, bounds=world.envelope.bounds[:1])
    verdict = judged(world, envelope=envelope, baseline=forecast(baseline), proposed=forecast(proposed))
    assert bool(verdict.refusals) is refused


def test_deeper_by_just_what_nobody_notices_is_not_deeper(world: SimpleNamespace) -> None:
    times = tuple(world.now + timedelta(hours=h) for h in (0.0, 1.0, 2.0))
    envelope = replace(world.envelope, bounds=(Bound("dissolved_oxygen", "%", 100.0, 200.0),))

    def forecast(*oxygen: float) -> Forecast:
        return replace(world.proposed, times=times, bands={"dissolved_oxygen": Band(*[oxygen] * 5)})

    baseline = forecast(100.0, 90.0, 90.0)
    assert judged(world, envelope=envelope, baseline=baseline, proposed=forecast(100.0, 100.0, 89.0)).admitted
    assert not judged(world, envelope=envelope, baseline=baseline, proposed=forecast(100.0, 100.0, 88.9)).admitted


def test_a_horizon_ends_to_the_second(world: SimpleNamespace) -> None:
    bound = replace(world.envelope.bounds[0], horizon_h=2.0)
    for seconds, near in ((7200.0, 2), (7201.0, 1)):
        times = (world.now, world.now + timedelta(seconds=seconds))
        forecast = replace(world.proposed, times=times, bands={"dissolved_oxygen": Band(*[(15.0, 125.0)] * 5)})
        assert beyond(forecast, bound) == ([5.0, 0.0][:near], [0.0, 5.0][:near])


@pytest.mark.parametrize(("horizon_h", "refused"), [(0.5, False), (2.0, False), (3.0, True), (math.inf, True)])
def test_a_bound_with_a_horizon_judges_no_further_than_that(
    world: SimpleNamespace, horizon_h: float, refused: bool
) -> None:
    bound = replace(world.envelope.bounds[0], horizon_h=horizon_h)
    envelope = replace(world.envelope, bounds=(bound,))
    times = tuple(world.now + timedelta(hours=h) for h in (1.0, 3.0))

    def forecast(*oxygen: float) -> Forecast:
        return replace(world.proposed, times=times, bands={"dissolved_oxygen": Band(*[oxygen] * 5)})

    verdict = judged(world, envelope=envelope, baseline=forecast(50.0, 50.0), proposed=forecast(50.0, 15.0))
    assert bool(verdict.refusals) is refused
    near = judged(world, envelope=envelope, baseline=forecast(50.0, 50.0), proposed=forecast(15.0, 50.0))
    assert near.refusals == ("dissolved_oxygen would fall to 15 %, below 20",)  # the first hour always counts


def test_a_forecast_that_is_missing_or_not_finite_refuses(world: SimpleNamespace) -> None:
    without = replace(world.proposed, bands={})
    sentence = "no forecast of dissolved_oxygen, which has bounds"
    assert judged(world, proposed=without).refusals == (sentence,)
    assert judged(world, baseline=without).refusals == (sentence,)
    broken = replace(world.proposed, bands={"dissolved_oxygen": Band((1.0,), (math.nan,), (1.0,), (1.0,), (1.0,))})
    assert judged(world, proposed=broken).refusals == ("the forecast of dissolved_oxygen is not finite",)
    empty = replace(world.proposed, bands={"dissolved_oxygen": Band((), (), (), (), ())})
    assert judged(world, proposed=empty).refusals == ("the forecast of dissolved_oxygen is not finite",)


@pytest.mark.parametrize(
    ("oxygen", "told"),
    [
        ({}, "no forecast of dissolved_oxygen, which has bounds"),
        ({"dissolved_oxygen": Band(*[(math.nan,)] * 5)}, "the forecast of dissolved_oxygen is not finite"),
    ],
)
def test_one_faulty_forecast_hides_no_other_bound(world: SimpleNamespace, oxygen: dict[str, Band], told: str) -> None:
    envelope = replace(world.envelope, bounds=(*world.envelope.bounds, Bound("volume", "L", 0.0, 120.0)))
    half, over = ({"volume": Band(*[(volume,)] * 5)} for volume in (60.0, 130.0))
    baseline = replace(world.baseline, bands={**world.baseline.bands, **half})
    verdict = judged(world, envelope=envelope, baseline=baseline, proposed=replace(world.proposed, bands=oxygen | over))
    assert verdict.refusals == (told, "volume would rise to 130 L, above 120")


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.floats(),
    present=st.floats(),
    reading=st.floats(),
    quality=st.sampled_from(Quality),
    age_s=st.floats(-1e4, 1e4),
    low=st.floats(),
    high=st.floats(),
    phase=st.sampled_from(["growth", "production", "complete", ""]),
)
def test_whatever_comes_in_nothing_outside_the_limits_comes_out(
    world: SimpleNamespace,
    with_reading: Callable[..., object],
    asked: float,
    present: float,
    reading: float,
    quality: Quality,
    age_s: float,
    low: float,
    high: float,
    phase: str,
) -> None:
    limit = world.envelope.limits[0]
    verdict = judged(
        world,
        proposal=replace(world.proposal, moves=(Move("feed", asked, "L/h", present),)),
        snapshot=with_reading("dissolved_oxygen", world.reading(reading, quality=quality, age_s=age_s)),
        proposed=world.forecast(low, high),
        situation=replace(world.situation, phase=phase, setpoints={"feed": present}),
    )
    for move in verdict.moves:
        assert limit.low <= move.value <= limit.high
        assert math.isfinite(reading) and quality is Quality.GOOD and age_s <= 900.0
        assert phase == "production"
        assert math.isfinite(present)
