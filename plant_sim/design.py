"""Plant design; batch and server know no more of a process than stands here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from plant_sim.instruments import Instrument, Point
from plant_sim.laboratory import Analysis
from plant_sim.recipe import PlantPhase
from plant_sim.regulators import PidTuning


class Culture(Protocol):
    """What truly is in the vessel during one batch; it varies from batch to batch and is disturbed within one."""

    @property
    def substrate(self) -> float:
        """What the vessel's own probe tells the recipe: sugar, g/L, or glucose, mmol/L."""
        ...

    def move(self, hours: float, pumps: Mapping[str, float], loops: Mapping[str, float], seconds: float) -> None:
        """Go on from this hour of the batch under what pumps and local loops do."""
        ...

    def visible(self) -> dict[str, float]:
        """The true value of everything that an instrument or the laboratory can measure, by tag."""
        ...

    def truth(self) -> dict[str, float]:
        """What is really in the vessel, by the name of the quantity."""
        ...

    def memory(self) -> dict[str, Any]:
        """Everything a restart needs."""
        ...

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from a memory."""
        ...


@dataclass(frozen=True, slots=True)
class Harm:
    """What is wrong with the vessel itself."""

    transfer: float = 1.0  # share of the oxygen transfer that is left
    foaming: float = 0.0  # %/h of the head space that foam rises beyond the usual
    inoculum: float = 0.0  # g/L of foreign cells that get in now


@runtime_checkable
class Vulnerable(Protocol):
    """A culture whose model knows of harm to the vessel."""

    def suffer(self, harm: Harm) -> None:
        """Be in this state from now on; foreign cells get in once."""
        ...


class Procedure(Protocol):
    """The plant's own recipe."""

    def next(self, phase: PlantPhase, hours: float, substrate: float) -> PlantPhase:
        """The phase now; it never goes back."""
        ...

    def local(self, phase: PlantPhase, hours: float) -> dict[str, float]:
        """Each pump's setpoint when nobody else says one."""
        ...


@dataclass(frozen=True, slots=True)
class PlantDesign:
    """One plant: its vessel, instruments, laboratory, local loops and recipe.

    `inoculate(constants, variation, disturbance)` begins a batch with the vessel's constants (None: the nominal ones);
    without a generator nothing varies, or nothing is disturbed.
    """

    name: str
    instruments: tuple[Instrument, ...]
    analyses: tuple[Analysis, ...]
    first_sample_s: float
    sample_every_s: float
    result_after_s: float
    pumps: tuple[str, ...]
    setpoints: Mapping[str, float]  # of the local loops, by tag
    tunings: Mapping[str, PidTuning]
    recipe: Procedure
    inoculate: Callable[[Any, np.random.Generator | None, np.random.Generator | None], Culture]
    warm: Callable[[], None]  # compile everything now
    services: tuple[Instrument, ...] = ()  # instruments around the vessel
    utilities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # outputs of loops that each one feeds
    setpoint_limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # of a loop's, by owner
    alarm_limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # narrower than the span, by tag
    functions: Mapping[str, str] = field(default_factory=dict)  # by tag, what LADS calls it; else by its description

    @property
    def assays(self) -> tuple[Point, ...]:
        """What the laboratory reports."""
        return tuple(a.point for a in self.analyses)

    @property
    def online(self) -> tuple[Instrument, ...]:
        """Every instrument that is read at each scan."""
        return self.instruments + self.services

    @property
    def loops(self) -> dict[str, float]:
        """The local setpoint of each loop, by owner."""
        return {tag.partition(".")[0]: value for tag, value in self.setpoints.items()}

    @property
    def outputs(self) -> frozenset[str]:
        """What the local loops move."""
        staged = {s.output for t in self.tunings.values() for s in t.stages}
        return frozenset(set(self.tunings) | staged)
