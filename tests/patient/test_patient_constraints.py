"""H1 to H13: each is attacked through the score, the forecast and the inputs, and none gives way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.loop.records import Intent, Situation, Suggestion
from controller.patient.advice.case import Advice, Picture, Treatment
from controller.patient.advice.constraints import CONSTRAINTS, objections
from controller.patient.advice.guidelines import cap_mg
from controller.patient.advice.loop import Pending
from controller.patient.advice.reviews import first_passing, red_flag, silence
from controller.patient.data.samples import Sample
from controller.patient.pharmacology.studies import F2, L1, RECORDS
from controller.patient.regimen import Regimen, every
from controller.patient.scenario import run
from controller.patient.snapshots import START
from twin.records import Plan

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WILD = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, 0.3, 0.69, 0.8, 7.0, 50.0, 1e9])
BY_ID = {c.id: c for c in CONSTRAINTS}


def _daily(mg: float) -> tuple[Regimen, ...]:
    return (every("a drug", mg, start=NOW - timedelta(days=300)),)


def _treatment(days: float, **facts: Any) -> Treatment:
    return Treatment(started_at=NOW - timedelta(days=days), **facts).at(NOW)


def _picture(days: float, treatment: Treatment, **changes: Any) -> Picture:
    findings = {
        "low": 1.0,
        "fall": 0.0,
        "red_flag_mood": 0.0,
        "red_flag_activation": 0.0,
        "good_samples": 4.0,
        "sleep_fall_h": 0.0,
        "dose_mg_48h": 2 * treatment.regimen.daily_mg,
    } | changes.pop("findings", {})
    base = Picture(NOW, treatment, days, 0.0, findings, 7.0, 7.0, 0.5, 0.5, 0.0, 9.0, 3.0, (0.1, 0.1), 0.0)
    return replace(base, **changes)


def _dose(mg: float) -> Advice:
    return Advice("dose", "discuss another dose", timedelta(days=1), mg)


SWITCH = Advice("replacement", "discuss another drug", timedelta(days=7))
CALM = Advice("monitoring", "check again", timedelta(days=1))

# By constraint: advice that it must refuse, days of treatment, the facts, and what else is true of the picture.
REFUSED: list[tuple[str, Advice, float, dict[str, Any], dict[str, Any]]] = [
    ("H1", _dose(25.0), 30, {"regimens": _daily(20.0)}, {}),
    ("H1", _dose(15.0), 30, {"age_years": 70.0, "qtc_ms": 400.0}, {}),
    ("H1", _dose(15.0), 30, {"cyp2c19": "PM", "qtc_ms": 400.0}, {}),
    ("H1", _dose(15.0), 30, {"hepatic": True}, {}),
    ("H1", _dose(15.0), 30, {"comedication": ("omeprazole",)}, {}),
    ("H1", _dose(math.nan), 30, {}, {}),
    ("H2", _dose(15.0), 6.9, {}, {}),
    ("H2", _dose(5.0), 3.0, {}, {}),
    ("H2", _dose(40.0), 20.0, {"regimens": _daily(20.0), "pk": F2.typical}, {}),
    ("H2", _dose(15.0), 30, {"changed_at": NOW - timedelta(days=5)}, {}),
    ("H3", _dose(15.0), 30, {}, {"active": "dose-1"}),
    ("H3", SWITCH, 30, {}, {"active": "dose-1", "predicted": 30.0}),
    ("H4", _dose(15.0), 30, {}, {"occupancy": 0.8, "predicted": 20.0}),
    ("H4", _dose(15.0), 30, {}, {"occupancy": 0.75, "predicted": 15.0, "response": 0.1}),
    ("H5", _dose(15.0), 30, {"qtc_rise_ms": 60.0, "qtc_ms": 440.0}, {}),
    ("H5", _dose(15.0), 30, {"qtc_ms": 455.0, "male": True}, {}),
    ("H5", _dose(15.0), 30, {"age_years": 61.0}, {}),
    ("H5", _dose(15.0), 30, {"electrolytes_low": True}, {}),
    ("H5", _dose(15.0), 30, {"comedication": ("sotalol",)}, {}),
    ("H6", _dose(15.0), 30, {"stopped": (("phenelzine", NOW - timedelta(days=13)),)}, {}),
    ("H6", SWITCH, 30, {"stopped": (("linezolid", NOW - timedelta(days=1)),)}, {"predicted": 30.0}),
    ("H6", SWITCH, 30, {"comedication": ("pimozide",)}, {"predicted": 30.0}),
    ("H6", _dose(15.0), 30, {"comedication": ("tramadol",)}, {}),
    ("H7", SWITCH, 13.9, {}, {"predicted": 30.0}),
    ("H7", SWITCH, 30, {}, {"predicted": 10.0}),
    ("H7", SWITCH, 6.0, {"intolerance": True}, {"predicted": 30.0}),
    ("H8", _dose(0.0), 30, {}, {}),
    ("H8", _dose(-5.0), 30, {}, {}),
    ("H8", replace(_dose(7.5), reason="take less"), 30, {}, {}),
    ("H9", _dose(50.0), 13, {"pk": L1.typical, "regimens": _daily(25.0)}, {}),
    ("H9", _dose(50.0), 20, {"pk": L1.typical, "regimens": _daily(25.0), "comedication": ("valproate",)}, {}),
    ("H9", _dose(100.0), 20, {"pk": L1.typical, "regimens": _daily(50.0)}, {}),
    ("H10", CALM, 30, {"suicidality": True}, {}),
    ("H10", CALM, 30, {"serotonin_signs": True}, {}),
    ("H10", _dose(15.0), 30, {"qtc_ms": 505.0}, {}),
    ("H10", CALM, 30, {"comedication": ("linezolid",)}, {}),
    ("H10", _dose(15.0), 30, {}, {"findings": {"red_flag_mood": 1.0}}),
    ("H10", SWITCH, 30, {}, {"findings": {"red_flag_activation": 1.0}, "predicted": 30.0}),
    ("H11", CALM, 30, {"age_years": 17.9}, {}),
    ("H11", CALM, 30, {"age_years": None}, {}),
    ("H11", CALM, 30, {"weight_kg": None}, {}),
    ("H11", CALM, 30, {"weight_kg": 0.0}, {}),
    ("H11", CALM, 30, {"pregnant": True}, {}),
    ("H12", CALM, 30, {}, {"findings": {"good_samples": 2.0}}),
    ("H12", CALM, 30, {}, {"occupancy": math.nan}),
    ("H12", _dose(15.0), 30, {}, {"predicted": -1.0}),
]
REFUSED += [
    ("H13", _dose(15.0), 30, {"withheld": ("an order could not be read",)}, {}),
    ("H13", SWITCH, 30, {"withheld": ("an order could not be read",)}, {"predicted": 30.0}),
    ("H13", _dose(15.0), 30, {"regimens": (every("a drug", 20.0, 48.0),)}, {}),
    ("H13", _dose(15.0), 30, {"regimens": (every("a drug", 10.0, as_needed=True),)}, {}),
    ("H13", _dose(15.0), 30, {"regimens": (every("a drug", 10.0, end=NOW - timedelta(days=1)),)}, {}),
    ("H1", _dose(25.0), 30, {"regimens": (every("a drug", 5.0, 6.0),)}, {}),
    ("H6", _dose(15.0), 30, {"perhaps": ("linezolid",)}, {}),
]
NAMES = [f"{case[0]}-{k}" for k, case in enumerate(REFUSED)]


def test_there_are_thirteen_and_each_says_what_it_demands() -> None:
    assert [c.id for c in CONSTRAINTS] == [f"H{k}" for k in range(1, 14)]
    assert all(c.sentence.endswith(".") for c in CONSTRAINTS)
    assert {case[0] for case in REFUSED} == set(BY_ID)


def test_a_patient_without_any_of_these_may_hear_of_the_dose_and_of_a_replacement() -> None:
    picture = _picture(30, _treatment(30))
    assert objections(picture, _dose(15.0)) == ()
    assert objections(replace(picture, predicted=30.0), SWITCH) == ()
    assert first_passing(picture)[0].kind == "dose"


@pytest.mark.parametrize(("name", "advice", "days", "facts", "changes"), REFUSED, ids=NAMES)
def test_each_constraint_refuses_what_it_must(
    name: str, advice: Advice, days: float, facts: dict[str, Any], changes: dict[str, Any]
) -> None:
    picture = _picture(days, _treatment(days, **facts), **changes)
    assert any(said.startswith(f"{name}: ") for said in objections(picture, advice))


@pytest.mark.parametrize(("name", "advice", "days", "facts", "changes"), REFUSED, ids=NAMES)
@settings(max_examples=25, deadline=None)
@given(score=WILD, novelty=WILD, low=st.sampled_from([0.0, 1.0]), fall=WILD, stress=WILD)
def test_no_score_overrides_a_constraint(
    name: str,
    advice: Advice,
    days: float,
    facts: dict[str, Any],
    changes: dict[str, Any],
    score: float,
    novelty: float,
    low: float,
    fall: float,
    stress: float,
) -> None:
    picture = _picture(days, _treatment(days, **facts), **changes)
    findings = {**picture.findings, "low": low, "fall": fall, "sleep_fall_h": fall}
    attacked = replace(picture, stability=score, novelty=novelty, stress=stress, findings=findings)
    assert BY_ID[name].objection(attacked, advice)


# What a forecast can say may matter to a constraint only where the constraint is about the forecast itself.
ABOUT_FORECASTS = {"H4", "H12"}


@pytest.mark.parametrize(("name", "advice", "days", "facts", "changes"), REFUSED, ids=NAMES)
@settings(max_examples=25, deadline=None)
@given(numbers=st.tuples(WILD, WILD, WILD, WILD, WILD), sds=st.tuples(WILD, WILD))
def test_no_forecast_overrides_a_constraint(
    name: str,
    advice: Advice,
    days: float,
    facts: dict[str, Any],
    changes: dict[str, Any],
    numbers: tuple[float, ...],
    sds: tuple[float, float],
) -> None:
    names = ("concentration", "predicted", "occupancy", "settled", "response")
    attacked = _picture(days, _treatment(days, **facts), **changes)
    attacked = replace(attacked, **dict(zip(names, numbers, strict=True)), log_sds=sds)
    if name in ABOUT_FORECASTS:  # such as occupancy: below the plateau nothing is to be refused
        attacked = replace(attacked, **{key: value for key, value in changes.items() if key != "findings"})
    if name == "H7" and days >= 14:
        attacked = replace(attacked, predicted=10.0)
    assert BY_ID[name].objection(attacked, advice)


@settings(max_examples=300, deadline=None)
@given(
    days=st.floats(-2, 400),
    record=st.sampled_from(sorted(RECORDS)),
    steps=st.integers(1, 4),
    facts=st.fixed_dictionaries(
        {},
        optional={
            "age_years": st.none() | st.floats(0, 100),
            "weight_kg": st.none() | st.floats(0, 150),
            "pregnant": st.booleans(),
            "cyp2c19": st.sampled_from(["PM", "IM", "NM", "RM", "UM", "unknown"]),
            "cyp2d6": st.sampled_from(["PM", "IM", "NM", "UM", "unknown"]),
            "qtc_ms": st.none() | st.floats(300, 600),
            "hepatic": st.booleans(),
            "electrolytes_low": st.booleans(),
            "suicidality": st.booleans(),
            "intolerance": st.booleans(),
            "comedication": st.sampled_from([(), ("linezolid",), ("tramadol",), ("omeprazole",), ("valproate",)]),
        },
    ),
    numbers=st.tuples(WILD, WILD, WILD, WILD, WILD, WILD, WILD),
    sds=st.tuples(WILD, WILD),
)
def test_whatever_is_known_what_is_said_keeps_every_constraint(
    days: float,
    record: str,
    steps: int,
    facts: dict[str, Any],
    numbers: tuple[float, ...],
    sds: tuple[float, float],
) -> None:
    pk = RECORDS[record].typical
    treatment = _treatment(days, pk=pk, **facts)
    treatment = replace(treatment, regimens=_daily(steps * treatment.drug.start_mg))
    names = ("stability", "concentration", "predicted", "occupancy", "settled", "response", "activation")
    picture = replace(_picture(days, treatment), **dict(zip(names, numbers, strict=True)), log_sds=sds)
    urgent = red_flag(picture)
    if urgent is not None:
        assert urgent.daily_mg is None and urgent.kind == "urgent"
        return
    if silence(picture):
        return
    advice, _ = first_passing(picture)
    assert objections(picture, advice) == ()
    if days < 7:
        assert advice.kind not in ("dose", "replacement")
    if advice.daily_mg is not None:
        assert 0 < advice.daily_mg <= cap_mg(treatment)


def _rows(make: Callable[[int], tuple[float, float, float]], n: int = 34) -> list[Sample]:
    return [Sample(6.0 * k, *make(k), 5.0 if k % 4 == 0 else 0.0, "file") for k in range(n)]


WRETCHED = _rows(lambda k: (10.0, 1.0 if k % 2 else 9.0, 2.1 + 0.01 * k))
FACTS: list[dict[str, Any]] = [
    {"age_years": 12.0},
    {"pregnant": True},
    {"qtc_ms": 440.0, "qtc_rise_ms": 80.0},
    {"comedication": ("tramadol",)},
    {"stopped": (("phenelzine", START),)},
    {"electrolytes_low": True},
    {"changed_at": START + timedelta(days=5)},
]


def test_the_worst_inputs_do_reach_the_dose_when_nothing_forbids_it() -> None:
    seen = run("wretched", None, WRETCHED, treatment=Treatment(regimens=_daily(5.0), started_at=START))
    assert "dose" in {review.kind for review in seen.suggestions}


@pytest.mark.parametrize("facts", FACTS, ids=[next(reversed(f)) for f in FACTS])
def test_the_worst_inputs_never_make_a_forbidden_dose(facts: dict[str, Any]) -> None:
    seen = run("wretched", None, WRETCHED, treatment=Treatment(regimens=_daily(5.0), started_at=START, **facts))
    assert not {"dose", "replacement"} & {review.kind for review in seen.suggestions}


def _proposal(kind: str) -> Suggestion:
    return Suggestion(f"{kind}-1", NOW, NOW + timedelta(days=7), kind, (), Plan((), NOW), "discuss", None)


def test_a_proposal_of_a_dose_stays_alone_until_it_is_answered_or_expires() -> None:
    quiet = Situation("patient", "treatment", NOW + timedelta(days=365), {})
    later = NOW + timedelta(hours=6)
    assert Pending().followed_by(_proposal("monitoring")) == Pending()
    pending = Pending().followed_by(_proposal("replacement"))
    assert pending.at(quiet, later).before(later) == "replacement-1"
    assert pending.before(NOW) == ""  # one that was made at this very sample is not pending yet
    answered = replace(quiet, intents=(Intent("reject", "clinician", later, "replacement-1"),))
    assert pending.at(answered, later) == Pending()
    assert Pending().followed_by(_proposal("dose")).at(quiet, NOW + timedelta(days=7)) == Pending()
