"""What the label and the laboratory say of each drug: doses, steps, ranges, and the level of half occupancy.

Doses in mg a day, levels in ng/mL. `verify` names what a person has still to check against the current label.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drug:
    """One drug. Its caps hold for everybody; those of a phenotype or an age are the guidelines'."""

    name: str
    group: str  # "SSRI" or "antiepileptic"
    start_mg: float
    cap_mg: float
    step_mg: float
    interval_days: float  # the least between two steps
    half_life_h: float
    range_ng_per_ml: tuple[float, float]  # reference range, AGNP 2017 where nothing else is said
    half_effect_ng_per_ml: float  # EC50 of the transporter; of the effect as such where there is none
    half_effect_log_sd: float
    half_effect_source: str
    transporter: bool  # whether the effect is the occupancy of the serotonin transporter, with its plateau
    source: str
    inhibits: tuple[str, ...] = ()
    qt: str = "low"  # "known", "low"
    verify: tuple[str, ...] = ()

    def occupancy(self, ng_per_ml: float) -> float:
        """C/(EC50 + C)."""
        return max(ng_per_ml, 0.0) / (self.half_effect_ng_per_ml + max(ng_per_ml, 0.0))


_EC50_SD = 0.35  # 30 to 40 % log-normal on every derived EC50; design
_DERIVED = "derived, to be verified by a person: "

_LIST = (
    Drug(
        "escitalopram", "SSRI", 10.0, 20.0, 5.0, 7.0, 30.0,
        (15.0, 80.0),  # AGNP 2017 as used by Courlet 2019; proposal 20 to 40, Eichentopf 2022
        5.0, _EC50_SD, _DERIVED + "80 % at 20 ng/mL, Eichentopf 2022", True, "label", qt="known",
    ),
    Drug(
        "citalopram", "SSRI", 20.0, 40.0, 20.0, 7.0, 67.0, (50.0, 110.0),
        15.0, _EC50_SD, _DERIVED + "77 % at 20 mg, Meyer 2001; 51 ng/mL from Akil 2016", True, "label", qt="known",
        verify=("interval of steps", "reference range"),
    ),
    Drug(
        "sertraline", "SSRI", 50.0, 200.0, 50.0, 7.0, 26.0, (10.0, 150.0),
        6.8, _EC50_SD, _DERIVED + "80 % at 50 mg, Meyer 2004; 27 ng/mL from Zhang 2024", True, "label",
        verify=("greatest dose", "interval of steps", "half-life"),
    ),
    Drug(
        "paroxetine", "SSRI", 20.0, 50.0, 10.0, 7.0, 21.0, (20.0, 65.0),
        4.9, _EC50_SD, _DERIVED + "85 % at 28 ng/mL, Meyer 2001", True, "label",
        inhibits=("CYP2D6",), verify=("greatest dose", "reference range", "half-life"),
    ),
    Drug(
        "fluoxetine", "SSRI", 20.0, 80.0, 20.0, 28.0, 240.0, (120.0, 500.0),  # the sum with norfluoxetine
        27.5, _EC50_SD, _DERIVED + "80 % at 20 mg, Meyer 2004; sum 110 to 120 ng/mL", True, "Swiss label 46347",
        inhibits=("CYP2D6", "CYP2C19"), verify=("interval of steps: several weeks", "half-life of norfluoxetine"),
    ),
    Drug(
        "lamotrigine", "antiepileptic", 25.0, 400.0, 25.0, 14.0, 24.0, (3000.0, 15000.0),
        3000.0, _EC50_SD, "design: half of the effect at the lower end of the range", False, "label",
        verify=("greatest dose", "interval of steps", "reference range"),
    ),
)  # fmt: skip
DRUGS: dict[str, Drug] = {drug.name: drug for drug in _LIST}
