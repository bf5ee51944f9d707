"""Published population pharmacokinetics as records to choose from, and one person's parameters from covariates.

Every record says where it is from, what it may be used for, and what of it a person has still to verify against the
paper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from controller.patient.pharmacology.pharmacokinetics import Pharmacokinetics

PHENOTYPES = ("PM", "IM", "NM", "RM", "UM", "unknown")


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of somebody that a covariate may look at; None and "unknown" leave the typical value."""

    age_years: float | None = None
    weight_kg: float | None = None
    male: bool | None = None
    asian: bool | None = None
    cyp2c19: str = "unknown"  # PM, IM, NM, RM, UM
    cyp2d6: str = "unknown"
    comedication: frozenset[str] = frozenset()  # by international name, or "barbiturate"

    def __post_init__(self) -> None:
        for gene, told in (("CYP2C19", self.cyp2c19), ("CYP2D6", self.cyp2d6)):
            if told not in PHENOTYPES:
                raise ValueError(f'{gene} is "{told}"; it is one of {", ".join(PHENOTYPES)}')


@dataclass(frozen=True, slots=True)
class Covariate:
    """How a parameter depends on one fact: `power` (x/centre)^size, `linear` 1 + size (x - centre), `shift` in units.

    `levels` instead gives a factor for each value of the fact.
    """

    parameter: str  # "clearance_l_per_h" or "volume_l"
    fact: str  # a field of Person, "daily_mg", or "comedication"
    form: str = "levels"
    size: float = 0.0
    centre: float = 0.0
    levels: tuple[tuple[str, float], ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A published population model: its typical person, the spread between people, and covariates."""

    version: str  # of this record, not of the paper
    typical: Pharmacokinetics
    covariates: tuple[Covariate, ...] = ()
    use: str = ""  # what it must not be used for
    verify: tuple[str, ...] = ()
    induction: tuple[float, float] | None = None  # clearance at the first dose over the final one, rate per week
    enantiomers: tuple[Record, ...] = ()  # of a racemate, each half of the dose

    @property
    def id(self) -> str:
        """As the treatment names it."""
        return self.typical.id

    @property
    def drug(self) -> str:
        """Its international name."""
        return self.typical.drug


def cv(share: float) -> float:
    """The standard deviation of the logarithm that a coefficient of variation stands for."""
    return math.sqrt(math.log(1 + share**2))


def for_person(
    record: Record, person: Person, daily_mg: float | None = None, weeks: float = math.inf
) -> Pharmacokinetics:
    """The parameters expected of this person after so many weeks on `daily_mg`.

    Where a larger study gives the genotype's exposure ratio, it takes the place of the record's own factor, and half
    the distance between the two (logarithmic) is added to the spread.
    """
    if record.enantiomers:
        return racemate(record.typical, [for_person(half, person, daily_mg, weeks) for half in record.enantiomers])
    facts: dict[str, float | str | bool | None] = {
        "age_years": person.age_years,
        "weight_kg": person.weight_kg,
        "male": person.male,
        "asian": person.asian,
        "cyp2c19": person.cyp2c19,
        "cyp2d6": person.cyp2d6,
        "daily_mg": daily_mg,
    }
    values = {"clearance_l_per_h": record.typical.clearance_l_per_h, "volume_l": record.typical.volume_l}
    for c in record.covariates:
        if c.fact == "comedication":
            for drug, factor in c.levels:
                values[c.parameter] *= factor if drug in person.comedication else 1.0
        elif c.fact != "cyp2c19" or record.drug not in EXPOSURE_RATIO:
            values[c.parameter] = _applied(c, facts[c.fact], values[c.parameter])
    factor, extra = _genotype(record, person)
    values["clearance_l_per_h"] *= factor
    if record.induction is not None:
        first, per_week = record.induction
        values["clearance_l_per_h"] *= 1 - (1 - first) * math.exp(-per_week * weeks)
    return replace(
        record.typical,
        clearance_l_per_h=values["clearance_l_per_h"],
        volume_l=values["volume_l"],
        clearance_sd=math.hypot(record.typical.clearance_sd, extra),
    )


def racemate(named: Pharmacokinetics, halves: Sequence[Pharmacokinetics]) -> Pharmacokinetics:
    """One compartment with the exposure, and the level just after absorption, of the halves together."""
    exposures = [0.5 / half.clearance_l_per_h for half in halves]
    shares = [exposure / math.fsum(exposures) for exposure in exposures]
    spread = math.sqrt(math.fsum((s * h.clearance_sd) ** 2 for s, h in zip(shares, halves, strict=True)))
    return replace(
        named,
        clearance_l_per_h=1 / math.fsum(exposures),
        volume_l=1 / math.fsum(0.5 / half.volume_l for half in halves),
        clearance_sd=spread,
        volume_sd=math.sqrt(math.fsum((s * h.volume_sd) ** 2 for s, h in zip(shares, halves, strict=True))),
    )


def _applied(c: Covariate, fact: float | str | bool | None, value: float) -> float:
    if fact is None:
        return value
    if c.form == "levels":
        return value * dict(c.levels).get(str(fact), 1.0)
    x = float(fact)
    if c.form == "power":
        return float(value * (x / c.centre) ** c.size)
    if c.form == "linear":
        return value * max(1 + c.size * (x - c.centre), 0.1)
    return max(value + c.size * (x - c.centre), 0.1 * value)


def _genotype(record: Record, person: Person) -> tuple[float, float]:
    """The factor on clearance that CYP2C19 brings, and what is added to the spread for the doubt about it."""
    ratios = EXPOSURE_RATIO.get(record.drug, {})
    own = next((dict(c.levels) for c in record.covariates if c.fact == "cyp2c19"), None)
    if person.cyp2c19 not in ratios:
        return 1.0, 0.0
    factor = 1 / ratios[person.cyp2c19]
    if own is None or person.cyp2c19 not in own:
        return factor, 0.0
    return factor, abs(math.log(factor / own[person.cyp2c19])) / 2


# Exposure by CYP2C19 over that of a normal metaboliser, from cohorts far larger than the population studies:
# escitalopram n = 2087 (Am J Psychiatry 2018; PM 3.3, IM 1.6, rapid and ultrarapid 0.9 and 0.8), sertraline
# n = 1202 (PMC6969041).
EXPOSURE_RATIO: Mapping[str, Mapping[str, float]] = {
    "escitalopram": {"PM": 3.3, "IM": 1.6, "RM": 0.9, "UM": 0.8},
    "sertraline": {"PM": 2.68, "IM": 1.38, "UM": 0.89},
}
