"""The simulated patient: Table 1 as printed, and generated rows that anybody can generate again."""

from __future__ import annotations

import numpy as np
import pytest

from controller.patient.simulated import TABLE_1, Arm, simulate

# Nozari 2025, Table 1, copied a second time and independently of the module.
PRINTED = """
6.383214 7.635504 4.948109152
8.485732 7.534536 4.797958343
7.300616 6.815783 4.852917519
5.236169 6.925254 4.925334673
6.679836 4.487774 5.152803059
6.601456 7.218505 5.032203282
4.630551 7.189571 4.997232042
6.720424 6.626249 5.202021494
6.396266 5.562589 5.259761568
7.40039 6.074705 5.418286278
"""
WITH_TABLE_1 = (Arm.RESPONDER, Arm.PARTIAL, Arm.NON_RESPONDER, Arm.SIDE_EFFECT, Arm.RELAPSE)
WITHOUT_TABLE_1 = (Arm.RESPONDER_SIMULATED, Arm.DELAYED, Arm.HEALTHY, Arm.PERMUTED)


def test_table_1_stands_as_it_was_printed() -> None:
    assert TABLE_1 == tuple(tuple(map(float, line.split())) for line in PRINTED.strip().splitlines())


def test_the_statistics_of_table_1_are_those_of_ten_noisy_samples() -> None:
    assert np.mean(TABLE_1, axis=0) == pytest.approx([6.584, 6.607, 5.059], abs=6e-4)
    assert np.std(TABLE_1, axis=0, ddof=1) == pytest.approx([1.082, 0.980, 0.196], abs=6e-4)


@pytest.mark.parametrize("arm", WITH_TABLE_1)
def test_the_first_ten_rows_of_a_treated_arm_are_table_1_and_said_to_be(arm: Arm) -> None:
    course = simulate(arm, 11)
    assert course.rows[:10] == TABLE_1
    assert course.published == 10


@pytest.mark.parametrize("arm", WITHOUT_TABLE_1)
def test_other_arms_are_generated_from_the_first_row_and_said_to_be(arm: Arm) -> None:
    course = simulate(arm, 11)
    assert course.published == 0
    assert not set(course.rows) & set(TABLE_1)


@pytest.mark.parametrize("arm", Arm)
def test_a_seed_gives_the_same_forty_rows_within_their_scales_every_time(arm: Arm) -> None:
    course = simulate(arm, 3)
    assert course == simulate(str(arm), 3)
    assert course.rows[10:] != simulate(arm, 4).rows[10:]
    stress, sleep, mood = np.transpose([row for row in course.rows if None not in row])
    assert len(course.rows) == len(course.doses_mg) == 40
    assert stress.min() >= 1 and stress.max() <= 10
    assert sleep.min() >= 0 and sleep.max() <= 14
    assert mood.min() >= 1 and mood.max() <= 10


def test_the_typical_patient_has_the_concentrations_of_the_published_clearance() -> None:
    """The median of many patients is near what CL 16.3 L/h and V 815 L give: 8.9 ng/mL at 18 h, 22.4 on day 7."""
    concentrations = [simulate("responder", seed).concentration_ng_per_ml for seed in range(200)]
    assert np.median(concentrations, axis=0)[[3, 27]] == pytest.approx([8.9, 22.4], rel=0.06)


def test_the_drug_comes_late_in_the_delayed_arm_and_never_in_the_healthy_one() -> None:
    delayed = simulate("delayed", 0)
    assert delayed.doses_mg[:12] == (0.0,) * 12 and delayed.doses_mg[12] == 10.0
    assert max(delayed.occupancy[:13]) == 0.0 < delayed.occupancy[13]
    assert sum(simulate("healthy", 0).doses_mg) == 0.0


def test_arms_differ_by_the_benefit_that_reaches_the_patient() -> None:
    full = np.array(simulate("responder", 5).response)
    assert simulate("partial", 5).response == pytest.approx(0.4 * full)
    assert not any(simulate("non-responder", 5).response)
    relapse = np.array(simulate("relapse", 5).response)
    assert relapse[:30] == pytest.approx(full[:30]) and not relapse[30:].any()


def test_a_gradual_relapse_is_complete_after_a_day_and_a_half_and_no_earlier() -> None:
    full, gradual = (np.array(simulate(arm, 5).response) for arm in ("responder", "gradual-relapse"))
    left = gradual[29:37] / full[29:37]
    assert left == pytest.approx([1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0, 0])


def test_thirty_percent_of_the_samples_of_the_missing_arm_were_never_reported() -> None:
    courses = [simulate("missing", seed) for seed in range(100)]
    lost = np.mean([[row == (None, None, None) for row in course.rows] for course in courses])
    assert lost == pytest.approx(0.3, abs=0.02)
    kept = [(a, b) for a, b in zip(courses[3].rows, simulate("responder", 3).rows, strict=True) if None not in a]
    assert all(a == b for a, b in kept) and len(kept) > 15


def test_the_permuted_arm_holds_the_simulated_responders_samples_in_another_order() -> None:
    mixed, plain = simulate("permuted", 4).rows, simulate("responder-simulated", 4).rows
    assert sorted(mixed) == sorted(plain) and mixed != plain


def test_a_slow_genotype_raises_the_concentration_and_nothing_else_is_drawn_anew() -> None:
    slow, normal = simulate("responder-simulated", 1, 0.5), simulate("responder-simulated", 1)
    assert slow.concentration_ng_per_ml[39] > 1.5 * normal.concentration_ng_per_ml[39]
    assert simulate("responder", 1, 1.0) == simulate("responder", 1)


def test_no_arm_knows_the_day_of_the_week_that_the_claim_is_about() -> None:
    """A patient whose drug starts three days later recovers three days later: benefit follows exposure alone."""
    prompt, late = (
        np.mean([simulate(arm, s).response for s in range(20)], axis=0) for arm in ("responder-simulated", "delayed")
    )
    assert late[12:] == pytest.approx(prompt[:28])
