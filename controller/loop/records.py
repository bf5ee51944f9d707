"""Records of one turn: what NeuroCore, PharmacoLoop, safety and the operator said, and the Decision of them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controller.loop.alarm_records import AlarmBook
from controller.loop.batch_records import BatchRecord, Sample
from twin.records import Correction, Estimate, Forecast, Plan
from twin.signals import Snapshot


class Mode(StrEnum):
    """The ladder: nothing, predict and record, advise an operator, act within limits."""

    OFF = "off"
    SHADOW = "shadow"
    ADVISORY = "advisory"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Insight:
    """What NeuroCore says of the present: how the plant differs from the model, and how unusual it is."""

    correction: Correction
    log_multipliers: Mapping[str, float]  # the correction at the present state
    novelty: float  # [0, 1]; 1: never seen when healthy
    contributions: Mapping[str, float]  # share of each signal in the novelty, summing to 1
    stability: float  # [0, 1]; 1: calm and near its target
    components: Mapping[str, float]  # what the stability score is made of
    learned: bool
    why_not: str  # the sentence why nothing was learned at this scan, or ""
    backend: str  # lava-fixed, reference, ...


@dataclass(frozen=True, slots=True)
class Move:
    """One manipulated variable and the setpoint it should take."""

    variable: str
    value: float
    unit: str
    previous: float


@dataclass(frozen=True, slots=True)
class Effect:
    """What a plan is predicted to change by its end, with the 80 % interval of the paired gain."""

    quantity: str
    unit: str
    baseline: float  # the median
    proposed: float  # the baseline and the gain
    gain: float  # the median of the paired differences, which the difference of the two medians is not
    gain_low: float
    gain_high: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a suggestion rests on: a guideline, a label, a study, or a choice of this program's design."""

    id: str  # of the guideline and its version
    strength: str  # as the source grades it, or "label", "study", "design"
    citation: str
    verify: bool = False  # a person has still to check it against the source


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A plan worth doing, in words and numbers. `moves` is empty for advice that writes nothing."""

    id: str
    made_at: datetime
    expires_at: datetime
    kind: str  # "setpoints" for a bioreactor; "schedule", "monitoring", "dose", ... for a patient
    moves: tuple[Move, ...]
    plan: Plan
    reason: str  # a sentence for people, with the numbers in it
    effect: Effect | None
    bounded_by: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    confidence: float | None = None  # probability that the benefit exceeds the least that counts
    alternatives: tuple[str, ...] = ()  # the best first, a sentence each
    disclaimer: str = ""


@dataclass(frozen=True, slots=True)
class Abstention:
    """Nothing is proposed, and why."""

    made_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A move that was held to a limit."""

    variable: str
    asked: float
    granted: float
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What safety lets through. Empty `moves` with `refusals` is a no; each refusal is a sentence."""

    moves: tuple[Move, ...]
    narrowed: tuple[Narrowing, ...]
    refusals: tuple[str, ...]

    @property
    def admitted(self) -> bool:
        """True when there is something left to do and no objection to it."""
        return bool(self.moves) and not self.refusals


@dataclass(frozen=True, slots=True)
class Command:
    """Setpoints in force with their expiry: a lease, after which the plant falls back to its own baseline."""

    id: str  # of the suggestion it comes from
    moves: tuple[Move, ...]
    issued_at: datetime
    valid_until: datetime
    authority: str  # "auto", or the operator who accepted
    purpose: str = "setpoints"  # or "hold", "restart", "handback": setpoints ramped to where they shall rest


ALARM_KINDS = ("ack", "reset", "shelve", "unshelve", "out_of_service", "in_service")
BATCH_KINDS = ("start", "hold", "restart", "stop", "abort", "reset_batch")
ENTRY_KINDS = ("sample", "note")


@dataclass(frozen=True, slots=True)
class Intent:
    """What a person asks of the loop; it is judged in the next turn."""

    kind: str  # accept, modify, reject, propose or mode, or one of the kinds above
    by: str
    at: datetime  # process time at which it was received
    suggestion: str = ""  # its id, for accept, modify and reject
    mode: Mode | None = None
    reason: str = ""  # or the text of a note
    moves: Mapping[str, float] = field(default_factory=dict)  # by variable, for modify and propose
    alarm: str = ""  # its name, for what is asked of an alarm
    hours: float | None = None  # how long to shelve it
    sample: Sample | None = None  # volume taken, and results that were measured by hand


@dataclass(frozen=True, slots=True)
class Ruling:
    """What became of an intent."""

    intent: Intent
    granted: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Unsettled(Ruling):
    """Granted and sent to the plant; whether it is in force there is not known yet."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of the plant at one instant besides its readings, and what people asked since the last turn."""

    batch: str
    phase: str
    batch_end: datetime
    setpoints: Mapping[str, float]  # in force at the plant, by manipulated variable
    intents: tuple[Intent, ...] = ()
    faults: tuple[str, ...] = ()  # sentences; while there is any, nothing is written
    local: Mapping[str, float] = field(default_factory=dict)  # what the plant's own recipe would set
    conditions: Mapping[str, str] = field(default_factory=dict)  # what the edge knows, by name such as "loop.link"
    batch_start: datetime | None = None
    fed: Mapping[str, float] = field(default_factory=dict)  # by manipulated variable: what this batch got so far


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a loop answers: a suggestion or why there is none, the forecast that it rests on, and what it remembers."""

    answer: Suggestion | Abstention
    forecast: Forecast | None = None  # under the suggestion's plan; None where none was made
    remembered: object = None  # only the loop itself can read it


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the loop's advice was worth: how people answered it, and what following it would have brought.

    The counterfactual compares, on the twin as it is now believed, the setpoints that were in force since `since` with
    those that the suggestions made in SHADOW would have set: the objective at the end of the batch, and its 80 %.
    """

    opened: int = 0
    accepted: int = 0
    rejected: int = 0
    unanswered: int = 0  # expired or replaced before anybody answered
    since: datetime | None = None  # None: nothing was suggested in SHADOW yet
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    gain_unit: str = ""

    @property
    def acceptance(self) -> float | None:
        """The share of answered suggestions that were accepted; None before the first answer."""
        answered = self.accepted + self.rejected
        return self.accepted / answered if answered else None


@dataclass(frozen=True, slots=True)
class Decision:
    """All of one turn: what is stored, shown, explained, audited and replayed."""

    time: datetime
    plant: str
    mode: Mode
    mode_reason: str
    snapshot: Snapshot
    situation: Situation
    estimate: Estimate
    insight: Insight
    baseline: Forecast | None
    proposal: Suggestion | Abstention | None
    proposed: Forecast | None
    verdict: Verdict | None
    command: Command | None
    open: bool  # the proposal awaits an operator's answer
    notes: tuple[str, ...] = ()  # what the loop did of itself: demoted, dropped a command
    rulings: tuple[Ruling, ...] = ()
    batch: BatchRecord | None = None  # None for a plant without batches
    alarms: AlarmBook = field(default_factory=AlarmBook)
    ledger: Ledger = field(default_factory=Ledger)
