"""The model's equations in CasADi's symbols, for optimal control and for derivatives."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import casadi

from twin.binding import bound
from twin.model import FREE_NAMES, Equation, Model, named

NAMES = {name: getattr(casadi, name) for name in FREE_NAMES}


@dataclass(frozen=True, slots=True)
class Symbols:
    """The model's functions as casadi.Function of column vectors (x, u, p, m)."""

    rhs: Any
    observe: Any
    objective: Any
    jump: Any  # of (x, u); None when the model has no jump


@functools.cache
def symbolic(model: Model) -> Symbols:
    """The model bound to CasADi."""
    made = {name: _function(name, equation) for name, equation in model.equations.items()}
    return Symbols(made["rhs"], made["observe"], made["objective"], made.get("jump"))


def traced(equation: Equation) -> tuple[dict[str, Any], Any]:
    """The columns of symbols that the equation was called with, and what it returned."""
    columns = {key: casadi.SX.sym(key, len(names)) for key, names in equation.takes}
    vectors = (named(takes, casadi.vertsplit(columns[takes[0]])) for takes in equation.takes)
    return columns, bound(equation.function, NAMES, lambda function: function)(*vectors)


def _function(name: str, equation: Equation) -> Any:
    columns, value = traced(equation)
    column = casadi.vertcat(*value) if isinstance(value, tuple) else casadi.SX(value)
    return casadi.Function(name, list(columns.values()), [column])
