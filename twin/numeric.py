"""The model's equations compiled by numba, and the kernels that are built on them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

import numba

from twin import elementary
from twin.binding import bound, copied, python_of, spoken
from twin.check import sound
from twin.model import FREE_NAMES, Equation, Model, Vector, vector

NAMES = {name: getattr(elementary, name) for name in FREE_NAMES}
_KEPT: dict[str, Any] = {}  # the kernels of this process by name and hash


@dataclass(frozen=True, slots=True)
class Kernels:
    """The model's functions compiled by numba. Vectors are tuples of floats, in the order of the model."""

    rhs: Any
    observe: Any
    objective: Any
    jump: Any  # returns the state itself when the model has no jump


@functools.cache
def numeric(model: Model) -> Kernels:
    """The model bound to numba; ValueError says all that is wrong with it, before anything is compiled."""
    made = {name: _kernel(equation) for name, equation in sound(model).equations.items()}
    return Kernels(made["rhs"], made["observe"], made["objective"], made.get("jump") or elementary.inlined(_stay))


def compiled(kernel: Callable[..., Any], **names: Any) -> Any:
    """Compile a kernel whose free names are bound to `names`, and keep the machine code on disk.

    numba recognises kept code by the kernel's name and file alone, so the name is given the hash of all the code and
    constants that the kernel reaches: another model, or an edit anywhere below it, is another kernel. Models that
    differ in their parameters' values alone share one.
    """
    made = copied(kernel, names)
    made.__qualname__ = f"{kernel.__name__}_{_fingerprint(made)}"
    compiler = numba.njit(cache=True, error_model="numpy", fastmath=elementary.FAST_MATH)
    return _KEPT.setdefault(made.__qualname__, compiler(made))


def inlined(kernel: Callable[..., Any], **names: Any) -> Any:
    """Compile a function with its free names bound, always inlined into the kernels that call it."""
    return elementary.inlined(copied(kernel, names))


# Free names of the functions below: an equation, and the named tuples that it takes.
function: Any = None
X: Any = None
U: Any = None
P: Any = None
M: Any = None


def _xupm(x: Vector, u: Vector, p: Vector, m: Vector) -> Any:
    return function(X(*x), U(*u), P(*p), M(*m))


def _xu(x: Vector, u: Vector) -> Any:
    return function(X(*x), U(*u))


def _x(x: Vector) -> Any:
    return function(X(*x))


_CALLED = {kernel.__name__[1:]: kernel for kernel in (_xupm, _xu, _x)}


def _kernel(equation: Equation) -> Any:
    """The equation as a function of plain tuples: compiled kernels know no names, so those on disk fit any process."""
    kernel = _CALLED["".join(key for key, _ in equation.takes)]
    tuples = {key.upper(): vector(key, names) for key, names in equation.takes}
    return inlined(kernel, function=bound(equation.function, NAMES, elementary.inlined), **tuples)


def _stay(x: Vector, u: Vector) -> Vector:
    return x


def _fingerprint(function: FunctionType) -> str:
    """A hash of the code and the constants of this function and of all it calls."""
    digest = hashlib.sha256()
    seen: set[int] = set()

    def add(item: Any) -> None:
        item = python_of(item)
        if isinstance(item, CodeType):
            digest.update(item.co_code + repr(item.co_names).encode())
            for constant in item.co_consts:
                add(constant)
        elif isinstance(item, FunctionType) and id(item) not in seen:
            seen.add(id(item))
            add(item.__code__)
            for name in spoken(item.__code__):
                add(item.__globals__.get(name))
            for cell in item.__closure__ or ():
                add(cell.cell_contents)
        elif isinstance(item, (int, float, str, tuple)):
            digest.update(repr(item).encode())
        elif isinstance(item, type):
            digest.update(repr(getattr(item, "_fields", ())).encode())  # of a named tuple: where each name stands

    add(function)
    return digest.hexdigest()[:16]
