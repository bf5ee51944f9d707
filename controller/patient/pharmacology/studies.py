"""The population records: one published study each, with what it may be used for and what is still to be verified."""

from __future__ import annotations

import math

from controller.patient.pharmacology.covariates import Covariate, Person, Record, cv, racemate
from controller.patient.pharmacology.individual import Errors
from controller.patient.pharmacology.pharmacokinetics import Pharmacokinetics

_LIU = "Liu 2022, Front Pharm 13:964758"
_AREBERG = "Areberg 2006, AAPS J 8:E14"
_AKIL = "Akil 2016, 10.1007/s10928-015-9457-6"
_ZHANG = "Zhang 2024, Heliyon 10:e25231"
_SHIGETOME = "Shigetome 2025, CPT PSP 14:1119"
_KIM = "Kim 2015, DDDT 9:5247"
_HUSSEIN = "Hussein 1997, Br J Clin Pharmacol 43:457"
_RIVAS = "Rivas, as quoted in PMC5113813"

E1 = Record(
    "1.0",
    Pharmacokinetics(
        id="E1",
        drug="escitalopram",
        clearance_l_per_h=16.3,  # at 45 years, extensive metaboliser; 106 Chinese patients, 337 levels
        volume_l=815.0,
        absorption_per_h=0.6,  # fixed there
        clearance_sd=math.sqrt(0.0877),
        source=_LIU,
        volume_sd=math.sqrt(0.235),
        errors=Errors(proportional=0.169),
    ),
    (
        Covariate("clearance_l_per_h", "age_years", "linear", -0.0077, 45.0, source=_LIU),
        Covariate("clearance_l_per_h", "cyp2c19", levels=(("IM", 0.847), ("PM", 0.479)), source=_LIU),
    ),
    use="Chinese patients; exposure is about twice that of others (DDDT 2023 17:2955)",
)
E2 = Record(
    "1.0",
    Pharmacokinetics(
        id="E2",
        drug="escitalopram",
        clearance_l_per_h=23.1,  # 110 Swiss patients
        volume_l=920.0,
        absorption_per_h=0.6,  # not reported there; Liu 2022
        clearance_sd=cv(0.51),
        source="Courlet 2019, Br J Clin Pharmacol 85:2022",
        errors=Errors(proportional=0.169),  # not reported in the abstract; Liu 2022
    ),
    use="the default; boosted antiretrovirals raise the level, which is not modelled",
    verify=("read in the abstract only", "the residual error is Liu 2022's"),
)
E3 = Record(
    "1.0",
    Pharmacokinetics(
        id="E3",
        drug="escitalopram",
        clearance_l_per_h=19.0,  # 24 subjects
        volume_l=800.0,
        absorption_per_h=3.6,  # fixed there
        clearance_sd=cv(0.34),
        source=_AREBERG,
        volume_sd=cv(0.17),
        absorption_sd=cv(1.48),
        peripheral_l=470.0,
        exchange_l_per_h=98.0,
        lag_h=0.93,
        errors=Errors(proportional=0.096),
    ),
    (Covariate("volume_l", "weight_kg", "shift", 12.0, 79.0, source=_AREBERG),),
    use="its covariate of the mephenytoin ratio is not applied: genotypes are reported, ratios hardly ever",
)
_R_CITALOPRAM = Record(
    "1.0",
    Pharmacokinetics(
        id="C1-R",
        drug="R-citalopram",
        clearance_l_per_h=math.sqrt(13.0 * 9.05),  # between men and women, when the sex is not known
        volume_l=1830.0,
        absorption_per_h=1.0,  # fixed there
        clearance_sd=cv(0.264),
        source=_AKIL,
        volume_sd=cv(1.667),
        errors=Errors(additive=13.42),
    ),
    (
        Covariate("clearance_l_per_h", "age_years", "power", -0.822, 60.0, source=_AKIL),
        Covariate(
            "clearance_l_per_h",
            "male",
            levels=(("True", math.sqrt(13.0 / 9.05)), ("False", math.sqrt(9.05 / 13.0))),
            source=_AKIL,
        ),
    ),
)
_S_CITALOPRAM = Record(
    "1.0",
    Pharmacokinetics(
        id="C1-S",
        drug="S-citalopram",
        clearance_l_per_h=22.1,  # extensive and rapid metabolisers at 60 years, 70 kg
        volume_l=1390.0,
        absorption_per_h=1.0,  # fixed there
        clearance_sd=cv(0.383),
        source=_AKIL,
        volume_sd=cv(0.754),
        errors=Errors(proportional=0.216),
    ),
    (
        Covariate("clearance_l_per_h", "age_years", "power", -1.33, 60.0, source=_AKIL),
        Covariate("clearance_l_per_h", "weight_kg", "power", 0.75, 70.0, source=_AKIL),
        Covariate("clearance_l_per_h", "cyp2c19", levels=(("IM", 16.3 / 22.1), ("PM", 16.3 / 22.1)), source=_AKIL),
    ),
)
C1 = Record(
    "1.0",
    racemate(
        Pharmacokinetics(
            id="C1",
            drug="citalopram",
            clearance_l_per_h=0.0,
            volume_l=0.0,
            absorption_per_h=1.0,
            clearance_sd=0.0,
            source=_AKIL,
            errors=Errors(additive=13.42, proportional=0.216),
        ),
        [_R_CITALOPRAM.typical, _S_CITALOPRAM.typical],
    ),
    use="the twin's racemate is one compartment with the exposure of both enantiomers (derived); 81 patients with"
    " Alzheimer's disease, 78 years on average",
    enantiomers=(_R_CITALOPRAM, _S_CITALOPRAM),
)
S1 = Record(
    "1.0",
    Pharmacokinetics(
        id="S1",
        drug="sertraline",
        clearance_l_per_h=76.1,  # at 22 years; 140 patients, 298 troughs
        volume_l=803.0,
        absorption_per_h=0.098,  # fixed there
        clearance_sd=cv(0.10),
        source=_ZHANG,
        volume_sd=cv(0.57),
        errors=Errors(proportional=0.36),
    ),
    (Covariate("clearance_l_per_h", "age_years", "linear", -0.0068, 22.0, source=_ZHANG),),
    use="troughs only: its half-life is 7 h against about 26 h in the label",
    verify=("the label's half-life",),
)
PX1 = Record(
    "1.0",
    Pharmacokinetics(
        id="PX1",
        drug="paroxetine",
        clearance_l_per_h=23.6,  # at 41.5 years, 58.6 kg; 179 Japanese patients
        volume_l=1010.0,  # fixed there
        absorption_per_h=0.908,  # no absorption there; Kim 2015
        clearance_sd=math.sqrt(0.307),
        source=_SHIGETOME,
        errors=Errors(proportional=0.394),
    ),
    (
        Covariate("clearance_l_per_h", "age_years", "power", -0.536, 41.5, source=_SHIGETOME),
        Covariate("clearance_l_per_h", "weight_kg", "power", 0.563, 58.6, source=_SHIGETOME),
    ),
    use="one dose: it is linear, and paroxetine is not",
)
PX2 = Record(
    "1.0",
    Pharmacokinetics(
        id="PX2",
        drug="paroxetine",
        clearance_l_per_h=13.1,  # at 71 years, 25 mg; 127 Korean patients
        volume_l=1020.0,  # fixed there
        absorption_per_h=0.908,  # fixed there
        clearance_sd=cv(0.402),
        source=_KIM,
        dose_power=0.363,
        errors=Errors(proportional=0.642),  # standard deviation of the logarithm there
    ),
    (
        Covariate("clearance_l_per_h", "daily_mg", "power", -0.363, 25.0, source=_KIM),
        Covariate("clearance_l_per_h", "age_years", "power", -0.702, 71.0, source=_KIM),
    ),
    use="immediate release; the controlled-release form has a bioavailability of 0.67",
)
F2 = Record(
    "1.0",
    Pharmacokinetics(
        id="F2",
        drug="fluoxetine",
        clearance_l_per_h=14.0,  # derived
        volume_l=2450.0,  # 35 L/kg at 70 kg
        absorption_per_h=0.3,
        clearance_sd=cv(0.50),
        source="Swiss label 46347; Altamura 1994",
        metabolite_ratio=0.93,  # derived: a sum of 115 ng/mL at 20 mg, 60 of it the parent
        metabolite_half_life_h=240.0,  # 7 to 15 days
        errors=Errors(additive=14.9, proportional=0.34),  # Han 2025, Pharmaceutics 17:1516
    ),
    (Covariate("volume_l", "weight_kg", "power", 1.0, 70.0, source="Swiss label 46347: 20 to 45 L/kg"),),
    use="its autoinhibition of CYP2D6 is not modelled; it stands for multiple dosing",
    verify=("the spread between people", "derived clearance and metabolite ratio"),
)
L1 = Record(
    "1.0",
    Pharmacokinetics(
        id="L1",
        drug="lamotrigine",
        clearance_l_per_h=2.28,  # after its own induction; 163 patients
        volume_l=77.4,
        absorption_per_h=3.18,
        clearance_sd=cv(0.321),
        source=_HUSSEIN,
        volume_sd=cv(0.336),
        errors=Errors(proportional=0.208),
    ),
    (
        Covariate("clearance_l_per_h", "asian", levels=(("True", 0.713),), source=_HUSSEIN),
        Covariate(
            "clearance_l_per_h",
            "comedication",
            levels=(
                ("valproate", math.exp(-0.713)),
                ("phenytoin", math.exp(0.663)),
                ("phenobarbital", math.exp(0.588)),
                ("carbamazepine", math.exp(0.467)),
            ),
            source=_RIVAS,
        ),
    ),
    use="epilepsy; no transporter, so no occupancy is claimed",
    induction=(1.94 / 2.28, 0.119),
)

RECORDS: dict[str, Record] = {r.id: r for r in (E1, E2, E3, C1, S1, PX1, PX2, F2, L1)}


def default(drug: str, person: Person) -> Record:
    """The record that fits this person best; KeyError names a drug without one."""
    if drug == "escitalopram":
        return E1 if person.asian and person.cyp2c19 != "unknown" else E2
    chosen = {"citalopram": C1, "sertraline": S1, "paroxetine": PX2, "fluoxetine": F2, "lamotrigine": L1}
    return chosen[drug]
