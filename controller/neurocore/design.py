"""Which network: the coding of its inputs, the form of its learning rule, its size, and what these fix.

Codings. `graded`: a unit sends its payload as one graded spike a scan, which overwrites the trace x1 by half of it.
`lif`: every unit is a leaky integrate-and-fire neuron that is driven for `steps` timesteps a scan; its spikes add up to
the trace x1 and to the read-out. The drive is chosen so that a unit with payload p spikes every 3 * 254/p timesteps.

Rules. `three-factor`: the error e arrives at the synapse as a factor of its own, dw = x1 e / 2^10; on Loihi 2 that
needs a post-synaptic neuron written in microcode. `two-factor`: nothing but spikes reaches the synapse. A teacher
neuron for each output sums up the errors; when the sum passes +QUANTUM it sends two spikes in successive timesteps, at
-QUANTUM a single one, and takes that quantum off. The rule dw = 2^-6 y0 x1 (y1 - 101) makes of a single spike
-11 x1 / 2^9 and of a pair +11 x1 / 2^9, since the trace y1 stands at 90 after a first spike and at 123 after a second:
bursts strengthen and single spikes weaken a synapse, the code that Payeur et al. 2021 (Nature Neuroscience 24:1010)
propose for pyramidal cells. On average it is the three-factor rule, in steps of QUANTUM, at most one of them a scan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Coding = Literal["graded", "lif"]
Rule = Literal["three-factor", "two-factor"]
CODINGS: tuple[Coding, ...] = ("graded", "lif")
RULES: tuple[Rule, ...] = ("three-factor", "two-factor")

PAYLOAD_FULL = 254
ERROR_FULL = 127
WEIGHT_LOW, WEIGHT_HIGH = -256, 255  # 8 bits and sign
READ_OUT_SHIFT = 6  # a graded read-out is the weighted sum of payloads, shifted by so many bits

LIF_STEPS = 16  # timesteps a scan (design)
LIF_STEPS_MIN, LIF_STEPS_MAX = 6, 64
LIF_THRESHOLD = 64  # in Lava's units of 2^6
LIF_PERIOD = 3  # timesteps between the spikes of a unit at full payload (design)
X1_IMPULSE = 32  # of a spike; a unit at full payload has a mean trace of 112, a graded one of 127 (design)
X1_TAU_SHARE = 0.66  # of a scan (design)
NO_DECAY = 65535  # timesteps; Lava takes 0 for "no trace"

Y1_IMPULSE, Y1_TAU, Y1_OFFSET = 90, 1, 101  # design: see above
TEACHER_SHIFT = 1  # the rule's 2^-6, against the 2^-7 that Lava counts from
QUANTUM = 22  # error that a burst or a single spike stands for: 11 * 2^TEACHER_SHIFT
TEACHER_LIMIT = 2 * QUANTUM - 1  # of the sum, so that after an event less than a quantum is left

Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Design:
    """A network of `units` inputs and `outputs` linear read-outs with plastic synapses in between.

    With `own` > 0 output k has no synapse from the units k*own to (k+1)*own - 1, which speak of k itself; the other
    outputs have. `steps` counts only for coding "lif".
    """

    units: int
    outputs: int
    coding: Coding = "graded"
    rule: Rule = "three-factor"
    steps: int = LIF_STEPS
    own: int = 0

    def __post_init__(self) -> None:
        if self.coding not in CODINGS or self.rule not in RULES:
            raise ValueError(f"a network is coded {' or '.join(CODINGS)} and learns by {' or '.join(RULES)}: {self}")
        if self.units < 1 or self.outputs < 1 or not 0 <= self.own * self.outputs <= self.units:
            raise ValueError(f"a network needs units and outputs, and units of their own for all or none: {self}")
        if not LIF_STEPS_MIN <= self.steps <= LIF_STEPS_MAX:
            raise ValueError(f"a scan takes {LIF_STEPS_MIN} to {LIF_STEPS_MAX} timesteps: {self}")

    @property
    def lessons(self) -> int:
        """Timesteps at the beginning of a scan in which the synapses learn from the last one."""
        return 1 if self.rule == "three-factor" else 2

    @property
    def timesteps(self) -> int:
        """Timesteps a scan; the graded ones are the lessons, then: clear the traces, send, read."""
        return self.steps if self.coding == "lif" else self.lessons + 3

    @property
    def read_from(self) -> int:
        """The first timestep of a scan whose arrivals count for the read-out; the last is that of the scan."""
        return 1 if self.coding == "lif" else self.timesteps - 1

    @property
    def x1_tau(self) -> int:
        """Time constant of the pre-synaptic trace, in timesteps."""
        return int(X1_TAU_SHARE * self.steps) if self.coding == "lif" else NO_DECAY

    @property
    def teaches_by_spikes(self) -> bool:
        """Whether a teacher neuron stands between the error and the synapses."""
        return self.rule == "two-factor"

    def present(self) -> NDArray[np.bool_]:
        """Which synapses exist, (outputs, units)."""
        mask = np.ones((self.outputs, self.units), dtype=bool)
        for k in range(self.outputs):
            mask[k, k * self.own : (k + 1) * self.own] = False
        return mask

    def drive(self, payload: Integers) -> Integers:
        """What the population is given: the payload itself, or the bias of the neurons for it.

        A neuron that gains b a timestep passes 4096 every 1 + floor(4096/b) timesteps: here 3 * 254/p, rounded.
        """
        if self.coding == "graded":
            return payload
        return np.rint(4096 * payload / (LIF_PERIOD * PAYLOAD_FULL - payload / 2)).astype(np.int64)

    @property
    def read_out_gain(self) -> tuple[int, int]:
        """Multiplier and shift that turn summed weights of spikes into the scale of graded read-outs."""
        if self.coding == "graded":
            return 1, 0  # its synapses have the exponent -6
        spikes_full = (self.timesteps - self.read_from) / LIF_PERIOD
        return round(256 * PAYLOAD_FULL / 2**READ_OUT_SHIFT / spikes_full), 8

    def checked(self, payload: Integers, error: Integers) -> tuple[Integers, Integers]:
        """Payload and error as every backend wants them; ValueError when their size or range is wrong."""
        if payload.shape != (self.units,) or error.shape != (self.outputs,):
            raise ValueError(
                f"payloads {payload.shape}, errors {error.shape} do not fit {self.units} units, {self.outputs} outputs"
            )
        low, high, size = payload.min(), payload.max(), np.abs(error).max()
        if not (0 <= low and high <= PAYLOAD_FULL and size <= ERROR_FULL):
            raise ValueError(f"payloads must be in 0..{PAYLOAD_FULL} and errors in -{ERROR_FULL}..{ERROR_FULL}")
        return payload.astype(np.int64), error.astype(np.int64)

    def fitting(self, weights: NDArray[Any]) -> Integers:
        """These weights as the synapses can hold them; ValueError when they are another network's."""
        if weights.shape != (self.outputs, self.units):
            raise ValueError(f"weights of shape {weights.shape} do not fit {(self.outputs, self.units)}")
        whole = np.clip(np.rint(weights), WEIGHT_LOW, WEIGHT_HIGH).astype(np.int64)
        return np.where(self.present(), whole, 0)
