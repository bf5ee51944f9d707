"""Equation validation: what a model's functions use, return and give at the prior, with function, file and line."""

from __future__ import annotations

import builtins
import dis
import traceback
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from types import CodeType, FunctionType, ModuleType
from typing import Any

import casadi
import numpy as np

from twin.binding import parts, python_of, reached
from twin.model import FREE_NAMES, Equation, Model, parameter_values
from twin.symbolic import traced

BUILTINS = ("abs", "len", "range")
CHOOSING = ("max", "min")
KINDS = {"x": "state", "u": "input", "p": "parameter", "m": "multiplier"}
FREE = ", ".join(FREE_NAMES)
BRANCH = "Cannot compute the truth value"  # CasADi's words for an `if` on a symbol


def faults(model: Model) -> Iterator[str]:
    """One sentence for each thing that is wrong with the functions of a model whose names are in order."""
    for name, equation in model.equations.items():
        if not isinstance(equation.function, FunctionType):
            yield f"{name} is {equation.function!r}; give a function written in Python"
            continue
        foreign = dict.fromkeys(_foreign(equation.function))
        yield from foreign or _traced(model, name, equation)


def _foreign(function: FunctionType) -> Iterator[str]:
    """What the function, or one that it calls, takes from outside and no binding can supply."""
    for at in reached(function, FREE_NAMES):
        for code in parts(at.__code__):
            for line, name in _globals(code):
                value = python_of(at.__globals__.get(name, getattr(builtins, name, None)))
                if why := _why_not(name, value, at):
                    yield f"{_where(code, line)} {why}"


def _globals(code: CodeType) -> Iterator[tuple[int, str]]:
    for instruction in dis.get_instructions(code):
        if instruction.opname == "LOAD_GLOBAL" and instruction.argval not in FREE_NAMES:
            line = instruction.positions.lineno if instruction.positions else None
            yield line or code.co_firstlineno, instruction.argval


def _why_not(name: str, value: Any, function: FunctionType) -> str:
    if isinstance(value, FunctionType) or hasattr(value, "_fields") or name in BUILTINS or _constant(value):
        return ""
    if value is None:
        return f"uses {name}, which nothing supplies{_instead(name, (*FREE_NAMES, *function.__globals__))}"
    if isinstance(value, ModuleType):
        return f"reaches into the module {name}, which no binding can replace; import the free names {FREE} themselves"
    if name in CHOOSING:
        return f"calls {name}, which decides by a value; use fmax"
    if callable(value):
        return f"calls {name}, which no binding supplies; the free names are {FREE}"
    return f"uses {name}, a {type(value).__name__}; outside may stand numbers, tuples of numbers and functions"


def _constant(value: Any) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, tuple) and all(_constant(part) for part in value))


def _traced(model: Model, name: str, equation: Equation) -> Iterator[str]:
    try:
        columns, value = traced(equation)
    except Exception as fault:  # whatever the model's author wrote
        yield _raised(fault, equation)
        return
    code = equation.function.__code__
    where = _where(code, code.co_firstlineno)
    due = {"observe": model.outputs, "objective": ()}.get(name, model.states)
    entries = value if isinstance(value, tuple) else (value,)
    if shape := _misshapen(name, value, tuple(item.name for item in due)):
        yield f"{where} {shape}"
    elif lost := _lost(model, columns, entries):
        of = " of " + ", ".join(due[i].name for i in lost) if due else ""
        yield f"{where} gives no finite number{of} at the prior; keep 0/0, log(0) and overflow out of it"


def _misshapen(name: str, value: Any, due: tuple[str, ...]) -> str:
    """How what was returned differs from one number for each of `due`; without them, from one number."""
    if name == "objective":
        return "" if _scalar(value) else "returns more than one number; return what the batch is for, a single one"
    whose = "outputs" if name == "observe" else "states"
    listed = f"{len(due)} {whose} ({', '.join(due)})"
    if not isinstance(value, tuple):
        return f"returns no tuple; return one entry for each of the {listed}, in this order"
    if len(value) != len(due):
        return f"returns {len(value)} entries for {listed}; return one for each, in this order"
    wrong = [entry for entry, part in zip(due, value, strict=True) if not _scalar(part)]
    return f"returns no number for {', '.join(wrong)}; return one" if wrong else ""


def _scalar(value: Any) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, casadi.SX) and bool(value.is_scalar()))


def _lost(model: Model, columns: dict[str, Any], entries: Iterable[Any]) -> list[int]:
    """Which entries are not finite at the prior, with nominal inputs and every multiplier 1."""
    prior = {
        "x": [state.initial for state in model.states],
        "u": [item.nominal for item in model.inputs],
        "p": parameter_values(model),
        "m": np.ones(len(model.multipliers)),
    }
    function = casadi.Function("at_the_prior", list(columns.values()), [casadi.vertcat(*entries)])
    values = np.array(function(*(prior[key] for key in columns))).ravel()
    return np.flatnonzero(~np.isfinite(values)).tolist()


def _raised(fault: Exception, equation: Equation) -> str:
    """The exception as a sentence: where it was raised in what the author wrote, and the mend where it is known."""
    code = equation.function.__code__
    places = [(frame.f_code, line) for frame, line in traceback.walk_tb(fault.__traceback__)]
    own = [place for place in places if not place[0].co_filename.startswith(_NOT_THE_AUTHORS)]
    where = _where(*(own[-1] if own else (code, code.co_firstlineno)))
    if isinstance(fault, AttributeError) and hasattr(fault.obj, "_fields"):
        kind, name = KINDS.get(type(fault.obj).__name__, "entry"), str(fault.name)
        return f"{where} asks for a {kind} {name!r} that is not declared{_instead(name, fault.obj._fields)}"
    if BRANCH in str(fault):
        return f"{where} branches on a value of the model (if, and, or, not); use fmax, or tanh for a smooth switch"
    return f"{where} raises {type(fault).__name__}: {str(fault).splitlines()[0]}"


_NOT_THE_AUTHORS = (casadi.__file__.rpartition("/")[0], __file__.rpartition("/")[0], "<")


def _where(code: CodeType, line: int) -> str:
    return f"{code.co_name} ({code.co_filename.rpartition('/')[2]}, line {line})"


def _instead(given: str, known: Iterable[str]) -> str:
    near = get_close_matches(given, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
