"""Batch records from turn to turn: its ISA-88 state, its phase, what was fed and what was sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from twin.signals import Assay


class BatchState(StrEnum):
    """The states of a batch, after ISA-88."""

    IDLE = "idle"
    RUNNING = "running"
    HOLDING = "holding"
    HELD = "held"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    ABORTING = "aborting"
    ABORTED = "aborted"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Sample:
    """Broth taken out of the vessel by a person, and what was measured of it so far."""

    drawn_at: datetime  # process time
    volume_l: float
    assays: tuple[Assay, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """The batch as it stands."""

    id: str
    state: BatchState
    since: datetime  # when it came into this state
    reason: str  # the sentence why
    phase: str = ""  # of the recipe; "" when there is no recipe, or the batch is not in one
    phase_since: datetime | None = None
    started_at: datetime | None = None
    counted_at: datetime | None = None  # up to when feeds are summed
    fed: Mapping[str, float] = field(default_factory=dict)  # by manipulated variable: its integral over hours
    sampled_l: float = 0.0
    initial_l: float | None = None  # the broth volume when book-keeping began
    resume: Mapping[str, float] = field(default_factory=dict)  # setpoints to go back to after a hold
