"""A Model is one set of equations over free names, so that numba and CasADi can both be bound to it."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

import casadi
import numba
import numpy as np
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from twin import elementary

Vector = Sequence[Any]
Array = NDArray[np.float64]
FREE_NAMES = ("exp", "log", "sqrt", "tanh", "fmax")
_KEPT: dict[str, Any] = {}  # the kernels of this process by name and hash


@dataclass(frozen=True, slots=True)
class Parameter:
    """A constant of the equations, with its unit and where the number comes from."""

    name: str
    value: float
    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class State:
    """A state of the model, with the filter's prior and random walk."""

    name: str
    unit: str
    initial: float
    initial_sd: float
    noise_sd: float  # process noise, unit per sqrt(h)
    positive: bool = True  # a concentration: never below zero


@dataclass(frozen=True, slots=True)
class Multiplier:
    """A factor on one rate, estimated as its logarithm; this is what NeuroCore learns as a function of state."""

    name: str
    initial_sd: float  # of the logarithm
    noise_sd: float  # of the logarithm, per sqrt(h)
    bound: float  # |logarithm| never exceeds this


@dataclass(frozen=True, slots=True)
class Input:
    """A measured or planned input, constant over one scan; `nominal` is used until it was first read."""

    name: str
    unit: str
    nominal: float


@dataclass(frozen=True, slots=True)
class Output:
    """An observed quantity and its measurement noise: sd = hypot(sd_absolute, sd_relative * value)."""

    name: str
    unit: str
    sd_absolute: float
    sd_relative: float = 0.0


