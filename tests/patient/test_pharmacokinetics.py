"""The population records: what they claim, their covariates, and the three structures against an adaptive solver."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from controller.patient import model as patient
from controller.patient.pharmacology.covariates import Person, for_person
from controller.patient.pharmacology.drugs import DRUGS
from controller.patient.pharmacology.pharmacokinetics import (
    Dose,
    Level,
    Pharmacokinetics,
    concentrations,
    exposure_ratio,
    from_levels,
)
from controller.patient.pharmacology.studies import C1, E1, E2, E3, F2, L1, PX1, PX2, RECORDS, S1, default
from twin.integrate import simulate

DAILY = [Dose(24.0 * k, 10.0) for k in range(60)]
LAST_DAY = np.arange(24.0 * 59, 24.0 * 60, 0.25)


def _steady(pk: Pharmacokinetics, dose_mg: float) -> float:
    return float(concentrations(pk, [replace(d, amount_mg=dose_mg) for d in DAILY], LAST_DAY.tolist()).mean())


@pytest.mark.parametrize(("record", "average"), [(E1, 25.6), (E2, 18.0), (E3, 21.9)])
def test_escitalopram_has_the_published_exposure(record: object, average: float) -> None:
    assert _steady(record.typical, 10.0) == pytest.approx(average, rel=0.01)  # type: ignore[attr-defined]


def test_half_lives_and_other_exposures_are_those_derived_from_the_papers() -> None:
    assert E1.typical.half_life_h == pytest.approx(34.6, abs=0.1)
    assert E2.typical.half_life_h == pytest.approx(27.6, abs=0.1)
    assert _steady(for_person(C1, Person(age_years=60, weight_kg=70, male=True)), 20.0) == pytest.approx(51, rel=0.02)
    assert _steady(S1.typical, 50.0) == pytest.approx(27, rel=0.02)
    assert 110 < _steady(F2.typical, 20.0) < 120


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_every_record_is_versioned_cited_and_of_a_known_drug(record: object) -> None:
    pk = record.typical  # type: ignore[attr-defined]
    assert record.version and len(pk.source) > 8 and pk.drug in DRUGS  # type: ignore[attr-defined]
    assert pk.clearance_l_per_h > 0 and pk.volume_l > 0 and pk.absorption_per_h > 0 and pk.clearance_sd > 0
    assert pk.errors.proportional > 0
    assert all(c.source for c in record.covariates)  # type: ignore[attr-defined]
    hash(record)


def test_uncertain_numbers_are_marked_for_a_person() -> None:
    assert F2.verify and S1.verify and E2.verify
    assert all("verified by a person" in DRUGS[name].half_effect_source for name in DRUGS if DRUGS[name].transporter)
    assert all(0.3 <= drug.half_effect_log_sd <= 0.4 for drug in DRUGS.values())
    assert DRUGS["citalopram"].verify and DRUGS["sertraline"].verify and not DRUGS["escitalopram"].verify


def test_clearance_follows_age_weight_sex_and_dose_as_published() -> None:
    def cl(record: object, dose: float | None = None, **facts: object) -> float:
        return for_person(record, Person(**facts), dose).clearance_l_per_h  # type: ignore[arg-type]

    assert cl(E1, age_years=55) == pytest.approx(16.3 * (1 - 0.077))
    assert cl(S1, age_years=42) == pytest.approx(76.1 * (1 - 0.136))
    assert cl(PX1, age_years=60, weight_kg=70) == pytest.approx(23.6 * (60 / 41.5) ** -0.536 * (70 / 58.6) ** 0.563)
    assert cl(PX2, 40.0, age_years=71) == pytest.approx(13.1 * (40 / 25) ** -0.363)
    assert cl(L1, asian=True) == pytest.approx(2.28 * 0.713)
    assert cl(L1, comedication=frozenset({"valproate"})) == pytest.approx(2.28 * math.exp(-0.713))
    assert cl(C1, age_years=60, weight_kg=70, male=False) < cl(C1, age_years=60, weight_kg=70, male=True)
    assert for_person(E3, Person(weight_kg=69)).volume_l == pytest.approx(680)
    assert for_person(L1, Person(), weeks=0).clearance_l_per_h == pytest.approx(1.94)


def test_what_is_not_known_leaves_the_typical_person() -> None:
    for record in RECORDS.values():
        same = for_person(record, Person())
        assert same.clearance_l_per_h == pytest.approx(record.typical.clearance_l_per_h)


def test_a_genotype_takes_the_larger_studys_ratio_and_widens_the_doubt() -> None:
    """Liu's 1/0.479 and the 3.3 of 2087 patients are both kept: the second as mean, their distance as doubt."""
    poor = for_person(E1, Person(cyp2c19="PM"))
    assert poor.clearance_l_per_h == pytest.approx(16.3 / 3.3)
    assert poor.clearance_sd == pytest.approx(math.hypot(math.sqrt(0.0877), math.log(3.3 * 0.479) / 2))
    assert for_person(E2, Person(cyp2c19="IM")).clearance_l_per_h == pytest.approx(23.1 / 1.6)
    assert for_person(E2, Person(cyp2c19="NM")) == E2.typical


