"""A patient's samples, six hours apart, and what a file gives before it is ordered in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from controller.patient.comedication import Comedication
from controller.patient.pharmacology.pharmacokinetics import Level
from controller.patient.regimen import Regimen
from controller.support.user_error import UserError

MOST_SAMPLES = 4000  # nearly three years
UNDATED = datetime(1970, 1, 1, tzinfo=UTC)  # day 1 of a file that counts hours and knows no date


class PatientFileFault(UserError):
    """What is wrong with the file and where, in one sentence."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One row of input; None where nothing usable was reported."""

    time_h: float  # since midnight before the first sample
    stress: float | None
    sleep: float | None
    mood: float | None
    dose_mg: float
    origin: str  # "published", "generated" or "file"
    extras: Mapping[str, float] = field(default_factory=dict)  # of wearables and questionnaires, by channel


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything that a patient's files hold."""

    samples: tuple[Sample, ...]
    levels: tuple[Level, ...] = ()
    drug: str | None = None  # that the twin follows; None: no drug is known of
    regimens: tuple[Regimen, ...] = ()  # of it, one after the other
    others: tuple[Comedication, ...] = ()  # further drugs: constraints must know of them
    start: datetime | None = None  # midnight before the first sample; None: the files know no date
    notes: tuple[str, ...] = ()  # what was left out or assumed, in sentences
    unchecked: tuple[str, ...] = ()  # what could not be read and might hold a drug, in sentences
    withheld: tuple[str, ...] = ()  # why nothing may be said of the dose, in sentences
    given: tuple[tuple[datetime, float], ...] = ()  # doses of the drug on record at their own times, mg
    missed: tuple[datetime, ...] = ()  # doses that are on record as not taken
    suicidality: tuple[datetime, ...] = ()  # when thoughts of self-harm were reported
    person: str = ""  # whom the files are about, as they name them
    assumed: bool = False  # the doses of the samples are on no record


@dataclass(frozen=True, slots=True)
class Report:
    """One value of one channel at one time; None says that it is missing. `where` names it for people."""

    at: datetime
    channel: str
    value: float | None
    source: str
    where: str
    drug: str = ""  # whose level it is; "": the drug that is followed


@dataclass(frozen=True, slots=True)
class Dose:
    """One dose swallowed, or with zero mg one that was not."""

    at: datetime
    drug: str
    mg: float
    where: str


@dataclass(slots=True)
class Found:
    """What one file gave, before it is ordered in time."""

    reports: list[Report] = field(default_factory=list)
    doses: list[Dose] = field(default_factory=list)
    nights: list[tuple[datetime, datetime]] = field(default_factory=list)  # stretches asleep
    regimens: list[tuple[Regimen, str]] = field(default_factory=list)  # stated or ordered, and who says so
    others: list[Comedication] = field(default_factory=list)  # every drug, the followed one among them
    unknown: list[tuple[str, Comedication, bool]] = field(default_factory=list)  # drugs not known here; without a name
    dispensed: list[tuple[str, str]] = field(default_factory=list)  # drugs, and sentences on them
    unchecked: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)  # drugs, and why an order of them is not understood
    withheld: list[tuple[str | None, str]] = field(default_factory=list)  # of one drug, or None of whichever it is
    suicidality: list[datetime] = field(default_factory=list)  # when thoughts of self-harm were reported
    people: dict[str, str] = field(default_factory=dict)  # by name the place that names them first
    dated: bool = True
    notes: list[str] = field(default_factory=list)

    def unread(self, sentence: str) -> None:
        """Something might hold a drug: nothing is said of any dose."""
        self.unchecked.append(sentence)
        self.withheld.append((None, sentence))
