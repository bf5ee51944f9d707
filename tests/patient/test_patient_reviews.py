"""The rules of a review and the hard constraints that no score overrides, one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from controller.patient.advice.guidelines import candidates
from controller.patient.advice.reviews import (
    Picture,
    Treatment,
    cap_mg,
    dose_objection,
    first_passing,
    red_flag,
    silence,
)
from controller.patient.advice.stability import CHANNELS
from controller.patient.advice.watch import Watch, observe
from controller.patient.pharmacology.covariates import Person
from controller.patient.regimen import every

START = datetime(2026, 1, 1, tzinfo=UTC)
TRIGGERED = {
    "low": 1.0,
    "fall": 0.0,
    "red_flag_mood": 0.0,
    "red_flag_activation": 0.0,
    "good_samples": 4.0,
    "sleep_fall_h": 0.0,
    "dose_mg_48h": 20.0,
}


def _picture(day: float = 8.0, treatment: Treatment | None = None, **changes: object) -> Picture:
    """A treated adult at a triggered review, on the plateau and certain, changed where a test says so."""
    findings = TRIGGERED | dict(changes.pop("findings", {}))
    picture = Picture(
        now=START + timedelta(days=day),
        treatment=(treatment or Treatment(started_at=START)).at(START + timedelta(days=day)),
        days=day,
        stability=0.40,
        findings=findings,
        concentration=18.0,
        predicted=20.0,
        occupancy=0.80,
        settled=0.80,
        activation=0.05,
        stress=5.0,
        response=0.6,
        log_sds=(0.1, 0.1),
        novelty=0.1,
    )
    return replace(picture, **changes)


LOW = {"occupancy": 0.6, "settled": 0.6, "predicted": 7.5, "concentration": 7.0}


def test_without_a_trigger_there_is_no_review() -> None:
    assert "calls for no review" in silence(_picture(findings={"low": 0.0}))
    assert silence(_picture()) == silence(_picture(findings={"low": 0.0, "fall": 0.2})) == ""


def test_fewer_than_three_good_samples_of_four_silence_the_review() -> None:
    assert "only 2 of the last 4 samples" in silence(_picture(findings={"good_samples": 2.0}))
    assert silence(_picture(findings={"good_samples": 3.0})) == ""


@pytest.mark.parametrize("facts", [{"age_years": 17.0}, {"age_years": None}, {"weight_kg": None}, {"pregnant": True}])
def test_minors_unknowns_and_pregnancy_are_observation_only(facts: dict[str, object]) -> None:
    assert "observation only" in silence(_picture(treatment=Treatment(started_at=START, **facts)))


def test_a_dose_is_proposed_after_seven_days_at_low_occupancy() -> None:
    advice, blocked = first_passing(_picture(day=8, **LOW))
    assert (advice.kind, advice.daily_mg, blocked) == ("dose", 15.0, ())
    assert "60 %" in advice.reason and "10 mg" in advice.reason and "15 mg" in advice.reason


@pytest.mark.parametrize("day", [0.75, 2.0, 5.0, 6.99])
def test_no_dose_in_the_first_seven_days_whatever_else_holds(day: float) -> None:
    advice, blocked = first_passing(_picture(day=day, **LOW))
    assert advice.kind != "dose" and advice.daily_mg is None
    assert any("no increase before day 7" in reason for reason in blocked)


def test_a_change_of_dose_starts_the_seven_days_again() -> None:
    treatment = Treatment(started_at=START, changed_at=START + timedelta(days=10))
    assert "this is 4.0 days" in dose_objection(_picture(day=14, treatment=treatment, **LOW))
    assert dose_objection(_picture(day=17, treatment=treatment, **LOW)) == ""


@pytest.mark.parametrize("occupancy", [0.80, 0.85, 0.95])
def test_on_the_plateau_more_drug_is_always_refused(occupancy: float) -> None:
    picture = _picture(occupancy=occupancy, predicted=8.0)
    assert "plateau" in dose_objection(picture)
    assert first_passing(picture)[0].kind != "dose"


def test_between_underdosed_and_plateau_an_increase_must_promise_something() -> None:
    """At 74 % more drug brings a tenth of a point: below the range of concentrations, and still not worth it."""
    picture = _picture(occupancy=14.5 / 19.5, predicted=14.5)
    assert "0.10 points of mood in the long run, less than 0.5" in dose_objection(picture)
    assert dose_objection(replace(picture, response=4.0)) == ""


@pytest.mark.parametrize(
    ("facts", "cap"),
    [
        ({}, 20.0),
        ({"age_years": 65.0}, 10.0),
        ({"cyp2c19": "PM"}, 10.0),
        ({"cyp2c19": "PM", "age_years": 70.0}, 5.0),
        ({"cyp2c19": "IM"}, 15.0),
        ({"cyp2c19": "IM", "age_years": 70.0}, 7.5),
        ({"cyp2c19": "UM"}, 20.0),
    ],
)
def test_the_highest_dose_depends_on_age_and_genotype(facts: dict[str, object], cap: float) -> None:
    treatment = Treatment(started_at=START, qtc_ms=400.0, **facts)
    assert cap_mg(treatment) == cap
    for dose in (2.5, 5.0, 10.0, 15.0, 20.0):
        advice, _ = first_passing(
            _picture(
                treatment=replace(treatment, regimens=(every("escitalopram", dose),)),
                findings={"dose_mg_48h": 2 * dose},
                **LOW,
            )
        )
        assert (advice.kind == "dose") == (dose + 5.0 <= cap)
        assert advice.daily_mg is None or dose < advice.daily_mg <= cap


def test_a_long_qt_interval_forbids_an_increase_and_an_unknown_one_where_it_matters() -> None:
    assert "QTc 505 ms" in dose_objection(_picture(treatment=Treatment(started_at=START, qtc_ms=505.0), **LOW))
    assert "before an ECG" in dose_objection(_picture(treatment=Treatment(started_at=START, age_years=62.0), **LOW))
    known = Treatment(started_at=START, age_years=62.0, qtc_ms=430.0)
    assert dose_objection(_picture(treatment=known, **LOW)) == ""


def test_a_missed_dose_is_answered_by_a_fixed_hour_not_by_more_drug() -> None:
    advice, _ = first_passing(_picture(findings={"dose_mg_48h": 10.0}, **LOW))
    assert advice.kind == "adherence" and advice.daily_mg is None
    assert "10 of 20 mg" in advice.reason


def test_on_the_first_day_one_dose_is_all_that_could_have_been_taken() -> None:
    advice, _ = first_passing(_picture(day=0.75, findings={"dose_mg_48h": 10.0}, **LOW))
    assert advice.kind != "adherence"


def test_poor_sleep_with_early_activation_is_answered_by_the_hour_of_the_dose() -> None:
    advice, _ = first_passing(_picture(day=1, findings={"sleep_fall_h": 0.6}, activation=0.5))
    assert advice.kind == "schedule" and "0.6 h" in advice.reason
    assert first_passing(_picture(day=11, findings={"sleep_fall_h": 0.6}, activation=0.5))[0].kind != "schedule"


def test_early_stress_while_the_drug_builds_up_is_watched() -> None:
    advice, _ = first_passing(_picture(day=2, stress=7.0, occupancy=0.6, settled=0.75))
    assert advice.kind == "monitoring" and "keep the dose" in advice.reason


def test_too_much_drug_or_a_poor_metaboliser_with_activation_calls_for_a_level() -> None:
    assert first_passing(_picture(predicted=95.0, log_sds=(0.1, 0.5)))[0].kind == "level"
    poor = Treatment(started_at=START, cyp2c19="PM")
    assert "genotype" in first_passing(_picture(treatment=poor, activation=0.4))[0].reason


def test_a_known_level_above_range_is_met_with_less_drug_but_not_in_the_first_week() -> None:
    advice, _ = first_passing(_picture(predicted=95.0))
    assert (advice.kind, advice.daily_mg) == ("dose", 7.5) and "discuss 7.5 mg" in advice.reason
    assert first_passing(_picture(day=3, predicted=95.0))[0].kind == "level"


def test_replacement_lists_others_by_genotype_interaction_and_qt_with_a_taper() -> None:
    facts: dict[str, object] = {"cyp2c19": "PM", "comedication": ("tramadol",)}
    advice, _ = first_passing(_picture(day=21, response=0.2, treatment=Treatment(started_at=START, **facts)))
    names = [text.split(",")[0] for text in advice.alternatives]
    assert names == ["fluoxetine", "paroxetine", "sertraline", "citalopram"]
    assert "CPIC for CYP2C19 PM" in advice.alternatives[2] and "racemate" in advice.alternatives[3]
    assert all("needs review" in text for text in advice.alternatives)
    assert "taper over 2 weeks (5 mg a day, then none)" in advice.reason and "never abruptly" in advice.reason
    late = first_passing(_picture(day=70, response=0.2))[0]
    assert "taper over 4 weeks (7.5, 5, 2.5 mg a day, then none)" in late.reason
    assert any(e.citation.endswith("10.1002/cpt.2903") and e.strength == "strong" for e in advice.evidence)


def test_every_advice_says_on_what_it_rests() -> None:
    for changes in (LOW, {"predicted": 95.0}, {"stress": 7.0, "settled": 0.9}, {"log_sds": (0.5, 0.1)}, {}):
        for day in (2.0, 8.0, 21.0):
            advice, _ = first_passing(_picture(day=day, **changes))
            assert advice.evidence and all(e.id and e.strength and e.citation for e in advice.evidence)


def test_replacement_needs_an_adequate_trial_and_no_response() -> None:
    assert first_passing(_picture(day=21, response=0.2))[0].kind == "replacement"
    assert first_passing(_picture(day=21, response=0.4))[0].kind != "replacement"
    advice, blocked = first_passing(_picture(day=8, response=0.2))
    assert advice.kind != "replacement" and "no replacement before 14 days" in blocked[0]


def test_doubt_after_a_week_calls_for_a_measurement() -> None:
    assert first_passing(_picture(day=8, log_sds=(0.5, 0.1)))[0].kind == "level"
    assert first_passing(_picture(day=8, log_sds=(0.1, 0.5)))[0].kind == "level"
    assert first_passing(_picture(day=8, novelty=0.99))[0].kind == "level"
    assert first_passing(_picture(day=8))[0].kind == "monitoring"


def test_without_treatment_a_review_only_watches() -> None:
    advice, blocked = first_passing(_picture(day=-2.0, **LOW))
    assert (advice.kind, blocked) == ("monitoring", ())
    assert "without treatment" in advice.reason


def test_two_samples_of_very_low_mood_raise_the_red_flag_at_once() -> None:
    watch = Watch()
    flags = []
    for mood in (5.0, 2.0, 1.5):
        watch, _, components = observe(watch, dict(zip(CHANNELS, (5.0, 7.0, mood), strict=True)))
        flags.append(components["red_flag_mood"])
    assert flags == [0.0, 0.0, 1.0]


def test_a_missing_mood_between_two_very_low_ones_does_not_hide_them() -> None:
    watch = Watch()
    for mood in (5.0, 2.0, None, 2.0):
        watch, _, components = observe(watch, dict(zip(CHANNELS, (5.0, 7.0, mood), strict=True)))
    assert components["red_flag_mood"] == 1.0


def test_three_short_nights_with_rising_mood_raise_the_other_red_flag() -> None:
    watch = Watch()
    for sleep, mood in ((7.0, 5.0), (3.5, 5.5), (3.0, 6.5), (3.9, 7.5)):
        watch, _, components = observe(watch, dict(zip(CHANNELS, (5.0, sleep, mood), strict=True)))
    assert components["red_flag_activation"] == 1.0
    _, _, components = observe(watch, dict(zip(CHANNELS, (5.0, 7.0, 8.0), strict=True)))
    assert components["red_flag_activation"] == 0.0


@pytest.mark.parametrize("flag", ["red_flag_mood", "red_flag_activation"])
def test_a_red_flag_asks_for_a_clinician_and_says_nothing_of_the_dose(flag: str) -> None:
    advice = red_flag(_picture(findings={flag: 1.0}))
    assert advice is not None
    assert (advice.kind, advice.daily_mg) == ("urgent", None)
    assert "contact a clinician now" in advice.reason and "dose" not in advice.reason and "mg" not in advice.reason


@pytest.mark.parametrize(
    "drug", ["fluconazole", "fluvoxamine", "ticlopidine", "felbamate", "omeprazole", "voriconazole"]
)
def test_an_inhibitor_of_cyp2c19_lowers_the_greatest_dose(drug: str) -> None:
    assert (cap_mg(Treatment()), cap_mg(Treatment(comedication=(drug,)))) == (20.0, 10.0)


@pytest.mark.parametrize("phenotype", ["RM", "UM"])
def test_to_one_who_clears_by_cyp2c19_fast_a_drug_that_it_does_not_clear_is_offered_first(phenotype: str) -> None:
    told = candidates(Treatment(cyp2c19=phenotype))
    assert told[0].drug.name not in {"citalopram", "sertraline"}
    sertraline = next(c for c in told if c.drug.name == "sertraline")
    assert any("not mainly cleared by CYP2C19" in remark for remark in sertraline.remarks)


@pytest.mark.parametrize("told", ["Poor Metabolizer", "likely PM", "*2/*2", "pm"])
def test_a_phenotype_that_is_not_understood_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match="it is one of PM, IM, NM, RM, UM, unknown"):
        Person(cyp2c19=told)
