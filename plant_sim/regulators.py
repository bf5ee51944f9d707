"""PID control of the plant itself: loops that hold acidity, temperature and oxygen whatever the recipe feeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from plant_sim.instruments import Signal


@dataclass(frozen=True, slots=True)
class Stage:
    """One actuator of a sequential cascade: its band, and the part of the demand from `begin` to `end` that moves it.

    Below its part it stands at `low`; what exceeds it overflows to the next stage.
    """

    output: str
    low: float
    high: float
    begin: float
    end: float

    def share(self, demand: float) -> float:
        """Where this demand puts the actuator."""
        part = (demand - self.begin) / (self.end - self.begin)
        return self.low + (self.high - self.low) * max(0.0, min(part, 1.0))


@dataclass(frozen=True, slots=True)
class PidTuning:
    """One loop: what it measures, where it holds it, how hard it pushes and within which limits."""

    tag: str
    setpoint: float
    gain: float  # output per unit of error; negative when more output lowers the measurement
    tau_i_h: float
    tau_d_h: float
    filter_h: float  # of the measurement, before all three actions
    low: float
    high: float
    start: float  # output before the first scan
    stages: tuple[Stage, ...] = ()  # of a cascade; the output is then a demand that they share

    @property
    def owner(self) -> str:
        """The loop whose setpoint this one holds, such as TIC101."""
        return self.tag.partition(".")[0]


@dataclass(slots=True)
class _Memory:
    output: float
    integral: float = 0.0
    filtered: float | None = None  # None: to be taken over without a bump


class Pid:
    """A position PID on a filtered measurement; the integral gives way where the output meets a limit."""

    def __init__(self, tuning: PidTuning) -> None:
        """Start at the tuning's first output."""
        self.tuning = tuning
        self._m = _Memory(tuning.start)

    def step(self, signal: Signal, dt_h: float, shift: float = 0.0) -> float:
        """The output for this scan, holding the setpoint plus `shift`.

        Without a usable measurement it stays, and comes back without a bump.
        """
        t, m = self.tuning, self._m
        setpoint = t.setpoint + shift
        if not signal.usable or signal.value is None:
            m.filtered = None
            return m.output
        if m.filtered is None:
            m.filtered = signal.value
            m.integral = m.output - t.gain * (setpoint - m.filtered)
        change = dt_h / (dt_h + t.filter_h) * (signal.value - m.filtered)
        m.filtered += change
        error = setpoint - m.filtered
        immediate = t.gain * (error - t.tau_d_h * change / dt_h)
        integral = m.integral + t.gain * error * dt_h / t.tau_i_h
        wanted = immediate + integral
        m.output = max(t.low, min(wanted, t.high))
        # Anti-windup: at a limit the integral moves only away from it, and never beyond what the output can give.
        if wanted == m.output or (wanted > t.high) == (integral < m.integral):
            m.integral = max(t.low, min(integral, t.high))
        return m.output

    def memory(self) -> dict[str, Any]:
        """Everything a restart needs."""
        return asdict(self._m)

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on from a memory."""
        self._m = _Memory(**memory)


class Loops:
    """The local loops of the vessel."""

    def __init__(self, tunings: Mapping[str, PidTuning]) -> None:
        """Start every loop at its first output."""
        self._pids = {name: Pid(tuning) for name, tuning in tunings.items()}

    def step(
        self, signals: Mapping[str, Signal], dt_h: float, shifts: Mapping[str, float] | None = None
    ) -> dict[str, float]:
        """Every output for this scan; `shifts` is by how much each owner's setpoint is not the tuning's."""
        outputs: dict[str, float] = {}
        for name, pid in self._pids.items():
            t = pid.tuning
            demand = pid.step(signals[t.tag], dt_h, (shifts or {}).get(t.owner, 0.0))
            outputs |= {s.output: s.share(demand) for s in t.stages} or {name: demand}
        return outputs

    def memory(self) -> dict[str, Any]:
        """Everything a restart needs."""
        return {name: pid.memory() for name, pid in self._pids.items()}

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on from a memory."""
        for name, pid in self._pids.items():
            pid.recall(memory[name])