@dataclass(frozen=True, slots=True)
class Model:
    """States x, inputs u, parameters p and rate multipliers m, in the order declared here.

    `rhs(x, u, p, m)` returns dx/dt per hour, one entry a state; `observe(x, u, p, m)` one entry an output;
    `objective(x)` is what a batch is for (such as grams of product); `jump(x, u)`, when given, is applied once
    at the start of every interval (a swallowed dose). All are branch-free and use only arithmetic, indexing and
    the free names exp, log, sqrt, tanh, fmax: each binding supplies its own.
    """

    name: str
    states: tuple[State, ...]
    multipliers: tuple[Multiplier, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    parameters: tuple[Parameter, ...]
    rhs: Callable[[Vector, Vector, Vector, Vector], tuple[Any, ...]]
    observe: Callable[[Vector, Vector, Vector, Vector], tuple[Any, ...]]
    objective: Callable[[Vector], Any]
    objective_name: str
    objective_unit: str
    jump: Callable[[Vector, Vector], tuple[Any, ...]] | None = None
    step_h: float = 1 / 120  # the time scale of what moves fastest; integration begins with such steps
    stiff: bool = True  # something settles far faster than what is of interest moves, as dissolved oxygen does
    tolerance: float = 1e-6  # local error of a step, of a state or of its prior's sd where that is larger (design)


@dataclass(frozen=True, slots=True)
class Kernels:
    """The model's functions compiled by numba. Vectors are tuples of floats."""

    rhs: Any
    observe: Any
    objective: Any
    jump: Any  # returns the state itself when the model has no jump


@dataclass(frozen=True, slots=True)
class Symbols:
    """The model's functions as casadi.Function of column vectors (x, u, p, m)."""

    rhs: Any
    observe: Any
    objective: Any
    jump: Any  # of (x, u); None when the model has no jump


def fmax(a: Any, b: Any) -> Any:
    """The larger of two numbers, for a model called in plain Python."""
    return b if a < b else a


def parameter_values(model: Model) -> Array:
    """The parameters as the vector p that the equations take."""
    return np.array([p.value for p in model.parameters], dtype=np.float64)


@functools.cache
def numeric(model: Model) -> Kernels:
    """The model bound to numba."""
    names = {name: getattr(elementary, name) for name in FREE_NAMES}

    def bind(function: Callable[..., Any]) -> Any:
        return _rebound(function, names, elementary.inlined)

    return Kernels(bind(model.rhs), bind(model.observe), bind(model.objective), bind(model.jump or _stay))


@functools.cache
def symbolic(model: Model) -> Symbols:
    """The model bound to CasADi, for optimal control and for derivatives."""
    names = {name: getattr(casadi, name) for name in FREE_NAMES}
    sizes = {"x": model.states, "u": model.inputs, "p": model.parameters, "m": model.multipliers}
    columns = {key: casadi.SX.sym(key, len(items)) for key, items in sizes.items()}
    scalars = {key: tuple(casadi.vertsplit(column)) for key, column in columns.items()}

    def function(of: Callable[..., Any], arguments: str) -> Any:
        value = _rebound(of, names, lambda bound: bound)(*(scalars[key] for key in arguments))
        column = casadi.vertcat(*value) if isinstance(value, tuple) else casadi.SX(value)
        return casadi.Function(of.__name__, [columns[key] for key in arguments], [column])

    jump = function(model.jump, "xu") if model.jump else None
    return Symbols(function(model.rhs, "xupm"), function(model.observe, "xupm"), function(model.objective, "x"), jump)


def compiled(kernel: Callable[..., Any], **names: Any) -> Any:
    """Compile a kernel whose free names are bound to `names`, and keep the machine code on disk.

    numba recognises kept code by the kernel's name and file alone, so the name is given the hash of all the code and
    constants that the kernel reaches: another model, or an edit anywhere below it, is another kernel. Models that
    differ in their parameters alone share one.
    """
    bound = _copy(kernel, names)
    bound.__qualname__ = f"{kernel.__name__}_{_fingerprint(bound)}"
    compiler = numba.njit(cache=True, error_model="numpy", fastmath=elementary.FAST_MATH)
    return _KEPT.setdefault(bound.__qualname__, compiler(bound))


def inlined(kernel: Callable[..., Any], **names: Any) -> Any:
    """Compile a function with its free names bound, always inlined into the kernels that call it."""
    return elementary.inlined(_copy(kernel, names))


def _stay(x: Vector, u: Vector) -> Vector:
    return x


def _copy(function: Callable[..., Any], names: Mapping[str, Any]) -> FunctionType:
    if not isinstance(function, FunctionType):
        raise TypeError(f"{function} is not a Python function, so its free names cannot be bound")
    world = function.__globals__ | dict(names)
    return FunctionType(function.__code__, world, function.__name__, function.__defaults__, function.__closure__)


def _rebound(function: Callable[..., Any], names: Mapping[str, Any], wrap: Callable[[Any], Any]) -> Any:
    """A copy with other free names; functions of its own module that it calls are copied along."""
    copy = _copy(function, names)
    for name in copy.__code__.co_names:
        called = copy.__globals__.get(name)
        if name not in names and isinstance(called, FunctionType) and called.__module__ == function.__module__:
            copy.__globals__[name] = _rebound(called, names, wrap)
    return wrap(copy)


def _fingerprint(function: FunctionType) -> str:
    """A hash of the code and the constants of this function and of all it calls."""
    digest = hashlib.sha256()
    seen: set[int] = set()

    def add(item: Any) -> None:
        item = item.py_func if isinstance(item, Dispatcher) else item
        if isinstance(item, CodeType):
            digest.update(item.co_code + repr(item.co_names).encode())
            for constant in item.co_consts:
                add(constant)
        elif isinstance(item, FunctionType) and id(item) not in seen:
            seen.add(id(item))
            add(item.__code__)
            for name in item.__code__.co_names:
                add(item.__globals__.get(name))
            for cell in item.__closure__ or ():
                add(cell.cell_contents)
        elif isinstance(item, (int, float, str, tuple)):
            digest.update(repr(item).encode())

    add(function)
    return digest.hexdigest()[:16]
