"""What was learned corrects an estimate that lags, and the states with it; elsewhere it changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from controller.processes.penicillin.model import MODEL
from twin.conditioned import conditioned, observed, supports
from twin.correction import activities, none
from twin.records import Correction, Population

NAMES = tuple(m.name for m in MODEL.multipliers)


def surface(**values: float) -> Correction:
    """One unit that is active everywhere, so that each multiplier has one value."""
    everywhere = Population(("biomass",), (0.0,), (20.0,), ((float("nan"),),), 0.15)
    return Correction(tuple(values), everywhere, tuple((v,) for v in values.values()), 1.0, (1.0,) * len(values))


@pytest.fixture
def estimate(engine, kit):
    return kit.followed(engine, kit.own_batch(1), until_h=90.0)[-1].now


def test_a_lagging_multiplier_follows_what_was_learned_and_takes_the_product_along(estimate):
    at = NAMES.index("production")
    said = estimate.log_multipliers[at] - 0.3
    found = conditioned(MODEL, estimate, surface(production=said))
    assert found.log_multipliers[at] == pytest.approx(said, abs=0.06)
    assert found["product"] < estimate["product"]
    assert found.sd("production") < estimate.sd("production")
    assert found.sd("product") < estimate.sd("product")
    assert np.linalg.eigvalsh(np.array(found.covariance)).min() > -1e-9


def test_a_multiplier_that_is_followed_closely_is_left_alone(estimate):
    assert conditioned(MODEL, estimate, surface(oxygen=0.3)) == estimate


def test_where_nothing_was_learned_nothing_changes(estimate):
    assert conditioned(MODEL, estimate, none(NAMES)) == estimate
    assert conditioned(MODEL, estimate, surface(production=0.0)) == estimate


def test_support_is_the_share_of_taught_units(estimate):
    two = surface(production=0.2)
    half = replace(two.population, centres=((float("nan"),), (float("nan"),)))
    correction = replace(two, population=half, weights=((0.2, 0.0),))
    active = activities(half, {"biomass": estimate["biomass"]})
    assert supports(correction, active) == {"production": pytest.approx(0.5)}


def test_an_exact_observation_is_believed(estimate):
    found = observed(estimate, {"growth": 0.123}, {"growth": 1e-9})
    assert found.log_multipliers[NAMES.index("growth")] == pytest.approx(0.123)
    assert found.sd("growth") == pytest.approx(0.0, abs=1e-6)
