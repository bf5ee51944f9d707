"""A Model is one set of equations over free names, so that numba and CasADi can both be bound to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Vector = Sequence[Any]


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
