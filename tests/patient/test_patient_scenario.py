"""Whole patients through the same turn of the loop that serves a bioreactor."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from controller.loop.records import Abstention, Suggestion
from controller.patient import claims as claims_module
from controller.patient.advice.loop import DISCLAIMER
from controller.patient.advice.reviews import Treatment
from controller.patient.claims import DAY_5, DAY_8, claims, run_seeds, shares
from controller.patient.course import decide
from controller.patient.data.samples import Sample
from controller.patient.model import E1
from controller.patient.parts import neuro_core_of
from controller.patient.pharmacology.covariates import Person
from controller.patient.pharmacology.pharmacokinetics import Level
from controller.patient.scenario import Review, Scenario, run
from controller.patient.simulated import Arm, samples_of
from controller.patient.snapshots import START
from controller.patient.treatment import treatment_of

Patient = Callable[[str, int], Scenario]
SEEDS = (0, 1, 2)
ADVICE = {"monitoring", "schedule", "adherence", "level", "dose", "replacement", "urgent"}


def _constant(stress: float, sleep: float, mood: float, n: int = 12) -> list[Sample]:
    return [Sample(6.0 * k, stress, sleep, mood, 10.0 if k % 4 == 0 else 0.0, "file") for k in range(n)]


def _fired(seen: Scenario) -> list[int]:
    return [review.index for review in seen.suggestions]


def test_a_responder_is_reviewed_early_then_left_alone_and_rises(patient: Patient) -> None:
    for seed in SEEDS:
        fired = _fired(patient("responder", seed))
        assert any(k < DAY_5 for k in fired) and not any(k >= DAY_8 for k in fired)
        scores = [i.score for i in patient("responder", seed).intervals]
        assert min(scores[-4:]) > max(scores[:8])


@pytest.mark.parametrize(("arm", "silent"), [("non-responder", False), ("relapse", False), ("side-effect", True)])
def test_the_other_arms_are_not_silent_unless_they_recover(patient: Patient, arm: str, silent: bool) -> None:
    for seed in SEEDS:
        assert any(k >= DAY_8 for k in _fired(patient(arm, seed))) is not silent


def test_a_relapse_is_reviewed_within_24_hours(patient: Patient) -> None:
    for seed in SEEDS:
        assert any(30 <= k <= 34 for k in _fired(patient("relapse", seed)))


def test_a_healthy_person_is_never_reviewed(patient: Patient) -> None:
    for seed in SEEDS:
        assert _fired(patient("healthy", seed)) == []


@pytest.mark.parametrize("arm", Arm)
def test_no_arm_hears_of_the_dose_in_the_first_seven_days(patient: Patient, arm: str) -> None:
    reviews = patient(arm, 0).suggestions
    assert all(r.kind in ADVICE for r in reviews)
    assert not [r for r in reviews if r.kind == "dose" and r.index < DAY_8]


def test_what_the_score_shows_is_neurocores_stability_with_its_novelty(patient: Patient) -> None:
    for interval in patient("relapse", 0).intervals:
        assert interval.components["N"] == pytest.approx(max(0.0, 2 * (interval.novelty - 0.5)))
        assert set(interval.components) == {"D", "V", "N", "A"}
    assert max(i.novelty for i in patient("relapse", 0).intervals[30:]) > 0.5


def test_neurocore_leaves_the_worked_example_what_it_is(patient: Patient, scored: Callable[..., object]) -> None:
    """The filter's own surprise and NeuroCore's novelty give nearly the same score, and the same first reviews."""
    rows = [(s.stress, s.sleep, s.mood) for s in samples_of("responder", 42)]
    alone, fired = scored(rows)  # type: ignore[misc]
    seen = patient("responder", 42)
    assert [i.score for i in seen.intervals] == pytest.approx(alone, abs=0.02)
    assert _fired(seen) == fired == [3, 7, 11]


def test_the_twin_learns_who_responds(patient: Patient) -> None:
    """The response starts at the reference, 1, and comes apart between those who recover and those who do not."""
    for seed in SEEDS:
        ends = {arm: patient(arm, seed).intervals[-1].response for arm in ("responder", "partial", "non-responder")}
        assert ends["responder"] > ends["partial"] > ends["non-responder"]


def test_the_twins_concentration_follows_the_doses(patient: Patient) -> None:
    treated, delayed = patient("responder", 0).intervals, patient("delayed", 0).intervals
    assert treated[0].concentration_ng_per_ml == 0.0 < treated[1].concentration_ng_per_ml
    assert delayed[12].concentration_ng_per_ml == pytest.approx(0.0, abs=0.01)
    assert delayed[13].concentration_ng_per_ml > 5.0
    assert 12.0 < treated[36].concentration_ng_per_ml < 20.0  # a trough at steady state
    assert all(0.0 <= i.occupancy < 1.0 for i in treated)


def test_what_comes_later_changes_no_earlier_turn(patient: Patient) -> None:
    rows = samples_of("responder", 1)
    altered = [s if k < 20 else replace(s, stress=9.5, sleep=3.0, mood=2.5) for k, s in enumerate(rows)]
    seen, changed = patient("responder", 1), run("altered", 1, altered)
    assert changed.intervals[:20] == seen.intervals[:20]
    assert [r for r in changed.suggestions if r.index < 20] == [r for r in seen.suggestions if r.index < 20]
    assert changed.intervals[20].score < seen.intervals[20].score


def test_shuffled_in_time_the_same_rows_are_not_silent_after_day_7() -> None:
    for seed in SEEDS:
        rows = samples_of("responder", seed)
        shuffled = random.Random(seed).sample(rows, len(rows))
        mixed = [replace(s, stress=m.stress, sleep=m.sleep, mood=m.mood) for s, m in zip(rows, shuffled, strict=True)]
        assert any(k >= DAY_8 for k in _fired(run("shuffled", seed, mixed)))


def test_the_same_patient_gives_the_same_answer_twice(patient: Patient) -> None:
    assert run("partial", 2) == patient("partial", 2)


def test_an_underdosed_patient_hears_of_the_dose_after_seven_days_and_not_before() -> None:
    """5 mg leave occupancy below 70 % throughout."""
    rows = [replace(s, dose_mg=s.dose_mg / 2) for s in samples_of("non-responder", 0)]
    seen = run("underdosed", 0, rows)
    doses = [r for r in seen.suggestions if r.kind == "dose"]
    assert doses and min(r.index for r in doses) >= DAY_8
    effect = doses[0].effect
    assert effect is not None and effect.unit == "points"
    assert effect.gain_low <= effect.gain <= effect.gain_high
    assert 0.0 < effect.gain < 1.0  # a non-responder is not promised much
    assert "discuss 10 mg" in doses[0].reason and f"Predicted: {effect.gain:+.2f} points" in doses[0].reason


def test_a_patient_on_the_plateau_is_never_told_to_take_more() -> None:
    """A slow clearance, E1, brings the daily 10 mg above 80 % occupancy."""
    rows = samples_of("non-responder", 1)
    slow = Treatment(started_at=START, pk=E1)
    seen = run("plateau", 1, rows, treatment=slow)
    assert max(i.occupancy for i in seen.intervals[DAY_8:]) > 0.8
    assert len(seen.suggestions) == 10 and not [r for r in seen.suggestions if r.kind == "dose"]


def test_missed_doses_are_met_with_a_fixed_hour_and_what_it_would_bring() -> None:
    rows = [replace(s, dose_mg=0.0 if k in (12, 16, 20) else s.dose_mg) for k, s in enumerate(samples_of("partial", 0))]
    reviews = [r for r in run("forgetful", 0, rows).suggestions if r.kind == "adherence"]
    assert reviews and 12 <= reviews[0].index <= 24
    assert reviews[0].effect is not None and reviews[0].effect.gain > 0.0


def test_very_low_mood_is_urgent_at_once_whatever_the_score_says() -> None:
    rows = _constant(5.0, 7.0, 5.0, 6)
    rows[1:3] = [replace(rows[1], mood=1.5), replace(rows[2], mood=2.0)]
    seen = run("crisis", None, rows)
    assert [(r.index, r.kind) for r in seen.suggestions[:1]] == [(2, "urgent")]
    assert "clinician" in seen.suggestions[0].reason and seen.suggestions[0].effect is None


def test_too_few_good_samples_silence_the_review_and_say_so() -> None:
    rows = _constant(9.0, 4.5, 3.0, 8)
    rows = [replace(s, sleep=None) if k in (1, 2) else s for k, s in enumerate(rows)]
    decisions = decide(rows, Treatment(started_at=START), "reference")
    assert isinstance(decisions[3].proposal, Abstention)
    assert "only 2 of the last 4 samples are complete" in decisions[3].proposal.reason


def test_every_turn_says_why_it_speaks_or_is_silent_and_moves_nothing() -> None:
    decisions = decide(samples_of("partial", 1), Treatment(started_at=START), "reference")
    for decision in decisions:
        assert decision.proposal is not None and decision.proposal.reason
        assert decision.command is None and decision.verdict is not None and not decision.verdict.moves
        if isinstance(decision.proposal, Suggestion):
            assert decision.proposal.moves == ()
            assert decision.proposal.expires_at - decision.time >= timedelta(days=1)
            assert any("advisory only" in refusal for refusal in decision.verdict.refusals)


def test_missing_samples_are_bridged(patient: Patient) -> None:
    rows = [
        replace(s, stress=None, sleep=None, mood=None) if k in (20, 21) else s
        for k, s in enumerate(samples_of("responder", 0))
    ]
    seen = run("gap", 0, rows)
    assert seen.intervals[21].score == seen.intervals[19].score
    assert seen.intervals[-1].score == pytest.approx(patient("responder", 0).intervals[-1].score, abs=0.05)


def test_the_json_holds_what_is_promised(patient: Patient) -> None:
    data = json.loads(json.dumps(patient("responder", 42).as_json()))
    assert (data["arm"], data["seed"], data["disclaimer"]) == ("responder", 42, DISCLAIMER)
    assert [i["origin"] for i in data["intervals"]] == ["published"] * 10 + ["generated"] * 30
    assert {"index", "day", "hour", "stress", "sleep", "mood", "score", "components"} <= set(data["intervals"][0])
    assert {"index", "day", "kind", "reason"} <= set(data["suggestions"][0])
    assert (data["intervals"][5]["day"], data["intervals"][5]["hour"]) == (2, 6.0)


def test_many_seeds_become_fractions() -> None:
    result = run_seeds(["responder", "healthy"], [0, 1])
    assert result["responder"] == {
        "seeds": 2,
        "silent_after_day_7": 1.0,
        "any_in_days_1_to_4": 1.0,
        "rising": 1.0,
        "any": 1.0,
        "dose_increase_before_day_7": 0.0,
        "noticed_within_24_h": None,
        "median_delay_h": None,
    }
    assert result["healthy"]["any_in_days_1_to_4"] == 0.0


def test_a_dose_before_day_7_would_be_counted(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = patient("responder", 0)
    early: Sequence[Review] = (replace(seen.suggestions[0], kind="dose"),)
    monkeypatch.setattr(claims_module, "run", lambda *a, **k: replace(seen, suggestions=tuple(early)))
    assert run_seeds(["responder"], [0])["responder"]["dose_increase_before_day_7"] == 1.0


def test_a_relapse_is_counted_with_its_delay(patient: Patient) -> None:
    told = run_seeds(["relapse", "gradual-relapse"], [0, 1])
    assert told["relapse"]["noticed_within_24_h"] == told["gradual-relapse"]["noticed_within_24_h"] == 1.0
    assert told["relapse"]["median_delay_h"] == 0.0 < (told["gradual-relapse"]["median_delay_h"] or 0.0) <= 24.0
    seen = patient("relapse", 0)
    missed = claims(replace(seen, suggestions=tuple(r for r in seen.suggestions if r.index < 30)))
    assert missed["delay_h"] == math.inf
    assert shares([missed, claims(seen)])["noticed_within_24_h"] == 0.5
    assert shares([missed])["median_delay_h"] is None


def test_what_comes_later_changes_no_earlier_score_at_any_sample(patient: Patient) -> None:
    rows, seen = samples_of("responder", 1), patient("responder", 1)
    for k in range(1, len(rows)):
        altered = [s if i < k else replace(s, stress=9.5, sleep=3.0, mood=2.5) for i, s in enumerate(rows[: k + 1])]
        changed = run("altered", 1, altered)
        assert changed.intervals[:k] == seen.intervals[:k]
        assert changed.intervals[k].score < seen.intervals[k].score


def test_shuffled_days_are_scored_by_what_they_hold_and_not_by_their_number(patient: Patient) -> None:
    """The last four days of a responder put first are calm at once; the first ones put last are not silent."""
    rows = samples_of("responder", 3)
    order = [6, 7, 8, 9, 0, 1, 2, 3, 4, 5]
    moved = [replace(rows[4 * day + i], time_h=rows[4 * k + i].time_h) for k, day in enumerate(order) for i in range(4)]
    moved = [replace(s, dose_mg=r.dose_mg) for s, r in zip(moved, rows, strict=True)]
    fired = _fired(run("moved", 3, moved))
    assert not any(k < DAY_5 for k in fired) and any(k >= DAY_5 for k in fired)
    late = [replace(s, time_h=s.time_h + 24 * 20) for s in samples_of("responder", 3)]
    assert _fired(run("late", 3, late)) == _fired(patient("responder", 3))


def test_neurocore_learns_the_response_and_the_bias_online() -> None:
    ends = {}
    for arm in ("responder", "non-responder"):
        decisions = decide(samples_of(arm, 0), Treatment(started_at=START), "reference")
        assert not decisions[0].insight.learned and sum(d.insight.learned for d in decisions) > 20
        ends[arm] = decisions[-1].insight.log_multipliers
        assert set(ends[arm]) == {"response", "bias"} and decisions[-1].insight.correction.multiplier_names
    assert ends["non-responder"]["response"] < ends["responder"]["response"] - 0.3
    assert ends["non-responder"]["bias"] != 0.0


def test_a_drug_level_is_heard_of_when_it_is_drawn_and_makes_the_twin_the_patients_own(patient: Patient) -> None:
    """The simulated patient is slower than the record says, and a level of 40 ng/mL tells so."""
    rows, seen = samples_of("responder", 0), patient("responder", 0)
    known = run("responder", 0, rows, levels=(Level(96.0, 40.0), Level(168.0, 52.0)))
    assert known.intervals[:16] == seen.intervals[:16]
    assert known.intervals[16].concentration_ng_per_ml > 1.5 * seen.intervals[16].concentration_ng_per_ml
    assert known.intervals[28].concentration_ng_per_ml == pytest.approx(52.0, rel=0.25)


@pytest.mark.parametrize(("drug", "dose_mg"), [("sertraline", 50.0), ("paroxetine", 20.0), ("lamotrigine", 25.0)])
def test_another_drug_is_served_by_its_own_record(drug: str, dose_mg: float) -> None:
    rows = [replace(s, dose_mg=dose_mg if s.dose_mg else 0.0) for s in samples_of("responder", 0)]
    seen = run(drug, 0, rows, treatment=treatment_of(rows, drug, Person(age_years=40, weight_kg=70)))
    assert seen.as_json()["treatment"]["drug"] == drug
    assert 0.0 < seen.intervals[-1].occupancy < 1.0
    assert not any(r.kind == "dose" and r.index < DAY_8 for r in seen.suggestions)


def test_every_suggestion_has_reason_evidence_confidence_expiry_and_disclaimer(patient: Patient) -> None:
    for arm in ("non-responder", "relapse", "side-effect"):
        for review in patient(arm, 0).suggestions:
            assert review.reason and review.disclaimer == DISCLAIMER and review.expires_h > review.time_h
            assert review.evidence and all(e.citation and e.strength for e in review.evidence)
            assert review.kind == "urgent" or 0.0 <= (review.confidence if review.confidence is not None else -1) <= 1.0


def test_the_score_goes_on_from_a_snapshot_of_neurocore_as_if_nothing_had_happened() -> None:
    decisions = decide(samples_of("partial", 0), Treatment(started_at=START), "reference")
    pk = Treatment().pk
    with neuro_core_of("reference", pk) as first, neuro_core_of("reference", pk) as second:
        for d in decisions[:20]:
            first.step(d.snapshot, d.estimate)
        second.restore(json.loads(json.dumps(first.snapshot())))
        for d in decisions[20:]:
            after = second.step(d.snapshot, d.estimate)
            assert (after.stability, after.components) == (d.insight.stability, d.insight.components)


def test_an_unknown_arm_is_refused() -> None:
    with pytest.raises(ValueError, match="not a valid Arm"):
        run("superhuman", 0)
