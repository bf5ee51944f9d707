"""A design fixes a network, and every way to make its read-outs means the same."""

from __future__ import annotations

import numpy as np
import pytest

from controller.neurocore.backend import open_backend
from controller.neurocore.design import CODINGS, RULES, Design


def mean_read_out(design, payload, weight):
    """Of units that all send this payload, from whatever phase of their period, per unit."""
    backend, generator = open_backend("reference", design, 0), np.random.default_rng(1)
    backend.restore(np.full((1, design.units), weight))
    error = np.zeros(1, dtype=int)
    for _ in range(5):
        backend.step(generator.integers(0, 255, design.units), error)
    return np.mean([backend.step(np.full(design.units, payload), error)[0] for _ in range(40)]) / design.units


@pytest.mark.parametrize("payload", [254, 190, 127, 100, 64, 30])
@pytest.mark.parametrize("steps", [8, 16, 32])
def test_the_read_out_of_spikes_is_on_average_that_of_graded_payloads(payload, steps):
    graded = mean_read_out(Design(200, 1), payload, 100)
    assert graded == pytest.approx(100 * payload / 64, rel=0.01)
    spiking = Design(200, 1, "lif", steps=steps)
    assert mean_read_out(spiking, payload, 100) == pytest.approx(graded, rel=0.12)


@pytest.mark.parametrize("coding", CODINGS)
def test_two_factors_teach_as_much_as_three_while_errors_are_small(coding):
    def taught(rule, errors):
        backend = open_backend("reference", Design(1, 1, coding, rule), 1)
        for error in errors:
            backend.step(np.array([254]), np.array([error]))
        backend.step(np.array([254]), np.array([0]))
        return int(backend.weights()[0, 0])

    rising, falling = [0] + [10] * 60, [0] + [-10] * 60
    for errors in (rising, falling):
        assert taught("two-factor", errors) == pytest.approx(taught("three-factor", errors), rel=0.25)
    assert taught("two-factor", rising) > 40
    assert taught("two-factor", falling) < -40
    assert taught("two-factor", [0, 10, -10] * 20) == 0, "the teacher sums up what cancels"


def test_a_lesson_is_of_the_last_payload_not_of_the_next():
    for coding in CODINGS:
        for rule in RULES:
            backend = open_backend("reference", Design(2, 1, coding, rule), 1)
            first, second = np.array([254, 0]), np.array([0, 254])
            for _ in range(5):
                for payload, error in ((first, 0), (second, 60)):  # the error belongs to `first`
                    backend.step(payload, np.array([error]))
            backend.step(first, np.array([0]))
            one, other = backend.weights()[0]
            assert one > 5, (coding, rule)
            assert other < (0.1 if coding == "graded" else 0.7) * one, (coding, rule)  # spikes go on in between


@pytest.mark.parametrize(
    "changes", [{"units": 0}, {"outputs": 0}, {"coding": "rate"}, {"rule": "hebb"}, {"steps": 5}, {"own": 3}]
)
def test_a_network_that_cannot_be_is_refused(changes):
    with pytest.raises(ValueError, match=r"a network|a scan"):
        Design(**{"units": 8, "outputs": 4, **changes})
