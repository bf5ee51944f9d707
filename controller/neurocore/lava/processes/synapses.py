"""Learning synapses of which some do not exist: their weight stays zero, as a chip would leave them out."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.dense.models import PyLearningDenseModelBitApproximate, PyLearningDenseModelFloat
from lava.proc.dense.process import LearningDense
from numpy.typing import NDArray


class MaskedDense(LearningDense):  # type: ignore[misc]
    """LearningDense with synapses only where `present` is true."""

    def __init__(self, *, present: NDArray[np.bool_], **options: Any) -> None:
        super().__init__(present=present, **options)


@implements(proc=MaskedDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class MaskedDenseFixed(PyLearningDenseModelBitApproximate):  # type: ignore[misc]
    """Lava's fixed-point model; what it has learned for absent synapses is dropped at once."""

    weights: NDArray[Any] = PyLearningDenseModelBitApproximate.weights
    implements_process = None  # the parent's process is another; Lava lets no decorator change it

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._present = proc_params["present"]

    def run_lrn(self) -> None:
        """Learn, then drop."""
        super().run_lrn()
        self.weights = self.weights * self._present


@implements(proc=MaskedDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class MaskedDenseFloat(PyLearningDenseModelFloat):  # type: ignore[misc]
    """Lava's floating-point model; what it has learned for absent synapses is dropped at once."""

    weights: NDArray[Any] = PyLearningDenseModelFloat.weights
    implements_process = None

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._present = proc_params["present"]

    def run_lrn(self) -> None:
        """Learn, then drop."""
        super().run_lrn()
        self.weights = self.weights * self._present
