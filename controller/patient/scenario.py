"""The SSRI reference scenario: one patient through the same turn of the loop that serves a bioreactor.

Research use only. Not a medical device. The scenario advises; nothing is ever written.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.loop.records import Decision, Effect, Evidence, Suggestion
from controller.patient import model as patient
from controller.patient.advice.case import Treatment
from controller.patient.advice.loop import DISCLAIMER
from controller.patient.course import decide
from controller.patient.data.samples import Sample
from controller.patient.pharmacology.pharmacokinetics import Level
from controller.patient.simulated import samples_of
from controller.patient.snapshots import hours
from controller.patient.treatment import treatment_of


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
            "daily_mg": self.treatment.regimen.daily_mg,
            "regimen": str(self.treatment.regimen),
            "source": str(self.treatment.regimen.source),
            "started_h": None if self.treatment.started_at is None else hours(self.treatment.started_at),
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
        expires_h=hours(suggestion.expires_at),
        evidence=suggestion.evidence,
        confidence=suggestion.confidence,
        alternatives=suggestion.alternatives,
    )


def _when(sample: Sample) -> dict[str, Any]:
    day = math.floor(sample.time_h / 24)
    return {"time_h": sample.time_h, "day": day + 1, "hour": sample.time_h - 24 * day}
