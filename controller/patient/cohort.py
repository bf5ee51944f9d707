"""Virtual patients over arms and genotypes, on the cores of this machine or on a Dask cluster: the same code.

Research use only. Every patient is simulated, and no clinical claim follows from how they fare.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

import numpy as np
from distributed import Client, as_completed

from controller.patient.advice.loop import DISCLAIMER
from controller.patient.claims import claims, shares
from controller.patient.pharmacology.covariates import EXPOSURE_RATIO, Person
from controller.patient.scenario import run
from controller.patient.simulated import Arm, samples_of
from controller.patient.treatment import treatment_of
from controller.support.cluster import client_of

# Frequencies of CYP2C19 phenotypes among Europeans, rounded (CPIC's tables, to be verified).
PHENOTYPES: Mapping[str, float] = {"PM": 0.02, "IM": 0.26, "NM": 0.40, "RM": 0.27, "UM": 0.05}
ARMS = tuple(arm for arm in Arm if arm is not Arm.PERMUTED)
BATCH = 20  # patients of one task: a few seconds (design)


@dataclass(frozen=True, slots=True)
class Virtual:
    """One patient to be simulated."""

    number: int
    arm: str
    cyp2c19: str
    seed: int


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one patient."""

    patient: Virtual
    claims: Mapping[str, float | None]
    kinds: tuple[str, ...]  # of the suggestions, in order
    last_score: float
    concentration_ng_per_ml: float  # the twin's, on the last two days
    intervals: int


@dataclass(frozen=True, slots=True)
class Cohort:
    """All of a cohort, as fractions by arm and by genotype."""

    patients: int
    seed: int
    intervals: int
    seconds: float
    workers: int
    arms: Mapping[str, Mapping[str, float | None]]
    genotypes: Mapping[str, Mapping[str, float | None]]
    kinds: Mapping[str, int]
    disclaimer: str = DISCLAIMER

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def cohort(
    patients: int,
    seed: int = 0,
    scheduler: str | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    arms: Sequence[str] = ARMS,
) -> Cohort:
    """Simulate so many patients; `scheduler` is the address of a Dask scheduler, None starts one here.

    The same patients come out wherever they are computed. `progress` hears (done, of).
    """
    people = drawn(patients, seed, arms)
    with client_of(scheduler, workers) as client:
        started = time.perf_counter()
        fates = list(_computed(client, people, progress))
        seconds = time.perf_counter() - started
        count = len(client.scheduler_info()["workers"])
    fates.sort(key=lambda fate: fate.patient.number)
    return Cohort(
        patients=patients,
        seed=seed,
        intervals=sum(fate.intervals for fate in fates),
        seconds=seconds,
        workers=count,
        arms={arm: _told([f for f in fates if f.patient.arm == arm]) for arm in dict.fromkeys(p.arm for p in people)},
        genotypes={g: _told(found) for g in PHENOTYPES if (found := [f for f in fates if f.patient.cyp2c19 == g])},
        kinds=dict(Counter(kind for fate in fates for kind in fate.kinds)),
    )


def drawn(patients: int, seed: int, arms: Sequence[str] = ARMS) -> tuple[Virtual, ...]:
    """Patients in turn over the arms, their genotypes as frequent as among people."""
    random = np.random.default_rng(seed)
    genotypes = random.choice(list(PHENOTYPES), patients, p=list(PHENOTYPES.values()))
    seeds = random.integers(0, 2**31, patients)
    return tuple(Virtual(k, str(arms[k % len(arms)]), str(genotypes[k]), int(seeds[k])) for k in range(patients))


def fate(patient: Virtual) -> Fate:
    """One patient through the loop; the twin knows the genotype, as it would after a test."""
    clearance = 1 / EXPOSURE_RATIO["escitalopram"].get(patient.cyp2c19, 1.0)
    rows = samples_of(patient.arm, patient.seed, clearance)
    treatment = treatment_of(rows, person=Person(cyp2c19=patient.cyp2c19))
    seen = run(patient.arm, patient.seed, rows, treatment=treatment)
    return Fate(
        patient=patient,
        claims=claims(seen),
        kinds=tuple(review.kind for review in seen.suggestions),
        last_score=seen.intervals[-1].score,
        concentration_ng_per_ml=fmean(i.concentration_ng_per_ml for i in seen.intervals[-8:]),
        intervals=len(seen.intervals),
    )


def fates(patients: Sequence[Virtual]) -> list[Fate]:
    """A batch of patients: one task of the cluster."""
    gc.disable()  # a tenth of the time went into looking for cycles, of which a patient leaves next to none
    try:
        return [fate(patient) for patient in patients]
    finally:
        gc.enable()


def _computed(client: Client, people: Sequence[Virtual], progress: Callable[[int, int], None] | None) -> Iterator[Fate]:
    batches = [people[k : k + BATCH] for k in range(0, len(people), BATCH)]
    done = 0
    for _, batch in as_completed(client.map(fates, batches, pure=False), with_results=True):
        done += len(batch)
        if progress is not None:
            progress(done, len(people))
        yield from batch


def _told(found: Iterable[Fate]) -> dict[str, float | None]:
    found = list(found)
    return {
        "patients": len(found),
        **shares([f.claims for f in found]),
        "last_score": fmean(f.last_score for f in found),
        "concentration_ng_per_ml": fmean(f.concentration_ng_per_ml for f in found),
    }
