"""The SSRI reference scenario: one patient, or many, through the same turn of the loop that serves a bioreactor.

Research use only. Not a medical device. The scenario advises; nothing is ever written.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import linear_regression
from typing import Any

from controller.cycle import Cadence, Memory, Parts, turn
from controller.envelope import Envelope
from controller.neurocore.core import neuro_core
from controller.patient_file import Sample
from controller.pharmacoloop.patient import DISCLAIMER, PatientLoop
from controller.pharmacoloop.reviews import MIN_INTERVAL_DAYS, Treatment
from controller.pharmacoloop.stability import PLAUSIBLE, StabilityWatch
from controller.records import Decision, Effect, Mode, Situation, Suggestion
from controller.supervisor import Gates, Ladder
from plant_sim.patient import HOURS_PER_SAMPLE, Arm, simulate
from twin.engine import TwinEngine
from twin.estimate import Tuning
from twin.forecast import Outlook
from twin.models import patient
from twin.signals import Plant, Quality, Reading, Role, Snapshot, Variable

START = datetime(2026, 1, 1, tzinfo=UTC)  # day 1, 0 h of every patient
SAMPLING = timedelta(hours=HOURS_PER_SAMPLE)
DAY_5 = 16  # index of the first sample after days 1 to 4
DAY_8 = 28  # index of the first sample after day 7

PLANT = Plant(
    name="patient",
    model="patient",
    variables=(
        Variable("stress", "points", *PLAUSIBLE["stress"], Role.MEASURED, "Stress"),
        Variable("sleep", "h", *PLAUSIBLE["sleep"], Role.MEASURED, "Sleep in the 24 h before"),
        Variable("mood", "points", *PLAUSIBLE["mood"], Role.MEASURED, "Mood"),
        Variable("dose_mg", "mg", 0.0, 60.0, Role.MANIPULATED, "Dose swallowed just after the sample"),
    ),
    advisory_only=True,
)
ENVELOPE = Envelope(limits=(), bounds=(), evidence=("stress", "sleep", "mood"))
GATES = Gates(novelty_max=0.95, nis_ratio_max=4.0, patience=3)  # of a mode that an advisory plant never has
CADENCE = Cadence(plan_every=SAMPLING, command_valid=SAMPLING)
# A wild report is set aside once; said twice it is believed, for a relapse is sudden too (design).
TUNING = Tuning(patience=1)
# One look every sampling interval. A response is the patient's own and does not fade as a batch's quirks do (design).
OUTLOOK = Outlook(fade_h=24.0 * 30, points=29)
# What the response may depend on, and where it is coded (design); 60 mg in the body is above all label doses.
RANGES = {"effect": (0.0, 1.0), "tolerance": (0.0, 1.0), "central": (0.0, 60.0)}


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
) -> Scenario:
    """One patient through the loop: an arm of the generator, or `rows` of one's own under the name `arm`."""
    samples = list(rows) if rows is not None else samples_of(arm, seed or 0)
    treatment = treatment or _treatment(samples)
    decisions = decide(samples, treatment, backend)
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
) -> dict[str, dict[str, float]]:
    """For each arm the fractions of seeds in which the scenario's claims hold; `progress` hears (done, of)."""
    seeds = list(seeds)
    result: dict[str, dict[str, float]] = {}
    for arm in arms:
        rows = []
        for seed in seeds:
            rows.append(_claims(run(arm, seed, backend=backend)))
            if progress is not None:
                progress(len(result) * len(seeds) + len(rows), len(arms) * len(seeds))
        shares = {claim: math.fsum(row[claim] for row in rows) / len(rows) for claim in rows[0]} if rows else {}
        result[arm] = {"seeds": len(seeds), **shares}
    return result


def samples_of(arm: str, seed: int) -> list[Sample]:
    """The generator's patient as rows of input."""
    course = simulate(Arm(arm), seed)
    return [
        Sample(float(HOURS_PER_SAMPLE * k), *row, dose, "published" if k < course.published else "generated")
        for k, (row, dose) in enumerate(zip(course.rows, course.doses_mg, strict=True))
    ]


def decide(samples: Sequence[Sample], treatment: Treatment, backend: str) -> list[Decision]:
    """The decisions of all turns, in order; the loop is given each sample when it is its time."""
    model = patient.model(treatment.pk)
    engine = _engine(treatment.pk)
    memory = Memory(Ladder(Mode.ADVISORY, "advice is all that a patient is served with"))
    decisions = []
    with neuro_core(
        backend, model, ("response",), RANGES, variables=PLANT.variables, stability=StabilityWatch()
    ) as core:
        parts = Parts(PLANT, engine, core, PatientLoop(treatment, engine), ENVELOPE, GATES, CADENCE)
        situation = Situation("patient", "treatment", START + timedelta(days=365), {})
        for sample in samples:
            decision, memory = turn(memory, _snapshot(sample), situation, parts)
            decisions.append(decision)
    return decisions


@functools.cache
def _engine(pk: patient.Pharmacokinetics) -> TwinEngine:
    return TwinEngine(PLANT, patient.model(pk), TUNING, OUTLOOK)


def _snapshot(sample: Sample) -> Snapshot:
    time = START + timedelta(hours=sample.time_h)
    readings = {v.name: _reading(getattr(sample, v.name), v, time) for v in PLANT.variables}
    return Snapshot(time, readings)


def _reading(value: float | None, variable: Variable, time: datetime) -> Reading:
    if value is None:
        return Reading(None, variable.unit, time, Quality.BAD, "not reported")
    if not variable.low <= value <= variable.high:
        return Reading(value, variable.unit, time, Quality.BAD, f"outside {variable.low:g} to {variable.high:g}")
    return Reading(value, variable.unit, time, Quality.GOOD)


def _treatment(samples: Sequence[Sample]) -> Treatment:
    """As the doses taken show it: the first one starts the treatment and is what is prescribed."""
    first = next((s for s in samples if s.dose_mg > 0), None)
    if first is None:
        return Treatment()
    return Treatment(dose_mg=first.dose_mg, started_at=START + timedelta(hours=first.time_h))


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
        occupancy=patient.occupancy(concentration),
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
    )


def _when(sample: Sample) -> dict[str, Any]:
    day = math.floor(sample.time_h / 24)
    return {"time_h": sample.time_h, "day": day + 1, "hour": sample.time_h - 24 * day}


def _hours(time: datetime) -> float:
    return (time - START) / timedelta(hours=1)


def _claims(scenario: Scenario) -> dict[str, bool]:
    at = [review.index for review in scenario.suggestions]
    scores = [interval.score for interval in scenario.intervals]
    started = scenario.treatment.started_at
    allowed = math.inf if started is None else _hours(started) + 24 * MIN_INTERVAL_DAYS
    return {
        "silent_after_day_7": not any(k >= DAY_8 for k in at),
        "any_in_days_1_to_4": any(k < DAY_5 for k in at),
        "rising": linear_regression(range(len(scores)), scores).slope > 0,
        "dose_increase_before_day_7": any(r.kind == "dose" and r.time_h < allowed for r in scenario.suggestions),
    }