def test_paroxetine_is_nonlinear_in_the_dose() -> None:
    low, high = (for_person(PX2, Person(age_years=71), mg) for mg in (20.0, 40.0))
    assert _steady(high, 40.0) / _steady(low, 20.0) == pytest.approx(2**1.363, rel=1e-4)
    assert exposure_ratio(low, 20.0, 40.0) == pytest.approx(2**1.363)


def test_the_record_is_chosen_by_the_person() -> None:
    assert default("escitalopram", Person()) is E2
    assert default("escitalopram", Person(asian=True, cyp2c19="IM")) is E1
    with pytest.raises(KeyError):
        default("bupropion", Person())


@pytest.mark.parametrize("record", [E2, E3, F2], ids=["one", "two with lag", "metabolite"])
def test_superposition_agrees_with_an_adaptive_solver(record: object) -> None:
    pk = record.typical  # type: ignore[attr-defined]

    def rates(t: float, x: np.ndarray) -> list[float]:
        gut, central, peripheral, metabolite = x
        out = pk.exchange_l_per_h * (central / pk.volume_l - (peripheral / pk.peripheral_l if pk.peripheral_l else 0))
        k_m = math.log(2) / pk.metabolite_half_life_h if pk.metabolite_ratio else 0.0
        return [
            -pk.absorption_per_h * gut,
            pk.absorption_per_h * gut - pk.clearance_l_per_h / pk.volume_l * central - out,
            out,
            k_m * (pk.metabolite_ratio * central / pk.volume_l - metabolite),
        ]

    times = [2.0, 6.0, 24.0, 100.0]
    exact = solve_ivp(
        rates, (0, 100), [20.0, 0, 0, 0], "LSODA", t_eval=[t - pk.lag_h for t in times], rtol=1e-10, atol=1e-12
    )
    expected = 1000 * (exact.y[1] / pk.volume_l + exact.y[3])
    assert concentrations(pk, [Dose(0.0, 20.0)], times) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("record", [E3, F2], ids=["two with lag", "metabolite"])
def test_the_twin_of_every_structure_has_the_superposed_levels_six_hours_apart(record: object) -> None:
    pk = record.typical  # type: ignore[attr-defined]
    model = patient.model(pk)
    hours = np.arange(0.0, 246.0, 6.0)
    daily = np.array([[20.0 if k % 4 == 0 else 0.0] for k in range(len(hours))])
    start = np.array([[s.initial for s in model.states]])
    states = simulate(model, start, hours, daily)[0]
    values = [p.value for p in model.parameters]
    shown = [model.observe(tuple(x), (0.0,), values, (1.0, 1.0))[3] for x in states]
    expected = concentrations(pk, [Dose(float(h), 20.0) for h in hours[::4]], hours.tolist())
    assert shown == pytest.approx(expected.tolist(), rel=0.02, abs=0.01)  # the lag is a mean time there


def test_a_level_makes_the_pharmacokinetics_the_persons_own() -> None:
    slow = replace(E2.typical, clearance_l_per_h=10.0)
    doses = [Dose(24.0 * k, 10.0) for k in range(14)]
    times = [24.0 * 13, 24.0 * 14]
    levels = [Level(t, c) for t, c in zip(times, concentrations(slow, doses, times).tolist(), strict=True)]
    own = from_levels(E2.typical, doses, levels)
    assert own.clearance_l_per_h == pytest.approx(10.0, rel=0.15)
    assert own.clearance_sd < 0.4 * E2.typical.clearance_sd and own.shrinkage[0] < 0.2
    assert own.volume_l == pytest.approx(E2.typical.volume_l)  # no spread is published, so nothing is learned of it
    assert from_levels(E2.typical, doses, []) is E2.typical
