"""Receptive fields cover their ranges, and only those."""

from __future__ import annotations

import math

import numpy as np
import pytest

from controller.neurocore import coding

RANGES = {"biomass": (0.0, 20.0), "product": (0.0, 2.0), "substrate": (0.0, 5.0), "precursor": (0.0, 2500.0)}


def formula(population, x):
    """The activity as the docstrings of Population and Correction state it, written out."""
    result = []
    for centres in population.centres:
        exponent = 0.0
        for value, low, high, centre in zip(x, population.low, population.high, centres, strict=True):
            if not math.isnan(centre):
                exponent += ((value - low) / (high - low) - centre) ** 2 / population.width**2 / 2
        result.append(math.exp(-exponent))
    return result


def test_activity_is_the_stated_formula():
    population = coding.population(RANGES, seed=1)
    for x in ((10.0, 0.5, 0.3, 1200.0), (0.1, 0.0, 15.0, 1400.0), (25.0, 2.5, -0.1, 0.0)):
        np.testing.assert_allclose(coding.activity(population, x), formula(population, x), atol=1e-12)


def test_units_see_one_state_or_up_to_three():
    population = coding.population(RANGES, seed=1)
    seen = [sum(not math.isnan(c) for c in row) for row in population.centres]
    assert len(seen) == 144
    assert seen.count(1) == 4 * coding.PER_STATE
    assert set(seen) == {1, 2, 3}


def test_a_single_state_needs_no_conjunctions():
    assert len(coding.population({"effect": (0.0, 1.0)}).centres) == coding.PER_STATE


def test_the_seed_alone_decides_the_conjunctions():
    one, same, other = (repr(coding.population(RANGES, seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_payloads_span_the_seven_bits_of_the_trace_and_faint_units_are_silent():
    assert coding.payload(np.array([0.0, 0.0019, 0.002, 0.5, 1.0])).tolist() == [0, 0, 1, 127, 254]


def test_far_outside_the_ranges_and_without_a_finite_state_nobody_speaks():
    population = coding.population(RANGES)
    assert coding.payload(coding.activity(population, (200.0, 20.0, 50.0, 25000.0))).sum() == 0
    assert coding.activity(population, (10.0, math.nan, 1.0, 1000.0)).sum() == 0


def test_a_range_that_does_not_rise_is_refused():
    with pytest.raises(ValueError, match="rise from low to high"):
        coding.population({"biomass": (1.0, 1.0)})
