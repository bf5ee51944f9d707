"""Model: states, inputs, parameters and rate multipliers by name, and one set of equations over them.

The equations are written over free names, so that numba (`numeric`) and CasADi (`symbolic`) can both be bound to them.
"""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = Any  # a named tuple: x.glucose, u.feed, p.mu_max, m.growth
Array = NDArray[np.float64]
FREE_NAMES = ("exp", "log", "sqrt", "tanh", "fmax")
_TAKES = {"rhs": "xupm", "observe": "xupm", "objective": "x", "jump": "xu"}  # the functions of a model


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
class Equation:
    """A function of the model with the names of the vectors it takes; plain vectors are given these names."""

    function: Callable[..., Any]
    takes: tuple[tuple[str, tuple[str, ...]], ...] = field(compare=False)

    def __call__(self, *vectors: Sequence[Any]) -> Any:
        """What the function returns for these vectors, in plain Python."""
        return self.function(*(named(*given) for given in zip(self.takes, vectors, strict=True)))


@dataclass(frozen=True, slots=True)
class Model:
    """States x, inputs u, parameters p and rate multipliers m.

    `rhs(x, u, p, m)` returns dx/dt per hour, one entry a state in the order declared here; `observe(x, u, p, m)` one
    entry an output; `objective(x)` is what a batch is for (such as grams of product); `jump(x, u)`, when given, is
    applied once at the start of every interval (a swallowed dose). Each vector is a named tuple: x.glucose, u.feed,
    p.mu_max, m.growth. All are branch-free and use only arithmetic and the free names exp, log, sqrt, tanh, fmax: each
    binding supplies its own.
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

    def __post_init__(self) -> None:
        """Each function becomes an Equation, which can be called with plain vectors."""
        names = {key: tuple(item.name for item in items) for key, items in self.vectors.items()}
        for name, keys in _TAKES.items():
            given = getattr(self, name)
            if given is not None:
                function = given.function if isinstance(given, Equation) else given
                object.__setattr__(self, name, Equation(function, tuple((key, names[key]) for key in keys)))

    @property
    def vectors(self) -> dict[str, tuple[Any, ...]]:
        """What each vector holds, by the letter that the equations call it by."""
        return {"x": self.states, "u": self.inputs, "p": self.parameters, "m": self.multipliers}

    @property
    def equations(self) -> dict[str, Equation]:
        """The functions that the model has, by name."""
        functions = {name: getattr(self, name) for name in _TAKES}
        return {name: function for name, function in functions.items() if function is not None}


@functools.cache
def vector(key: str, names: tuple[str, ...]) -> Any:
    """The named tuple of these entries; a name that is no identifier, or that comes twice, is a ValueError."""
    return namedtuple(key, names)


def named(takes: tuple[str, tuple[str, ...]], values: Sequence[Any]) -> Any:
    """These values by name."""
    return vector(*takes)(*values)


def fmax(a: Any, b: Any) -> Any:
    """The larger of two numbers, for a model called in plain Python."""
    return b if a < b else a


def parameter_values(model: Model) -> Array:
    """The parameters as the vector p that the equations take."""
    return np.array([p.value for p in model.parameters], dtype=np.float64)
