"""The learned surface: what it says, and that it always says something sensible."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.correction import evaluate, log_multipliers, none, slopes, surface
from twin.records import Correction, Population

NAN = math.nan
POPULATION = Population(
    states=("biomass", "substrate"),
    low=(0.0, 0.0),
    high=(20.0, 1.0),
    centres=((0.5, NAN), (NAN, 0.25), (0.5, 0.25)),
    width=0.1,
)
CORRECTION = Correction(("growth", "production"), POPULATION, ((30.0, 0.0, 0.0), (0.0, -8.0, 4.0)), 0.01, (0.2, 0.5))
MULTIPLIERS = ("growth", "uptake", "production")
STATES = ("product", "substrate", "biomass")


def _fast(correction, x):
    field = surface(correction, STATES, MULTIPLIERS)
    out = np.full(len(MULTIPLIERS), np.nan)
    log_multipliers(
        np.array([x.get(name, 0.0) for name in STATES]),
        field.where,
        field.low,
        field.high,
        field.centres,
        field.width,
        field.weights,
        field.bounds,
        out,
    )
    return dict(zip(MULTIPLIERS, out.tolist(), strict=True))


def test_at_a_centre_a_unit_speaks_with_its_whole_weight_within_its_bound():
    said = evaluate(CORRECTION, {"biomass": 10.0, "substrate": 0.25})
    assert said == {"growth": pytest.approx(0.2), "production": pytest.approx(-0.04)}


def test_a_vector_is_in_the_order_of_the_population():
    assert evaluate(CORRECTION, (10.0, 0.25)) == evaluate(CORRECTION, {"substrate": 0.25, "biomass": 10.0})


def test_far_away_from_every_centre_nothing_is_said():
    said = evaluate(CORRECTION, {"biomass": 1000.0, "substrate": 1000.0})
    assert said == {"growth": 0.0, "production": 0.0}


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_it_is_finite_and_bounded_at_any_finite_state(biomass, substrate):
    said = evaluate(CORRECTION, {"biomass": biomass, "substrate": substrate})
    assert abs(said["growth"]) <= 0.2
    assert abs(said["production"]) <= 0.5


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_the_compiled_form_says_the_same_and_nothing_of_what_is_not_learned(biomass, substrate):
    x = {"biomass": biomass, "substrate": substrate}
    said, fast = evaluate(CORRECTION, x), _fast(CORRECTION, x)
    assert fast["uptake"] == 0.0
    assert {name: fast[name] for name in said} == pytest.approx(said, abs=1e-12)


@given(st.floats(0.0, 20.0), st.floats(0.0, 1.0))
def test_its_slope_is_that_of_what_it_says(biomass, substrate):
    steep = slopes(CORRECTION, (biomass, substrate))
    for column, small in enumerate((1e-4, 1e-6)):
        step = small * np.eye(2)[column]
        ahead, behind = (evaluate(CORRECTION, (biomass, substrate) + sign * step) for sign in (1.0, -1.0))
        found = [(ahead[name] - behind[name]) / (2.0 * small) for name in CORRECTION.multiplier_names]
        clipped = [abs(ahead[n]) >= b or abs(behind[n]) >= b for n, b in zip(ahead, CORRECTION.bounds, strict=True)]
        expected = np.where(clipped, found, steep[:, column])
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_where_it_is_clipped_it_has_no_slope():
    assert slopes(CORRECTION, (9.9, 1.0))[0] == pytest.approx([0.0, 0.0])


def test_no_correction_is_zero_for_every_name():
    assert evaluate(none(MULTIPLIERS), {"biomass": 5.0}) == dict.fromkeys(MULTIPLIERS, 0.0)
    assert _fast(none(MULTIPLIERS), {"biomass": 5.0}) == dict.fromkeys(MULTIPLIERS, 0.0)
    assert evaluate(none(()), {}) == {}
