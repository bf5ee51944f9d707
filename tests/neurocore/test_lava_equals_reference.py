"""The reference simulator and every network on Lava agree in every bit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.bench import networks
from controller.neurocore.backend import LavaBackend, open_backend
from controller.neurocore.design import CODINGS, RULES, Design
from controller.processes import find

DESIGN = Design(units=40, outputs=4)
VARIANTS = list(itertools.product(CODINGS, RULES))


@pytest.fixture(scope="module")
def lava():
    with LavaBackend(DESIGN, seed=3) as backend:
        yield backend


def pair(lava, design, seed=3):
    lava.rebuild(design, seed)
    return lava, open_backend("reference", design, seed)


@pytest.mark.parametrize("coding, rule", VARIANTS)
def test_outputs_weights_and_traces_are_identical_over_a_thousand_timesteps_and_a_restore(lava, coding, rule):
    design = Design(40, 4, coding, rule)
    both = pair(lava, design)
    assert networks.differences(*both, -(-1000 // design.timesteps), np.random.default_rng(11)) == ""
    assert np.ptp(both[0].weights()) > 100, "the errors must have taught something, or nothing was compared"


@st.composite
def designs(draw):
    outputs = draw(st.integers(1, 5))
    own = draw(st.integers(0, 3))
    units = draw(st.integers(max(1, own * outputs), 40))
    return Design(
        units, outputs, draw(st.sampled_from(CODINGS)), draw(st.sampled_from(RULES)), draw(st.integers(6, 24)), own
    )


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(designs(), st.integers(0, 499), st.integers(0, 499))
def test_they_are_identical_for_any_network_seed_and_input(lava, design, seed, inputs):
    assert networks.differences(*pair(lava, design, seed), 30, np.random.default_rng(inputs)) == ""


def test_a_difference_is_found_and_named(lava):
    design = Design(8, 2, "lif")
    lava.rebuild(design, 3)
    other = open_backend("reference", design, 4)
    assert "after scan" in networks.differences(lava, other, 300, np.random.default_rng(1))


@pytest.mark.benchmark
@pytest.mark.timeout(1800)
def test_every_network_of_the_project_is_identical_over_thirty_thousand_timesteps():
    report = networks.bit_identity(find("penicillin"), 30_000, print)
    assert report["bit_identical"], report


@pytest.mark.parametrize("coding, rule", VARIANTS)
def test_no_error_leaves_the_weights_alone(coding, rule):
    backend = open_backend("reference", Design(40, 4, coding, rule), 3)
    for payload, error in itertools.islice(networks.drive(backend.design, np.random.default_rng(2)), 200):
        backend.step(payload, error)
    before = backend.weights()
    assert before.any()
    for _ in range(10):
        backend.step(np.full(40, 254), np.zeros(4, dtype=int))
    np.testing.assert_array_equal(backend.weights(), before)


def test_another_seed_rounds_otherwise():
    one, other = (open_backend("reference", DESIGN, seed) for seed in (3, 4))
    for payload, error in itertools.islice(networks.drive(DESIGN, np.random.default_rng(13)), 3000):
        one.step(payload, error)
        other.step(payload, error)
    assert (one.weights() != other.weights()).any()


def test_an_output_learns_nothing_from_its_own_units():
    design = Design(9, 4, own=2)
    backend = open_backend("reference", design, 3)
    backend.restore(np.full((4, 9), 7))
    assert (backend.weights() == np.where(design.present(), 7, 0)).all()
    for payload, error in itertools.islice(networks.drive(design, np.random.default_rng(2)), 200):
        backend.step(payload, error)
    assert (backend.weights()[~design.present()] == 0).all()
    assert (~design.present()).sum() == 8


def misfits():
    good, error = np.full(40, 200), np.zeros(4, dtype=int)
    yield np.full(39, 200), error
    yield good, np.zeros(3, dtype=int)
    yield np.full(40, 255), error
    yield np.full(40, -1), error
    yield good, np.array([128, 0, 0, 0])
    yield good, np.array([0, 0, 0, -128])


def test_what_does_not_fit_is_refused_by_both_and_harms_neither(lava):
    for backend in pair(lava, DESIGN):
        for payload, error in misfits():
            with pytest.raises(ValueError, match=r"do not fit|must be in"):
                backend.step(payload, error)
        with pytest.raises(ValueError, match="do not fit"):
            backend.restore(np.zeros((40, 4), dtype=int))
        backend.restore(np.full((4, 40), 1000.4))
        assert backend.weights().tolist() == [[255] * 40] * 4
        assert backend.step(np.full(40, 200), np.zeros(4, dtype=int)).tolist() == [255 * 200 * 40 // 64] * 4


@pytest.fixture(scope="module")
def floating():
    with LavaBackend(DESIGN, 3, "lava-float") as backend:
        yield backend


@pytest.mark.parametrize("coding, rule, alike", [("graded", "three-factor", 0.98), ("lif", "two-factor", 0.85)])
def test_the_float_network_learns_what_the_fixed_one_learns(floating, coding, rule, alike):
    design = Design(24, 2, coding, rule)
    generator = np.random.default_rng(5)
    fixed = open_backend("reference", design, 3)
    floating.rebuild(design, 3)
    for _ in range(60):
        payload, error = generator.integers(0, 255, 24), generator.integers(-60, 61, 2)
        outputs = fixed.step(payload, error), floating.step(payload, error)
    weights = fixed.weights().ravel(), floating.weights().ravel()
    assert weights[1].dtype == np.float64
    assert np.corrcoef(*weights)[0, 1] > alike
    np.testing.assert_allclose(weights[1], weights[0], atol=15)  # sixty lessons, each rounded at random
    np.testing.assert_allclose(outputs[1], outputs[0], atol=24 * 4 * 8)
    floating.restore(np.full((2, 24), 3))
    assert (floating.weights() == 3.0).all()
