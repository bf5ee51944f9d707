"""Instruments: on-line transmitters with lag and noise, and a laboratory that answers late."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from plant_sim.faults import Fault, FaultKind

Luck = np.random.Generator


class Status(StrEnum):
    """How good the instrument itself says that its value is."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Signal:
    """A value as an instrument gives it; a bad one has none."""

    value: float | None
    status: Status = Status.GOOD

    @property
    def usable(self) -> bool:
        """Whether a local loop may act upon it."""
        return self.status is not Status.BAD and self.value is not None and math.isfinite(self.value)


@dataclass(frozen=True, slots=True)
class Point:
    """A signal's name on the plant, its unit and its span."""

    tag: str
    unit: str
    low: float
    high: float
    text: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """A transmitter: first-order lag, then noise, then the limits of its span."""

    point: Point
    lag_s: float
    noise: float  # SD in the unit
    relative: float  # SD as a share of the value


def spoiled(fault: Fault | None, healthy: float, last: float | None, now_s: float, luck: Luck) -> Signal:
    """What an instrument shows under a fault; `last` is what it showed before."""
    match fault.kind if fault else FaultKind.NONE:
        case FaultKind.BAD:
            return Signal(None, Status.BAD)
        case FaultKind.UNCERTAIN:
            return Signal(healthy, Status.UNCERTAIN)
        case FaultKind.FREEZE:
            return Signal(healthy if last is None else last)
        case FaultKind.NAN:
            return Signal(math.nan)
        case FaultKind.BIAS if fault:
            return Signal(healthy + fault.value)
        case FaultKind.DRIFT if fault:
            return Signal(healthy + fault.value * (now_s - fault.at_s) / 3600.0)
        case FaultKind.NOISE if fault:
            return Signal(healthy + fault.value * float(luck.standard_normal()))
        case FaultKind.DROP_OUT if fault:
            return Signal(None, Status.BAD) if luck.random() < fault.value else Signal(healthy)
        case FaultKind.WRONG_ASSAY if fault:
            return Signal(healthy * fault.value)
        case _:
            return Signal(healthy)


class Panel:
    """The on-line instruments of one vessel."""

    def __init__(self, rng: np.random.Generator, instruments: tuple[Instrument, ...], luck: Luck | None = None) -> None:
        """Start unread; the first reading has no lag. `luck` is what faults draw from."""
        self._rng, self._instruments = rng, instruments
        self._luck = luck or np.random.default_rng(0)
        self._lagged: dict[str, float] = {}
        self._shown: dict[str, float] = {}  # the last finite value shown, which a frozen instrument keeps

    def read(
        self, truth: Mapping[str, float], seconds: float, faults: Mapping[str, Fault] | None = None, now_s: float = 0.0
    ) -> dict[str, Signal]:
        """Every instrument, `seconds` after the last reading, under what is wrong by tag."""
        noise = self._rng.standard_normal(len(self._instruments)).tolist()
        signals = {}
        for instrument, draw in zip(self._instruments, noise, strict=True):
            point = instrument.point
            lagged = self._lag(instrument, truth[point.tag], seconds)
            noisy = lagged + draw * (instrument.noise + instrument.relative * abs(lagged))
            fault = faults.get(point.tag) if faults else None
            shown = spoiled(fault, noisy, self._shown.get(point.tag), now_s, self._luck) if fault else Signal(noisy)
            signals[point.tag] = signal = _within(point, shown)
            if signal.usable and signal.value is not None:
                self._shown[point.tag] = signal.value
        return signals

    def _lag(self, instrument: Instrument, true: float, seconds: float) -> float:
        tag = instrument.point.tag
        lagged = self._lagged.get(tag, true)
        if instrument.lag_s > 0.0:
            lagged += (1.0 - math.exp(-seconds / instrument.lag_s)) * (true - lagged)
        else:
            lagged = true
        self._lagged[tag] = lagged
        return lagged

    def memory(self) -> dict[str, Any]:
        """Everything a restart needs."""
        return {
            "lagged": self._lagged,
            "shown": self._shown,
            "rng": self._rng.bit_generator.state,
            "luck": self._luck.bit_generator.state,
        }

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go on from a memory."""
        self._lagged, self._shown = dict(memory["lagged"]), dict(memory["shown"])
        self._rng.bit_generator.state = memory["rng"]
        self._luck.bit_generator.state = memory["luck"]


def _within(point: Point, signal: Signal) -> Signal:
    """A transmitter cannot show more than its span; NaN is passed on, for it is what a broken one sends."""
    if signal.value is None or not math.isfinite(signal.value):
        return signal
    return Signal(max(point.low, min(signal.value, point.high)), signal.status)
