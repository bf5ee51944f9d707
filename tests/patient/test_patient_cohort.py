"""Virtual patients on Dask: drawn by seed, the same wherever they are computed, told by arm and genotype."""

from __future__ import annotations

import json
import os
from collections import Counter

import pytest
from distributed import LocalCluster

from controller.patient.cohort import PHENOTYPES, cohort, drawn, fate, fates
from controller.patient.simulated import Arm


def test_patients_are_drawn_by_seed_over_arms_and_as_frequent_as_their_genotypes() -> None:
    people = drawn(2000, 7)
    assert people == drawn(2000, 7) != drawn(2000, 8)
    assert {p.arm for p in people} == set(Arm) - {Arm.PERMUTED}
    counts = Counter(p.cyp2c19 for p in people)
    for phenotype, frequency in PHENOTYPES.items():
        assert counts[phenotype] / 2000 == pytest.approx(frequency, abs=0.03)
    assert sum(PHENOTYPES.values()) == pytest.approx(1.0)


def test_a_poor_metaboliser_has_more_of_the_drug_and_the_twin_knows() -> None:
    person = drawn(1, 0, [Arm.RESPONDER_SIMULATED])[0]
    slow, fast = (fate(type(person)(0, person.arm, g, person.seed)) for g in ("PM", "UM"))
    assert slow.concentration_ng_per_ml > 1.5 * fast.concentration_ng_per_ml
    assert slow.intervals == 40 and "dose" not in slow.kinds[:3]


def test_a_cohort_is_the_same_on_a_given_scheduler_and_reports_as_it_goes() -> None:
    heard: list[tuple[int, int]] = []
    arms = [Arm.RESPONDER, Arm.HEALTHY]
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        told = cohort(24, 3, cluster.scheduler_address, progress=lambda done, of: heard.append((done, of)), arms=arms)
    assert heard[-1] == (24, 24) and len(heard) == 2
    assert told.intervals == 24 * 40 and told.seconds > 0.0 and told.workers == 1
    assert told.arms["responder"]["any_in_days_1_to_4"] == 1.0 and told.arms["healthy"]["any"] == 0.0
    assert sum(g["patients"] or 0 for g in told.genotypes.values()) == 24
    assert "Not a medical device" in json.loads(json.dumps(told.as_json()))["disclaimer"]
    alone = fates(drawn(24, 3, arms))
    assert told.kinds == dict(Counter(kind for one in alone for kind in one.kinds))


@pytest.mark.benchmark
def test_a_thousand_patients_take_a_minute_on_two_cores() -> None:
    told = cohort(1000, 1, workers=2)
    print(f"\n1000 patients, {told.intervals} intervals: {told.seconds:.1f} s; load {os.getloadavg()}")
    assert told.intervals == 40_000 and told.seconds <= 60.0
