# /// script
# requires-python = ">=3.9,<3.12"
# dependencies = ["nengo==3.2.0", "nengo-loihi==1.1.0", "numpy==1.26.4", "setuptools<81"]
# ///
"""Learn a stream on nengo-loihi's emulator of the Loihi chip: integer synapses whose weights follow error and trace.

Reads samples `x`, `target` and `steps` from an .npz file, writes what the emulated chip read out for each sample
before it was taught it. It knows nothing of NeuroTwin.
"""

from __future__ import annotations

import sys

import nengo
import nengo_loihi
import numpy as np

NEURONS = 100
LEARNING_RATE = 5e-4  # nengo's PES, per timestep; best of 5e-4, 1e-3, 2e-3, 5e-3 and 1e-2 on stream 0
DT = 0.001


def learned(x: np.ndarray, target: np.ndarray, steps: int, seed: int) -> np.ndarray:
    """The read-out of each sample, (samples,): the mean over its second half."""

    def at(values: np.ndarray):
        return lambda t: values[min(int((t - DT / 2) / (DT * steps)), len(values) - 1)]

    with nengo.Network(seed=seed) as network:
        nengo_loihi.add_params(network)
        stimulus, wanted = nengo.Node(at(x)), nengo.Node(at(target))
        population = nengo.Ensemble(NEURONS, 1, neuron_type=nengo_loihi.neurons.LoihiLIF(), seed=seed)
        nengo.Connection(stimulus, population, synapse=None)
        read_out, error = nengo.Node(size_in=1), nengo.Node(size_in=1)
        taught = nengo.Connection(
            population, read_out, function=lambda x: 0.0, learning_rule_type=nengo.PES(LEARNING_RATE), synapse=0.01
        )
        nengo.Connection(read_out, error, synapse=None)
        nengo.Connection(wanted, error, transform=-1, synapse=None)
        nengo.Connection(error, taught.learning_rule, synapse=None)
        probe = nengo.Probe(read_out)
    with nengo_loihi.Simulator(network, dt=DT, target="sim", progress_bar=False) as simulator:
        simulator.run_steps(len(x) * steps)
        seen = simulator.data[probe][:, 0].reshape(len(x), steps)
    return seen[:, steps // 2 :].mean(axis=1)


if __name__ == "__main__":
    given = np.load(sys.argv[1])
    np.savez(sys.argv[2], read_out=learned(given["x"], given["target"], int(given["steps"]), int(given["seed"])))
