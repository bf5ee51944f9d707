"""Gateway source as a Protocol: what is asked of the loop behind it, and the shape of each of its answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import Field

from controller.edge.advice import Followed, Past
from controller.edge.gateway.views import Number, QualityName, SuggestionView, View
from controller.loop.alarms import AlarmRules, Definition
from controller.loop.batch import Recipe
from controller.loop.records import Decision, Intent, Mode, Ruling
from controller.loop.what_if import Considered
from twin.records import Step
from twin.signals import Assay, Role

Bucket = tuple[int, float | None, float | None, float | None, int]


class Source(Protocol):
    """The loop as the gateway sees it. Everything is called on the event loop that serves the gateway.

    `plant`, `status` and the rows of `events` have the keys of PlantView, StatusView and EventView below;
    what has a default there may be left out.
    """

    def plant(self) -> Mapping[str, Any]:
        """What does not change: PlantView."""

    def latest(self) -> Decision | None:
        """The last turn, None before the first."""

    def status(self) -> Mapping[str, Any]:
        """How the controller is doing: StatusView."""

    async def trend(
        self, series: list[str], start: datetime, end: datetime, buckets: int
    ) -> Mapping[str, Sequence[Bucket]]:
        """By series, buckets in time order: t_ms, min, mean, max, worst quality (0 good, 1 uncertain, 2 bad).

        Series are named `process.X`, `setpoint.X`, `estimate.X`, `estimate.X_sd`, `neurocore.novelty`, ...
        One that is not known is left out, and so is a bucket without values.
        """

    async def assays(self) -> Sequence[Assay]:
        """The laboratory results of the batch, oldest first."""

    async def gaps(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """The ledger of intervals without data in the batch, newest first: GapView."""

    async def events(self, limit: int, kinds: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        """The latest events, newest first: EventView. With `kinds`, those of the present batch and these kinds."""

    async def submit(self, intent: Intent) -> Ruling:
        """Put the intent before the next turn and wait, as long as that takes, for what became of it.

        The gateway bounds its own waiting; a loop that ends cancels what it will not judge any more.
        """

    async def what_if(self, steps: Sequence[Step]) -> Considered | str:
        """Both forecasts and the verdict on a plan by hand, or why it cannot be looked at; nothing is remembered.

        controller.edge.worker.Busy when too many are asked at a time.
        """

    async def suggestions(self) -> Sequence[Past]:
        """What was suggested in this batch, newest first."""

    def followed(self, past: Past) -> Followed | None:
        """What has come of a suggestion by now, where its forecasts reach."""

    async def system(self) -> Sequence[Mapping[str, Any]]:
        """The parts of the system: SystemView."""

    async def report(self) -> bytes | str:
        """The report of the batch so far as HTML, or why there is none."""

    def alarms(self) -> tuple[Sequence[Definition], AlarmRules]:
        """Every alarm there can be, and what holds for all of them."""

    def recipe(self) -> Recipe | None:
        """The recipe of the batch; None for a plant without batches."""

    def subscribe(self) -> AsyncIterator[datetime]:
        """The process time of each turn, as it is taken; ends when the loop ends."""


class VariableView(View):
    """One measured, assayed or manipulated variable with its unit and normal span."""

    name: str
    unit: str
    low: float
    high: float
    role: Role
    text: str = ""
    drawn: str = ""  # the part of the vessel at which a drawing shows it; "": at the edge
    output: str = ""  # the measured variable by which the plant shows what this loop's controller gives out


class QuantityView(View):
    """One state that the twin estimates."""

    name: str
    unit: str
    text: str = ""


class LimitView(View):
    """The hard limits of one manipulated variable, in its own unit."""

    low: float
    high: float
    rate_per_h: Number = None


class SubjectView(View):
    """The words and the pace of what is no reactor."""

    noun: str  # such as "Patient"
    run: str  # what a batch is called
    elapsed: str
    windows: dict[str, str]  # of the trends: hours, and what the button says
    tick_h: Number = None  # between two lines of the time axis; null: whatever is round
    each: bool = False  # every sample is a point that is seen
    in_days: bool = False
    alarms: bool = True  # whether there can be any
    vessel: bool = True  # whether there is one to be drawn and moved
    parts: dict[str, str] = Field(default_factory=dict)  # what the parts of stability are called


class PlantView(View):
    """What does not change while the controller runs."""

    name: str
    model: str
    text: str = ""  # for people, such as "Pilot reactor, hall 2"
    advisory_only: bool
    subject: SubjectView | None = None  # null: a reactor
    first: list[str] = Field(default_factory=list)  # variables and states that displays show first
    variables: list[VariableView]
    states: list[QuantityView] = Field(default_factory=list)
    limits: dict[str, LimitView] = Field(default_factory=dict)
    batch_length_h: Number = None
    novelty_max: Number = None  # of the gate: above it the present counts as unusual


class BatchView(View):
    """The batch that runs; `start` is inoculation, from which elapsed fermentation time counts."""

    id: str = ""
    start: datetime | None = None
    phase: str = ""


class SetpointView(View):
    """One setpoint as the plant reports it: of the local recipe, of the supervisor, and the one in force."""

    local: Number = None
    remote: Number = None
    active: Number = None
    owner: Literal["", "recipe", "supervisor"] = ""  # whose setpoint is in force
    valid_until: datetime | None = None  # the lease of the remote setpoint, process time


class LedgerView(View):
    """What the loop's advice was worth: how it was answered, and what following it in SHADOW would have brought."""

    opened: int = 0
    accepted: int = 0
    rejected: int = 0
    unanswered: int = 0
    acceptance: Number = None  # accepted of those that were answered
    since: datetime | None = None  # the counterfactual compares setpoints from then on
    gain: Number = None  # of the objective at the batch's end, median and 80 % interval
    gain_low: Number = None
    gain_high: Number = None
    gain_unit: str = ""


