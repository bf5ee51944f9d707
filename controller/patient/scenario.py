"""The SSRI reference scenario: one patient, or many, through the same turn of the loop that serves a bioreactor.

Research use only. Not a medical device. The scenario advises; nothing is ever written.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import linear_regression, median
from typing import Any

from controller.loop.envelope import Envelope
from controller.loop.mode_ladder import Gates, Ladder
from controller.loop.records import Decision, Effect, Evidence, Mode, Situation, Suggestion
from controller.loop.turn import Cadence, Engine, Memory, Parts, turn
from controller.neurocore import coding, rates
from controller.neurocore.backend import open_backend
from controller.neurocore.core import NeuroCore
from controller.neurocore.design import Design
from controller.neurocore.rates import RateLearner
from controller.patient import model as patient
from controller.patient.advice.loop import DISCLAIMER, PatientLoop
from controller.patient.advice.reviews import MIN_INTERVAL_DAYS, Treatment
from controller.patient.advice.stability import PLAUSIBLE, StabilityWatch
from controller.patient.data.samples import Sample
from controller.patient.pharmacology import studies
from controller.patient.pharmacology.drugs import DRUGS
from controller.patient.pharmacology.pharmacokinetics import (
    Dose,
    Level,
    Person,
    Pharmacokinetics,
    for_person,
    from_levels,
)
from controller.patient.simulated import HOURS_PER_SAMPLE, RELAPSE_AT, Arm, simulate
from twin.engine import TwinEngine
from twin.estimate import Tuning
from twin.forecast import Horizon
from twin.records import Correction, Estimate, Forecast, Plan, Population, Track
from twin.signals import Plant, Quality, Reading, Role, Snapshot, Variable

START = datetime(2026, 1, 1, tzinfo=UTC)  # day 1, 0 h of every patient
SAMPLING = timedelta(hours=HOURS_PER_SAMPLE)
DAY_5 = 16  # index of the first sample after days 1 to 4
DAY_8 = 28  # index of the first sample after day 7
NOTICED_H = 24.0  # in which a relapse should be

PLANT = Plant(
    name="patient",
    model="patient",
    variables=(
        Variable("stress", "points", *PLAUSIBLE["stress"], Role.MEASURED, "Stress"),
        Variable("sleep", "h", *PLAUSIBLE["sleep"], Role.MEASURED, "Sleep in the 24 h before"),
        Variable("mood", "points", *PLAUSIBLE["mood"], Role.MEASURED, "Mood"),
        Variable("dose_mg", "mg", 0.0, 3000.0, Role.MANIPULATED, "Dose swallowed just after the sample"),
    ),
    advisory_only=True,
)
ENVELOPE = Envelope(limits=(), bounds=(), evidence=("stress", "sleep", "mood"))
GATES = Gates(novelty_max=0.95, nis_ratio_max=4.0, patience=3)  # of a mode that an advisory plant never has
CADENCE = Cadence(
    plan_every=SAMPLING, command_valid=SAMPLING, longest_gap=timedelta(days=365), longest_ahead=timedelta(days=1000)
)
# A wild report is set aside once; said twice it is believed, for a relapse is sudden too (design).
TUNING = Tuning(patience=1)
# One look every twelve hours. A response is the patient's own and does not fade as a batch's quirks do (design).
OUTLOOK = Horizon(fade_h=24.0 * 30, points=15, hold_steps=48)
MEMBERS = 16  # of the ensemble: one block of lanes (design)
LEARNED = ("response", "bias")  # by NeuroCore
DOSES_IN_BODY = 3.0  # of the greatest daily dose: as much drug as the code of NeuroCore reaches (design)


@dataclass(frozen=True, slots=True)
class Interval:
    """One sample and what the loop made of it; concentration, occupancy and response are the twin's estimates."""

    index: int
    time_h: float
    day: int
    hour: float
    origin: str
    stress: float | None
    sleep: float | None
    mood: float | None
    dose_mg: float
    score: float
    components: Mapping[str, float]
    novelty: float
    concentration_ng_per_ml: float
    occupancy: float
    response: float


