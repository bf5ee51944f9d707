"""The audit of a patient's suggestions: who and what, then every suggestion with all it was made of, and every answer.

Research use only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

from controller.loop.records import Decision, Intent, Suggestion
from controller.patient import model as patient
from controller.patient.advice import trigger
from controller.patient.advice.case import Treatment
from controller.patient.advice.constraints import RELEVANT_GAIN
from controller.patient.advice.loop import DISCLAIMER
from controller.patient.course import decide
from controller.patient.data.samples import Sample
from controller.patient.pharmacology.pharmacokinetics import Level
from controller.patient.scenario import Scenario
from controller.patient.trail import appended
from controller.support.hash_chain import digest
from twin.records import Estimate, Forecast, Plan
from twin.signals import Snapshot

WINDOW = 8  # samples of input that a suggestion's record holds: 48 h, as far as any rule looks back
AHEAD_H = (24, 72, 168)
SHOWN = ("mood", "stress", "sleep", "level")
NORMAL_90 = 1.645  # half the central 90 % interval of a unit normal
STRONGEST = 3  # contributions to the novelty that are worth keeping
Json = dict[str, Any]


def audit(
    scenario: Scenario,
    decisions: Sequence[Decision] | None = None,
    patient_id: str = "",
    levels: Sequence[Level] = (),
) -> tuple[str, ...]:
    """The rows of one scenario: who and what, then every suggestion and every answer in order.

    Without its decisions the scenario is replayed from its own rows and the drug levels that it was run with, and
    ValueError says so if the scores differ.
    """
    decisions = decisions if decisions is not None else _replayed(scenario, levels)
    return of_decisions(decisions, scenario.treatment, patient_id or pseudonym(scenario))


def of_decisions(decisions: Sequence[Decision], treatment: Treatment, patient_id: str) -> tuple[str, ...]:
    """The rows of a run that is over or still going on."""
    lines = appended((), "opened", _opened(treatment, patient_id, decisions))
    for kind, body in _happened(decisions, treatment, patient_id):
        lines = appended(lines, kind, body)
    return lines


def _replayed(scenario: Scenario, levels: Sequence[Level]) -> list[Decision]:
    rows = [Sample(i.time_h, i.stress, i.sleep, i.mood, i.dose_mg, i.origin) for i in scenario.intervals]
    decisions = decide(rows, scenario.treatment, scenario.backend, levels)
    for interval, decision in zip(scenario.intervals, decisions, strict=True):
        if decision.insight.stability != interval.score:
            raise ValueError(f"sample {interval.index} replayed gives another score: give audit() the decisions")
    return decisions


def pseudonym(scenario: Scenario) -> str:
    """What a patient without a name of one's own is called."""
    return f"{scenario.arm}-{scenario.seed}" if scenario.seed is not None else scenario.arm


def _opened(treatment: Treatment, patient_id: str, decisions: Sequence[Decision]) -> Json:
    return {
        "disclaimer": DISCLAIMER,
        "patient": patient_id,
        **_versions(treatment, decisions[0].insight.backend if decisions else ""),
        "treatment": asdict(treatment),
        "thresholds": _thresholds(),
    }


def _versions(treatment: Treatment, backend: str) -> Json:
    model = patient.model(treatment.pk)
    numbers = [[p.name, p.value, p.unit] for p in model.parameters]
    return {
        "software": f"neurotwin {version('neurotwin')}",
        "model": model.name,
        "parameters_sha256": digest({"parameters": numbers}),
        "pharmacokinetics": treatment.pk.id,
        "neurocore": backend,
    }


def _thresholds() -> Json:
    names = ("LOW_SCORE", "LOW_FROM", "FALL", "FALL_BELOW", "FALL_WINDOW", "REFRACTORY", "EPISODE_CLOSES")
    return {name.lower(): getattr(trigger, name) for name in names}


def _happened(decisions: Sequence[Decision], treatment: Treatment, patient_id: str) -> Iterator[tuple[str, Json]]:
    registered: set[tuple[str, datetime]] = set()
    for k, decision in enumerate(decisions):
        proposal = decision.proposal
        if isinstance(proposal, Suggestion) and (proposal.id, decision.time) not in registered:
            registered.add((proposal.id, decision.time))
            before = [d.snapshot for d in decisions[: k + 1]]
            yield "suggestion", _suggested(decision, proposal, _distinct(before)[-WINDOW:], treatment, patient_id)
        for ruling in decision.rulings:
            yield "answer", _answered(ruling.intent, ruling.granted, ruling.reason, decision.time)


