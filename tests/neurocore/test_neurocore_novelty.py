"""Novelty is quiet while the innovations are as expected, and loud when they are not."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from controller.neurocore.novelty import NOTHING_SEEN, from_json, level, observe, to_json
from twin.records import Innovation

SIGNALS = ("dissolved_oxygen", "oxygen_uptake_rate", "carbon_dioxide_evolution_rate", "weight")


def run(rows, state=NOTHING_SEEN):
    levels = []
    for row in rows:
        state = observe(state, {name: Innovation(3.0 * z, 3.0) for name, z in row.items()})
        levels.append(state.level)
    return state, np.array(levels)


def healthy(scans, seed, bias=None):
    generator = np.random.default_rng(seed)
    for _ in range(scans):
        z = dict(zip(SIGNALS, generator.standard_normal(len(SIGNALS)), strict=True))
        yield {name: value + (bias or {}).get(name, 0.0) for name, value in z.items()}


def test_healthy_scans_sit_where_the_mapping_says():
    _, levels = run(healthy(20_000, seed=1))
    assert np.median(levels) == pytest.approx(0.10, abs=0.01)
    assert np.mean(levels > 0.5) == pytest.approx(0.01, abs=0.005)


def test_a_biased_sensor_is_found_and_named():
    state, _ = run(healthy(200, seed=2))
    state, levels = run(healthy(40, seed=3, bias={"oxygen_uptake_rate": 3.0}), state)
    assert np.argmax(levels > 0.9) < 8
    assert levels[-1] > 0.98
    assert max(state.contributions, key=state.contributions.get) == "oxygen_uptake_rate"
    assert math.fsum(state.contributions.values()) == pytest.approx(1.0)


def test_it_calms_down_after_the_fault():
    state, _ = run(healthy(40, seed=3, bias={"weight": 5.0}))
    state, levels = run(healthy(60, seed=4), state)
    assert np.median(levels[30:]) < 0.3


def test_the_first_scan_is_judged_by_its_own_variance():
    state, _ = run([dict.fromkeys(SIGNALS, 1.0)])
    assert state.level == pytest.approx(level(4.0, 4))


def test_signals_come_and_go():
    state, _ = run([dict.fromkeys(SIGNALS, 0.5), {"weight": 0.1, "product": 2.0}])
    assert state.contributions.keys() == {"weight", "product"}
    assert state.averages.keys() == {*SIGNALS, "product"}


@pytest.mark.parametrize("residual, sd", [(math.nan, 1.0), (1.0, 0.0), (1.0, math.inf), (math.inf, 1.0)])
def test_what_is_not_a_number_is_not_taken_in(residual, sd):
    before, _ = run(healthy(5, seed=5))
    assert observe(before, {"weight": Innovation(residual, sd)}) == before
    assert observe(before, {}) == before


def test_one_wild_reading_is_forgotten_within_twenty_scans():
    state, _ = run(healthy(50, seed=6))
    state = observe(state, {name: Innovation(1e9, 1.0) for name in SIGNALS})
    assert state.level > 0.99
    _, levels = run(healthy(40, seed=7), state)
    assert levels[20:].mean() < 0.3


def test_nothing_but_zeros_is_shared_out_evenly():
    state, levels = run([{"weight": 0.0, "ph": 0.0}])
    assert levels[0] == 0.0
    assert state.contributions == {"weight": 0.5, "ph": 0.5}


def test_the_state_survives_json():
    state, _ = run(healthy(30, seed=8))
    assert from_json(json.loads(json.dumps(to_json(state)))) == state
