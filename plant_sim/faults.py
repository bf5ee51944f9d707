"""Fault injection: what goes wrong with the plant, when, and how badly, scripted in TOML or set by a method."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

VESSEL = "R1"
LINK = "LINK"


class FaultKind(StrEnum):
    """What may go wrong; what `value` means stands in `MEANING`."""

    NONE = "none"
    # an instrument, and as far as it makes sense an assay
    BAD = "bad"  # fails and says so
    UNCERTAIN = "uncertain"  # doubts itself
    FREEZE = "freeze"  # keeps its last value and says that it is good; an assay never comes
    NAN = "nan"  # not a number, and says that it is good
    BIAS = "bias"
    DRIFT = "drift"
    NOISE = "noise"
    DROP_OUT = "drop_out"
    # an assay
    WRONG_ASSAY = "wrong_assay"
    # what moves the plant
    UNDER_DELIVERY = "under_delivery"
    STUCK_VALVE = "stuck_valve"
    UTILITY_FAILURE = "utility_failure"
    # the vessel
    KLA_LOSS = "kla_loss"
    FOAM = "foam"
    CONTAMINATION = "contamination"
    # the wire
    CONNECTION_LOSS = "connection_loss"


SIGNAL = frozenset(
    {
        FaultKind.BAD,
        FaultKind.UNCERTAIN,
        FaultKind.FREEZE,
        FaultKind.NAN,
        FaultKind.BIAS,
        FaultKind.DRIFT,
        FaultKind.NOISE,
        FaultKind.DROP_OUT,
    }
)
ASSAY = frozenset({FaultKind.BAD, FaultKind.UNCERTAIN, FaultKind.FREEZE, FaultKind.BIAS, FaultKind.WRONG_ASSAY})
VESSEL_KINDS = frozenset({FaultKind.KLA_LOSS, FaultKind.FOAM, FaultKind.CONTAMINATION})

MEANING: Mapping[FaultKind, tuple[str, float, float]] = {  # what the value is, and its least and greatest
    FaultKind.BIAS: ("added to the value, in its unit", -math.inf, math.inf),
    FaultKind.DRIFT: ("added per hour, in the unit", -math.inf, math.inf),
    FaultKind.NOISE: ("standard deviation of the additional noise, in the unit", 0.0, math.inf),
    FaultKind.DROP_OUT: ("share of the readings that are lost", 0.0, 1.0),
    FaultKind.WRONG_ASSAY: ("the factor on the result", 0.0, math.inf),
    FaultKind.UNDER_DELIVERY: ("share of the flow that is missing", 0.0, 1.0),
    FaultKind.STUCK_VALVE: ("where the output stays, in its unit", 0.0, math.inf),
    FaultKind.KLA_LOSS: ("share of the oxygen transfer that is lost", 0.0, 0.95),
    FaultKind.FOAM: ("foam that rises, % of the head space per hour", 0.0, 1000.0),
    FaultKind.CONTAMINATION: ("foreign cells that get in, g/L", 0.0, 10.0),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault on one part of the plant, from and until process seconds of the batch.

    `tag` names an instrument or an assay by its tag, a pump (FIC201), a local loop's output (base), a utility
    (cooling_water), the vessel (R1) or the wire (LINK).
    """

    kind: FaultKind
    tag: str
    value: float = 0.0
    at_s: float = 0.0
    until_s: float = math.inf

    def active(self, now_s: float) -> bool:
        """Whether it is there at this process second."""
        return self.at_s <= now_s < self.until_s


@dataclass(frozen=True, slots=True)
class Equipment:
    """What can fail in one plant, by name."""

    instruments: frozenset[str]
    assays: frozenset[str]
    pumps: frozenset[str]
    outputs: frozenset[str]  # of the local loops
    utilities: frozenset[str]
    vessel: frozenset[FaultKind]  # what the vessel's model knows of

    def objection(self, fault: Fault) -> str:
        """Why this plant cannot have that fault, as a sentence, or ""."""
        names = self._names(fault.kind)
        if not names:
            return f"this plant knows nothing of {fault.kind}"
        if fault.tag not in names:
            return f"{fault.kind} cannot befall {fault.tag!r}; it may befall {', '.join(sorted(names))}"
        what, low, high = MEANING.get(fault.kind, ("", -math.inf, math.inf))
        if not (math.isfinite(fault.value) and low <= fault.value <= high):
            return f"{fault.kind} of {fault.value:g}: its value is {what}, from {low:g} to {high:g}"
        if not fault.at_s < fault.until_s:  # false for NaN
            return f"{fault.kind} of {fault.tag} ends before it begins"
        return ""

    def _names(self, kind: FaultKind) -> frozenset[str]:
        names: frozenset[str] = frozenset()
        if kind in SIGNAL or kind is FaultKind.NONE:
            names |= self.instruments
        if kind in ASSAY or kind is FaultKind.NONE:
            names |= self.assays
        if kind in (FaultKind.UNDER_DELIVERY, FaultKind.NONE):
            names |= self.pumps
        if kind is FaultKind.STUCK_VALVE:
            names |= self.pumps | self.outputs
        if kind in self.vessel:
            names |= {VESSEL}
        if kind is FaultKind.UTILITY_FAILURE:
            names |= self.utilities
        if kind is FaultKind.CONNECTION_LOSS:
            names |= {LINK}
        return names


