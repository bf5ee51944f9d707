"""What a review knows of a patient: the facts of treatment, the numbers of the present, and the advice it may give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.loop.records import Evidence
from controller.patient.advice.stability import SAMPLING
from controller.patient.comedication import Comedication
from controller.patient.model import E2
from controller.patient.pharmacology.covariates import Person
from controller.patient.pharmacology.drugs import DRUGS, Drug
from controller.patient.pharmacology.pharmacokinetics import Pharmacokinetics
from controller.patient.regimen import Regimen, every

STILL_RISING = 0.01  # of occupancy; design
SELF_HARM_STANDS = timedelta(days=14)  # that a report of it is urgent; PHQ-9 asks of two weeks
NORMAL_90 = 1.645  # half the central 90 % interval of a unit normal


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is prescribed and for whom: facts given to the loop, never decided by it."""

    regimens: tuple[Regimen, ...] = (every("escitalopram", 10.0),)  # one after the other; the last one holds
    started_at: datetime | None = None  # of the first dose; None: untreated
    changed_at: datetime | None = None  # of the last change of dose
    age_years: float | None = 45.0
    weight_kg: float | None = 70.0
    pregnant: bool = False
    cyp2c19: str = "unknown"  # PM, IM, NM, RM, UM
    qtc_ms: float | None = None
    ecgs: tuple[tuple[datetime, float], ...] = ()  # QTc in ms; `at` tells the last one as the one above
    pk: Pharmacokinetics = E2
    male: bool | None = None
    asian: bool | None = None
    cyp2d6: str = "unknown"
    cyp2b6: str = "unknown"
    hepatic: bool = False  # impaired liver
    qtc_rise_ms: float | None = None  # since before the drug
    electrolytes_low: bool = False  # potassium or magnesium
    comedication: tuple[str, ...] = ()  # taken now, by international name
    perhaps: tuple[str, ...] = ()  # may be taken now
    stopped: tuple[tuple[str, datetime], ...] = ()  # drugs taken until then
    others: tuple[Comedication, ...] = ()  # with their times; `at` tells them as the three above
    unchecked: tuple[str, ...] = ()  # what of the record could not be read, in sentences
    withheld: tuple[str, ...] = ()  # why nothing may be said of this drug's dose, in sentences
    reported: tuple[datetime, ...] = ()  # when thoughts of self-harm were; `at` tells them as the next
    suicidality: bool = False  # an answer to PHQ-9 item 9, or anything a clinician was told
    serotonin_signs: bool = False
    intolerance: bool = False  # of this drug, as a clinician judged it

    @property
    def drug(self) -> Drug:
        """What is known of the drug."""
        return DRUGS[self.pk.drug]

    @property
    def regimen(self) -> Regimen:
        """How the drug is taken."""
        return self.regimens[-1]

    def at(self, now: datetime) -> Treatment:
        """As it is at this time: what begins later is not known of."""
        begun = tuple(r for r in self.regimens if r.start is None or r.start <= now) or self.regimens[:1]
        qtc = [ms for at, ms in self.ecgs if at <= now]
        changed = begun[-1].start if len(begun) > 1 else None
        return replace(
            self,
            regimens=tuple(r if r.start is not None else replace(r, start=self.started_at) for r in begun),
            changed_at=max((at for at in (self.changed_at, changed) if at is not None), default=None),
            comedication=(*self.comedication, *sorted(o.name for o in self.others if o.sure and o.acts(now))),
            perhaps=(*self.perhaps, *sorted(o.name for o in self.others if not o.sure and o.acts(now))),
            qtc_ms=qtc[-1] if qtc else self.qtc_ms,
            suicidality=self.suicidality
            or any(at - SAMPLING / 2 <= now < at + SELF_HARM_STANDS for at in self.reported),
            stopped=(
                *self.stopped,
                *((o.name, o.until) for o in self.others if o.until is not None and o.until <= now),
            ),
        )

    def due(self, begin: datetime, end: datetime) -> float:
        """What should have been swallowed from `begin` on and before `end`, mg."""
        ends = [*(r.start for r in self.regimens[1:]), None]
        return math.fsum(
            mg
            for regimen, until in zip(self.regimens, ends, strict=True)
            for _, mg in regimen.doses(begin, end if until is None else min(end, until))
        )

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
    """What a rule says. `daily_mg` is a daily dose other than the present one, only for the kind "dose"."""

    kind: str
    reason: str
    valid: timedelta
    daily_mg: float | None = None
    evidence: tuple[Evidence, ...] = ()
    alternatives: tuple[str, ...] = ()
