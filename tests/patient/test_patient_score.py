"""The stability score and its trigger: the worked example, what must hold for every arm, and what must not matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.patient.advice.stability import CHANNELS, Stability, advance
from controller.patient.advice.trigger import Trigger, step_trigger
from controller.patient.advice.watch import Watch, observe
from controller.patient.simulated import simulate

Scored = Callable[[Sequence[Sequence[float | None]]], tuple[list[float], list[int]]]
SEEDS = range(20)
DAY_5, DAY_8, RELAPSE = 16, 28, 30

# The worked example: the responder of seed 42.
EXAMPLE = """
.395 .325 .314 .339 .314 .330 .361 .369 .363 .352 .385 .421 .450 .472 .508 .486 .523 .536 .550 .572
.601 .622 .627 .640 .678 .687 .695 .703 .700 .689 .717 .728 .734 .750 .754 .757 .768 .762 .749 .769
"""


def test_seed_42_scores_as_in_the_worked_example(scored: Scored) -> None:
    scores, fired = scored(simulate("responder", 42).rows)
    assert scores == pytest.approx([float(x) for x in EXAMPLE.split()], abs=5.1e-4)
    assert fired == [3, 7, 11]  # 18 h on days 1, 2 and 3


def _fired(scored: Scored, arm: str) -> list[list[int]]:
    return [scored(simulate(arm, seed).rows)[1] for seed in SEEDS]


def _share(claims: Sequence[bool]) -> float:
    return sum(claims) / len(claims)


def test_a_responder_is_reviewed_in_the_first_days_and_left_alone_after_day_7(scored: Scored) -> None:
    fired = _fired(scored, "responder")
    assert _share([not any(k >= DAY_8 for k in f) for f in fired]) >= 0.95
    assert _share([any(k < DAY_5 for k in f) for f in fired]) >= 0.95
    slopes = [np.polyfit(range(40), scored(simulate("responder", s).rows)[0], 1)[0] for s in SEEDS]
    assert _share([slope > 0 for slope in slopes]) >= 0.95


def test_a_non_responder_is_hardly_ever_left_alone(scored: Scored) -> None:
    assert _share([not any(k >= DAY_8 for k in f) for f in _fired(scored, "non-responder")]) <= 0.05


def test_a_relapse_is_seen_within_24_hours(scored: Scored) -> None:
    assert _share([any(RELAPSE <= k <= RELAPSE + 4 for k in f) for f in _fired(scored, "relapse")]) >= 0.95


def test_a_healthy_person_is_left_alone(scored: Scored) -> None:
    assert _share([bool(f) for f in _fired(scored, "healthy")]) <= 0.05


def test_shuffled_in_time_the_responders_rows_are_not_silent_after_day_7(scored: Scored) -> None:
    """The silence is earned by the readings, not by the calendar."""
    silent = []
    for seed in range(60):
        rows = np.random.default_rng(seed).permutation(simulate("responder", seed).rows)
        silent.append(not any(k >= DAY_8 for k in scored(rows)[1]))
    assert _share(silent) <= 0.05


@pytest.mark.parametrize("change", [3, 17, 39])
def test_what_comes_later_never_changes_an_earlier_score(scored: Scored, change: int) -> None:
    rows = np.array(simulate("responder", 1).rows)
    altered = rows.copy()
    altered[change:] = (9.0, 3.0, 2.5)
    assert scored(altered)[0][:change] == scored(rows)[0][:change]
    assert scored(altered)[0][change] != scored(rows)[0][change]


def test_the_score_is_the_same_whatever_the_day_it_begins_on(scored: Scored) -> None:
    """A prefix of steady rows that leaves the filter where it was delays everything and changes nothing else."""
    steady = [(3.0, 8.0, 8.0)] * 60
    late = [(3.0, 8.0, 8.0)] * 100
    rows = list(simulate("non-responder", 2).rows)
    early_fired = [k - 60 for k in scored(steady + rows)[1]]
    late_fired = [k - 100 for k in scored(late + rows)[1]]
    assert early_fired == late_fired != []


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(1, 10),
            st.none() | st.floats(0, 24),
            st.none() | st.floats(1, 10),
        ),
        max_size=30,
    )
)
def test_the_score_stays_between_0_and_1_whatever_is_missing(rows: list[tuple[float | None, ...]]) -> None:
    watch = Watch()
    for row in rows:
        watch, value, components = observe(watch, dict(zip(CHANNELS, row, strict=True)))
        assert 0.0 <= value <= 1.0
        assert all(0.0 <= components[name] <= 1.0 for name in "DVNA")


def test_there_is_no_score_before_every_channel_was_seen_once() -> None:
    state, score = advance(Stability(), {"stress": 5.0, "sleep": 7.0, "mood": None})
    assert score is None
    assert advance(state, {"stress": None, "sleep": None, "mood": 5.0})[1] is not None


def test_a_sample_without_any_channel_leaves_the_score_where_it_was() -> None:
    watch, before, _ = observe(Watch(), {"stress": 5.0, "sleep": 7.0, "mood": 5.0})
    assert observe(watch, {"stress": None, "sleep": None, "mood": None})[1] == before


def test_a_value_that_cannot_be_is_treated_as_missing() -> None:
    watch, _, _ = observe(Watch(), {"stress": 5.0, "sleep": 7.0, "mood": 5.0})
    impossible = observe(watch, {"stress": 5.0, "sleep": 7.0, "mood": 55.0})
    assert impossible[1:] == observe(watch, {"stress": 5.0, "sleep": 7.0, "mood": None})[1:]


def test_a_given_novelty_takes_the_place_of_the_filters_own_surprise() -> None:
    reading = {"stress": 5.0, "sleep": 7.0, "mood": 5.0}
    state, _ = advance(Stability(), reading)
    calm, odd = (advance(state, reading, novelty)[1] for novelty in (0.1, 0.9))
    assert calm is not None and odd is not None
    assert (calm.components["N"], odd.components["N"]) == pytest.approx((0.0, 0.8))
    assert odd.value < calm.value


def _watched(scores: Sequence[float]) -> list[str]:
    trigger, said = Trigger(), []
    for score in scores:
        trigger, firing = step_trigger(trigger, score)
        said.append(firing.rule if firing else "")
    return said


def test_the_low_rule_needs_two_samples_below_a_half_and_not_the_first_two() -> None:
    assert _watched([0.4, 0.4, 0.4, 0.4]) == ["", "", "", "low"]
    assert _watched([0.6, 0.6, 0.6, 0.49, 0.51, 0.49]) == [""] * 6


def test_the_fall_rule_needs_more_than_012_within_48_hours_ending_below_060() -> None:
    assert _watched([0.70, 0.70, 0.57]) == ["", "", "fall"]
    assert _watched([0.80, 0.80, 0.65]) == ["", "", ""]
    assert _watched([0.66, 0.66, 0.55]) == ["", "", ""]
    assert _watched([0.70, *[0.585] * 8]) == [""] * 9


def test_the_fall_is_measured_from_the_highest_of_the_last_nine_scores() -> None:
    slow = [0.70, 0.66, 0.64, 0.63, 0.62, 0.61, 0.60, 0.595, 0.57]
    assert _watched(slow)[-1] == "fall"
    assert _watched([0.70, *slow[1:-1], 0.60, 0.57])[-1] == ""


def test_there_is_at_most_one_review_in_24_hours() -> None:
    assert [k for k, rule in enumerate(_watched([0.3] * 12)) if rule] == [3, 7, 11]


def test_an_episode_closes_when_the_score_has_recovered() -> None:
    trigger = Trigger()
    episodes = []
    for score in [0.4, 0.4, 0.4, 0.4, 0.55, 0.59, 0.60, 0.55]:
        trigger, _ = step_trigger(trigger, score)
        episodes.append(trigger.episode)
    assert episodes == [False, False, False, True, True, True, False, False]
