"""The plant's own control: PID loops that hold acidity, temperature and oxygen whatever the recipe feeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from plant_sim.instruments import Signal

KELVIN = 273.15


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
class Tuning:
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

    def __init__(self, tuning: Tuning) -> None:
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


PH = 5.0  # Birol 2002
PH_GAP = 0.01  # Birol 2002; base holds the lower edge and acid the upper one, so that they never fight
TEMPERATURE_C = 298.0 - KELVIN  # Birol 2002
# Birol 2002 prints 2 K, over which growth changes by 6 %; a tenth of that still keeps coolant and heat apart.
TEMPERATURE_GAP = 0.2
# Design: the most that 50 W holds to the end of a batch whose oxygen transfer is not among the poorest. It spares
# power early, keeps production clear of oxygen limitation late, and makes power tell what the broth consumes.
OXYGEN = 60.0

# The oxygen cascade: agitation first, then air, then pure oxygen, each to its limit. The demand counts in watts of
# agitation; the parts of air and oxygen are as wide as makes a watt of demand weigh about as much as one of agitation.
CASCADE = (
    Stage("power", 20.0, 50.0, 20.0, 50.0),  # W; Birol 2002
    Stage("air", 8.6, 10.0, 50.0, 60.0),  # L/h; 8.6 to 10: Birol 2002 and the range of models built on it
    Stage("oxygen", 0.0, 2.0, 60.0, 120.0),  # L/h; design
)
_COLD, _WARM = TEMPERATURE_C - TEMPERATURE_GAP, TEMPERATURE_C + TEMPERATURE_GAP
# Gains and times of acid, base and heating as printed by Birol 2002. They hold pH within 0.1. Cooling has a tenth
# of the printed 70 L/(h.K), as in a published model, and no derivative: 1.6 h of it turns the transmitter's noise
# into bursts of coolant beyond all heat that the broth gives. Filters, and flow limits of water, are design.
TUNINGS = {
    "base": Tuning("AIC101.PV", PH - PH_GAP, 8e-4, 4.2, 0.2625, 0.15, 0.0, 0.1, 0.0),
    "acid": Tuning("AIC101.PV", PH + PH_GAP, -1e-4, 8.4, 0.125, 0.15, 0.0, 1e-5, 0.0),
    "cooling": Tuning("TIC101.PV", _WARM, -7.0, 0.5, 0.0, 0.2, 0.0, 500.0, 0.0),
    "heating": Tuning("TIC101.PV", _COLD, 5.0, 0.8, 0.05, 0.2, 0.0, 100.0, 0.0),
    # Tuned here for a response of half an hour, slow against the probe.
    "oxygen": Tuning("AIC102.PV", OXYGEN, 0.3, 0.1, 0.0, 0.05, 20.0, CASCADE[-1].end, 30.0, CASCADE),
}
SETPOINTS = {"AIC101.SP": PH, "TIC101.SP": TEMPERATURE_C, "AIC102.SP": OXYGEN}
LIMITS = {"AIC101": (4.0, 6.5), "TIC101": (20.0, 30.0), "AIC102": (10.0, 90.0)}  # of remote setpoints; design


class Loops:
    """The five local loops of the vessel."""

    def __init__(self, tunings: Mapping[str, Tuning] = TUNINGS) -> None:
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
