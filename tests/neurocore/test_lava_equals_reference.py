"""The reference simulator and the network on Lava agree in every bit."""

from __future__ import annotations

import numpy as np
import pytest

from controller.neurocore.backend import LavaBackend, open_backend
from controller.neurocore.reference import SCAN_STEPS

SCANS = 760  # times four timesteps


@pytest.fixture(scope="module")
def pair():
    with LavaBackend(units=40, outputs=4, seed=3) as lava:
        yield lava, open_backend("reference", 40, 4, 3)


def drive(pair, generator, scans):
    """Random payloads (a third of the units silent) and errors, among them the extremes and none at all."""
    lava, reference = pair
    for k in range(scans):
        payload = np.where(generator.random(40) < 0.3, 0, generator.integers(0, 255, 40))
        error = generator.integers(-127, 128, 4) if k % 5 else generator.choice([-127, 0, 127], 4)
        np.testing.assert_array_equal(lava.step(payload, error), reference.step(payload, error), f"scan {k}")
        if k % 100 == 0:
            np.testing.assert_array_equal(lava.weights(), reference.weights(), f"scan {k}")
    np.testing.assert_array_equal(lava.weights(), reference.weights())


def test_outputs_and_weights_are_identical_over_three_thousand_timesteps(pair):
    assert SCANS * SCAN_STEPS >= 3000
    drive(pair, np.random.default_rng(11), SCANS)
    weights = pair[0].weights()
    assert weights.shape == (4, 40)
    assert np.ptp(weights) > 100, "the errors must have taught something, or nothing was compared"


def test_they_stay_identical_after_a_restore_with_odd_and_extreme_weights(pair):
    generator = np.random.default_rng(12)
    weights = generator.integers(-256, 256, (4, 40))
    weights[0, :4] = [-256, 255, -1, 1]
    for backend in pair:
        backend.restore(weights)
        np.testing.assert_array_equal(backend.weights(), weights)
    drive(pair, generator, 60)


def test_no_error_leaves_the_weights_alone(pair):
    lava, reference = pair
    before = lava.weights()
    for backend in pair:
        for _ in range(10):
            backend.step(np.full(40, 254), np.zeros(4, dtype=int))
    np.testing.assert_array_equal(lava.weights(), before)
    np.testing.assert_array_equal(reference.weights(), before)


def test_another_seed_rounds_otherwise():
    generator = np.random.default_rng(13)
    one, other = (open_backend("reference", 40, 4, seed) for seed in (3, 4))
    for _ in range(3000):
        payload, error = generator.integers(0, 255, 40), generator.integers(-127, 128, 4)
        one.step(payload, error)
        other.step(payload, error)
    assert (one.weights() != other.weights()).any()


def misfits():
    good, error = np.full(40, 200), np.zeros(4, dtype=int)
    yield np.full(39, 200), error
    yield good, np.zeros(3, dtype=int)
    yield np.full(40, 255), error
    yield np.full(40, -1), error
    yield good, np.array([128, 0, 0, 0])


def test_what_does_not_fit_is_refused_by_both_and_harms_neither(pair):
    for backend in pair:
        for payload, error in misfits():
            with pytest.raises(ValueError, match=r"do not fit|must be in"):
                backend.step(payload, error)
        with pytest.raises(ValueError, match="do not fit"):
            backend.restore(np.zeros((40, 4), dtype=int))
        backend.restore(np.full((4, 40), 1000))
        assert backend.weights().tolist() == [[255] * 40] * 4
        assert backend.step(np.full(40, 200), np.zeros(4, dtype=int)).tolist() == [255 * 200 * 40 // 64] * 4
