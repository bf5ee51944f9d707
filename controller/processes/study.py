"""Study: what the author of a simulated plant adds, so that benches can judge learners, filters and alarms on it.

It speaks of the vessel that is simulated, which no twin and no loop may see: it is for the judge alone. States, inputs
and multipliers go by the twin's names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from plant_sim.batch import Batch
from plant_sim.faults import Fault
from twin.model import Array
from twin.signals import Plant


@dataclass(frozen=True, slots=True)
class Script:
    """The moves of one batch: from each hour on, the share of what the plant's own recipe gives, by input."""

    hours: tuple[float, ...] = ()
    shares: Mapping[str, tuple[float, ...]] = field(default_factory=dict)  # one at each of the hours

    def at(self, hours: float) -> dict[str, float] | None:
        """The shares in force, or None while the recipe is left alone."""
        begun = sum(start <= hours + 1e-9 for start in self.hours)
        return {name: shares[begun - 1] for name, shares in self.shares.items()} if begun else None


@dataclass(frozen=True, slots=True)
class Stream:
    """Successive batches on one reactor, which differs from the twin by a draw of the vessel's constants."""

    plant: Plant  # as the loop knows it
    tags: Mapping[str, str]  # of each of its variables
    reactor: Callable[[int], Any]  # the constants of one reactor and its strain, by seed
    strain: Callable[[Any, int], Any]  # the same vessel with the strain of this seed
    script: Callable[[int], Script]
    begins: str  # the input that must run before anything is moved
    quantities: tuple[str, ...]  # states whose forecasts are judged
    judged: tuple[str, ...]  # multipliers that have a true value in this plant
    ratios: Callable[[Batch], Mapping[str, float]]  # of those: log of the plant's true rate over the twin's


class Informed(Protocol):
    """Who is told everything of a batch but how fast it makes its product: nobody can estimate that better."""

    assays: dict[int, float]  # of product, by the scan of the sample

    def see(self, batch: Batch) -> None:
        """Take in one scan."""
        ...

    def estimates(self) -> Array:
        """The product at every scan, by the assays that have arrived at it."""
        ...


@dataclass(frozen=True, slots=True)
class Estimation:
    """What a filter is judged on, over batches of the recipe."""

    judged: tuple[str, ...]  # states
    banded: tuple[str, ...]  # states whose forecasts must hold the truth as often as they say
    faults: tuple[Fault, ...]  # the k-th of them befalls batch k of those with a fault
    informed: Callable[[float], Informed]  # by the seconds between two scans


@dataclass(frozen=True, slots=True)
class Drill:
    """What integrator and optimiser are timed on."""

    course: tuple[tuple[float, Mapping[str, float]], ...]  # of the inputs, from each hour on; nominal until it is said
    states: Mapping[str, tuple[float, float]]  # each state, low and high, that an optimisation starts from
    logs_sd: tuple[float, ...]  # of the log multipliers that it is asked with
    hours: tuple[float, float]  # that it has left
    bounds: Mapping[str, tuple[float, float]]  # of states, that a plan must keep


@dataclass(frozen=True, slots=True)
class Study:
    """Everything that benches know of one process beyond its plant."""

    stream: Stream
    estimation: Estimation
    drill: Drill
    faults: Mapping[str, Fault]  # by the name in the table of faults: what breaks
