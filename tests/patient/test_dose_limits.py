"""Whatever is taken and however often: no advice goes beyond a limit in any day or week, nor further than one step."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.patient.advice.case import Advice, Picture, Treatment
from controller.patient.advice.constraints import TITRATION, objections
from controller.patient.advice.guidelines import cap_mg
from controller.patient.advice.reviews import first_passing
from controller.patient.data.dosage import regimens_of
from controller.patient.data.fhir_drugs_out import dosages
from controller.patient.pharmacology import studies
from controller.patient.pharmacology.drugs import DRUGS
from controller.patient.regimen import DAY_H, Intake, Regimen, Source, every
from controller.patient.scenario import run
from controller.patient.simulated import samples_of

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
FINDINGS = {
    "low": 1.0, "fall": 0.0, "red_flag_mood": 0.0, "red_flag_activation": 0.0, "good_samples": 4.0, "sleep_fall_h": 0.0,
}  # fmt: skip


def _picture(regimens: tuple[Regimen, ...], days: float, drug: str) -> Picture:
    """Long on a level that is too low, so that more of the drug is the first thing to come to mind."""
    pk = next(r.typical for r in studies.RECORDS.values() if r.drug == drug)
    treatment = Treatment(regimens=regimens, started_at=NOW - timedelta(days=days), pk=pk, qtc_ms=400.0).at(NOW)
    findings = FINDINGS | {"dose_mg_48h": treatment.due(NOW - timedelta(hours=45), NOW + timedelta(hours=3))}
    return Picture(NOW, treatment, days, 0.3, findings, 1.0, 1.0, 0.3, 0.3, 0.0, 9.0, 3.0, (0.1, 0.1), 0.0)


def _draft(advice: Advice, picture: Picture) -> Regimen:
    """The draft of the advice as it leaves, read back."""
    assert advice.daily_mg is not None
    meant = picture.treatment.regimen.with_daily(advice.daily_mg)
    (draft,) = regimens_of(dosages(meant), meant.drug, NOW, Source.ORDERED)
    return draft


CYCLES = st.dictionaries(st.integers(0, 23), st.sampled_from([0.25, 0.5, 1.0]), min_size=1, max_size=4)


@given(
    st.sampled_from(sorted(DRUGS)), CYCLES, st.sampled_from([24.0, 48.0, 168.0]), st.integers(1, 400), st.integers(1, 8)
)
def test_no_draft_exceeds_a_limit_in_any_day_or_week_nor_goes_further_than_one_step(
    drug: str, cycle: dict[int, float], period_h: float, days: int, size: int
) -> None:
    known = DRUGS[drug]
    intakes = tuple(Intake(float(h), share * size * known.step_mg) for h, share in sorted(cycle.items()))
    taken = Regimen(drug, intakes, period_h, NOW - timedelta(days=days))
    picture = _picture((taken,), float(days), drug)
    advice, _ = first_passing(picture)
    if advice.kind != "dose":
        return
    draft, cap = _draft(advice, picture), cap_mg(picture.treatment)
    assert draft.most_mg(DAY_H) <= cap * (1 + 1e-9) and draft.most_mg(7 * DAY_H) <= 7 * cap * (1 + 1e-9)
    assert draft.daily_mg == pytest.approx(advice.daily_mg) and draft.daily_mg <= taken.daily_mg + known.step_mg * (
        1 + 1e-9
    )
    assert f"discuss {advice.daily_mg:g} mg a day" in advice.reason
    if drug == "lamotrigine" and draft.daily_mg > taken.daily_mg:
        assert draft.daily_mg <= max(mg for day, mg in TITRATION if days >= day)


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_the_same_daily_dose_in_any_number_of_single_doses_is_raised_to_the_same_one(times: int) -> None:
    picture = _picture(
        (every("sertraline", 24.0 / times, DAY_H / times, start=NOW - timedelta(days=60)),), 60.0, "sertraline"
    )
    advice, _ = first_passing(picture)
    assert advice.kind == "dose" and advice.daily_mg == pytest.approx(74.0)
    assert len(_draft(advice, picture).doses(NOW, NOW + timedelta(days=10))) == 10 * times


@pytest.mark.parametrize(("single_mg", "hours"), [(5.0, 6.0), (5.0, 8.0), (10.0, 12.0)])
def test_the_greatest_dose_of_escitalopram_holds_for_the_day_and_not_for_the_tablet(
    single_mg: float, hours: float
) -> None:
    picture = _picture((every("escitalopram", single_mg, hours, start=NOW - timedelta(days=60)),), 60.0, "escitalopram")
    daily_mg = single_mg * DAY_H / hours
    against = objections(picture, Advice("dose", "discuss more", timedelta(days=1), daily_mg + 10.0))
    assert f"H1: no {daily_mg + 10:g} mg a day: the most for this patient is 20 mg a day" in against


def test_lamotrigine_twice_a_day_is_titrated_by_the_day() -> None:
    picture = _picture((every("lamotrigine", 25.0, 12.0, start=NOW - timedelta(days=15)),), 15.0, "lamotrigine")
    more = Advice("dose", "discuss more", timedelta(days=1), 75.0)
    assert any(text.startswith("H9: no 75 mg a day: on day 15") for text in objections(picture, more))


def test_after_a_change_the_new_dose_is_the_one_that_is_raised_and_only_after_its_own_days() -> None:
    changed = NOW - timedelta(days=3)
    steps = (every("sertraline", 25.0, start=NOW - timedelta(days=60)), every("sertraline", 50.0, start=changed))
    picture = _picture(steps, 60.0, "sertraline")
    assert picture.days_on_dose == pytest.approx(3.0)
    _, blocked = first_passing(picture)
    assert any(text.startswith("H2: no increase before day 7") for text in blocked)
    later = _picture((steps[0], every("sertraline", 50.0, start=NOW - timedelta(days=10))), 60.0, "sertraline")
    assert first_passing(later)[0].daily_mg == 100.0
    coming = _picture((steps[0], every("sertraline", 50.0, start=NOW + timedelta(days=1))), 60.0, "sertraline")
    assert coming.treatment.regimen.daily_mg == 25.0
    assert math.isclose(coming.findings["dose_mg_48h"], 50.0)


def test_more_than_is_allowed_is_told_on_every_advice() -> None:
    """Three times 10 mg of escitalopram are no dose to be silent about."""
    rows = [replace(s, dose_mg=10.0 if k % 4 != 3 else 0.0) for k, s in enumerate(samples_of("non-responder", 0))]
    reviews = run("beyond", rows=rows).suggestions
    assert len(reviews) > 3
    assert all("TAKEN NOW: 30 mg a day, and the most for this patient is 20 mg a day" in r.reason for r in reviews)
