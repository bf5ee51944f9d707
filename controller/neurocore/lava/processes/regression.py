"""The neuron groups around the learning synapses: a graded population, and read-outs that pass the error on.

A scan takes the same timesteps every time. In the first ones, the lessons, the error of the last scan reaches the
synapses, which still hold the trace of the last payload. What follows depends on the coding:

    graded   the population is silent in the lessons; then every unit sends 1, which overwrites its trace by
             round(1/2) = 0; then units send their payload (0: silent), which overwrites the trace by round(payload/2);
             one timestep later the weighted sum arrives at the read-out
    lif      the neurons (Lava's own LIF) spike all the time, and the read-out adds up what arrives until the end
"""

from __future__ import annotations

from typing import Any

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
from numpy.typing import NDArray

from controller.neurocore.design import QUANTUM, TEACHER_LIMIT, Design

# Lava sends a Var element by element, each as a float of 53 exact bits: so many payloads of 8 bits travel in one.
PACKED = 6
_SHIFTS = 8 * np.arange(PACKED)

Integers = NDArray[np.integer[Any]]


def packed(payload: Integers) -> Integers:
    """The payloads as the population takes them."""
    padded = np.zeros(-(-len(payload) // PACKED) * PACKED, dtype=np.int64)
    padded[: len(payload)] = payload
    elements: Integers = (padded.reshape(-1, PACKED) << _SHIFTS).sum(axis=1)
    return elements


def unpacked(elements: Integers, units: int) -> Integers:
    """The payloads of so many units."""
    return (elements[:, np.newaxis] >> _SHIFTS & 255).ravel()[:units]


class Population(AbstractProcess):  # type: ignore[misc]
    """Units that send the graded spikes of the packed payloads once a scan."""

    def __init__(self, *, design: Design) -> None:
        super().__init__(shape=(design.units,), design=design)
        self.payload = Var(shape=(-(-design.units // PACKED),), init=0)
        self.s_out = OutPort(shape=(design.units,))


class AbstractPopulationModel(PyLoihiProcessModel):  # type: ignore[misc]
    """The population, in whichever numbers."""

    s_out: Any
    payload: np.ndarray = LavaPyType(np.ndarray, np.int64, precision=48)
    dtype: type

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._design: Design = proc_params["design"]

    def run_spk(self) -> None:
        """Send nothing, ones or the payload, by timestep of the scan."""
        step = (self.time_step - 1) % self._design.timesteps
        if step == self._design.lessons + 1:
            self._send(unpacked(self.payload, self._design.units))
        else:
            self._send(np.full(self._design.units, int(step == self._design.lessons)))

    def _send(self, payload: Integers) -> None:
        self.s_out.send(payload.astype(self.dtype))


@implements(proc=Population, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PopulationModel(AbstractPopulationModel):
    """The population in integers."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=8)
    dtype = np.int32


@implements(proc=Population, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class FloatPopulationModel(AbstractPopulationModel):
    """The population in floats."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    dtype = float


class ReadOut(AbstractProcess):  # type: ignore[misc]
    """Outputs that hold the weighted sum of the scan and hand the signed error to the synapses as y1 and y2."""

    def __init__(self, *, design: Design) -> None:
        shape = (design.outputs,)
        super().__init__(shape=shape, design=design)
        self.error = Var(shape=shape, init=0)
        self.v = Var(shape=shape, init=0)
        self.a_in = InPort(shape=shape)
        self.s_out_bap = OutPort(shape=shape)
        self.s_out_y1 = OutPort(shape=shape)
        self.s_out_y2 = OutPort(shape=shape)
        self.s_out_y3 = OutPort(shape=shape)


class AbstractReadOutModel(PyLoihiProcessModel):  # type: ignore[misc]
    """Takes up the weighted sums of a scan; what it does with the error is its children's."""

    a_in: Any
    error: Any
    v: Any

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._design: Design = proc_params["design"]

    def run_spk(self) -> None:
        """Add up what arrives from the scan's `read_from` on; pass the error on."""
        step = (self.time_step - 1) % self._design.timesteps
        arrived = self.a_in.recv().astype(self.v.dtype)
        if step == self._design.read_from:
            self.v = arrived
        elif step > self._design.read_from:
            self.v = self.v + arrived
        self.teach(step)

    def teach(self, step: int) -> None:
        """Send what the synapses learn from at this timestep of the scan."""
        raise NotImplementedError


class AbstractErrorModel(AbstractReadOutModel):
    """The error as a third factor: y1 = max(e, 0), y2 = max(-e, 0) for one timestep, else zero."""

    s_out_bap: Any
    s_out_y1: Any
    s_out_y2: Any
    s_out_y3: Any

    def teach(self, step: int) -> None:
        """Send the error at the first timestep."""
        error = self.error if step == 0 else np.zeros_like(self.error)
        self.s_out_bap.send(np.zeros(error.shape, dtype=bool))
        self.s_out_y1.send(np.maximum(error, 0))
        self.s_out_y2.send(np.maximum(-error, 0))
        self.s_out_y3.send(np.zeros_like(error))


@implements(proc=ReadOut, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class ReadOutModel(AbstractErrorModel):
    """The read-out in integers."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out_bap: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, bool, precision=1)
    s_out_y1: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=7)
    s_out_y2: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=7)
    s_out_y3: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=7)
    error: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=8)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)


@implements(proc=ReadOut, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class FloatReadOutModel(AbstractErrorModel):
    """The read-out in floats."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
    s_out_bap: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, bool)
    s_out_y1: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    s_out_y2: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    s_out_y3: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, float)
    error: np.ndarray = LavaPyType(np.ndarray, float)
    v: np.ndarray = LavaPyType(np.ndarray, float)


class Teacher(AbstractProcess):  # type: ignore[misc]
    """Outputs that hold the weighted sum of the scan and teach by post-synaptic spikes alone."""

    def __init__(self, *, design: Design) -> None:
        shape = (design.outputs,)
        super().__init__(shape=shape, design=design)
        self.error = Var(shape=shape, init=0)
        self.owed = Var(shape=shape, init=0)
        self.v = Var(shape=shape, init=0)
        self.a_in = InPort(shape=shape)
        self.s_out_bap = OutPort(shape=shape)


class AbstractTeacherModel(AbstractReadOutModel):
    """The error as spikes: a pair for a positive quantum of it, a single one, later, for a negative."""

    owed: Any
    s_out_bap: Any

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._events = np.zeros(self._design.outputs, dtype=int)

    def teach(self, step: int) -> None:
        """Decide at the first timestep of the scan; spike at the first and second, or the second, or not at all."""
        if step == 0:
            sums = np.clip(self.owed + self.error, -TEACHER_LIMIT, TEACHER_LIMIT)
            self._events = np.where(sums >= QUANTUM, 1, np.where(sums <= -QUANTUM, -1, 0))
            self.owed = sums - QUANTUM * self._events
        spikes = self._events > 0 if step == 0 else (self._events != 0) & (step == 1)
        self.s_out_bap.send(spikes)


@implements(proc=Teacher, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class TeacherModel(AbstractTeacherModel):
    """The teacher in integers."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out_bap: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, bool, precision=1)
    error: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=8)
    owed: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=8)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)


@implements(proc=Teacher, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class FloatTeacherModel(AbstractTeacherModel):
    """The teacher in floats."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, float)
    s_out_bap: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, bool)
    error: np.ndarray = LavaPyType(np.ndarray, float)
    owed: np.ndarray = LavaPyType(np.ndarray, float)
    v: np.ndarray = LavaPyType(np.ndarray, float)
