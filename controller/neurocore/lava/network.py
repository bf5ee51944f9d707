"""A network of any Design on Lava: inputs, plastic synapses, read-outs that teach them."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.learning.constants import GradedSpikeCfg
from lava.magma.core.learning.learning_rule import Loihi2FLearningRule, Loihi3FLearningRule
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import LearningDense
from lava.proc.lif.process import LIF
from numpy.typing import NDArray

from controller.neurocore import design as constants
from controller.neurocore.design import Design
from controller.neurocore.lava.processes.regression import Population, ReadOut, Teacher, packed
from controller.neurocore.lava.processes.synapses import MaskedDense

# dw = x1 (y1 - y2)/2^10 in weight steps: the rule's 2^-7, and 2^-3 by which a product of two 7-bit traces is narrowed.
THREE_FACTOR = "2^-7*u0*x1*y1 - 2^-7*u0*x1*y2"
TWO_FACTOR = f"2^-{7 - constants.TEACHER_SHIFT}*y0*x1*(y1-{constants.Y1_OFFSET})"
PAYLOAD_BITS = 8
FIXED, FLOAT = "fixed_pt", "floating_pt"
FLOAT_WEIGHT = 8  # the float model does not narrow products by 2^-3: there a weight of 1 is kept as 8
FLOAT_VOLTAGE = 64  # nor does it shift thresholds by 6 bits

Numbers = NDArray[Any]


class Network:
    """The running network; every method is to be called on one and the same thread."""

    def __init__(self, design: Design, seed: int, tag: str = FIXED) -> None:
        self._design = design
        self._float = tag == FLOAT
        self._run_config = Loihi2SimCfg(select_tag=tag)
        self._inputs, self._drive = self._population()
        self._synapses = self._plastic(seed)
        self._read_out = (Teacher if design.teaches_by_spikes else ReadOut)(design=design)
        self._connect()
        self._run()  # Lava takes new values of a Var only after a first run

    def _population(self) -> tuple[AbstractProcess, Var]:
        """The input units, and the Var that drives them."""
        if self._design.coding == "graded":
            population = Population(design=self._design)
            return population, population.payload
        shape = (self._design.units,)
        neurons = LIF(shape=shape, du=1 if self._float else 4095, dv=0, vth=constants.LIF_THRESHOLD, bias_mant=0)
        return neurons, neurons.bias_mant

    def _plastic(self, seed: int) -> LearningDense:
        graded = self._design.coding == "graded"
        options: dict[str, Any] = {
            "weights": np.zeros((self._design.outputs, self._design.units), dtype=int),
            "learning_rule": self._rule(seed),
            "num_message_bits": PAYLOAD_BITS if graded else 0,
            "weight_exp": -constants.READ_OUT_SHIFT if graded else 0,
            "graded_spike_cfg": GradedSpikeCfg.OVERWRITE if graded else GradedSpikeCfg.USE_REGULAR_IMPULSE,
        }
        if self._design.own:
            return MaskedDense(present=self._design.present(), **options)
        return LearningDense(**options)

    def _rule(self, seed: int) -> Loihi2FLearningRule | Loihi3FLearningRule:
        impulse = 0 if self._design.coding == "graded" else constants.X1_IMPULSE
        pre = {"x1_impulse": impulse, "x1_tau": self._design.x1_tau, "t_epoch": 1, "rng_seed": seed}
        if self._design.teaches_by_spikes:
            post = {"y1_impulse": constants.Y1_IMPULSE, "y1_tau": constants.Y1_TAU}
            return Loihi2FLearningRule(dw=TWO_FACTOR, **pre, **post)
        return Loihi3FLearningRule(dw=THREE_FACTOR, **pre)

    def _connect(self) -> None:
        self._inputs.s_out.connect(self._synapses.s_in)
        self._synapses.a_out.connect(self._read_out.a_in)
        for name in ("bap",) if self._design.teaches_by_spikes else ("bap", "y1", "y2", "y3"):
            source = getattr(self._read_out, f"s_out_{name}")
            source.connect(getattr(self._synapses, f"s_in_{name}"))

    def _run(self) -> None:
        self._synapses.run(condition=RunSteps(num_steps=self._design.timesteps), run_cfg=self._run_config)

    def step(self, drive: Numbers, error: Numbers) -> Numbers:
        """Learn from the error of the previous scan, then drive the inputs so; the read-outs."""
        self._read_out.error.set(error)
        self._drive.set(self._as_set(drive))
        self._run()
        return self._scaled(np.asarray(self._read_out.v.get()))

    def _as_set(self, drive: Numbers) -> Numbers:
        if self._design.coding == "graded":
            return packed(drive)
        return drive / FLOAT_VOLTAGE if self._float else drive

    def _scaled(self, v: Numbers) -> Numbers:
        gain, shift = self._design.read_out_gain
        if not self._float:
            return (v.astype(np.int64) * gain) >> shift
        exponent = constants.READ_OUT_SHIFT if self._design.coding == "graded" else 0  # the float model has none
        scaled: Numbers = v * (gain / 2 ** (shift + exponent) / FLOAT_WEIGHT)
        return scaled

    def weights(self) -> Numbers:
        """The weights as they are, (outputs, units)."""
        weights = np.asarray(self._synapses.weights.get())
        return weights / FLOAT_WEIGHT if self._float else weights.astype(np.int32)

    def restore(self, weights: Numbers) -> None:
        """Take these weights and go on."""
        self._synapses.weights.set(weights * FLOAT_WEIGHT if self._float else weights)

    def traces(self) -> dict[str, Numbers]:
        """The traces of the synapses, and what drives the inputs towards their next spike."""
        found = {"x1": self._synapses.x1.get()}
        if self._design.teaches_by_spikes:
            found |= {"y1": self._synapses.y1.get(), "owed": self._read_out.owed.get()}
        if self._design.coding == "lif":
            found["v"] = self._inputs.v.get()
        return {name: np.asarray(values) for name, values in found.items()}

    def stop(self) -> None:
        """End Lava's processes."""
        self._synapses.stop()