class Schedule:
    """The faults of one batch: those that are there, and those still to come."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        """Begin with a script."""
        self._faults = tuple(faults)
        self._cleared = False

    @property
    def any(self) -> bool:
        """Whether there are or were faults to think of: a harm that is cleared must be told as well."""
        return bool(self._faults) or self._cleared

    def add(self, fault: Fault) -> None:
        """One more; the same kind on the same part replaces what was there."""
        self._faults = (*(f for f in self._faults if (f.kind, f.tag) != (fault.kind, fault.tag)), fault)

    def clear(self, tag: str, kind: FaultKind | None = None) -> int:
        """Mend a part, of one kind of fault or of all; how many that were."""
        kept = tuple(f for f in self._faults if f.tag != tag or (kind is not None and f.kind is not kind))
        cleared, self._faults = len(self._faults) - len(kept), kept
        self._cleared = self._cleared or cleared > 0
        return cleared

    def now(self, now_s: float) -> tuple[Fault, ...]:
        """What is wrong at this process second."""
        return tuple(f for f in self._faults if f.active(now_s)) if self._faults else ()

    def of(self, kind: FaultKind, now_s: float) -> tuple[Fault, ...]:
        """What is wrong of this kind at this process second."""
        return tuple(f for f in self.now(now_s) if f.kind is kind)

    def signal(self, tag: str, now_s: float) -> Fault | None:
        """What is wrong with this instrument or assay; the last one that was set."""
        found = [f for f in self.now(now_s) if f.tag == tag and (f.kind in SIGNAL or f.kind in ASSAY)]
        return found[-1] if found else None

    def memory(self) -> list[dict[str, Any]]:
        """Everything a restart needs; JSON knows no infinity."""
        return [asdict(f) | {"until_s": f.until_s if math.isfinite(f.until_s) else None} for f in self._faults]

    def recall(self, memory: Iterable[Mapping[str, Any]]) -> None:
        """Go on from a memory."""
        self._cleared = True  # harm of before may still be there
        self._faults = tuple(
            Fault(
                FaultKind(f["kind"]),
                f["tag"],
                f["value"],
                f["at_s"],
                math.inf if f["until_s"] is None else f["until_s"],
            )
            for f in memory
        )


KEYS = {"kind", "tag", "value", "at_h", "until_h"}


def load(path: Path) -> tuple[Fault, ...]:
    """The faults that a TOML file scripts; ValueError names the file, the entry and what to mend.

    [[fault]]
    kind = "drift"
    tag = "AIC102.PV"
    value = -2.0      # % per hour
    at_h = 60.0       # hours of the batch
    until_h = 90.0    # left out: to the end
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise ValueError(f"{path} cannot be read as a fault script: {fault}") from None
    entries = content.get("fault")
    if not isinstance(entries, list) or not entries or set(content) != {"fault"}:
        raise ValueError(f"{path} must hold [[fault]] entries and nothing else")
    return tuple(_entry(entry, f"{path}, [[fault]] number {n}") for n, entry in enumerate(entries, start=1))


def _entry(entry: Any, where: str) -> Fault:
    if not isinstance(entry, dict) or not {"kind", "tag"} <= set(entry) <= KEYS:
        raise ValueError(f"{where}: give kind and tag, and if you like value, at_h and until_h")
    if entry["kind"] not in set(FaultKind) - {FaultKind.NONE}:
        kinds = ", ".join(k for k in FaultKind if k is not FaultKind.NONE)
        raise ValueError(f"{where}: no fault is called {entry['kind']!r}; there are {kinds}")
    numbers = [entry.get("value", 0.0), entry.get("at_h", 0.0), entry.get("until_h", math.inf)]
    if any(isinstance(x, bool) or not isinstance(x, int | float) for x in numbers) or not isinstance(entry["tag"], str):
        raise ValueError(f"{where}: tag is a text, and value, at_h and until_h are numbers")
    value, at_h, until_h = (float(x) for x in numbers)
    return Fault(FaultKind(entry["kind"]), entry["tag"], value, 3600.0 * at_h, 3600.0 * until_h)
