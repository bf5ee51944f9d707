"""What a network would need on a Loihi 2 chip, and what of it is missing here.

The limits are those that Intel has published; nothing here has run on silicon. On the chip a network lives in neuro
cores, each with its own memory for synapses and neurons; timesteps are as many as in the simulation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from controller.neurocore.design import Design

# Davies et al. 2018, IEEE Micro 38:82, of the first Loihi, whose learning engine Loihi 2 keeps: weights of 1 to 9 bits,
# 7-bit traces. Intel 2021, technology brief "Taking Neuromorphic Computing to the Next Level with Loihi 2", and Orchard
# et al. 2021, IEEE SiPS (arXiv:2111.03746), of Loihi 2.
CORES = 128  # a chip; technology brief
NEURONS_PER_CORE = 8192  # technology brief: up to a million neurons a chip of 128 cores
MEMORY_PER_CORE_BYTES = 192 * 1024  # technology brief as it is cited; the page itself was not at hand: unverified
WEIGHT_BITS = 9  # 8 and sign; Davies et al. 2018
TRACE_BITS = 7  # Davies et al. 2018
# Design, not published: what a plastic synapse takes beyond its weight (the index of its target, a tag, and its share
# of the list's header), and a neuron with its traces (u and v of 24 bits, bias, threshold, axon).
SYNAPSE_OVERHEAD_BITS = 23
NEURON_BITS = 256


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the network: where it can run on the chip."""

    name: str
    has_chip_model: bool
    note: str


LIF = Process("LIF", True, "Lava's own neuron, for which Intel's extension has a model of a neuro core")
LEARNING_DENSE = Process(
    "LearningDense, two factors", True, "Lava's own synapses; the chip's learning engine computes such rules itself"
)
LEARNING_DENSE_3F = Process(
    "LearningDense, three factors", False, "the third factor needs a post-synaptic neuron in microcode, not written yet"
)
POPULATION = Process("Population", False, "graded spikes from a payload need a neuron in microcode, not written yet")
READ_OUT = Process("ReadOut", False, "sums up and computes the error; meant for an embedded processor, not written yet")
TEACHER = Process("Teacher", False, "two integrate-and-fire neurons an output would do; not written yet")


def processes(design: Design) -> tuple[Process, ...]:
    """The processes that this network is built from."""
    inputs = POPULATION if design.coding == "graded" else LIF
    if design.teaches_by_spikes:
        return inputs, LEARNING_DENSE, TEACHER
    return inputs, LEARNING_DENSE_3F, READ_OUT


def why_not(design: Design, installed: bool) -> str:
    """Why this network does not run on a chip from here; `installed` is whether Intel's extension is."""
    if not installed:
        return (
            "NeuroCore on Loihi 2 needs Intel's Lava extension for Loihi (module lava.utils.loihi2_profiler), which "
            "members of the Intel Neuromorphic Research Community receive and which is not installed here; the "
            "backends lava-fixed, lava-float and reference work without it."
        )
    lacking = "; ".join(f"{p.name}: {p.note}" for p in processes(design) if not p.has_chip_model)
    return (
        f"Intel's Lava extension for Loihi is installed, but processes of this network have no chip model ({lacking}); "
        "the backends lava-fixed, lava-float and reference work."
    )


def resources(design: Design) -> Mapping[str, int | float | str]:
    """What the network takes of a Loihi 2 chip; `lacking` names the processes that have no chip model."""
    synapses = int(design.present().sum())
    neurons = design.units + design.outputs * (3 if design.teaches_by_spikes else 1)  # with a pair of teachers each
    bits = synapses * (WEIGHT_BITS + SYNAPSE_OVERHEAD_BITS) + neurons * NEURON_BITS
    cores = max(math.ceil(neurons / NEURONS_PER_CORE), math.ceil(bits / 8 / MEMORY_PER_CORE_BYTES))
    return {
        "coding": design.coding,
        "rule": design.rule,
        "neurons": neurons,
        "synapses": synapses,
        "weight_bits": WEIGHT_BITS,
        "trace_bits": TRACE_BITS,
        "timesteps_per_scan": design.timesteps,
        "memory_kb": round(bits / 8192, 1),
        "cores": cores,
        "share_of_core_percent": round(100 * bits / 8 / (cores * MEMORY_PER_CORE_BYTES), 1),
        "share_of_chip_percent": round(100 * cores / CORES, 2),
        "lacking": ", ".join(p.name for p in processes(design) if not p.has_chip_model),
    }