@dataclass(frozen=True, slots=True)
class Review:
    """A suggestion as it was registered."""

    index: int
    time_h: float
    day: int
    hour: float
    id: str
    kind: str
    reason: str
    score: float
    effect: Effect | None
    blocked: tuple[str, ...]
    expires_h: float
    evidence: tuple[Evidence, ...] = ()
    confidence: float | None = None
    alternatives: tuple[str, ...] = ()
    disclaimer: str = DISCLAIMER


@dataclass(frozen=True, slots=True)
class Scenario:
    """One patient's ten days, or as many as the file holds."""

    arm: str
    seed: int | None
    disclaimer: str
    treatment: Treatment
    backend: str
    intervals: tuple[Interval, ...]
    suggestions: tuple[Review, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data for JSON, the figure and the table."""
        data = dataclasses.asdict(self)
        data["treatment"] = {
            "drug": self.treatment.pk.drug,
            "dose_mg": self.treatment.dose_mg,
            "started_h": None if self.treatment.started_at is None else _hours(self.treatment.started_at),
            "pharmacokinetics": self.treatment.pk.id,
        }
        return data


def run(
    arm: str,
    seed: int | None = None,
    rows: Sequence[Sample] | None = None,
    backend: str = "reference",
    treatment: Treatment | None = None,
    levels: Sequence[Level] = (),
) -> Scenario:
    """One patient through the loop: an arm of the generator, or `rows` of one's own under the name `arm`.

    `levels` are measured drug levels; each is heard of when it was drawn, and makes the twin more this patient's own.
    """
    samples = list(rows) if rows is not None else samples_of(arm, seed or 0)
    treatment = treatment or treatment_of(samples)
    decisions = decide(samples, treatment, backend, levels)
    pairs = list(zip(samples, decisions, strict=True))
    return Scenario(
        arm=arm,
        seed=seed if rows is not None else seed or 0,
        disclaimer=DISCLAIMER,
        treatment=treatment,
        backend=decisions[0].insight.backend if decisions else backend,
        intervals=tuple(_interval(k, s, d, treatment) for k, (s, d) in enumerate(pairs)),
        suggestions=tuple(_review(k, s, d) for k, (s, d) in enumerate(pairs) if isinstance(d.proposal, Suggestion)),
    )


def run_seeds(
    arms: Sequence[str],
    seeds: Iterable[int],
    backend: str = "reference",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, float | None]]:
    """For each arm the fractions of seeds in which the scenario's claims hold; `progress` hears (done, of).

    Of an arm that relapses also how long the first review after it took: the median over the seeds, and the share
    within 24 h. Of the others both are None.
    """
    seeds = list(seeds)
    result: dict[str, dict[str, float | None]] = {}
    for arm in arms:
        rows = []
        for seed in seeds:
            rows.append(claims(run(arm, seed, backend=backend)))
            if progress is not None:
                progress(len(result) * len(seeds) + len(rows), len(arms) * len(seeds))
        result[arm] = {"seeds": len(seeds), **shares(rows)}
    return result


def shares(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """The fractions of the patients for whom each claim holds, and the median of the delay."""
    if not rows:
        return {}
    delays = [row["delay_h"] for row in rows]
    known = [delay for delay in delays if delay is not None]
    told: dict[str, float | None] = {
        claim: math.fsum(row[claim] or 0.0 for row in rows) / len(rows) for claim in rows[0] if claim != "delay_h"
    }
    # A relapse that nobody noticed took longer than any; so the median is that of all, or unknown.
    told["noticed_within_24_h"] = sum(d <= NOTICED_H for d in known) / len(known) if known else None
    told["median_delay_h"] = finite(median(known)) if known else None
    return told


def finite(value: float) -> float | None:
    """JSON knows no infinity."""
    return value if math.isfinite(value) else None


def samples_of(arm: str, seed: int, clearance: float = 1.0) -> list[Sample]:
    """The generator's patient as rows of input; `clearance` is the factor that the genotype brings."""
    course = simulate(Arm(arm), seed, clearance)
    return [
        Sample(
            float(HOURS_PER_SAMPLE * k), stress, sleep, mood, dose, "published" if k < course.published else "generated"
        )
        for k, ((stress, sleep, mood), dose) in enumerate(zip(course.rows, course.doses_mg, strict=True))
    ]


def decide(
    samples: Sequence[Sample], treatment: Treatment, backend: str, levels: Sequence[Level] = ()
) -> list[Decision]:
    """The decisions of all turns, in order; the loop is given each sample, and each drug level, when it is its time.

    At every new level the pharmacokinetics become this person's own (Bayesian MAP from the levels so far), and the
    twin takes the samples so far in once more.
    """
    memory = Memory(Ladder(Mode.ADVISORY, "advice is all that a patient is served with"))
    situation = Situation("patient", "treatment", START + timedelta(days=365), {})
    decisions: list[Decision] = []
    own, used = treatment, 0
    with neuro_core_of(backend, treatment.pk) as core:
        parts = parts_of(own, core)
        for k, sample in enumerate(samples):
            known = [level for level in levels if level.time_h <= sample.time_h]
            if len(known) > used:
                used = len(known)
                own = replace(treatment, pk=from_levels(treatment.pk, doses_of(samples[:k]), known))
                parts = parts_of(own, core)
                memory = replace(memory, track=replayed(parts.engine, [d.snapshot for d in decisions]))
            decision, memory = turn(memory, snapshot_of(sample), situation, parts)
            decisions.append(decision)
    return decisions


def neuro_core_of(backend: str, pk: Pharmacokinetics) -> NeuroCore:
    """A NeuroCore that learns a patient's response and bias, and scores the stability."""
    population, learner = _design(pk)
    network = Design(len(population.centres), len(LEARNED))
    return NeuroCore(open_backend(backend, network, 0), learner, population, StabilityWatch())


@functools.lru_cache(maxsize=64)
def _population(drug: str) -> Population:
    """What NeuroCore's network looks at, the same for all on one drug."""
    body = DOSES_IN_BODY * DRUGS[drug].cap_mg
    return coding.population({"effect": (0.0, 1.0), "tolerance": (0.0, 1.0), "central": (0.0, body)}, 0)


@functools.lru_cache(maxsize=64)
def _design(pk: Pharmacokinetics) -> tuple[Population, RateLearner]:
    """The population of NeuroCore's network, and what it learns."""
    population = _population(pk.drug)
    model = patient.model(pk)
    learned = [m for m in model.multipliers if m.name in LEARNED]
    return population, rates.design(population, learned, model, PLANT.variables, rates.AT_ONCE)


class PatientEngine:
    """The TwinEngine with a patient's ensemble; a plan that was just forecast is not forecast again."""

    def __init__(self, twin: TwinEngine) -> None:
        self._twin = twin
        self._last: tuple[Estimate, Correction, Forecast] | None = None

    def assimilate(self, track: Track | None, snapshot: Snapshot) -> Track:
        """The belief after this snapshot."""
        return self._twin.assimilate(track, snapshot)

    def forecast(self, estimate: Estimate, correction: Correction, plan: Plan) -> Forecast:
        """The future under a plan."""
        last = self._last
        if last is not None and last[0] is estimate and last[1] is correction and last[2].plan == plan:
            return last[2]
        found = self._twin.forecast(estimate, correction, plan, MEMBERS)
        self._last = (estimate, correction, found)
        return found


def parts_of(treatment: Treatment, core: NeuroCore) -> Parts:
    """Everything one patient is served by."""
    engine = PatientEngine(_engine(treatment.pk))
    return Parts(PLANT, engine, core, PatientLoop(treatment, engine), ENVELOPE, GATES, CADENCE)


@functools.lru_cache(maxsize=64)
def _engine(pk: Pharmacokinetics) -> TwinEngine:
    return TwinEngine(PLANT, patient.model(pk), TUNING, OUTLOOK)


def replayed(engine: Engine, snapshots: Sequence[Snapshot]) -> Track | None:
    """The belief after these snapshots; None when there are none."""
    track = None
    for snapshot in snapshots:
        track = engine.assimilate(track, snapshot)
    return track


def doses_of(samples: Sequence[Sample]) -> list[Dose]:
    """The doses that were swallowed."""
    return [Dose(s.time_h, s.dose_mg) for s in samples if s.dose_mg > 0]


def snapshot_of(sample: Sample) -> Snapshot:
    """A sample as the loop reads it."""
    time = START + timedelta(hours=sample.time_h)
    readings = {v.name: _reading(getattr(sample, v.name), v, time) for v in PLANT.variables}
    return Snapshot(time, readings)


def _reading(value: float | None, variable: Variable, time: datetime) -> Reading:
    if value is None:
        return Reading(None, variable.unit, time, Quality.BAD, "not reported")
    if not variable.low <= value <= variable.high:
        return Reading(value, variable.unit, time, Quality.BAD, f"outside {variable.low:g} to {variable.high:g}")
    return Reading(value, variable.unit, time, Quality.GOOD)


def treatment_of(
    samples: Sequence[Sample], drug: str = "escitalopram", person: Person | None = None, record: str = ""
) -> Treatment:
    """As the doses taken show it: the first one starts the treatment and is what is prescribed.

    `record` names the population model; without it the one that fits the person best is taken. Facts that `person`
    leaves open keep the defaults of Treatment.
    """
    first = next((s for s in samples if s.dose_mg > 0), None)
    dose_mg = first.dose_mg if first else DRUGS[drug].start_mg
    person = person or Person()
    chosen = studies.RECORDS[record] if record else studies.default(drug, person)
    treatment = Treatment(
        dose_mg=dose_mg,
        started_at=START + timedelta(hours=first.time_h) if first else None,
        pk=for_person(chosen, person, dose_mg),
        cyp2c19=person.cyp2c19,
        cyp2d6=person.cyp2d6,
        male=person.male,
        asian=person.asian,
        comedication=tuple(sorted(person.comedication)),
    )
    if person.age_years is not None:
        treatment = replace(treatment, age_years=person.age_years)
    return replace(treatment, weight_kg=person.weight_kg) if person.weight_kg is not None else treatment


def _interval(index: int, sample: Sample, decision: Decision, treatment: Treatment) -> Interval:
    concentration = patient.concentration_ng_per_ml(decision.estimate, treatment.pk)
    return Interval(
        index=index,
        **_when(sample),
        origin=sample.origin,
        stress=sample.stress,
        sleep=sample.sleep,
        mood=sample.mood,
        dose_mg=sample.dose_mg,
        score=decision.insight.stability,
        components={name: decision.insight.components[name] for name in "DVNA"},
        novelty=decision.insight.novelty,
        concentration_ng_per_ml=concentration,
        occupancy=treatment.drug.occupancy(concentration),
        response=math.exp(decision.estimate.log_multipliers[0]),
    )


def _review(index: int, sample: Sample, decision: Decision) -> Review:
    suggestion = decision.proposal
    if not isinstance(suggestion, Suggestion):
        raise TypeError("a review is made of a suggestion")
    return Review(
        index=index,
        **_when(sample),
        id=suggestion.id,
        kind=suggestion.kind,
        reason=suggestion.reason,
        score=decision.insight.stability,
        effect=suggestion.effect,
        blocked=suggestion.bounded_by,
        expires_h=_hours(suggestion.expires_at),
        evidence=suggestion.evidence,
        confidence=suggestion.confidence,
        alternatives=suggestion.alternatives,
    )


def _when(sample: Sample) -> dict[str, Any]:
    day = math.floor(sample.time_h / 24)
    return {"time_h": sample.time_h, "day": day + 1, "hour": sample.time_h - 24 * day}


def _hours(time: datetime) -> float:
    return (time - START) / timedelta(hours=1)


def claims(scenario: Scenario) -> dict[str, float | None]:
    """What the scenario claims, as 0 or 1; `delay_h` is from a relapse to the next review, None where there is none."""
    at = [review.index for review in scenario.suggestions]
    scores = [interval.score for interval in scenario.intervals]
    started = scenario.treatment.started_at
    allowed = math.inf if started is None else _hours(started) + 24 * MIN_INTERVAL_DAYS
    relapses = scenario.arm in (Arm.RELAPSE, Arm.GRADUAL_RELAPSE)
    later = [HOURS_PER_SAMPLE * (k - RELAPSE_AT) for k in at if k >= RELAPSE_AT]
    return {
        "silent_after_day_7": float(not any(k >= DAY_8 for k in at)),
        "any_in_days_1_to_4": float(any(k < DAY_5 for k in at)),
        "any": float(bool(at)),
        "rising": float(linear_regression(range(len(scores)), scores).slope > 0),
        "dose_increase_before_day_7": float(any(r.kind == "dose" and r.time_h < allowed for r in scenario.suggestions)),
        "delay_h": float(min(later, default=math.inf)) if relapses else None,
    }
