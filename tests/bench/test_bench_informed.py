"""The bound on how soon a step can be seen knows what it claims to know, and is sooner than the detectors."""

from __future__ import annotations

import numpy as np
import pytest

from controller.bench import informed, novelty


@pytest.fixture(scope="module")
def stream():
    rng = np.random.default_rng([3, 9])
    loadings, keep = novelty.process(rng)
    return novelty.healthy(np.random.default_rng([3, 9])), loadings, keep


def test_what_the_others_do_not_foresee_is_as_large_as_the_filter_says(stream):
    sensors, loadings, keep = stream
    left, variance = informed.residuals(sensors, loadings, keep, 1.0 - novelty.SHARED**2, which=2)
    assert np.mean(left**2 / variance) == pytest.approx(1.0, abs=0.15)
    assert variance[-1] < 0.6 * np.var(sensors[:, 2])


def test_a_step_of_one_sensor_stays_whole_in_what_the_others_do_not_foresee(stream):
    sensors, loadings, keep = stream
    stepped = novelty.spoiled(sensors, "bias_1.2", 2)
    noise = 1.0 - novelty.SHARED**2
    before, _ = informed.residuals(sensors, loadings, keep, noise, which=2)
    after, _ = informed.residuals(stepped, loadings, keep, noise, which=2)
    assert (after - before)[novelty.FAULT_AT :] == pytest.approx(1.2)


def test_told_what_the_others_have_to_find_out_it_sees_every_step_and_sooner():
    table = novelty.table([3, 4])
    for fault in ("bias_0.7", "bias_1.2", "bias_2.0"):
        bound = table[fault][novelty.BOUND]
        assert bound["detected"] == 2
        others = [table[fault][d]["median_delay"] for d in novelty.DETECTORS if table[fault][d]["detected"] == 2]
        assert all(bound["median_delay"] <= delay for delay in others)
    assert novelty.BOUND not in table["drift"]
