"""The filter: what it finds, what it refuses, and that a late assay is used when its sample was drawn."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from controller.processes.penicillin.model import MODEL
from twin.estimate import Filter, Tuning, assimilate, start
from twin.signals import Assay, Quality, Snapshot

INPUTS = {
    "feed": 0.0,
    "precursor_feed": 0.0012,
    "base_flow": 0.0,
    "acid_flow": 0.0,
    "air_flow": 8.6,
    "agitator_power": 30.0,
}
ONLINE = {
    "dissolved_oxygen": 99.0,
    "oxygen_uptake_rate": 0.275,
    "carbon_dioxide_evolution_rate": 1.4e-3,
    "weight": 100.0,
}


def _same(a, b):
    return a.mean == b.mean and a.log_multipliers == b.log_multipliers and a.covariance == b.covariance


def _spoiled(snapshot, name, **changes):
    readings = {**snapshot.readings, name: replace(snapshot.readings[name], **changes)}
    return replace(snapshot, readings=readings)


@pytest.fixture
def seen(engine, kit):
    """Two hours into a batch that goes as the model expects."""
    record = kit.own_batch(1)
    return kit.followed(engine, record, until_h=2.0)[-1], record.snapshots[25]


@pytest.mark.parametrize(("kind", "seeds"), [("own_batch", (21, 22, 23)), ("plant_batch", (11, 12))])
def test_states_are_found_in_batches_with_unseen_parameters(engine, kit, kind, seeds):
    errors = []
    for seed in seeds:
        record = getattr(kit, kind)(seed)
        tracks = kit.followed(engine, record)
        errors.append(kit.nrmse(tracks, record))
        used = np.array([(t.now.nis, t.now.nis_dof) for t in tracks])
        assert 0.4 < used[:, 0].sum() / used[:, 1].sum() < 1.5  # innovations as large as expected
    mean = {name: np.mean([e[name] for e in errors]) for name in kit.NAMES}
    assert mean["biomass"] <= 0.05
    assert mean["product"] <= 0.08
    assert mean["substrate"] <= 0.25


def test_the_estimates_own_uncertainty_is_about_that_of_its_errors(engine, kit):
    """Of the states that a batch is judged by; small errors that are thought large cost nothing but wide bands."""
    squares = {"biomass": [], "product": [], "precursor": []}
    for seed in (11, 12, 13):
        record = kit.plant_batch(seed)
        tracks = kit.followed(engine, record)
        for k in range(round(50.0 / kit.SCAN_H), len(tracks), 12):
            now = tracks[k].now
            for name, found in squares.items():
                found.append(((now[name] - record.truth[k, kit.NAMES.index(name)]) / now.sd(name)) ** 2)
    for name, found in squares.items():
        assert 0.1 < np.mean(found) < 2.5, name


def test_assays_help_and_rewinding_beats_taking_them_as_current(engine, kit):
    def product(change):
        errors = []
        for seed in (21, 22):
            record = change(kit.own_batch(seed))
            errors.append(kit.nrmse(kit.followed(engine, record), record)["product"])
        return np.mean(errors)

    rewound, current, none = (
        product(lambda r: r),
        product(lambda r: r.as_if_current()),
        product(lambda r: r.without_assays()),
    )
    assert rewound < 0.8 * current
    assert rewound < 0.8 * none


def test_every_multiplier_moves_with_something_that_is_measured(engine, kit):
    record = kit.own_batch(2)
    # Rich in sugar the culture makes next to no product, so its gain is small then, but not zero.
    for hours, least in ((1.0, 1e-4), (60.0, 0.1)):
        now = kit.followed(engine, record, until_h=hours)[-1].now
        mean, covariance = np.array(now.mean + now.log_multipliers), np.array(now.covariance)
        u = np.array([now.inputs[i.name] for i in MODEL.inputs])
        points, sights = engine.filter.arithmetic.sight(mean, covariance, u)
        cross = (points - mean).T @ (sights - sights.mean(axis=0)) / len(points)
        scale = np.outer(np.sqrt(np.diag(covariance)), np.sqrt(sights.var(axis=0)) + 1e-12)
        for name, row in zip(now.multiplier_names, (cross / scale)[len(now.mean) :], strict=True):
            assert np.abs(row).max() > least, name


def test_the_prior_is_positive_and_correlated(kit):
    now = start(Filter(kit.PLANT, MODEL), kit.snapshot(0.0, INPUTS)).now
    covariance = np.array(now.covariance)
    assert np.linalg.eigvalsh(covariance / np.outer(*[np.sqrt(np.diag(covariance))] * 2)).min() > 0.0
    assert covariance[now.names.index("biomass"), len(now.names)] != 0.0  # with growth
    for state in MODEL.states:
        assert now.sd(state.name) == pytest.approx(state.initial_sd)


def test_with_nothing_usable_uncertainty_grows_and_nothing_breaks(engine, seen):
    track, snapshot = seen
    blind = replace(snapshot, readings={n: replace(r, quality=Quality.BAD) for n, r in snapshot.readings.items()})
    sds = [track.now.sd("product")]
    for k in range(1, 25):
        later = track.now.time + (snapshot.time - track.now.time) * 1
        track = engine.assimilate(track, replace(blind, time=later + k * (snapshot.time - later)))
        assert track.now.nis_dof == 0
        sds.append(track.now.sd("product"))
    assert sds == sorted(sds)
    assert np.isfinite(track.now.covariance).all()


def test_half_a_day_of_silence_is_bridged(engine, kit, seen):
    track, _ = seen
    now = engine.assimilate(track, Snapshot(kit.at(14.0), {})).now
    record = kit.own_batch(1)
    truth = dict(zip(kit.NAMES, record.truth[14 * 12], strict=True))
    assert now["biomass"] == pytest.approx(truth["biomass"], abs=4 * now.sd("biomass"))
    assert now.sd("biomass") > 1.5 * track.now.sd("biomass")


@pytest.mark.parametrize(
    "changes",
    [
        {"value": math.nan},
        {"value": math.inf},
        {"value": None},
        {"value": 1e6},
        {"quality": Quality.UNCERTAIN, "value": 50.0},
        {"quality": Quality.BAD, "value": 50.0},
        {"time": None, "value": 50.0},
    ],
    ids=str,
)
def test_what_is_not_usable_changes_nothing_and_is_named(engine, seen, changes):
    track, snapshot = seen
    name = "dissolved_oxygen"
    without = replace(snapshot, readings={n: r for n, r in snapshot.readings.items() if n != name})
    spoiled = _spoiled(snapshot, name, **changes)
    after = engine.assimilate(track, spoiled)
    assert _same(after.now, engine.assimilate(track, without).now)
    assert name in engine.unused(after, spoiled)[name]


def test_a_reading_older_than_its_variable_allows_is_stale(engine, kit, seen):
    track, snapshot = seen
    old = _spoiled(snapshot, "weight", time=kit.at(1.0))
    after = engine.assimilate(track, old)
    assert "weight" not in after.now.innovations
    assert "s old" in engine.unused(after, old)["weight"]


def test_an_input_that_cannot_be_read_is_held(engine, seen):
    track, snapshot = seen
    acting = track.now.inputs["air_flow"]
    after = engine.assimilate(track, _spoiled(snapshot, "air_flow", value=math.nan))
    assert after.now.inputs["air_flow"] == acting == pytest.approx(8.6)


def test_a_gross_outlier_is_set_aside_but_one_that_insists_is_believed_at_last(engine, seen):
    track, snapshot = seen
    step = snapshot.time - track.now.time
    used = []
    for k in range(10):
        wild = _spoiled(snapshot, "oxygen_uptake_rate", value=5.0, time=snapshot.time + k * step)
        wild = replace(wild, time=snapshot.time + k * step)
        track = engine.assimilate(track, wild)
        used.append("oxygen_uptake_rate" in track.now.innovations)
        if k == 0:
            assert "sd from what was expected" in engine.unused(track, wild)["oxygen_uptake_rate"]
    assert used[:6] == [False] * 6
    assert used[6] is True
    assert np.isfinite(track.now.mean).all()


def test_an_assay_gives_the_estimate_that_it_would_have_given_at_once(engine, kit):
    record = kit.own_batch(3)
    wait = 12
    early = [*record.snapshots[: 24 + wait]]
    assay = Assay("biomass", 0.14, "g/L", early[24].time, early[-1].time)
    prompt = [replace(s, assays=(assay,)) if s.time == assay.sampled_at else s for s in early]
    late = [*early[:-1], replace(early[-1], assays=(assay,))]
    a, b = (kit.followed(engine, replace(record, snapshots=tuple(s)))[-1].now for s in (prompt, late))
    np.testing.assert_allclose(a.mean, b.mean, rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(a.log_multipliers, b.log_multipliers, atol=2e-3)


def test_a_sample_drawn_between_scans_is_used_there(engine, kit, seen):
    track, snapshot = seen
    drawn = kit.at(1.51)
    assay = Assay("biomass", 0.11, "g/L", drawn, snapshot.time)
    after = engine.assimilate(track, replace(snapshot, assays=(assay,)))
    times = [estimate.time for estimate, _ in after.past]
    assert times == sorted(times)
    assert "biomass" in after.past[times.index(drawn)][0].innovations
    assert not _same(after.now, engine.assimilate(track, snapshot).now)


def test_an_assay_is_counted_once_and_may_come_without_a_new_scan(engine, seen):
    track, _ = seen
    at = track.past[10][0].time
    assay = Assay("biomass", 0.12, "g/L", at, track.now.time)
    once = engine.assimilate(track, Snapshot(track.now.time, {}, (assay,)))
    assert once.now.time == track.now.time
    assert not _same(once.now, track.now)
    twice = engine.assimilate(once, Snapshot(track.now.time, {}, (assay,)))
    assert _same(twice.now, once.now)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hours": -30.0}, "further back than the record reaches"),
        ({"hours": 400.0}, "in the future"),
        ({"value": math.nan}, "not a finite number"),
        ({"value": 1e9}, "outside"),
        ({"quality": Quality.BAD}, "bad"),
        ({"variable": "viscosity"}, "says nothing"),
    ],
    ids=str,
)
def test_an_assay_that_cannot_be_used_changes_nothing_and_is_named(engine, kit, seen, changes, words):
    track, snapshot = seen
    hours = changes.pop("hours", 1.0)
    assay = replace(Assay("biomass", 0.12, "g/L", kit.at(hours), snapshot.time), **changes)
    given = replace(snapshot, assays=(assay,))
    after = engine.assimilate(track, given)
    assert _same(after.now, engine.assimilate(track, snapshot).now)
    assert words in engine.unused(after, given)[assay.variable]


def test_the_record_reaches_back_at_least_as_far_as_assays_are_late_but_not_for_ever(engine, kit):
    record = kit.own_batch(1)
    past = kit.followed(engine, record, until_h=40.0)[-1].past
    span_h = (past[-1][0].time - past[0][0].time).total_seconds() / 3600
    assert 16.0 <= span_h <= 24.0
    assert past[-1][1].time == past[-1][0].time


def test_estimates_depend_on_the_arguments_alone(engine, seen):
    track, snapshot = seen
    assert engine.assimilate(track, snapshot) == engine.assimilate(track, snapshot)


def test_with_a_pull_unmeasured_multipliers_return_to_what_the_model_says(kit):
    record = kit.own_batch(4)
    free, pulled = Filter(kit.PLANT, MODEL), Filter(kit.PLANT, MODEL, Tuning(pull_h=5.0))

    def silent(filter):
        track = start(filter, record.snapshots[0])
        for seen in record.snapshots[1:240]:
            track = assimilate(filter, track, seen)
        moved = track.now.log_multipliers[0]
        return moved, assimilate(filter, track, Snapshot(kit.at(40.0), {})).now.log_multipliers[0]

    before, after = silent(free)
    assert after == pytest.approx(before, abs=0.02)
    before, after = silent(pulled)
    assert abs(after) < 0.2 * abs(before)