class StatusView(View):
    """How the controller itself is doing; wall times are UTC."""

    link: Literal["connected", "connecting", "lost"]
    link_text: str = ""  # why, when it is not connected
    mode: Mode
    mode_reason: str = ""
    scans: int = 0
    scan_period_s: Number = None  # wall seconds that usually lie between two scans
    scanned_at: datetime | None = None  # wall time of the last scan
    scan_age_s: Number = None  # the gateway fills it in
    commands_written: int = 0
    commands_refused: int = 0
    outbox_pending: int = 0
    notice: str = ""  # the last error or notice, "" when there is nothing to say
    batch: BatchView = Field(default_factory=BatchView)
    setpoints: dict[str, SetpointView] = Field(default_factory=dict)
    ledger: LedgerView = Field(default_factory=LedgerView)


class AssayView(View):
    """A laboratory result, which speaks of the time its sample was drawn."""

    variable: str
    value: Number
    unit: str
    sampled_at: datetime
    reported_at: datetime
    quality: QualityName = "good"


class GapView(View):
    """An interval without data: of one variable, or of all when `variable` is "" ; it lasts while `end` is null."""

    variable: str = ""
    start: datetime
    end: datetime | None = None
    cause: Literal["link down", "plant stopped", "controller down", "controller late", "sensor bad"]
    text: str = ""
    backfilled: int = 0  # samples that were fetched for it later
    note: str = ""  # from where


class EventView(View):
    """Something that happened: a mode change, an operator's answer, a command, a lost link."""

    time: datetime
    kind: str
    text: str
    severity: Literal["info", "warning", "alarm"] = "info"


class FollowedView(View):
    """The objective at one instant: forecast without and with the suggestion, and as estimated."""

    at: datetime
    without: Number
    predicted: Number
    actual: Number


class PastView(View):
    """One suggestion of the past with its answer."""

    suggestion: SuggestionView
    status: str
    by: str
    given: str
    at: datetime | None
    followed: FollowedView | None


class FactView(View):
    """One figure, as it is shown."""

    name: str
    value: str


class SystemView(View):
    """One part of the system."""

    name: str
    state: Literal["ok", "warn", "bad"]
    text: str
    facts: list[FactView] = Field(default_factory=list)


class TrendView(View):
    """Decimated history: by series, rows of t_ms, min, mean, max and worst quality (2 is bad)."""

    series: dict[str, list[tuple[int, float | None, float | None, float | None, int]]]
