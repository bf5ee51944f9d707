"""The two neuron groups around the learning synapses: a graded population, and a read-out that receives the error.

A scan is SCAN_STEPS timesteps, and what happens at each is the same for every scan:

    phase 0  the population is silent; the error of the last scan reaches the synapses, which still hold the trace
             of the last payload, and they learn from it
    phase 1  every unit sends 1, which overwrites its trace by round(1/2) = 0
    phase 2  units send their payload (0: silent), which overwrites the trace by round(payload/2)
    phase 3  the weighted sum of phase 2 arrives at the read-out
"""

from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

SCAN_STEPS = 4
LEARN, CLEAR, SEND, READ = range(SCAN_STEPS)


class Population(AbstractProcess):  # type: ignore[misc]
    """Units that send the graded spikes of `payload` once a scan."""

    def __init__(self, *, units: int) -> None:
        super().__init__(shape=(units,))
        self.payload = Var(shape=(units,), init=0)
        self.s_out = OutPort(shape=(units,))


@implements(proc=Population, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PopulationModel(PyLoihiProcessModel):  # type: ignore[misc]
    """The population in integers."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=8)
    payload: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=8)

    def run_spk(self) -> None:
        """Send nothing, ones or the payload, by phase."""
        phase = (self.time_step - 1) % SCAN_STEPS
        if phase == SEND:
            self.s_out.send(self.payload)
        elif phase == CLEAR:
            self.s_out.send(np.ones_like(self.payload))
        else:
            self.s_out.send(np.zeros_like(self.payload))


class ReadOut(AbstractProcess):  # type: ignore[misc]
    """Outputs that hold the weighted sum of the scan and hand the signed error to the synapses as y1 and y2."""

    def __init__(self, *, outputs: int) -> None:
        super().__init__(shape=(outputs,))
        shape = (outputs,)
        self.error = Var(shape=shape, init=0)
        self.v = Var(shape=shape, init=0)
        self.a_in = InPort(shape=shape)
        self.s_out_bap = OutPort(shape=shape)
        self.s_out_y1 = OutPort(shape=shape)
        self.s_out_y2 = OutPort(shape=shape)
        self.s_out_y3 = OutPort(shape=shape)


@implements(proc=ReadOut, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class ReadOutModel(PyLoihiProcessModel):  # type: ignore[misc]
    """The read-out in integers: y1 = max(e, 0), y2 = max(-e, 0) for one timestep, else zero."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out_bap: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, bool, precision=1)
    s_out_y1: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=7)
    s_out_y2: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=7)
    s_out_y3: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=7)
    error: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=8)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)

    def run_spk(self) -> None:
        """Take the sum that belongs to the payload; send the error at the first timestep of a scan."""
        phase = (self.time_step - 1) % SCAN_STEPS
        arrived = self.a_in.recv()
        if phase == READ:
            self.v = arrived.astype(np.int32)
        error = self.error if phase == LEARN else np.zeros_like(self.error)
        self.s_out_bap.send(np.zeros(error.shape, dtype=bool))
        self.s_out_y1.send(np.maximum(error, 0))
        self.s_out_y2.send(np.maximum(-error, 0))
        self.s_out_y3.send(np.zeros_like(error))