def _distinct(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """One of each time: a turn that only judges an answer looks at the same snapshot again."""
    return list({s.time: s for s in snapshots}.values())


def _suggested(
    decision: Decision, suggestion: Suggestion, window: Sequence[Snapshot], treatment: Treatment, patient_id: str
) -> Json:
    body, a_day = asdict(suggestion), _a_day(suggestion.plan)
    body.pop("plan")  # its dose is told below, its effect is in the prediction
    evidence = body.pop("evidence")
    body.pop("confidence")  # told below, with what it is the probability of
    return {
        "identity": {
            "id": suggestion.id,
            "time": decision.time,
            "patient": patient_id,
            **_versions(treatment, decision.insight.backend),
        },
        "input": _input(window),
        "score": _score(decision),
        "twin": _posterior(decision.estimate, treatment),
        "decision": {
            **body,
            "daily_mg": math.fsum(dose["mg"] for dose in a_day),
            "single_doses": a_day,
            "mode": str(decision.mode),
            "written": False,
        },
        "evidence": evidence,
        "prediction": {"without": _ahead(decision.baseline), "with": _ahead(decision.proposed)},
        "confidence": _confidence(suggestion),
        "disclaimer": DISCLAIMER,
        "review": None,  # the answer is a row of its own, which names this id
    }


def _a_day(plan: Plan) -> list[Json]:
    """The single doses of the first day that the plan changes anything of: what is swallowed already is not its own."""
    coming = [(step.start, step.inputs["dose_mg"]) for step in plan.steps[1:]]
    return [
        {"at": at, "at_h": (at - coming[0][0]) / timedelta(hours=1), "mg": mg}
        for at, mg in coming
        if at < coming[0][0] + timedelta(days=1)
    ]


def _input(window: Sequence[Snapshot]) -> Json:
    rows, missing = [], []
    for snapshot in window:
        values = {name: reading.value for name, reading in snapshot.readings.items()}
        rows.append({"time": snapshot.time, **values})
        missing += [
            {"time": snapshot.time, "channel": name, "quality": reading.quality.name.lower(), "reason": reading.reason}
            for name, reading in snapshot.readings.items()
            if not reading.usable
        ]
    return {"values": rows, "missing": missing}


def _score(decision: Decision) -> Json:
    insight = decision.insight
    found = dict(insight.components)
    strongest = sorted(insight.contributions.items(), key=lambda item: -item[1])[:STRONGEST]
    rules = ("low", "fall", "red_flag_mood", "red_flag_activation")
    return {
        "value": insight.stability,
        "components": {name: found[name] for name in "DVNA" if name in found},
        "trigger": [name for name in rules if found.get(name)],
        "findings": {name: value for name, value in found.items() if name not in "DVNA"},
        "neurocore": {
            "novelty": insight.novelty,
            "contributions": dict(strongest),
            "log_correction": dict(insight.log_multipliers),
            "learned": insight.learned,
            "why_not": insight.why_not,
        },
    }


def _posterior(estimate: Estimate, treatment: Treatment) -> Json:
    """Mean and central 90 % interval of every state and, on its own scale, of every multiplier."""
    told: Json = {n: _interval(m, estimate.sd(n)) for n, m in zip(estimate.names, estimate.mean, strict=True)}
    for name, logarithm in zip(estimate.multiplier_names, estimate.log_multipliers, strict=True):
        told[name] = _log_interval(1.0, logarithm, estimate.sd(name))
    if "log_clearance" in estimate.names:
        mean, sd = estimate["log_clearance"], estimate.sd("log_clearance")
        told["clearance_l_per_h"] = _log_interval(treatment.pk.clearance_l_per_h, mean, sd)
    concentration = patient.concentration_ng_per_ml(estimate, treatment.pk)
    told["concentration_ng_per_ml"] = concentration
    told["occupancy"] = patient.occupancy(concentration, treatment.pk.drug)
    return told


def _interval(mean: float, sd: float) -> Json:
    return {"mean": mean, "low90": mean - NORMAL_90 * sd, "high90": mean + NORMAL_90 * sd}


def _log_interval(typical: float, mean: float, sd: float) -> Json:
    low, middle, high = (typical * math.exp(mean + z * sd) for z in (-NORMAL_90, 0.0, NORMAL_90))
    return {"median": middle, "low90": low, "high90": high}


def _ahead(forecast: Forecast | None) -> Json | None:
    """The forecast one, three and seven days on: median, central 80 % and 95 %."""
    if forecast is None:
        return None
    told: Json = {}
    for hours in AHEAD_H:
        wanted = forecast.made_at + timedelta(hours=hours)
        i = min(range(len(forecast.times)), key=lambda i: abs(forecast.times[i] - wanted))
        told[f"{hours}_h"] = {
            name: {part: values[i] for part, values in asdict(forecast.bands[name]).items()}
            for name in SHOWN
            if name in forecast.bands
        }
    return told


def _confidence(suggestion: Suggestion) -> Json:
    """The probability that the benefit exceeds the least that counts, that, and whose benefit it is."""
    return {
        "probability_of_relevant_gain": suggestion.confidence,
        "least_that_counts": RELEVANT_GAIN,
        "of": "carrying on as prescribed" if suggestion.effect is None else "the suggestion",
    }


def _answered(intent: Intent, granted: bool, ruling: str, at: datetime) -> Json:
    return {
        "answer": intent.kind,
        "suggestion": intent.suggestion,
        "by": intent.by,
        "at": at,
        "reason": intent.reason,
        "mode": None if intent.mode is None else str(intent.mode),
        "granted": granted,
        "ruling": ruling,
    }
