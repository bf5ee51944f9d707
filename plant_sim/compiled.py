"""Compiled code of simulated vessels: numba with IEEE arithmetic, kept on disk so that a second process starts at once.

numba tells kept code by its own file alone. Whatever a vessel's compiled functions call therefore stands in one file
with them, and what stands here is not to change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

State = NDArray[np.float64]  # of a vessel, in the order of its STATES
_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile for speed; the Python function stays at hand as `py_func`, for other bindings."""
    return cast(_Function, njit(cache=True)(function))


@compiled
def fmax(a: float, b: float) -> float:
    """The larger of two numbers."""
    return b if a < b else a
