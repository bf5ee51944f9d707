"""What a review knows of a patient: the facts of treatment, the numbers of the present, and the advice it may give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.loop.records import Evidence
from controller.patient.model import E2
from controller.patient.pharmacology.drugs import DRUGS, Drug
from controller.patient.pharmacology.pharmacokinetics import Person, Pharmacokinetics

STILL_RISING = 0.01  # of occupancy; design
NORMAL_90 = 1.645  # half the central 90 % interval of a unit normal


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is prescribed and for whom: facts given to the loop, never decided by it."""

    dose_mg: float = 10.0
    every: timedelta = timedelta(hours=24)
    started_at: datetime | None = None  # of the first dose; None: untreated
    changed_at: datetime | None = None  # of the last change of dose
    age_years: float | None = 45.0
    weight_kg: float | None = 70.0
    pregnant: bool = False
    cyp2c19: str = "unknown"  # PM, IM, NM, RM, UM
    qtc_ms: float | None = None
    pk: Pharmacokinetics = E2
    male: bool | None = None
    asian: bool | None = None
    cyp2d6: str = "unknown"
    cyp2b6: str = "unknown"
    hepatic: bool = False  # impaired liver
    qtc_rise_ms: float | None = None  # since before the drug
    electrolytes_low: bool = False  # potassium or magnesium
    comedication: tuple[str, ...] = ()  # taken now, by international name
    stopped: tuple[tuple[str, datetime], ...] = ()  # drugs taken until then
    suicidality: bool = False  # an answer to PHQ-9 item 9, or anything a clinician was told
    serotonin_signs: bool = False
    intolerance: bool = False  # of this drug, as a clinician judged it

    @property
    def drug(self) -> Drug:
        """What is known of the drug."""
        return DRUGS[self.pk.drug]

    @property
    def person(self) -> Person:
        """The facts that pharmacokinetics depend on."""
        return Person(
            self.age_years,
            self.weight_kg,
            self.male,
            self.asian,
            self.cyp2c19,
            self.cyp2d6,
            frozenset(self.comedication),
        )


@dataclass(frozen=True, slots=True)
class Picture:
    """The numbers that the rules look at."""

    now: datetime
    treatment: Treatment
    days: float  # since the first dose; negative before it
    stability: float
    findings: Mapping[str, float]
    concentration: float  # ng/mL now
    predicted: float  # ng/mL, mean of the next 24 h as prescribed
    occupancy: float  # of the predicted concentration
    settled: float  # occupancy at the end of the horizon, as prescribed
    activation: float
    stress: float
    response: float
    log_sds: tuple[float, float]  # of response and clearance
    novelty: float
    active: str = ""  # the id of a proposal of dose or replacement that nobody has answered

    @property
    def rising(self) -> bool:
        """The drug is still building up."""
        return self.settled > self.occupancy + STILL_RISING

    @property
    def response_high(self) -> float:
        """The upper end of the response's central 90 % interval."""
        return self.response * math.exp(min(NORMAL_90 * self.log_sds[0], 700.0))

    @property
    def days_on_dose(self) -> float:
        """Since the dose was last changed, or started."""
        changed = self.treatment.changed_at
        return self.days if changed is None else (self.now - changed) / timedelta(days=1)

    @property
    def therapeutic(self) -> bool:
        """The level is not below the reference range."""
        return self.predicted >= self.treatment.drug.range_ng_per_ml[0]


@dataclass(frozen=True, slots=True)
class Advice:
    """What a rule says. `dose_mg` is a daily dose other than the present one, only for the kind "dose"."""

    kind: str
    reason: str
    valid: timedelta
    dose_mg: float | None = None
    evidence: tuple[Evidence, ...] = ()
    alternatives: tuple[str, ...] = ()
