"""The fixed-point network: graded population, synapses with a three-factor rule, several read-outs."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.learning.constants import GradedSpikeCfg
from lava.magma.core.learning.learning_rule import Loihi3FLearningRule
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import LearningDense
from numpy.typing import NDArray

from controller.neurocore.lava.processes.regression import SCAN_STEPS, Population, ReadOut

# dw = x1 (y1 - y2)/2^10 in weight steps: the rule's 2^-7, and 2^-3 by which a product of two 7-bit traces is narrowed.
RULE = "2^-7*u0*x1*y1 - 2^-7*u0*x1*y2"
NO_DECAY = 65535
WEIGHT_EXPONENT = -6
PAYLOAD_BITS = 8

Integers = NDArray[np.integer[Any]]


class FixedPointNetwork:
    """The running network; every method is to be called on one and the same thread."""

    def __init__(self, units: int, outputs: int, seed: int) -> None:
        self._population = Population(units=units)
        self._synapses = LearningDense(
            weights=np.zeros((outputs, units), dtype=int),
            learning_rule=Loihi3FLearningRule(dw=RULE, x1_impulse=0, x1_tau=NO_DECAY, t_epoch=1, rng_seed=seed),
            num_message_bits=PAYLOAD_BITS,
            weight_exp=WEIGHT_EXPONENT,
            graded_spike_cfg=GradedSpikeCfg.OVERWRITE,
        )
        self._read_out = ReadOut(outputs=outputs)
        self._connect()
        self._run()  # Lava takes new values of a Var only after a first run

    def _connect(self) -> None:
        self._population.s_out.connect(self._synapses.s_in)
        self._synapses.a_out.connect(self._read_out.a_in)
        for name in ("bap", "y1", "y2", "y3"):
            source = getattr(self._read_out, f"s_out_{name}")
            source.connect(getattr(self._synapses, f"s_in_{name}"))

    def _run(self) -> None:
        config = Loihi2SimCfg(select_tag="fixed_pt")
        self._synapses.run(condition=RunSteps(num_steps=SCAN_STEPS), run_cfg=config)

    def step(self, payload: Integers, error: Integers) -> Integers:
        """Learn from the error of the previous payload, then send this one; the read-outs."""
        self._read_out.error.set(error)
        self._population.payload.set(payload)
        self._run()
        return np.asarray(self._read_out.v.get(), dtype=np.int32)

    def weights(self) -> Integers:
        """The weights as they are, (outputs, units)."""
        return np.asarray(self._synapses.weights.get(), dtype=np.int32)

    def restore(self, weights: Integers) -> None:
        """Take these weights and go on."""
        self._synapses.weights.set(weights)

    def stop(self) -> None:
        """End Lava's processes."""
        self._synapses.stop()
